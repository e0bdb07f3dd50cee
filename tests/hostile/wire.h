// The bytes that the attacks send: varints and frames of QUIC and HTTP/3, and frames of a session.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace peer::hostile {

using Bytes = std::vector<std::uint8_t>;

/// Appends a variable-length integer. Source: RFC 9000, 16.
void put_varint(Bytes& out, std::uint64_t value);
/// The start of HTTP/3's control stream: its type and an empty SETTINGS frame.
Bytes control_stream();
/// A HEADERS frame with one request and no field outside QPACK's static table and literals. Source: RFC 9114, RFC 9204.
Bytes request_head(std::string_view method, std::string_view path);
/// A DATA frame with `body`.
Bytes data_frame(std::string_view body);
/// The head of a DATA frame that announces `length` bytes.
Bytes data_head(std::uint64_t length);
/// A session frame: the payload with its length of 4 bytes, big-endian.
std::string session_frame(std::string_view payload);
/// The length of a session frame alone.
std::string session_length(std::uint32_t length);
/// A STREAM frame with one byte at `offset`. Source: RFC 9000, 19.8.
void put_lone_byte(Bytes& out, std::uint64_t stream, std::uint64_t offset);

}  // namespace peer::hostile
