#include "libpeer/discovery/record.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/path.h"

namespace peer::discovery {

namespace {

bool same_key(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::string_view> find(std::span<const std::string_view> strings, std::string_view key) {
  for (const std::string_view string : strings) {
    const std::size_t equals = string.find('=');
    if (equals != std::string_view::npos && same_key(string.substr(0, equals), key)) return string.substr(equals + 1);
  }
  return std::nullopt;
}

template <class Number>
bool parse(const std::optional<std::string_view>& text, Number& out) {
  if (!text) return false;
  const char* const begin = text->data();
  const char* const end = begin + text->size();
  const auto [rest, error] = std::from_chars(begin, end, out);
  return error == std::errc{} && rest == end;
}

}  // namespace

std::vector<std::string> encode_txt(const Record& record) {
  return {"id=" + record.id.hex(), "proto=" + std::to_string(record.protocol), "rev=" + std::to_string(record.revision),
          "name=" + std::string(protocol::clip(record.name, protocol::kMaxNameBytes))};
}

Result<Record> decode_txt(std::span<const std::string_view> strings) {
  std::size_t size = 0;
  for (const std::string_view string : strings) size += string.size() + 1;
  if (size > kMaxTxtBytes) return fail(ErrorCode::invalid, "the TXT record has more than 1300 bytes");
  Record record;
  const auto id = PeerId::from_hex(find(strings, "id").value_or(""));
  if (!id) return fail(ErrorCode::invalid, "the TXT record's id is not a peer id");
  record.id = *id;
  if (!parse(find(strings, "proto"), record.protocol))
    return fail(ErrorCode::invalid, "the TXT record's proto is not a number");
  if (!parse(find(strings, "rev"), record.revision))
    return fail(ErrorCode::invalid, "the TXT record's rev is not a number");
  const std::string name = protocol::printable(find(strings, "name").value_or(""));
  record.name = protocol::clip(name, protocol::kMaxNameBytes);
  if (record.name.empty()) record.name = record.id.brief();
  return record;
}

std::string service_name(std::string_view name) {
  std::string label = protocol::printable(name);
  label = protocol::clip(label, kMaxServiceName);
  return label.empty() ? "peerd" : label;
}

}  // namespace peer::discovery
