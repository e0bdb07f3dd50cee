// Parameters of methods: what each takes, as a table; what a call gave is checked against it before the method reads
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/control/rpc.h"

namespace peer::control {

/// What a parameter can be.
enum class ParamKind { text, texts, version, count, seconds, flag };

struct Param {
  const char* name;
  ParamKind kind;
  bool required = false;
};

/// By name, checked; parameters by position are given their names. A null counts as left out. `method` is named in
/// errors.
RpcResult checked_params(const std::string& method, const std::vector<Param>& wanted, const Json& given);

/// As JSON Schema says it.
Json schema_of(ParamKind kind);

// Of checked parameters.
std::optional<std::string> text_of(const Json& params, const char* name);
/// In lower case.
std::optional<std::string> version_of(const Json& params, const char* name);
std::optional<std::uint64_t> count_of(const Json& params, const char* name);
std::optional<double> seconds_of(const Json& params, const char* name);
bool flag_of(const Json& params, const char* name);
std::vector<std::string> texts_of(const Json& params, const char* name);

}  // namespace peer::control
