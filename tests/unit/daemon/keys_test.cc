#include "daemon/config/keys.h"

#include <catch2/catch_test_macros.hpp>
#include <regex>

namespace peer::daemon {
namespace {

/// The configuration that a file with only this key gives.
Config with(const Key& key, std::string_view value) {
  const auto config = parse_config(std::string(key.name) + " = " + std::string(value) + "\n", "f.toml");
  INFO(key.name << " = " << value);
  REQUIRE(config);
  return *config;
}

std::string uncommented(const std::string& text) {
  static const std::regex line("(^|\n)#(\\w+ = )");
  return std::regex_replace(text, line, "$1$2");
}

TEST_CASE("Every key is documented, and its default and its example can be read") {
  const Config defaults;
  for (const Key& key : keys()) {
    INFO(key.name);
    CHECK(!key.type.empty());
    CHECK(key.help.ends_with('.'));
    CHECK(key.value(with(key, key.value(defaults))) == key.value(defaults));
    if (key.effect) CHECK(key.value(with(key, key.example)) == key.example);
    CHECK(find_key(key.name) == &key);
  }
  CHECK(find_key("nonsense") == nullptr);
}

TEST_CASE("The example file gives the defaults, both as it is and with every key uncommented") {
  const std::string text = example_config();
  const std::string all = uncommented(text);
  for (const std::string& each : {text, all}) {
    const auto config = parse_config(each, "peerd.toml");
    REQUIRE(config);
    for (const Key& key : keys()) {
      INFO(key.name);
      CHECK(key.value(*config) == key.value(Config()));
    }
  }
  for (const Key& key : keys()) {
    INFO(key.name);
    const std::string last(key.name.substr(key.name.rfind('.') + 1));
    CHECK(all.find("\n" + last + " = ") != std::string::npos);
  }
}

TEST_CASE("Different values have different texts, so that SIGHUP can name the changed keys") {
  Config config;
  config.limit_up = 1'500'000;
  CHECK(find_key("limits.up")->value(config) == "\"1500K\"");
  config.limit_up = 1'500'001;
  CHECK(find_key("limits.up")->value(config) == "1500001");
  config.settle = std::chrono::milliseconds(1500);
  CHECK(find_key("library.settle")->value(config) == "\"1500ms\"");
  config.peers = {"a", "b \"c\""};
  CHECK(find_key("network.peers")->value(config) == R"(["a", "b \"c\""])");
}

}  // namespace
}  // namespace peer::daemon
