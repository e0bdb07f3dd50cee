#include "config/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <sstream>

#include "base/units.h"
#include "net/address.h"
#include "protocol/limits.h"
#include "protocol/path.h"

namespace peer::daemon {
namespace {

/// Why a value cannot be; nothing if it was taken.
using Problem = std::optional<std::string>;
using Setter = Problem (*)(Config&, const toml::node&);

Problem take_text(std::string& into, const toml::node& node) {
  const auto value = node.value_exact<std::string>();
  if (!value) return "must be a string";
  into = *value;
  return std::nullopt;
}

Problem take_texts(std::vector<std::string>& into, const toml::node& node) {
  const toml::array* array = node.as_array();
  if (array == nullptr) return "must be an array of strings";
  into.clear();
  for (const toml::node& entry : *array) {
    const auto value = entry.value_exact<std::string>();
    if (!value || value->empty()) return "must be an array of strings that are not empty";
    into.push_back(*value);
  }
  return std::nullopt;
}

std::string number_text(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto whole = node.value_exact<std::int64_t>()) return std::to_string(*whole);
  if (const auto real = node.value_exact<double>()) return std::to_string(*real);
  return {};
}

Problem take_duration(Duration& into, const toml::node& node, Duration least) {
  const auto value = parse_duration(number_text(node));
  if (!value) return "must be a time like \"500ms\", \"5s\", \"2m\" or \"1h\"";
  if (*value < least) return "must be at least " + std::to_string(least / std::chrono::milliseconds(1)) + "ms";
  into = *value;
  return std::nullopt;
}

Problem take_size(std::uint64_t& into, const toml::node& node) {
  const auto value = parse_size(number_text(node));
  if (!value) return "must be a number of bytes like \"256M\"";
  into = *value;
  return std::nullopt;
}

Problem take_count(std::uint64_t& into, const toml::node& node, std::int64_t most) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < 1 || *value > most) return "must be a number from 1 to " + std::to_string(most);
  into = static_cast<std::uint64_t>(*value);
  return std::nullopt;
}

Problem take_access(Config&, const toml::node& node) {
  std::string mode;
  if (auto problem = take_text(mode, node)) return problem;
  if (mode == "open") return std::nullopt;
  // Serving everybody although somebody asked for less would be worse than not starting.
  if (mode == "party" || mode == "paired") return "\"" + mode + "\" is not available in this version, only \"open\"";
  return "must be \"open\", \"party\" or \"paired\"";
}

struct Key {
  Setter set;
  bool effect = true;
};

const std::map<std::string, Key, std::less<>>& keys() {
  using namespace std::chrono_literals;
  using Node = const toml::node&;
  static const std::map<std::string, Key, std::less<>> table{
      {"name", {[](Config& c, Node n) { return take_text(c.name, n); }}},
      {"library.roots", {[](Config& c, Node n) { return take_texts(c.roots, n); }}},
      {"library.settle", {[](Config& c, Node n) { return take_duration(c.settle, n, 0ms); }}},
      {"network.listen", {[](Config& c, Node n) { return take_text(c.listen, n); }}},
      {"network.peers", {[](Config& c, Node n) { return take_texts(c.peers, n); }}},
      {"network.interfaces", {[](Config& c, Node n) { return take_texts(c.interfaces, n); }}},
      {"network.ignore", {[](Config& c, Node n) { return take_texts(c.ignored_interfaces, n); }}},
      {"network.threads",
       {[](Config&, Node n) {
          std::uint64_t unused = 0;
          return take_count(unused, n, 64);
        },
        false}},
      {"discovery.mdns", {[](Config& c, Node n) -> Problem {
         const auto value = n.value_exact<bool>();
         if (!value) return "must be true or false";
         c.mdns = *value;
         return std::nullopt;
       }}},
      {"access.mode", {take_access}},
      {"access.party_key_file",
       {[](Config&, Node n) {
          std::string unused;
          return take_text(unused, n);
        },
        false}},
      {"limits.up", {[](Config& c, Node n) { return take_size(c.limit_up, n); }}},
      {"limits.down", {[](Config& c, Node n) { return take_size(c.limit_down, n); }}},
      {"downloads.parallel", {[](Config& c, Node n) { return take_count(c.parallel, n, 100); }}},
      {"downloads.reserve", {[](Config& c, Node n) { return take_size(c.reserve, n); }}},
      {"downloads.auto", {[](Config& c, Node n) { return take_texts(c.automatic, n); }}},
      {"liveness.ping", {[](Config& c, Node n) { return take_duration(c.ping, n, 100ms); }}},
      {"liveness.lost", {[](Config& c, Node n) { return take_duration(c.lost, n, 200ms); }}},
      {"runtime.shutdown_timeout", {[](Config& c, Node n) { return take_duration(c.shutdown_timeout, n, 100ms); }}},
  };
  return table;
}

std::string at(const std::string& file, const toml::source_region& region) {
  return file + ":" + std::to_string(region.begin.line) + ": ";
}

bool is_section(std::string_view path) {
  return std::ranges::any_of(keys(), [&](const auto& key) { return key.first.starts_with(std::string(path) + "."); });
}

Problem unknown(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& [name, key] : keys()) names.push_back(name);
  std::string message = "unknown key \"" + path + "\"";
  if (const auto guess = nearest(path, names)) message += ": did you mean \"" + *guess + "\"?";
  return message;
}

Result<void> apply(Config& config, const toml::table& table, const std::string& prefix, const std::string& file) {
  for (const auto& [name, node] : table) {
    const std::string path = prefix + std::string(name.str());
    const auto key = keys().find(path);
    if (key == keys().end() && node.is_table() && (is_section(path) || path == "hooks")) {
      if (path == "hooks") {
        config.without_effect.push_back(path);
      } else if (auto done = apply(config, *node.as_table(), path + ".", file); !done) {
        return done;
      }
      continue;
    }
    Problem problem = key == keys().end() ? unknown(path) : key->second.set(config, node);
    if (problem && key != keys().end()) problem = path + " " + *problem;
    if (problem) return fail(ErrorCode::invalid, at(file, node.source()) + *problem);
    if (!key->second.effect) config.without_effect.push_back(path);
  }
  return {};
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  const auto last_part = [](std::string_view text) { return text.substr(text.rfind('.') + 1); };
  for (const std::string& candidate : candidates) {
    std::size_t steps = distance(word, candidate);
    // The right key in the wrong section, or in none.
    if (last_part(word) == last_part(candidate)) steps = std::min<std::size_t>(steps, 2);
    if (steps < least) {
      least = steps;
      best = candidate;
    }
  }
  return best;
}

Result<Config> parse_config(std::string_view text, const std::string& file) {
  Config config;
  try {
    const toml::table table = toml::parse(text, file);
    if (auto done = apply(config, table, "", file); !done) return std::unexpected(done.error());
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::invalid, at(file, error.source()) + std::string(error.description()));
  }
  return config;
}

Result<Config> load_config(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail_errno(errno, path);
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad()) return fail_errno(EIO, path);
  return parse_config(text, path);
}

Result<void> check_config(const Config& config) {
  if (config.roots.empty())
    return fail(ErrorCode::invalid,
                "no library: name one with --library DIR, or with library.roots in the configuration file");
  for (const std::string& root : config.roots) {
    if (!root.starts_with('/')) return fail(ErrorCode::invalid, "library.roots: " + root + " must be an absolute path");
  }
  if (auto address = net::SocketAddress::parse(config.listen); !address) {
    return fail(ErrorCode::invalid, "the address to listen on: " + address.error().message);
  }
  if (config.lost <= config.ping) return fail(ErrorCode::invalid, "liveness.lost must be longer than liveness.ping");
  if (config.name.size() > protocol::kMaxNameBytes || protocol::printable(config.name) != config.name) {
    return fail(ErrorCode::invalid,
                "the name must have at most " + std::to_string(protocol::kMaxNameBytes) + " printable bytes");
  }
  return {};
}

}  // namespace peer::daemon
