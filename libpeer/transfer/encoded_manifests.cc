#include "libpeer/transfer/encoded_manifests.h"

#include <utility>

namespace peer::transfer {

runtime::Task<net::SharedBytes> EncodedManifests::get(std::shared_ptr<const library::OfferedGame> game, Format format,
                                                      runtime::CancellationToken token) {
  if (net::SharedBytes known = find(*game, format)) co_return known;
  auto make = [game, format](const runtime::StopFlag&) -> net::SharedBytes {
    if (format == Format::binary) {
      return std::make_shared<const std::vector<std::uint8_t>>(protocol::encode(*game->document));
    }
    const std::string text = protocol::to_json(*game->document, game->version);
    return std::make_shared<const std::vector<std::uint8_t>>(text.begin(), text.end());
  };
  net::SharedBytes made = co_await runtime::offload(workers_, std::move(make), token);
  if (net::SharedBytes known = find(*game, format)) co_return known;  // another request encoded it meanwhile
  put(*game, format, made);
  co_return made;
}

net::SharedBytes EncodedManifests::find(const library::OfferedGame& game, Format format) {
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->format != format || entry->document.lock() != game.document) continue;
    net::SharedBytes bytes = entry->bytes.lock();
    if (bytes) entries_.splice(entries_.begin(), entries_, entry);
    return bytes;
  }
  return nullptr;
}

void EncodedManifests::put(const library::OfferedGame& game, Format format, const net::SharedBytes& bytes) {
  entries_.push_front({game.document, format, bytes, bytes->size() <= kKeptBytes ? bytes : nullptr});
  std::size_t kept = 0;
  std::size_t count = 0;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    kept += entry->kept ? entry->kept->size() : 0;
    const bool drop = ++count > kMaxEntries || (entry->kept && kept > kKeptBytes) || entry->bytes.expired() ||
                      entry->document.expired();
    if (drop && entry->kept) kept -= entry->kept->size();
    entry = drop ? entries_.erase(entry) : std::next(entry);
  }
}

}  // namespace peer::transfer
