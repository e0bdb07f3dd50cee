// The table of configuration keys: what the parser knows, what the example file and the manual say, what SIGHUP
// applies.
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

/// A value as TOML writes it; monostate for what no key takes.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>>;

/// Why a value cannot be; nothing if it was taken.
using Problem = std::optional<std::string>;

struct Key {
  std::string_view name;     ///< "library.settle"
  std::string_view type;     ///< as the manual names it
  std::string_view help;     ///< whole sentences, one paragraph
  std::string_view example;  ///< a value that is not the default, as TOML
  bool at_once;              ///< SIGHUP applies it; else it takes a restart
  Problem (*set)(Config&, const Value&);
  std::string (*value)(const Config&);  ///< as TOML
  bool effect = true;                   ///< acted on by this version
};

/// In the order in which people should read them; the keys of a section stand together.
std::span<const Key> keys();
/// Null: there is none of that name.
const Key* find_key(std::string_view name);

/// "library" of "library.settle"; empty for a key at the top.
std::string_view section_of(const Key& key);

/// The names, separated by commas.
std::string comma_list(const std::vector<std::string>& names);

/// A configuration file with every key, commented out, with its default.
std::string example_config();

}  // namespace peer::daemon
