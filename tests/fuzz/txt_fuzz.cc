// Any strings are rejected as `invalid`, or decode to a record that encodes stably. One string a line.
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/check.h"
#include "libpeer/discovery/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string_view> strings;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    strings.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const auto record = peer::discovery::decode_txt(strings);
  if (!record) {
    PEER_CHECK(record.error().code == peer::ErrorCode::invalid);
    return 0;
  }
  PEER_CHECK(!record->name.empty());
  const std::vector<std::string> again = peer::discovery::encode_txt(*record);
  PEER_CHECK(peer::discovery::decode_txt(std::vector<std::string_view>(again.begin(), again.end())).has_value());
  PEER_CHECK(peer::discovery::service_name(record->name).size() <= peer::discovery::kMaxServiceName);
  return 0;
}
