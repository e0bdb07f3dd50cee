// What an AvahiSession finds: instances, what they resolve to, and what their TXT records say from time to time.
#include <avahi-common/domain.h>
#include <avahi-common/error.h>

#include <algorithm>
#include <utility>

#include "libpeer/discovery/avahi_session.h"

namespace peer::discovery {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kCallsPerTurn = 16;
/// A record that changes all the time is resolved no more often than so.
constexpr runtime::Duration kTextPause = 1s;

std::optional<Record> read_text(AvahiStringList* list) {
  std::vector<std::string_view> strings;
  for (; list != nullptr; list = avahi_string_list_get_next(list)) {
    strings.emplace_back(reinterpret_cast<const char*>(avahi_string_list_get_text(list)),
                         avahi_string_list_get_size(list));
  }
  auto record = decode_txt(strings);
  if (!record) return std::nullopt;
  return std::move(*record);
}

}  // namespace

void AvahiSession::do_browse() {
  browsed_ = executor_.now();
  incomplete_ = false;
  browser_ = avahi_service_browser_new(client_, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, kServiceType, nullptr,
                                       static_cast<AvahiLookupFlags>(0), on_service, this);
  if (browser_ == nullptr) fail_with("peers cannot be looked for");
}

void AvahiSession::on_service(AvahiServiceBrowser*, AvahiIfIndex interface, AvahiProtocol family,
                              AvahiBrowserEvent event, const char* name, const char*, const char* domain,
                              AvahiLookupResultFlags, void* self) noexcept {
  auto& session = *static_cast<AvahiSession*>(self);
  if (event == AVAHI_BROWSER_NEW) {
    Instance instance{name, domain, interface, family};
    if (session.seen_) session.note_seen(instance);
    session.table_.appeared(instance);
  } else if (event == AVAHI_BROWSER_REMOVE) {
    session.table_.gone({name, domain, interface, family});
  } else if (event == AVAHI_BROWSER_ALL_FOR_NOW) {
    if (const auto seen = std::exchange(session.seen_, std::nullopt)) session.table_.keep_only(*seen);
  } else if (event == AVAHI_BROWSER_FAILURE) {
    session.fail_with("peers cannot be looked for any more");
  }
  session.publication_.changed.set();
}

void AvahiSession::note_seen(const Instance& instance) {
  if (seen_->size() < 2 * RecordTable::kMaxInstances) seen_->insert(instance);
}

void AvahiSession::do_start_resolves() {
  const runtime::TimePoint now = executor_.now();
  for (std::size_t calls = 0; !is_over(); ++calls) {
    if (resolves_.size() >= kMaxResolvers + kMaxResolvers / 2) break;
    if (calls >= kCallsPerTurn) return publication_.changed.set();
    const auto instance = table_.next(now, resolves_.size() >= kMaxResolvers);
    if (!instance) break;
    auto resolve = std::make_unique<Resolve>(this, *instance);
    resolve->began = now;
    resolve->handle = avahi_service_resolver_new(client_, instance->interface, instance->family, instance->name.c_str(),
                                                 kServiceType, instance->domain.c_str(), instance->family,
                                                 static_cast<AvahiLookupFlags>(0), on_resolved, resolve.get());
    if (resolve->handle == nullptr) {
      // One that avahi-daemon does not take is its own matter; a daemon that does not answer is the session's.
      const int error = avahi_client_errno(client_);
      if (error != AVAHI_ERR_INVALID_SERVICE_NAME && error != AVAHI_ERR_INVALID_DOMAIN_NAME &&
          error != AVAHI_ERR_INVALID_INTERFACE && error != AVAHI_ERR_TOO_MANY_OBJECTS) {
        return fail_with("peers cannot be resolved");
      }
      table_.unanswered(*instance, now);
      continue;
    }
    resolves_[*instance] = std::move(resolve);
  }
  if (!table_.complete()) incomplete_ = true;
  if (incomplete_ && now >= browsed_ + kBrowseAgain && browser_ != nullptr) {
    avahi_service_browser_free(browser_);
    browser_ = nullptr;
    seen_.emplace();
    do_browse();
  }
}

void AvahiSession::on_resolved(AvahiServiceResolver*, AvahiIfIndex, AvahiProtocol, AvahiResolverEvent event,
                               const char*, const char*, const char*, const char*, const AvahiAddress* address,
                               std::uint16_t port, AvahiStringList* text, AvahiLookupResultFlags,
                               void* resolve) noexcept {
  auto& self = *static_cast<Resolve*>(resolve);
  if (self.done) return;
  self.done = true;
  if (event == AVAHI_RESOLVER_FOUND) {
    self.answered = true;
    self.record = read_text(text);
    const auto accepted = self.session->acceptable(self, *address, port);
    if (accepted) self.address = *accepted;
    if (!accepted) self.record.reset();
  }
  self.session->publication_.changed.set();
}

/// A listener on an interface that is used: in its network, and link-local ones with it as their scope.
std::optional<net::SocketAddress> AvahiSession::acceptable(const Resolve& resolve, const AvahiAddress& address,
                                                           std::uint16_t port) const {
  const auto& usable = publication_.usable;
  const auto index = static_cast<unsigned>(resolve.instance.interface);
  const bool used = std::ranges::any_of(usable, [index](const auto& each) { return each.index == index; });
  if (!used || port == 0) return std::nullopt;
  net::SocketAddress result;
  if (address.proto == AVAHI_PROTO_INET) {
    sockaddr_in native{};
    native.sin_family = AF_INET;
    native.sin_port = htons(port);
    native.sin_addr.s_addr = address.data.ipv4.address;
    result = net::SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof native);
  } else {
    sockaddr_in6 native{};
    native.sin6_family = AF_INET6;
    native.sin6_port = htons(port);
    std::ranges::copy(address.data.ipv6.address, native.sin6_addr.s6_addr);
    native.sin6_scope_id = index;  // kept for link-local ones only
    result = net::SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof native);
  }
  if (result.is_unspecified() || result.is_loopback()) return std::nullopt;
  if (!result.is_local() && !net::is_on_link(usable, result)) return std::nullopt;
  return result;
}

void AvahiSession::do_finish_resolves() {
  const runtime::TimePoint now = executor_.now();
  const bool crowded = resolves_.size() >= kMaxResolvers;
  std::size_t calls = 0;
  for (auto each = resolves_.begin(); each != resolves_.end() && !is_over();) {
    Resolve& resolve = *each->second;
    const bool wanted = table_.contains(resolve.instance);
    const bool late = crowded && now - resolve.began >= kCrowdedWait;
    if (!resolve.done && wanted && !late) {
      ++each;
      continue;
    }
    if (++calls > kCallsPerTurn) return publication_.changed.set();
    avahi_service_resolver_free(resolve.handle);
    if (resolve.record) {
      const bool watched = texts_.contains(resolve.instance.name);
      if (watched) texts_[resolve.instance.name]->record = *resolve.record;
      const bool own = resolve.record->id == publication_.record.id;
      if (!watched && !own) new_texts_.emplace_back(resolve.instance.name, *resolve.record);
      table_.resolved(resolve.instance, *resolve.record, resolve.address);
    } else if (resolve.answered) {
      table_.useless(resolve.instance);
    } else {
      table_.unanswered(resolve.instance, now);
    }
    each = resolves_.erase(each);
  }
}

void AvahiSession::do_watch_texts() {
  const runtime::TimePoint now = executor_.now();
  for (auto each = texts_.begin(); each != texts_.end() && !is_over();) {
    TextBrowser& text = *each->second;
    if (!table_.contains_name(text.name)) {
      avahi_record_browser_free(text.handle);
      each = texts_.erase(each);
      continue;
    }
    if (text.changed && now >= text.not_before) {
      text.changed = false;
      text.not_before = now + kTextPause;
      table_.changed(text.name);
      publication_.changed.set();
    }
    ++each;
  }
  for (std::size_t calls = 0; !new_texts_.empty() && !is_over(); ++calls) {
    if (calls >= kCallsPerTurn) return publication_.changed.set();
    const auto [name, record] = std::move(new_texts_.front());
    new_texts_.pop_front();
    const std::size_t most = table_.is_proven(name) ? 2 * kMaxTextBrowsers : kMaxTextBrowsers;
    if (texts_.size() >= most || texts_.contains(name) || !table_.contains_name(name)) continue;
    char domain[AVAHI_DOMAIN_NAME_MAX];
    if (avahi_service_name_join(domain, sizeof domain, name.c_str(), kServiceType, "local") < 0) continue;
    auto text = std::make_unique<TextBrowser>(this, name);
    text->record = record;
    text->handle = avahi_record_browser_new(client_, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, domain, AVAHI_DNS_CLASS_IN,
                                            AVAHI_DNS_TYPE_TXT, static_cast<AvahiLookupFlags>(0), on_text, text.get());
    if (text->handle == nullptr) return fail_with("a peer's record cannot be watched");
    texts_[name] = std::move(text);
  }
}

void AvahiSession::on_text(AvahiRecordBrowser*, AvahiIfIndex, AvahiProtocol, AvahiBrowserEvent event, const char*,
                           std::uint16_t, std::uint16_t, const void* data, std::size_t size, AvahiLookupResultFlags,
                           void* watched) noexcept {
  auto& self = *static_cast<TextBrowser*>(watched);
  if (event != AVAHI_BROWSER_NEW) return;
  AvahiStringList* list = nullptr;
  if (avahi_string_list_parse(data, size, &list) < 0) return;
  const TextList owned(list);
  if (read_text(list) == self.record) return;
  self.changed = true;
  self.session->publication_.changed.set();
}

}  // namespace peer::discovery
