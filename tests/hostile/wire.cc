#include "hostile/wire.h"

namespace peer::hostile {

namespace {

void put(Bytes& out, std::string_view text) { out.insert(out.end(), text.begin(), text.end()); }

// A QPACK string without Huffman coding: 7 bits of length.
void put_string(Bytes& out, std::string_view text) {
  if (text.size() < 127) {
    out.push_back(static_cast<std::uint8_t>(text.size()));
  } else {
    out.push_back(127);
    std::size_t rest = text.size() - 127;
    for (; rest >= 128; rest >>= 7) out.push_back(static_cast<std::uint8_t>((rest & 127) | 128));
    out.push_back(static_cast<std::uint8_t>(rest));
  }
  put(out, text);
}

}  // namespace

void put_varint(Bytes& out, std::uint64_t value) {
  const int log = value < 1 << 6 ? 0 : value < 1 << 14 ? 1 : value < 1 << 30 ? 2 : 3;
  const int bytes = 1 << log;
  for (int i = bytes - 1; i >= 0; --i) {
    auto byte = static_cast<std::uint8_t>(value >> (8 * i));
    if (i == bytes - 1) byte |= static_cast<std::uint8_t>(log << 6);
    out.push_back(byte);
  }
}

Bytes control_stream() { return {0x00, 0x04, 0x00}; }

Bytes request_head(std::string_view method, std::string_view path) {
  Bytes block{0x00, 0x00};
  block.push_back(method == "POST" ? 0xC0 | 20 : 0xC0 | 17);  // :method from the static table
  block.push_back(0xC0 | 23);                                 // :scheme https
  block.push_back(0x50);                                      // :authority
  put_string(block, "peer");
  block.push_back(0x51);  // :path
  put_string(block, path);
  Bytes frame{0x01};
  put_varint(frame, block.size());
  frame.insert(frame.end(), block.begin(), block.end());
  return frame;
}

Bytes data_head(std::uint64_t length) {
  Bytes frame{0x00};
  put_varint(frame, length);
  return frame;
}

Bytes data_frame(std::string_view body) {
  Bytes frame = data_head(body.size());
  put(frame, body);
  return frame;
}

std::string session_length(std::uint32_t length) {
  std::string head;
  for (int shift = 24; shift >= 0; shift -= 8) head.push_back(static_cast<char>(length >> shift));
  return head;
}

std::string session_frame(std::string_view payload) {
  std::string frame = session_length(static_cast<std::uint32_t>(payload.size()));
  frame += payload;
  return frame;
}

void put_lone_byte(Bytes& out, std::uint64_t stream, std::uint64_t offset) {
  out.push_back(0x0e);  // STREAM with offset and length
  put_varint(out, stream);
  put_varint(out, offset);
  put_varint(out, 1);
  out.push_back('x');
}

}  // namespace peer::hostile
