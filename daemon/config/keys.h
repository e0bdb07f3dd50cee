// The table of configuration keys. The parser, the example file, the manual page and SIGHUP read it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/config/config.h"

namespace peer::daemon {

/// A TOML value; monostate for a type that no key accepts.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>>;

/// Why a value is invalid; nothing if it was stored.
using ValueProblem = std::optional<std::string>;

struct Key {
  std::string_view name;     ///< "library.settle"
  std::string_view type;     ///< as the manual page names it
  std::string_view help;     ///< complete sentences, one paragraph
  std::string_view example;  ///< a TOML value other than the default
  bool at_once;              ///< SIGHUP applies it; otherwise it needs a restart
  ValueProblem (*set)(Config&, const Value&);
  std::string (*value)(const Config&);  ///< as TOML
  bool effect = true;                   ///< false: this version accepts and ignores it
};

/// In reading order; the keys of a section are adjacent.
std::span<const Key> keys();
/// Null if there is no such key.
const Key* find_key(std::string_view name);

/// "library" of "library.settle"; empty for a key at the top.
std::string_view section_of(const Key& key);

/// The names, separated by commas.
std::string comma_list(const std::vector<std::string>& names);

/// A configuration file with every key and its default, commented out.
std::string example_config();

}  // namespace peer::daemon
