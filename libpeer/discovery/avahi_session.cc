#include "libpeer/discovery/avahi_session.h"

#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>

#include <algorithm>
#include <utility>

#include "libpeer/runtime/sleep.h"

namespace peer::discovery {

using namespace std::chrono_literals;

namespace {

/// mDNS itself sends a record at most once a second; a burst of changes is one.
constexpr runtime::Duration kTextInterval = 2s;

TextList text_of(const Record& record) {
  AvahiStringList* list = nullptr;
  const std::vector<std::string> strings = encode_txt(record);
  for (auto each = strings.rbegin(); each != strings.rend(); ++each) {
    list = avahi_string_list_add_arbitrary(list, reinterpret_cast<const std::uint8_t*>(each->data()), each->size());
  }
  return TextList(list);
}

}  // namespace

AvahiSession::AvahiSession(runtime::Executor& executor, PollAdapter& poll, Publication& publication, RecordTable& table,
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

runtime::Task<std::string> AvahiSession::run(runtime::CancellationToken token) {
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
runtime::Task<void> AvahiSession::wait(runtime::CancellationToken token) {
  const runtime::TimePoint now = executor_.now();
  runtime::TimePoint until = now + 1h;
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
  runtime::Deadline deadline(executor_, std::max<runtime::Duration>(until - now, 0ms), token);
  try {
    co_await publication_.changed.wait(deadline.token());
  } catch (const runtime::Cancelled&) {
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
  const TextList text = text_of(publication_.record);
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
  if (state == AVAHI_ENTRY_GROUP_FAILURE) session.fail_with("avahi-daemon does not publish the service");
  session.publication_.changed.set();
}

void AvahiSession::do_update_text() {
  const Record& record = publication_.record;
  if (published_ == 0 || collided_ || record.revision == published_revision_) return;
  if (executor_.now() < text_updated_ + kTextInterval) return;
  published_revision_ = record.revision;
  text_updated_ = executor_.now();
  const TextList text = text_of(record);
  std::vector<int> interfaces = publication_.interfaces;
  if (interfaces.empty()) interfaces.push_back(AVAHI_IF_UNSPEC);
  for (const int interface : interfaces) {
    const int updated = avahi_entry_group_update_service_txt_strlst(
        group_, interface, AVAHI_PROTO_UNSPEC, static_cast<AvahiPublishFlags>(0), publication_.service.c_str(),
        kServiceType, nullptr, text.get());
    if (updated < 0) return fail_with("the published revision cannot be changed");
  }
}

}  // namespace peer::discovery
