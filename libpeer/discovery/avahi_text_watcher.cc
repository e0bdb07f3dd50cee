#include "libpeer/discovery/avahi_text_watcher.h"

#include <avahi-common/domain.h>

#include <algorithm>

#include "libpeer/discovery/avahi_publisher.h"
#include "libpeer/discovery/avahi_resolver.h"

namespace peer::discovery {

namespace {
/// The minimum time between two resolutions that the changes of one record cause.
constexpr runtime::Duration kTextPause = std::chrono::seconds(1);
}  // namespace

void AvahiTextWatcher::add(const std::string& name, const Record& record) {
  if (const auto watched = watched_.find(name); watched != watched_.end()) {
    watched->second->record = record;
  } else if (record.id != avahi_.publication.record.id) {
    added_.emplace_back(name, record);
  }
}

std::optional<runtime::TimePoint> AvahiTextWatcher::next_report() const {
  std::optional<runtime::TimePoint> next;
  for (const auto& [name, text] : watched_) {
    if (text->changed) next = next ? std::min(*next, text->not_before) : text->not_before;
  }
  return next;
}

void AvahiTextWatcher::update() {
  report_changes();
  start_watches();
}

void AvahiTextWatcher::report_changes() {
  const runtime::TimePoint now = avahi_.executor.now();
  for (auto each = watched_.begin(); each != watched_.end() && !avahi_.is_over();) {
    WatchedText& text = *each->second;
    if (!avahi_.table.contains_name(text.name)) {
      avahi_record_browser_free(text.handle);
      each = watched_.erase(each);
      continue;
    }
    if (text.changed && now >= text.not_before) {
      text.changed = false;
      text.not_before = now + kTextPause;
      avahi_.table.changed(text.name);
      avahi_.publication.changed.set();
    }
    ++each;
  }
}

void AvahiTextWatcher::start_watches() {
  for (std::size_t calls = 0; !added_.empty() && !avahi_.is_over(); ++calls) {
    if (calls >= kCallsPerTurn) return avahi_.publication.changed.set();
    const auto [name, record] = std::move(added_.front());
    added_.pop_front();
    const std::size_t most = avahi_.table.is_proven(name) ? 2 * kMaxWatched : kMaxWatched;
    if (watched_.size() >= most || watched_.contains(name) || !avahi_.table.contains_name(name)) continue;
    char domain[AVAHI_DOMAIN_NAME_MAX];
    if (avahi_service_name_join(domain, sizeof domain, name.c_str(), kServiceType, "local") < 0) continue;
    auto text = std::make_unique<WatchedText>(this, name);
    text->record = record;
    text->handle =
        avahi_record_browser_new(avahi_.client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, domain, AVAHI_DNS_CLASS_IN,
                                 AVAHI_DNS_TYPE_TXT, static_cast<AvahiLookupFlags>(0), on_text, text.get());
    if (text->handle == nullptr) return avahi_.fail_with("cannot watch the record of a peer");
    watched_[name] = std::move(text);
  }
}

void AvahiTextWatcher::on_text(AvahiRecordBrowser*, AvahiIfIndex, AvahiProtocol, AvahiBrowserEvent event, const char*,
                               std::uint16_t, std::uint16_t, const void* data, std::size_t size, AvahiLookupResultFlags,
                               void* watched) noexcept {
  auto& self = *static_cast<WatchedText*>(watched);
  if (event != AVAHI_BROWSER_NEW) return;
  AvahiStringList* list = nullptr;
  if (avahi_string_list_parse(data, size, &list) < 0) return;
  const TextList owned(list);
  if (read_text(list) == self.record) return;
  self.changed = true;
  self.watcher->avahi_.publication.changed.set();
}

}  // namespace peer::discovery
