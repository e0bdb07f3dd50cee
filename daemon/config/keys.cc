#include "daemon/config/keys.h"

#include <algorithm>
#include <array>

#include "libpeer/base/units.h"

namespace peer::daemon {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

ValueProblem store_text(std::string& into, const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return "must be a string";
  into = *text;
  return std::nullopt;
}

std::string number_text(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&value)) return std::to_string(*real);
  return {};
}

/// Stores and prints a key that is one member of Config. The other templates do the same for other types.
template <auto Member>
struct Text {
  static ValueProblem set(Config& config, const Value& value) { return store_text(config.*Member, value); }
  static std::string value(const Config& config) { return toml_string(config.*Member); }
};

template <auto Member>
struct Texts {
  static ValueProblem set(Config& config, const Value& value) {
    const auto* texts = std::get_if<std::vector<std::string>>(&value);
    if (texts == nullptr) return "must be an array of strings";
    if (std::ranges::any_of(*texts, &std::string::empty)) return "must be an array of non-empty strings";
    config.*Member = *texts;
    return std::nullopt;
  }
  static std::string value(const Config& config) {
    std::string out = "[";
    for (const std::string& text : config.*Member) out += (out.size() > 1 ? ", " : "") + toml_string(text);
    return out + "]";
  }
};

/// A program with its arguments.
template <auto Member>
struct Program : Texts<Member> {
  static ValueProblem set(Config& config, const Value& value) {
    const auto* words = std::get_if<std::vector<std::string>>(&value);
    if (words == nullptr || (!words->empty() && !words->front().starts_with('/'))) {
      return "must be an array of strings that begins with the absolute path of a program";
    }
    config.*Member = *words;
    return std::nullopt;
  }
};

template <auto Member, int kLeastMs>
struct Time {
  static ValueProblem set(Config& config, const Value& value) {
    const auto duration = parse_duration(number_text(value));
    if (!duration) return "must be a time like \"500ms\", \"5s\", \"2m\" or \"1h\"";
    if (*duration < milliseconds(kLeastMs)) return "must be at least " + std::to_string(kLeastMs) + "ms";
    config.*Member = *duration;
    return std::nullopt;
  }
  static std::string value(const Config& config) {
    const auto ms = std::chrono::duration_cast<milliseconds>(config.*Member).count();
    return ms % 1000 == 0 ? toml_string(std::to_string(ms / 1000) + "s") : toml_string(std::to_string(ms) + "ms");
  }
};

template <auto Member>
struct Size {
  static ValueProblem set(Config& config, const Value& value) {
    const auto size = parse_size(number_text(value));
    if (!size) return "must be a size like \"256M\" or a number of bytes";
    config.*Member = *size;
    return std::nullopt;
  }
  static std::string value(const Config& config) {
    const std::uint64_t bytes = config.*Member;
    if (bytes == 0) return "0";
    for (const auto& [unit, letter] : {std::pair(1'000'000'000U, "G"), {1'000'000U, "M"}, {1000U, "K"}}) {
      if (bytes % unit == 0) return toml_string(std::to_string(bytes / unit) + letter);
    }
    return std::to_string(bytes);
  }
};

ValueProblem store_count(std::uint64_t& into, const Value& value, std::int64_t most) {
  const auto* count = std::get_if<std::int64_t>(&value);
  if (count == nullptr || *count < 1 || *count > most) return "must be a number from 1 to " + std::to_string(most);
  into = static_cast<std::uint64_t>(*count);
  return std::nullopt;
}

template <auto Member, std::int64_t kMost>
struct Count {
  static ValueProblem set(Config& config, const Value& value) { return store_count(config.*Member, value, kMost); }
  static std::string value(const Config& config) { return std::to_string(config.*Member); }
};

template <auto Member>
struct Truth {
  static ValueProblem set(Config& config, const Value& value) {
    const auto* truth = std::get_if<bool>(&value);
    if (truth == nullptr) return "must be true or false";
    config.*Member = *truth;
    return std::nullopt;
  }
  static std::string value(const Config& config) { return config.*Member ? "true" : "false"; }
};

struct AccessModeKey {
  static ValueProblem set(Config& config, const Value& value) {
    std::string mode;
    if (auto problem = store_text(mode, value)) return problem;
    if (mode != "open" && mode != "party" && mode != "paired") return "must be \"open\", \"party\" or \"paired\"";
    config.access = mode;
    return std::nullopt;
  }
  static std::string value(const Config& config) { return toml_string(config.access); }
};

struct Threads {
  static ValueProblem set(Config&, const Value& value) {
    std::uint64_t unused = 0;
    return store_count(unused, value, 64);
  }
  static std::string value(const Config&) { return "1"; }
};

template <class Kind>
constexpr Key key(std::string_view name, std::string_view type, bool at_once, std::string_view example,
                  std::string_view help, bool effect = true) {
  return {name, type, help, example, at_once, Kind::set, Kind::value, effect};
}

constexpr bool kAtOnce = true;
constexpr bool kRestart = false;

constexpr std::array kKeys{
    key<Text<&Config::name>>("name", "string", kRestart, "\"living-room\"",
                             "The name that other peers see. Empty: the host name."),
    key<Texts<&Config::roots>>("library.roots", "array of strings", kRestart, "[\"/srv/games\"]",
                               "Absolute paths of directories whose subdirectories are games. The first one receives "
                               "downloads and must be writable. At least one is required here or as a --library flag."),
    key<Time<&Config::settle, 0>>("library.settle", "time", kRestart, "\"30s\"",
                                  "How long a game must be unchanged before it is offered."),
    key<Text<&Config::listen>>(
        "network.listen", "string", kRestart, "\"192.168.1.7:24747\"",
        "The UDP address to listen on. [::] means every address, IPv4 and IPv6; port 0 means any free port. If this "
        "machine does not have the address, peerd waits for it."),
    key<Texts<&Config::peers>>(
        "network.peers", "array of strings", kAtOnce, "[\"192.168.1.20\", \"den:24747\"]",
        "HOST or HOST:PORT of peers to stay connected with, for networks that mDNS does not reach. SIGHUP connects to "
        "added peers; removing one needs a restart."),
    key<Texts<&Config::interfaces>>(
        "network.interfaces", "array of strings", kRestart, "[\"eth0\"]",
        "The only network interfaces to use. Empty: all except those of containers and virtual machines."),
    key<Texts<&Config::ignored_interfaces>>("network.ignore", "array of strings", kRestart, "[\"wg*\"]",
                                            "Patterns of network interfaces that are never used."),
    key<Threads>("network.threads", "number", kRestart, "4",
                 "The number of network threads. It has no effect in this version.", false),
    key<Truth<&Config::mdns>>(
        "discovery.mdns", "true or false", kRestart, "false",
        "Whether to find peers on the local network by mDNS, through the avahi-daemon of this machine."),
    key<AccessModeKey>(
        "access.mode", "string", kRestart, "\"party\"",
        "Which peers may connect. \"open\": any peer on the local network. \"party\": only peers that know "
        "the secret in access.party_key_file. \"paired\": only peers that were paired on both sides, with "
        "\"peerctl pair PEER\". In party and paired mode, other machines learn only that peerd is running."),
    key<Text<&Config::party_key_file>>(
        "access.party_key_file", "string", kRestart, "\"/etc/peerd/party.key\"",
        "The file with the secret of the party, the same for all its peers: 32 hex digits or more, or base64 of 16 "
        "bytes or more; \"openssl rand -hex 32\" makes one. Only the daemon's user and group may be able to read the "
        "file."),
    key<Size<&Config::limit_up>>(
        "limits.up", "size", kAtOnce, "\"5M\"",
        "Bytes per second to all peers together; 0: no limit. \"peerctl limit\" changes it until the next restart."),
    key<Size<&Config::limit_down>>("limits.down", "size", kAtOnce, "\"20M\"",
                                   "Bytes per second from all peers together; 0: no limit."),
    key<Count<&Config::parallel, 100>>("downloads.parallel", "number", kAtOnce, "1",
                                       "How many downloads run at a time; the others wait in the queue. 1 to 100."),
    key<Size<&Config::reserve>>("downloads.reserve", "size", kAtOnce, "\"10G\"",
                                "Disk space that downloads leave free."),
    key<Texts<&Config::automatic>>("downloads.auto", "array of strings", kAtOnce, "[\"quake*\"]",
                                   "Patterns of games to download and keep up to date automatically."),
    key<Time<&Config::ping, 100>>("liveness.ping", "time", kRestart, "\"3s\"", "How often an idle peer is pinged."),
    key<Time<&Config::lost, 200>>(
        "liveness.lost", "time", kRestart, "\"8s\"",
        "A peer that is silent for this long counts as lost. Must be longer than liveness.ping."),
    key<Time<&Config::shutdown_timeout, 100>>(
        "runtime.shutdown_timeout", "time", kRestart, "\"5s\"",
        "How long a clean stop may take. Tasks that have not ended by then are abandoned."),
    key<Program<&Config::on_download_finished>>(
        "hooks.download_finished", "array of strings", kAtOnce, "[\"/usr/local/bin/tell\", \"finished\"]",
        "A program with its arguments, run when a download is complete. It receives the event in PEERD_* environment "
        "variables and as JSON on its standard input."),
    key<Program<&Config::on_download_failed>>("hooks.download_failed", "array of strings", kAtOnce,
                                              "[\"/usr/local/bin/tell\", \"failed\"]",
                                              "Run when a download has failed or all peers with the game have left."),
    key<Program<&Config::on_game_added>>("hooks.game_added", "array of strings", kAtOnce,
                                         "[\"/usr/local/bin/tell\", \"new\"]",
                                         "Run for each game that this peer begins to offer after its start."),
    key<Program<&Config::on_peer_joined>>("hooks.peer_joined", "array of strings", kAtOnce,
                                          "[\"/usr/local/bin/tell\", \"joined\"]", "Run when a peer is connected."),
    key<Program<&Config::on_peer_left>>("hooks.peer_left", "array of strings", kAtOnce,
                                        "[\"/usr/local/bin/tell\", \"left\"]",
                                        "Run when a connected peer has left or is lost."),
    key<Program<&Config::on_service_restarted>>(
        "hooks.service_restarted", "array of strings", kAtOnce, "[\"/usr/local/bin/tell\", \"restarted\"]",
        "Run when a service of the daemon (Discovery or Liveness) has failed and is restarted."),
    key<Program<&Config::on_runtime_failed>>(
        "hooks.runtime_failed", "array of strings", kAtOnce, "[\"/usr/local/bin/tell\", \"down\"]",
        "Run when a required service has failed and the daemon stops. The program may take three quarters of "
        "runtime.shutdown_timeout."),
    key<Time<&Config::hook_timeout, 100>>("hooks.timeout", "time", kAtOnce, "\"300s\"",
                                          "How long a hook may run before it is terminated."),
};

/// Wraps the text into lines of at most 100 columns, each after "# ".
std::string comment(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (end > 98) end = text.rfind(' ', 98);
    out += "# " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return out;
}

}  // namespace

std::span<const Key> keys() { return kKeys; }

const Key* find_key(std::string_view name) {
  const auto found = std::ranges::find(kKeys, name, &Key::name);
  return found == kKeys.end() ? nullptr : &*found;
}

std::string_view section_of(const Key& key) {
  const std::size_t dot = key.name.find('.');
  return dot == std::string_view::npos ? std::string_view() : key.name.substr(0, dot);
}

std::string comma_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string example_config() {
  std::string out = comment(
      "The configuration of peerd, in TOML: every key with its default, commented out. A time is a number with ms, s, "
      "m "
      "or h. A size is a number of bytes; K, M, G and T are powers of 1000. \"peerd --check-config --config FILE\" "
      "checks a change, and \"systemctl reload peerd\" applies the keys that do not need a restart. See "
      "peerd.toml(5).");
  std::string_view section;
  const Config defaults;
  for (const Key& key : kKeys) {
    if (section_of(key) != section) out += "\n[" + std::string(section = section_of(key)) + "]\n";
    const std::string_view name = section.empty() ? key.name : key.name.substr(section.size() + 1);
    out += "\n" + comment(std::string(key.help) + (key.at_once ? "" : " Needs a restart."));
    out += "# Example: " + std::string(key.example) + "\n";
    out += "#" + std::string(name) + " = " + key.value(defaults) + "\n";
  }
  return out;
}

}  // namespace peer::daemon
