// Documents: the library and manifests in the form in which they are sent.
//
// A document is encoded on a worker, once for all requests that come meanwhile, and cached: the library by its
// revision, a manifest by its version. One document is encoded at a time, in turn of the hosts that ask. The bytes are
// shared, and charged once, to the connection whose request caused the encoding.
// Loop: one.
// Limits: protocol::kDocumentMemory bytes in use, by estimate; protocol::kKeptDocumentBytes of them without a request.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "libpeer/library/library.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/transfer/fair_budget.h"

namespace peer::transfer {

class Documents {
 public:
  enum class Format { binary, json };

  explicit Documents(runtime::Workers& workers);

  /// The library as JSON, under the revision that sessions announce. Cancel: throws Cancelled.
  runtime::Task<net::SharedBytes> library(const net::ServerStream& stream,
                                          std::shared_ptr<const library::Snapshot> snapshot, std::uint64_t revision,
                                          runtime::CancellationToken token);
  /// Cancel: throws Cancelled.
  runtime::Task<net::SharedBytes> manifest(const net::ServerStream& stream,
                                           std::shared_ptr<const library::OfferedGame> game, Format format,
                                           runtime::CancellationToken token);
  /// Whether a request waits for memory.
  bool contended() const noexcept { return memory_.contended(); }
  std::uint64_t memory() const noexcept { return memory_.used(); }
  std::uint64_t encoded() const noexcept { return encoded_; }  ///< documents encoded so far

 private:
  static constexpr std::size_t kMaxEntries = 64;

  /// What a document is made from: a manifest, or the library at a revision.
  struct DocumentKey {
    std::weak_ptr<const protocol::ManifestDocument> manifest;
    Format format = Format::json;
    std::uint64_t revision = 0;
    bool is_library = false;
    bool operator==(const DocumentKey& other) const noexcept;
  };
  struct CachedDocument {
    DocumentKey key;
    std::weak_ptr<const std::vector<std::uint8_t>> bytes;
    net::SharedBytes kept;  // null if it is too large to keep: then it lives as long as requests hold it
  };
  struct Encoding;
  using Encoder = std::function<std::vector<std::uint8_t>()>;

  runtime::Task<net::SharedBytes> get(const net::ServerStream& stream, DocumentKey key, std::uint64_t estimate,
                                      Encoder encode, runtime::CancellationToken token);
  runtime::Task<net::SharedBytes> encode(const net::ServerStream& stream, std::uint64_t estimate, Encoder encode,
                                         runtime::CancellationToken token);
  net::SharedBytes find(const DocumentKey& key);
  void put(const DocumentKey& key, const net::SharedBytes& bytes);

  runtime::Workers& workers_;
  FairBudget memory_;
  FairBudget turns_;
  std::list<CachedDocument> cached_;  // most recently used first
  std::list<std::shared_ptr<Encoding>> encodings_;
  std::uint64_t encoded_ = 0;
};

}  // namespace peer::transfer
