#include "libpeer/control/rpc.h"

#include <algorithm>

#include "libpeer/base/json_depth.h"
#include "libpeer/protocol/error_words.h"

namespace peer::control {
namespace {

Call bad_call(Json id, int code, std::string message) {
  Call call;
  call.id = std::move(id);
  call.error = RpcError{code, std::move(message), ErrorCode::invalid};
  return call;
}

Call parse_call(Json& json) {
  if (!json.is_object()) return bad_call(nullptr, kInvalidRequest, "a request must be a JSON object");
  Call call;
  const auto id = json.find("id");
  call.notification = id == json.end();
  if (!call.notification) {
    if (!id->is_string() && !id->is_number() && !id->is_null()) {
      return bad_call(nullptr, kInvalidRequest, "id must be a string, a number or null");
    }
    call.id = *id;
  }
  const auto version = json.find("jsonrpc");
  if (version == json.end() || !version->is_string() || version->get_ref<const std::string&>() != "2.0") {
    return bad_call(std::move(call.id), kInvalidRequest, R"(a request must have "jsonrpc":"2.0")");
  }
  const auto method = json.find("method");
  if (method == json.end() || !method->is_string()) {
    return bad_call(std::move(call.id), kInvalidRequest, R"(a request must have a string "method")");
  }
  call.method = method->get<std::string>();
  if (const auto params = json.find("params"); params != json.end()) {
    if (!params->is_structured()) {
      call.error = RpcError{kInvalidParams, "params must be an object or an array", ErrorCode::invalid};
    }
    call.params = std::move(*params);
  }
  return call;
}

}  // namespace

RpcError to_rpc(const Error& error) { return {kOwnError, error.message, error.code}; }

std::unexpected<RpcError> invalid_params(std::string message) {
  return std::unexpected(RpcError{kInvalidParams, std::move(message), ErrorCode::invalid});
}

Line parse_line(std::string_view text) {
  Line line;
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    line.calls.push_back(bad_call(nullptr, kParseError, "the line is not JSON"));
  } else if (!json.is_array()) {
    line.calls.push_back(parse_call(json));
  } else if (json.empty() || json.size() > kMaxBatch) {
    line.calls.push_back(
        bad_call(nullptr, kInvalidRequest, "a batch must have 1 to " + std::to_string(kMaxBatch) + " requests"));
  } else {
    line.batch = true;
    for (Json& entry : json) line.calls.push_back(parse_call(entry));
  }
  return line;
}

Json make_answer(const Json& id, const RpcResult& result) {
  Json answer{{"jsonrpc", "2.0"}, {"id", id}};
  if (result) {
    answer["result"] = *result;
  } else {
    const RpcError& error = result.error();
    answer["error"] = {
        {"code", error.code}, {"message", error.message}, {"data", {{"code", protocol::error_word(error.word)}}}};
    if (error.stopping) answer["error"]["data"]["stopping"] = true;
  }
  return answer;
}

std::string to_line(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text += '\n';
  return text;
}

}  // namespace peer::control
