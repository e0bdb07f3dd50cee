#include "libpeer/net/http3_fields.h"

#include <charconv>

namespace peer::net {
namespace {

template <class T>
bool parse(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

void FieldSection::add(std::string_view name, std::string_view value) {
  pairs_.push_back({reinterpret_cast<const std::uint8_t*>(name.data()),
                    reinterpret_cast<const std::uint8_t*>(value.data()), name.size(), value.size(),
                    NGHTTP3_NV_FLAG_NONE});
}

FieldSection::FieldSection(const RequestHead& head, const std::string& authority) {
  add(":method", head.method);
  add(":scheme", "https");
  add(":authority", authority);
  add(":path", head.path);
  for (const Field& field : head.fields) add(field.name, field.value);
}

FieldSection::FieldSection(const ResponseHead& head)
    : status_(std::to_string(head.status)),
      length_(head.content_length ? std::to_string(*head.content_length) : std::string()) {
  add(":status", status_);
  for (const Field& field : head.fields) add(field.name, field.value);
  if (head.content_length) add("content-length", length_);
}

std::string_view view(nghttp3_rcbuf* buffer) {
  const nghttp3_vec bytes = nghttp3_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

void store_field(RequestHead& head, const ReceivedField& field) {
  switch (field.token) {
    case NGHTTP3_QPACK_TOKEN__METHOD: head.method = field.value; break;
    case NGHTTP3_QPACK_TOKEN__PATH: head.path = field.value; break;
    case NGHTTP3_QPACK_TOKEN__SCHEME:
    case NGHTTP3_QPACK_TOKEN__AUTHORITY: break;
    default: head.fields.push_back({std::string(field.name), std::string(field.value)});
  }
}

void store_field(ResponseHead& head, const ReceivedField& field) {
  std::uint64_t length = 0;
  if (field.token == NGHTTP3_QPACK_TOKEN__STATUS) {
    if (!parse(field.value, head.status)) head.status = 0;
  } else if (field.token == NGHTTP3_QPACK_TOKEN_CONTENT_LENGTH && parse(field.value, length)) {
    head.content_length = length;
  } else {
    head.fields.push_back({std::string(field.name), std::string(field.value)});
  }
}

Error stream_error(std::uint64_t code) {
  switch (code) {
    case NGHTTP3_H3_NO_ERROR:
    case NGHTTP3_H3_REQUEST_CANCELLED: return {ErrorCode::refused, "the peer cancelled the request"};
    case NGHTTP3_H3_REQUEST_REJECTED: return {ErrorCode::refused, "the peer accepts no requests now"};
    case NGHTTP3_H3_EXCESSIVE_LOAD: return {ErrorCode::refused, "the peer rejected the request as too large"};
    case NGHTTP3_H3_MESSAGE_ERROR: return {ErrorCode::invalid, "the message is not valid HTTP"};
    default: return {ErrorCode::refused, "the peer reset the stream (code " + std::to_string(code) + ")"};
  }
}

}  // namespace peer::net
