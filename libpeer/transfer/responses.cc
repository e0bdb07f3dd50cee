#include "libpeer/transfer/responses.h"

#include <memory>
#include <utility>
#include <vector>

#include "libpeer/protocol/error_words.h"
#include "libpeer/protocol/path.h"

namespace peer::transfer {

namespace {
net::SharedBytes shared(std::string_view text) {
  return std::make_shared<const std::vector<std::uint8_t>>(text.begin(), text.end());
}

/// With a field `allow`, unless it is empty.
runtime::Task<void> send_document(net::ServerStream& stream, protocol::HttpStatus status, Error error,
                                  std::string_view allow, runtime::CancellationToken token) {
  net::ResponseHead head;
  head.status = to_int(status);
  head.fields.push_back({"content-type", "application/json"});
  if (!allow.empty()) head.fields.push_back({"allow", std::string(allow)});
  co_await send_body(stream, std::move(head), error_body(error), token);
}
}  // namespace

std::string_view request_field(const net::RequestHead& head, std::string_view name) {
  for (const net::Field& field : head.fields) {
    if (field.name == name) return field.value;
  }
  return {};
}

protocol::HttpStatus status_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::not_found: return protocol::HttpStatus::not_found;
    case ErrorCode::invalid: return protocol::HttpStatus::bad_request;
    case ErrorCode::refused: return protocol::HttpStatus::method_not_allowed;
    case ErrorCode::busy: return protocol::HttpStatus::unavailable;
    default: return protocol::HttpStatus::internal_error;
  }
}

Error not_offered(const std::string& game) {
  return {ErrorCode::not_found, "this peer does not offer a game \"" + game + "\"", 0};
}

net::SharedBytes error_body(const Error& error) {
  std::string text = R"({"error":{"code":")";
  text += protocol::error_word(error.code);
  text += R"(","message":")";
  for (const char c : protocol::printable(error.message)) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  text += "\"}}\n";
  return shared(text);
}

runtime::Task<void> send_body(net::ServerStream& stream, net::ResponseHead head, net::SharedBytes body,
                              runtime::CancellationToken token) {
  head.content_length = body->size();
  const bool has_body = stream.request().method != "HEAD" && !body->empty();
  if (const Result<void> sent = stream.respond(head, has_body); !sent || !has_body) co_return;
  const Result<void> written = co_await stream.writer().write(std::move(body), token);
  if (written) stream.writer().finish();
}

runtime::Task<void> send_json(net::ServerStream& stream, std::string text, runtime::CancellationToken token) {
  net::ResponseHead head;
  head.fields.push_back({"content-type", "application/json"});
  co_await send_body(stream, std::move(head), shared(text), token);
}

runtime::Task<void> send_error(net::ServerStream& stream, protocol::HttpStatus status, Error error,
                               runtime::CancellationToken token) {
  return send_document(stream, status, std::move(error), {}, std::move(token));
}

runtime::Task<void> send_refusal(net::ServerStream& stream, protocol::HttpRefusal refusal,
                                 runtime::CancellationToken token) {
  ErrorCode code = ErrorCode::invalid;
  if (refusal.status == protocol::HttpStatus::not_found) code = ErrorCode::not_found;
  if (refusal.status == protocol::HttpStatus::method_not_allowed) code = ErrorCode::refused;
  Error error{code, std::move(refusal.message), 0};
  return send_document(stream, refusal.status, std::move(error), refusal.allow, std::move(token));
}

}  // namespace peer::transfer
