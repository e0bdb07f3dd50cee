#include "libpeer/control/params.h"

#include <algorithm>
#include <cmath>

#include "libpeer/base/version_prefix.h"

namespace peer::control {
namespace {

bool fits(const Json& value, ParamKind kind) {
  switch (kind) {
    case ParamKind::text: return value.is_string() && !value.get_ref<const std::string&>().empty();
    case ParamKind::texts:
      return value.is_array() && std::ranges::all_of(value, [](const Json& v) { return fits(v, ParamKind::text); });
    case ParamKind::version: return value.is_string() && version_prefix(value.get_ref<const std::string&>());
    case ParamKind::count:
      return value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
    case ParamKind::flag: return value.is_boolean();
    case ParamKind::seconds: return value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() >= 0;
  }
  return false;
}

const char* describe(ParamKind kind) {
  switch (kind) {
    case ParamKind::text: return "a non-empty string";
    case ParamKind::texts: return "an array of strings";
    case ParamKind::version: return "8 to 64 hex digits";
    case ParamKind::count: return "an integer of at least 0";
    case ParamKind::flag: return "true or false";
    case ParamKind::seconds: return "a number of seconds, at least 0";
  }
  return "";
}

}  // namespace

Json schema_of(ParamKind kind) {
  switch (kind) {
    case ParamKind::text: return {{"type", "string"}, {"minLength", 1}};
    case ParamKind::texts: return {{"type", "array"}, {"items", schema_of(ParamKind::text)}};
    case ParamKind::version: return {{"type", "string"}, {"pattern", "^[0-9a-fA-F]{8,64}$"}};
    case ParamKind::count: return {{"type", "integer"}, {"minimum", 0}};
    case ParamKind::flag: return {{"type", "boolean"}};
    case ParamKind::seconds: return {{"type", "number"}, {"minimum", 0}};
  }
  return {};
}

RpcResult checked_params(const std::string& method, const std::vector<Param>& accepted, const Json& given) {
  Json named = Json::object();
  if (given.is_array()) {
    if (given.size() > accepted.size())
      return invalid_params(method + " accepts at most " + std::to_string(accepted.size()) + " parameters");
    for (std::size_t i = 0; i < given.size(); ++i) named[accepted[i].name] = given[i];
  } else if (given.is_object()) {
    named = given;
  }
  Json params = Json::object();
  for (const auto& [name, value] : named.items()) {
    const auto param = std::ranges::find_if(accepted, [&](const Param& p) { return name == p.name; });
    if (param == accepted.end()) return invalid_params(method + " has no parameter '" + name + "'");
    if (value.is_null()) continue;
    if (!fits(value, param->kind)) return invalid_params(std::string(name).append(" must be ") + describe(param->kind));
    params[name] = value;
  }
  for (const Param& param : accepted) {
    if (param.required && !params.contains(param.name)) {
      return invalid_params(method + " requires the parameter '" + param.name + "'");
    }
  }
  return params;
}

std::optional<std::string> text_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found == params.end() ? std::nullopt : std::optional(found->get<std::string>());
}

std::optional<std::string> version_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found == params.end() ? std::nullopt : version_prefix(found->get_ref<const std::string&>());
}

std::optional<std::uint64_t> count_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found == params.end() ? std::nullopt : std::optional(found->get<std::uint64_t>());
}

bool flag_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found != params.end() && found->get<bool>();
}

std::vector<std::string> texts_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found == params.end() ? std::vector<std::string>{} : found->get<std::vector<std::string>>();
}

std::optional<double> seconds_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found == params.end() ? std::nullopt : std::optional(found->get<double>());
}

}  // namespace peer::control
