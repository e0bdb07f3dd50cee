// Field sections of HTTP/3: from the heads of link.h to nghttp3's name-value pairs, and back.
#pragma once

#include <nghttp3/nghttp3.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/net/link.h"

namespace peer::net {

/// The name-value pairs of one head. Owns: the texts that are not part of the head; the head must outlive it.
class FieldSection {
 public:
  FieldSection(const RequestHead& head, const std::string& authority);
  explicit FieldSection(const ResponseHead& head);
  const nghttp3_nv* data() const noexcept { return pairs_.data(); }
  std::size_t size() const noexcept { return pairs_.size(); }

 private:
  void add(std::string_view name, std::string_view value);
  std::string status_, length_;
  std::vector<nghttp3_nv> pairs_;
};

/// One received field. `token` is nghttp3's number of a well-known name.
struct ReceivedField {
  std::int32_t token;
  std::string_view name;
  std::string_view value;
  /// Its size as RFC 9114, 4.2.2 counts it.
  std::size_t size() const noexcept { return name.size() + value.size() + 32; }
};
std::string_view view(nghttp3_rcbuf* buffer);
void store_field(RequestHead& head, const ReceivedField& field);
void store_field(ResponseHead& head, const ReceivedField& field);

/// The error that the local user of a stream gets for a reset or stop code.
Error stream_error(std::uint64_t code);

}  // namespace peer::net
