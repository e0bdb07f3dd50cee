#include "daemon/config/config.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace peer::daemon {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

std::string problem(const std::string& text) {
  const auto config = parse_config(text, "f.toml");
  REQUIRE(!config);
  return config.error().message;
}

Result<Arguments> arguments(std::vector<const char*> words) {
  words.insert(words.begin(), "peerd");
  return parse_arguments(static_cast<int>(words.size()), words.data(), "9.9");
}

TEST_CASE("Every key is read") {
  const auto config = parse_config(R"(
name = "den"
[library]
roots = ["/srv/games", "/more"]
settle = "500ms"
[network]
listen = "0.0.0.0:0"
peers = ["a:1", "b"]
interfaces = ["eth0"]
ignore = ["wg*", "eth9"]
threads = 2
[discovery]
mdns = false
[access]
mode = "paired"
party_key_file = "/etc/peerd/party.key"
[limits]
up = "5M"
[downloads]
parallel = 7
reserve = "1G"
[liveness]
ping = 1
lost = 2.5
[runtime]
shutdown_timeout = "3s"
)",
                                   "f.toml");
  REQUIRE(config);
  CHECK(config->name == "den");
  CHECK(config->roots == std::vector<std::string>{"/srv/games", "/more"});
  CHECK(config->settle == 500ms);
  CHECK(config->listen == "0.0.0.0:0");
  CHECK(config->peers.size() == 2);
  CHECK(config->interfaces.size() == 1);
  CHECK(config->ignored_interfaces == std::vector<std::string>{"wg*", "eth9"});
  CHECK(!config->mdns);
  CHECK(config->access == "paired");
  CHECK(config->party_key_file == "/etc/peerd/party.key");
  CHECK(config->parallel == 7);
  CHECK(config->reserve == 1'000'000'000);
  CHECK(config->ping == 1s);
  CHECK(config->lost == 2500ms);
  CHECK(config->shutdown_timeout == 3s);
  CHECK(config->without_effect == std::vector<std::string>{"network.threads"});
  CHECK(check_config(*config));
}

TEST_CASE("An unknown key is an error with its line and a suggestion") {
  CHECK(problem("name = \"x\"\n[library]\nroot = []\n") ==
        "f.toml:3: unknown key \"library.root\": did you mean \"library.roots\"?");
  CHECK_THAT(problem("[libary]\nroots = []\n"), ContainsSubstring("f.toml:1: unknown key \"libary\""));
  CHECK_THAT(problem("roots = []\n"), ContainsSubstring("did you mean \"library.roots\"?"));
  CHECK_THAT(problem("zzz = 1\n"), StartsWith("f.toml:1: unknown key \"zzz\""));
}

TEST_CASE("An invalid value is an error with its line") {
  CHECK_THAT(problem("[library]\nsettle = \"soon\"\n"), StartsWith("f.toml:2: library.settle must be a time"));
  CHECK_THAT(problem("[library]\nroots = \"x\"\n"), ContainsSubstring("array of strings"));
  CHECK_THAT(problem("[downloads]\nparallel = 0\n"), ContainsSubstring("1 to 100"));
  CHECK_THAT(problem("library = 5\n"), ContainsSubstring("unknown key"));
  CHECK_THAT(problem("name = \n"), StartsWith("f.toml:1: "));
  // A misspelled mode must not fall back to open.
  CHECK_THAT(problem("[access]\nmode = \"closed\"\n"), ContainsSubstring("\"party\" or \"paired\""));
}

TEST_CASE("Conditions that span several keys are checked") {
  Config config;
  CHECK_THAT(check_config(config).error().message, ContainsSubstring("--library"));
  config.roots = {"relative"};
  CHECK_THAT(check_config(config).error().message, ContainsSubstring("absolute"));
  config.roots = {"/x"};
  CHECK(check_config(config));
  config.lost = config.ping;
  CHECK(!check_config(config));
}

TEST_CASE("An invalid static peer is an error that quotes it") {
  Config config;
  config.roots = {"/x"};
  config.peers = {"den", "192.168.1.20:24747", "[fe80::1%eth0]:5"};
  CHECK(check_config(config));
  for (const char* peer : {"host:99999", "", "http://x", "a b", "host:"}) {
    INFO(peer);
    config.peers = {"den", peer};
    REQUIRE(!check_config(config));
    CHECK_THAT(check_config(config).error().message,
               StartsWith("network.peers or --peer: \"" + std::string(peer) + "\" is not HOST[:PORT]"));
  }
  config.peers = {};
  config.interfaces = {""};
  CHECK_THAT(check_config(config).error().message, ContainsSubstring("--interface"));
}

TEST_CASE("Flags override the file") {
  const auto given = arguments({"--library", "/a", "--library", "/b/", "--listen", "127.0.0.1:0", "--peer", "x:1",
                                "--no-mdns", "--log-level", "debug"});
  REQUIRE(given);
  CHECK(given->log_level == LogLevel::debug);
  Config file;
  file.roots = {"/c"};
  file.name = "kept";
  const auto merged = merge(file, *given);
  REQUIRE(merged);
  CHECK(merged->roots == std::vector<std::string>{"/a", "/b"});
  CHECK(merged->name == "kept");
  CHECK(merged->listen == "127.0.0.1:0");
  CHECK(merged->peers == std::vector<std::string>{"x:1"});
  CHECK(!merged->mdns);
}

TEST_CASE("An invalid flag is an error of one line; --version and --help return their text") {
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"--nonsense"}, {"--library"}, {"--log-level", "loud"}, {"--library", "/a", "stray"}}) {
    const auto given = arguments(words);
    REQUIRE(!given);
    CHECK(given.error().message.find('\n') == std::string::npos);
  }
  CHECK(arguments({"--version"})->print == "peerd 9.9\n");
  CHECK_THAT(*arguments({"--help"})->print, ContainsSubstring("--library"));
}

TEST_CASE("Default paths come from systemd's variables, then from the user's") {
  Places places;
  CHECK(places.socket() == "/run/peerd/peerd.sock");
  places.home = "/home/u";
  CHECK(places.state() == "/home/u/.local/state/peerd");
  CHECK(places.config_file() == "/home/u/.config/peerd/peerd.toml");
  places.xdg_runtime_dir = "/run/user/1";
  CHECK(places.socket() == "/run/user/1/peerd/peerd.sock");
  places.state_directory = "/var/lib/peerd";
  places.runtime_directory = "/run/peerd";
  CHECK(places.state() == "/var/lib/peerd");
  CHECK(places.socket() == "/run/peerd/peerd.sock");
  CHECK(places.config_file() == "/etc/peerd/peerd.toml");
}

}  // namespace
}  // namespace peer::daemon
