// A peer's DNS-SD record: what is published of this peer, and what is read of others. Pure.
//
// Limits: anybody on the network may have written what is decoded here; nothing of it is proven.
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
inline constexpr std::size_t kMaxServiceName = 63;  ///< bytes: a DNS label
inline constexpr std::size_t kMaxTxtBytes = 1300;   ///< of a record that is read; a longer one is ignored

struct Record {
  PeerId id;
  std::string name;
  std::uint32_t protocol = 0;
  std::uint64_t revision = 0;  ///< of the peer's library

  bool operator==(const Record&) const = default;
};

/// The strings of the TXT record, each "key=value".
std::vector<std::string> encode_txt(const Record& record);

/// Keys are compared without case, the first of several counts, unknown ones are ignored. A name that is missing or
/// not fit to be shown becomes the id's first digits. Fails: invalid.
Result<Record> decode_txt(std::span<const std::string_view> strings);

/// The name of the service instance of a peer that is called `name`.
std::string service_name(std::string_view name);

}  // namespace peer::discovery
