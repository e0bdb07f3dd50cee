// EncodedManifests: a cache of manifests in the form in which they are sent. Encoding runs on workers; requests for the
// same manifest share the result.
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "libpeer/library/library.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/workers.h"

namespace peer::transfer {

/// Loop: one. Limits: keeps at most 64 manifests and 16 MiB beyond what requests hold.
class EncodedManifests {
 public:
  enum class Format { binary, json };

  explicit EncodedManifests(runtime::Workers& workers) : workers_(workers) {}
  /// Cancel: throws Cancelled.
  runtime::Task<net::SharedBytes> get(std::shared_ptr<const library::OfferedGame> game, Format format,
                                      runtime::CancellationToken token);

 private:
  static constexpr std::size_t kKeptBytes = 16 << 20;
  static constexpr std::size_t kMaxEntries = 64;

  struct EncodedManifest {
    std::weak_ptr<const protocol::ManifestDocument> document;
    Format format;
    std::weak_ptr<const std::vector<std::uint8_t>> bytes;
    net::SharedBytes kept;  // null if it is too large to keep: then it lives as long as requests hold it
  };
  net::SharedBytes find(const library::OfferedGame& game, Format format);
  void put(const library::OfferedGame& game, Format format, const net::SharedBytes& bytes);

  runtime::Workers& workers_;
  std::list<EncodedManifest> entries_;  // most recently used first
};

}  // namespace peer::transfer
