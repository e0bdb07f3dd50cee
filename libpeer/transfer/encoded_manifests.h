// EncodedManifests: manifests as they are sent, made on workers and shared between the requests that want the same.
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "libpeer/library/library.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/workers.h"

namespace peer::transfer {

/// Loop: one.
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

  struct Entry {
    std::weak_ptr<const protocol::ManifestDocument> document;
    Format format;
    std::weak_ptr<const std::vector<std::uint8_t>> bytes;
    net::SharedBytes kept;  // null for one too large to keep: it lives while requests hold it
  };
  net::SharedBytes find(const library::OfferedGame& game, Format format);
  void put(const library::OfferedGame& game, Format format, const net::SharedBytes& bytes);

  runtime::Workers& workers_;
  std::list<Entry> entries_;  // last used first
};

}  // namespace peer::transfer
