#include "libpeer/discovery/avahi_browser.h"

#include <utility>

namespace peer::discovery {

namespace {
constexpr runtime::Duration kBrowseAgain = std::chrono::seconds(30);
}  // namespace

void AvahiBrowser::start() {
  started_ = avahi_.executor.now();
  incomplete_ = false;
  browser_ = avahi_service_browser_new(avahi_.client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, kServiceType, nullptr,
                                       static_cast<AvahiLookupFlags>(0), on_service, this);
  if (browser_ == nullptr) avahi_.fail_with("cannot browse for peers");
}

std::optional<runtime::TimePoint> AvahiBrowser::next_browse() const {
  if (!incomplete_) return std::nullopt;
  return started_ + kBrowseAgain;
}

void AvahiBrowser::browse_again_if_due() {
  if (!avahi_.table.complete()) incomplete_ = true;
  const auto due = next_browse();
  if (!due || avahi_.executor.now() < *due || browser_ == nullptr) return;
  avahi_service_browser_free(browser_);
  browser_ = nullptr;
  seen_.emplace();
  start();
}

void AvahiBrowser::on_service(AvahiServiceBrowser*, AvahiIfIndex interface, AvahiProtocol family,
                              AvahiBrowserEvent event, const char* name, const char*, const char* domain,
                              AvahiLookupResultFlags, void* self) noexcept {
  auto& me = *static_cast<AvahiBrowser*>(self);
  RecordTable& table = me.avahi_.table;
  if (event == AVAHI_BROWSER_NEW) {
    const Instance instance{name, domain, interface, family};
    if (me.seen_ && me.seen_->size() < 2 * RecordTable::kMaxInstances) me.seen_->insert(instance);
    table.appeared(instance);
  } else if (event == AVAHI_BROWSER_REMOVE) {
    table.gone({name, domain, interface, family});
  } else if (event == AVAHI_BROWSER_ALL_FOR_NOW) {
    if (const auto seen = std::exchange(me.seen_, std::nullopt)) table.keep_only(*seen);
  } else if (event == AVAHI_BROWSER_FAILURE) {
    me.avahi_.fail_with("browsing for peers failed");
  }
  me.avahi_.publication.changed.set();
}

}  // namespace peer::discovery
