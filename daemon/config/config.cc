#include "daemon/config/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "daemon/config/keys.h"
#include "libpeer/base/nearest.h"
#include "libpeer/net/address.h"
#include "libpeer/net/resolver.h"
#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/path.h"

namespace peer::daemon {
namespace {

Value value_of(const toml::node& node) {
  if (const auto truth = node.value_exact<bool>()) return *truth;
  if (const auto whole = node.value_exact<std::int64_t>()) return *whole;
  if (const auto real = node.value_exact<double>()) return *real;
  if (const auto text = node.value_exact<std::string>()) return *text;
  const toml::array* array = node.as_array();
  if (array == nullptr) return {};
  std::vector<std::string> texts;
  for (const toml::node& entry : *array) {
    const auto text = entry.value_exact<std::string>();
    if (!text) return {};
    texts.push_back(*text);
  }
  return texts;
}

std::string at(const std::string& file, const toml::source_region& region) {
  return file + ":" + std::to_string(region.begin.line) + ": ";
}

bool is_section(std::string_view path) {
  return std::ranges::any_of(keys(), [&](const Key& key) { return section_of(key) == path; });
}

ValueProblem unknown(const std::string& path) {
  std::vector<std::string_view> names;
  for (const Key& key : keys()) names.emplace_back(key.name);
  std::string message = "unknown key \"" + path + "\"";
  if (const auto guess = nearest(path, names)) message += ": did you mean \"" + *guess + "\"?";
  return message;
}

Result<void> apply(Config& config, const toml::table& table, const std::string& prefix, const std::string& file) {
  for (const auto& [name, node] : table) {
    const std::string path = prefix + std::string(name.str());
    const Key* key = find_key(path);
    if (key == nullptr && node.is_table() && is_section(path)) {
      if (auto done = apply(config, *node.as_table(), path + ".", file); !done) return done;
      continue;
    }
    ValueProblem problem = key == nullptr ? unknown(path) : key->set(config, value_of(node));
    if (problem && key != nullptr) problem = path + " " + *problem;
    if (problem) return fail(ErrorCode::invalid, at(file, node.source()) + *problem);
    if (!key->effect) config.without_effect.push_back(path);
  }
  return {};
}

}  // namespace

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
    return fail(
        ErrorCode::invalid,
        "no library is configured: name one with --library DIR, or with library.roots in the configuration file");
  for (const std::string& root : config.roots) {
    if (!root.starts_with('/'))
      return fail(ErrorCode::invalid, "library.roots: \"" + root + "\" must be an absolute path");
  }
  if (auto address = net::SocketAddress::parse(config.listen); !address) {
    return fail(ErrorCode::invalid, "network.listen or --listen: " + address.error().message);
  }
  for (const std::string& peer : config.peers) {
    if (auto good = net::parse_host_port(peer); !good) {
      return fail(ErrorCode::invalid, "network.peers or --peer: " + good.error().message);
    }
  }
  if (std::ranges::any_of(config.interfaces, &std::string::empty)) {
    return fail(ErrorCode::invalid, "--interface: \"\" is not a network interface");
  }
  if (config.access == "party") {
    if (auto key = load_party_key(config.party_key_file); !key) return std::unexpected(key.error());
  }
  if (config.lost <= config.ping) return fail(ErrorCode::invalid, "liveness.lost must be longer than liveness.ping");
  if (config.name.size() > protocol::kMaxNameBytes || protocol::printable(config.name) != config.name) {
    return fail(ErrorCode::invalid, "name or --name: \"" + protocol::printable(config.name) + "\" must have at most " +
                                        std::to_string(protocol::kMaxNameBytes) + " bytes, all printable");
  }
  return {};
}

}  // namespace peer::daemon
