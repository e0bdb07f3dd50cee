#include "libpeer/transfer/responses.h"

#include <memory>
#include <utility>
#include <vector>

#include "libpeer/protocol/path.h"

namespace peer::transfer {

namespace {
net::SharedBytes shared(std::string_view text) {
  return std::make_shared<const std::vector<std::uint8_t>>(text.begin(), text.end());
}
}  // namespace

std::string_view request_field(const net::RequestHead& head, std::string_view name) {
  for (const net::Field& field : head.fields) {
    if (field.name == name) return field.value;
  }
  return {};
}

int status_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::no_such_game: return 404;
    case ErrorCode::invalid: return 400;
    case ErrorCode::refused: return 405;
    case ErrorCode::busy: return 503;
    default: return 500;
  }
}

Error not_offered(const std::string& game) {
  return {ErrorCode::no_such_game, "this peer does not offer a game \"" + game + "\"", 0};
}

net::SharedBytes error_body(const Error& error) {
  std::string text = R"({"error":{"code":")";
  text += to_string(error.code);
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

runtime::Task<void> send_error(net::ServerStream& stream, int status, Error error, runtime::CancellationToken token) {
  net::ResponseHead head;
  head.status = status;
  head.fields.push_back({"content-type", "application/json"});
  if (status == 405) {
    const std::string_view path = stream.request().path;
    const bool post = path.starts_with("/v1/session") || path.starts_with("/v1/proof");
    head.fields.push_back({"allow", post ? "POST" : "GET, HEAD"});
  }
  co_await send_body(stream, std::move(head), error_body(error), token);
}

}  // namespace peer::transfer
