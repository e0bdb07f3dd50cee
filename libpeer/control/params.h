// The parameters of methods: what a method accepts, and the check of a call against it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/control/rpc.h"

namespace peer::control {

/// The kind of value that a parameter accepts.
enum class ParamKind { text, texts, version, count, seconds, flag };

struct Param {
  const char* name;
  ParamKind kind;
  bool required = false;
};

/// Returns the given parameters by name, also if they were given by position. A null counts as omitted. `method` is
/// named in errors. Fails: invalid.
RpcResult checked_params(const std::string& method, const std::vector<Param>& accepted, const Json& given);

/// The kind as JSON Schema.
Json schema_of(ParamKind kind);

// These read checked parameters.
std::optional<std::string> text_of(const Json& params, const char* name);
/// In lowercase.
std::optional<std::string> version_of(const Json& params, const char* name);
std::optional<std::uint64_t> count_of(const Json& params, const char* name);
std::optional<double> seconds_of(const Json& params, const char* name);
bool flag_of(const Json& params, const char* name);
std::vector<std::string> texts_of(const Json& params, const char* name);

}  // namespace peer::control
