#include "libpeer/net/connection_ids.h"

#include "libpeer/base/check.h"
#include "libpeer/net/limits.h"

namespace peer::net {

ConnectionIds::~ConnectionIds() { PEER_CHECK(closed_.empty()); }

void ConnectionIds::add(const ngtcp2_cid& cid, Connection& connection) {
  last_found_.reset();
  const CidKey key(cid);
  owners_[key] = {&connection, nullptr};
  keys_[&connection].push_back(key);
}

void ConnectionIds::remove(const ngtcp2_cid& cid, const Connection& connection) {
  last_found_.reset();
  const CidKey key(cid);
  owners_.erase(key);
  std::erase(keys_[&connection], key);
}

void ConnectionIds::retire(const Connection& connection, LastPacket last, runtime::Duration linger) {
  last_found_.reset();
  std::vector<CidKey> kept;
  for (const CidKey& key : keys_[&connection]) {
    const auto at = owners_.find(key);
    if (at == owners_.end() || at->second.live != &connection) continue;
    owners_.erase(at);
    kept.push_back(key);
  }
  keys_.erase(&connection);
  if (linger <= runtime::Duration::zero()) return;
  if (closed_.size() >= limits::kClosed) drop(closed_.begin());
  const auto entry = closed_.insert(closed_.end(), ClosedConnection{std::move(kept), std::move(last), 0, {}});
  for (const CidKey& key : entry->keys) owners_[key] = {nullptr, &*entry};
  entry->timer = executor_.arm(executor_.now() + linger, [this, entry] { drop(entry); });
}

void ConnectionIds::clear() {
  while (!closed_.empty()) drop(closed_.begin());
}

void ConnectionIds::drop(std::list<ClosedConnection>::iterator closed) {
  executor_.disarm(closed->timer);
  for (const CidKey& key : closed->keys) owners_.erase(key);
  closed_.erase(closed);
}

ConnectionIds::DatagramTarget ConnectionIds::find(const std::uint8_t* cid, std::size_t length) {
  const CidKey key(cid, length);
  if (last_found_ && last_found_->first == key) return {last_found_->second, nullptr, true};
  const auto at = owners_.find(key);
  if (at == owners_.end()) return {};
  if (at->second.live != nullptr) {
    last_found_.emplace(key, at->second.live);
    return {at->second.live, nullptr, true};
  }
  ClosedConnection& closed = *at->second.closed;
  if (closed.last.data.empty() || closed.answers >= limits::kCloseAnswers) return {nullptr, nullptr, true};
  ++closed.answers;
  return {nullptr, &closed.last, true};
}

}  // namespace peer::net
