// A peer's DNS-SD record: encodes this peer's, and decodes those of others. Pure functions.
//
// Anyone on the network may have written a decoded record; nothing in it is proven. Source: docs/protocol.md,
// section 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"

namespace peer::discovery {

inline constexpr char kServiceType[] = "_peerd._udp";
inline constexpr std::size_t kMaxServiceName = 63;  ///< bytes of a DNS label
inline constexpr std::size_t kMaxTxtBytes = 1300;   ///< longer records are ignored

struct Record {
  PeerId id;
  std::string name;
  std::uint32_t protocol = 0;
  std::uint64_t revision = 0;  ///< of the peer's library

  bool operator==(const Record&) const = default;
};

/// The strings of a TXT record, each "key=value".
std::vector<std::string> encode_txt(const Record& record);

/// Keys are case-insensitive, the first of several equal keys counts, and unknown keys are ignored. An empty or missing
/// name becomes the first digits of the id; characters unfit for display are escaped. Fails: invalid.
Result<Record> decode_txt(std::span<const std::string_view> strings);

/// The name of the service instance of a peer with this name.
std::string service_name(std::string_view name);

}  // namespace peer::discovery
