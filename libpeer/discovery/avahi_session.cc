#include "discovery/avahi_session.h"

#include <avahi-common/alternative.h>
#include <avahi-common/domain.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>

#include <algorithm>
#include <utility>

#include "runtime/sleep.h"

namespace peer::discovery {

using namespace std::chrono_literals;

namespace {

/// mDNS itself sends a record at most once a second; a burst of changes is one.
constexpr rt::Duration kTextInterval = 2s;
constexpr rt::Duration kBrowseAgain = 30s;
/// An instance that does not answer keeps others waiting no longer.
constexpr rt::Duration kCrowdedWait = 1500ms;
constexpr std::size_t kCallsPerTurn = 16;

struct FreeList {
  void operator()(AvahiStringList* list) const noexcept { avahi_string_list_free(list); }
};
using StringList = std::unique_ptr<AvahiStringList, FreeList>;

StringList text_of(const Record& record) {
  AvahiStringList* list = nullptr;
  const std::vector<std::string> strings = encode_txt(record);
  for (auto each = strings.rbegin(); each != strings.rend(); ++each) {
    list = avahi_string_list_add_arbitrary(list, reinterpret_cast<const std::uint8_t*>(each->data()), each->size());
  }
  return StringList(list);
}

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

AvahiSession::AvahiSession(rt::Executor& executor, PollAdapter& poll, Publication& publication, RecordTable& table,
                           Outbox& outbox, const std::atomic<bool>& stopping)
    : executor_(executor),
      poll_(poll),
      publication_(publication),
      table_(table),
      outbox_(outbox),
      stopping_(stopping) {}

/// Freeing the client closes the connection first, so nothing of it blocks; avahi-daemon withdraws what was published.
AvahiSession::~AvahiSession() {
  if (client_ != nullptr) avahi_client_free(client_);
}

void AvahiSession::fail_with(const std::string& what) {
  if (!failure_.empty()) return;
  const int error = client_ == nullptr ? AVAHI_ERR_FAILURE : avahi_client_errno(client_);
  failure_ = what + ": " + avahi_strerror(error);
}

rt::Task<std::string> AvahiSession::run(rt::CancellationToken token) {
  do_connect();
  while (!is_over()) {
    publication_.changed.reset();
    step();
    if (!is_over()) co_await wait(token);
  }
  token.throw_if_requested();
  co_return failure_;
}

/// Until something happens or something's time has come.
rt::Task<void> AvahiSession::wait(rt::CancellationToken token) {
  const rt::TimePoint now = executor_.now();
  rt::TimePoint until = now + 1h;
  if (state_ == AVAHI_CLIENT_S_RUNNING) {
    if (const auto turn = table_.next_turn(now)) {
      // With all resolvers busy one of theirs has to end first, or to be given up.
      until = std::min(until, resolves_.size() < kMaxResolvers ? *turn : now + kCrowdedWait / 3);
    }
    if (publication_.record.revision != published_revision_) until = std::min(until, text_updated_ + kTextInterval);
    if (incomplete_) until = std::min(until, browsed_ + kBrowseAgain);
    for (const auto& [name, text] : texts_) {
      if (text->changed) until = std::min(until, text->not_before);
    }
  }
  rt::Deadline deadline(executor_, std::max<rt::Duration>(until - now, 0ms), token);
  try {
    co_await publication_.changed.wait(deadline.token());
  } catch (const rt::Cancelled&) {
    token.throw_if_requested();
  }
}

void AvahiSession::step() {
  if (state_ == AVAHI_CLIENT_FAILURE) return fail_with("avahi-daemon is gone");
  if (state_ == AVAHI_CLIENT_CONNECTING) {
    outbox_.set_state("avahi-daemon does not run: install and start it (apt install avahi-daemon)");
    return;
  }
  if (state_ != AVAHI_CLIENT_S_RUNNING) {
    // The host's name is being claimed, perhaps another one than before: what was published refers to it.
    if (group_ != nullptr && std::exchange(published_, 0) != 0) avahi_entry_group_reset(group_);
    return;
  }
  if (browser_ == nullptr) do_browse();
  if (!is_over() && (published_ != publication_.placed || collided_)) do_publish();
  if (!is_over()) do_update_text();
  if (!is_over()) do_finish_resolves();
  if (!is_over()) do_start_resolves();
  if (!is_over()) do_watch_texts();
  if (is_over()) return;
  worked_ = true;
  outbox_.set_state(std::nullopt);
}

void AvahiSession::do_connect() {
  int error = 0;
  client_ = avahi_client_new(poll_.api(), AVAHI_CLIENT_NO_FAIL, on_client, this, &error);
  if (client_ != nullptr) {
    state_ = avahi_client_get_state(client_);
    return;
  }
  failure_ = std::string("avahi-daemon cannot be reached over D-Bus (") + avahi_strerror(error) +
             "): both dbus and avahi-daemon must run";
}

void AvahiSession::on_client(AvahiClient*, AvahiClientState state, void* self) noexcept {
  auto& session = *static_cast<AvahiSession*>(self);
  session.state_ = state;
  session.publication_.changed.set();
}

// --- publishing

void AvahiSession::do_publish() {
  if (group_ == nullptr) {
    group_ = avahi_entry_group_new(client_, on_group, this);
    if (group_ == nullptr) return fail_with("nothing can be published");
  } else if (avahi_entry_group_reset(group_) < 0) {
    return fail_with("what was published cannot be withdrawn");
  }
  if (std::exchange(collided_, false)) {
    char* const other = avahi_alternative_service_name(publication_.service.c_str());
    publication_.service = other;
    avahi_free(other);
  }
  published_ = publication_.placed;
  published_revision_ = publication_.record.revision;
  text_updated_ = executor_.now();
  const StringList text = text_of(publication_.record);
  std::vector<int> interfaces = publication_.interfaces;
  if (interfaces.empty()) interfaces.push_back(AVAHI_IF_UNSPEC);
  for (const int interface : interfaces) {
    const int added = avahi_entry_group_add_service_strlst(
        group_, interface, AVAHI_PROTO_UNSPEC, static_cast<AvahiPublishFlags>(0), publication_.service.c_str(),
        kServiceType, nullptr, nullptr, publication_.port, text.get());
    if (added == AVAHI_ERR_COLLISION) {  // with another service of this host
      collided_ = true;
      publication_.changed.set();
      return;
    }
    if (added < 0) return fail_with("the service " + publication_.service + " cannot be published");
  }
  if (avahi_entry_group_commit(group_) < 0) fail_with("the service " + publication_.service + " cannot be published");
}

void AvahiSession::on_group(AvahiEntryGroup*, AvahiEntryGroupState state, void* self) noexcept {
  auto& session = *static_cast<AvahiSession*>(self);
  if (state == AVAHI_ENTRY_GROUP_COLLISION) session.collided_ = true;
  if (state == AVAHI_ENTRY_GROUP_FAILURE) session.published_ = 0;
  session.publication_.changed.set();
}

void AvahiSession::do_update_text() {
  const Record& record = publication_.record;
  if (published_ == 0 || collided_ || record.revision == published_revision_) return;
  if (executor_.now() < text_updated_ + kTextInterval) return;
  published_revision_ = record.revision;
  text_updated_ = executor_.now();
  const StringList text = text_of(record);
  std::vector<int> interfaces = publication_.interfaces;
  if (interfaces.empty()) interfaces.push_back(AVAHI_IF_UNSPEC);
  for (const int interface : interfaces) {
    const int updated = avahi_entry_group_update_service_txt_strlst(
        group_, interface, AVAHI_PROTO_UNSPEC, static_cast<AvahiPublishFlags>(0), publication_.service.c_str(),
        kServiceType, nullptr, text.get());
    if (updated < 0) return fail_with("the published revision cannot be changed");
  }
}

// --- browsing

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

// --- resolving

void AvahiSession::do_start_resolves() {
  const rt::TimePoint now = executor_.now();
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
  const rt::TimePoint now = executor_.now();
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

// --- what a peer's TXT record says from time to time

void AvahiSession::do_watch_texts() {
  const rt::TimePoint now = executor_.now();
  for (auto each = texts_.begin(); each != texts_.end() && !is_over();) {
    TextBrowser& text = *each->second;
    if (!table_.contains_name(text.name)) {
      avahi_record_browser_free(text.handle);
      each = texts_.erase(each);
      continue;
    }
    if (text.changed && now >= text.not_before) {
      text.changed = false;
      text.not_before = now + 1s;
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
  const StringList owned(list);
  if (read_text(list) == self.record) return;
  self.changed = true;
  self.session->publication_.changed.set();
}

}  // namespace peer::discovery
