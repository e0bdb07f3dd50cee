#include "libpeer/transfer/documents.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/defer.h"

namespace peer::transfer {

namespace {
std::vector<std::uint8_t> to_bytes(const std::string& text) { return {text.begin(), text.end()}; }

// Estimated bytes of an entry, including its path.
constexpr std::uint64_t kBinaryEntryBytes = 96;
constexpr std::uint64_t kJsonEntryBytes = 192;
constexpr std::uint64_t kLibraryEntryBytes = 256;
constexpr std::uint64_t kFloor = 1 << 20;  // units of a connection whatever its host holds

std::uint64_t estimate_of(const protocol::Manifest& manifest, Documents::Format format) {
  const std::uint64_t entries = manifest.files.size() + manifest.directories.size() + manifest.symlinks.size();
  const bool binary = format == Documents::Format::binary;
  return entries * (binary ? kBinaryEntryBytes : kJsonEntryBytes) + manifest.chunks.size() * (binary ? 32 : 67);
}
}  // namespace

/// A document that is being encoded. Requests for the same one wait for it.
struct Documents::Encoding {
  DocumentKey key;
  runtime::Event ended;
  net::SharedBytes bytes;  // null if the request that caused it was cancelled
};

bool Documents::DocumentKey::operator==(const DocumentKey& other) const noexcept {
  if (is_library || other.is_library) return is_library == other.is_library && revision == other.revision;
  const auto mine = manifest.lock();
  return mine && format == other.format && mine == other.manifest.lock();
}

Documents::Documents(runtime::Workers& workers)
    : workers_(workers), memory_(protocol::kDocumentMemory, kFloor), turns_(1, 0) {}

runtime::Task<net::SharedBytes> Documents::library(const net::ServerStream& stream,
                                                   std::shared_ptr<const library::Snapshot> snapshot,
                                                   std::uint64_t revision, runtime::CancellationToken token) {
  const std::uint64_t estimate = (snapshot ? snapshot->games.size() : 0) * kLibraryEntryBytes;
  Encoder encode = [snapshot = std::move(snapshot), revision] {
    std::vector<protocol::GameSummary> games;
    if (snapshot) games = snapshot->summaries();
    return to_bytes(protocol::library_document(revision, games));
  };
  return get(stream, DocumentKey{{}, Format::json, revision, true}, estimate, std::move(encode), std::move(token));
}

runtime::Task<net::SharedBytes> Documents::manifest(const net::ServerStream& stream,
                                                    std::shared_ptr<const library::OfferedGame> game, Format format,
                                                    runtime::CancellationToken token) {
  DocumentKey key{game->document, format};
  const std::uint64_t estimate = estimate_of(game->document->manifest, format);
  Encoder encode = [game = std::move(game), format] {
    if (format == Format::binary) return protocol::encode(*game->document);
    return to_bytes(protocol::to_json(*game->document, game->version));
  };
  return get(stream, std::move(key), estimate, std::move(encode), std::move(token));
}

runtime::Task<net::SharedBytes> Documents::get(const net::ServerStream& stream, DocumentKey key, std::uint64_t estimate,
                                               Encoder encode, runtime::CancellationToken token) {
  for (;;) {
    if (net::SharedBytes known = find(key)) co_return known;
    const auto same = std::ranges::find_if(encodings_, [&key](const auto& each) { return each->key == key; });
    if (same == encodings_.end()) break;
    const std::shared_ptr<Encoding> other = *same;
    co_await other->ended.wait(token);
    if (other->bytes) co_return other->bytes;
  }
  const auto encoding = std::make_shared<Encoding>();
  encoding->key = key;
  encodings_.push_back(encoding);
  const runtime::Defer leave([this, &encoding] {
    encodings_.remove(encoding);
    encoding->ended.set();
  });
  encoding->bytes = co_await this->encode(stream, estimate, std::move(encode), token);
  put(key, encoding->bytes);
  co_return encoding->bytes;
}

runtime::Task<net::SharedBytes> Documents::encode(const net::ServerStream& stream, std::uint64_t estimate,
                                                  Encoder encode, runtime::CancellationToken token) {
  struct ChargedDocument {
    FairBudget::FairUnits charged;
    std::vector<std::uint8_t> bytes;
  };
  const auto account = memory_.account_of(stream);
  const auto turn_account = turns_.account_of(stream);
  const std::uint64_t units = std::clamp<std::uint64_t>(estimate, 1, protocol::kDocumentMemory);
  if (memory_.used() + units > protocol::kDocumentMemory) {
    for (CachedDocument& entry : cached_) entry.kept.reset();  // they only save work
  }
  auto document = std::make_shared<ChargedDocument>();
  document->charged = co_await memory_.acquire(account, units, units, token);
  const FairBudget::FairUnits turn = co_await turns_.acquire(turn_account, 1, 1, token);
  auto job = [encode = std::move(encode)](const runtime::StopFlag&) { return encode(); };
  document->bytes = co_await runtime::offload(workers_, std::move(job), token);
  ++encoded_;
  const std::vector<std::uint8_t>* bytes = &document->bytes;
  co_return net::SharedBytes(std::move(document), bytes);
}

net::SharedBytes Documents::find(const DocumentKey& key) {
  for (auto entry = cached_.begin(); entry != cached_.end(); ++entry) {
    if (!(entry->key == key)) continue;
    net::SharedBytes bytes = entry->bytes.lock();
    if (bytes) cached_.splice(cached_.begin(), cached_, entry);
    return bytes;
  }
  return nullptr;
}

void Documents::put(const DocumentKey& key, const net::SharedBytes& bytes) {
  std::erase_if(cached_, [&key](const CachedDocument& entry) {
    const bool older_library = key.is_library && entry.key.is_library;
    return older_library || entry.key == key || (!entry.key.is_library && entry.key.manifest.expired());
  });
  const bool keep = bytes->size() <= protocol::kKeptDocumentBytes && !contended();
  cached_.push_front({key, bytes, keep ? bytes : nullptr});
  std::size_t kept = 0;
  std::size_t count = 0;
  for (auto entry = cached_.begin(); entry != cached_.end();) {
    kept += entry->kept ? entry->kept->size() : 0;
    const bool drop = ++count > kMaxEntries || (entry->kept && kept > protocol::kKeptDocumentBytes);
    if (drop && entry->kept) kept -= entry->kept->size();
    const bool gone = drop || entry->bytes.expired();
    entry = gone ? cached_.erase(entry) : std::next(entry);
  }
}

}  // namespace peer::transfer
