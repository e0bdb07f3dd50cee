#include "libpeer/discovery/avahi_publisher.h"

#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>

#include <utility>

namespace peer::discovery {

namespace {

/// mDNS sends a record at most once a second. Changes within this time are published as one.
constexpr runtime::Duration kTextInterval = std::chrono::seconds(2);

TextList text_of(const Record& record) {
  AvahiStringList* list = nullptr;
  const std::vector<std::string> strings = encode_txt(record);
  for (auto each = strings.rbegin(); each != strings.rend(); ++each) {
    list = avahi_string_list_add_arbitrary(list, reinterpret_cast<const std::uint8_t*>(each->data()), each->size());
  }
  return TextList(list);
}

}  // namespace

std::vector<int> AvahiPublisher::interfaces() const {
  std::vector<int> interfaces = avahi_.publication.interfaces;
  if (interfaces.empty()) interfaces.push_back(AVAHI_IF_UNSPEC);
  return interfaces;
}

void AvahiPublisher::publish() {
  AvahiPublication& publication = avahi_.publication;
  if (group_ == nullptr) {
    group_ = avahi_entry_group_new(avahi_.client, on_group, this);
    if (group_ == nullptr) return avahi_.fail_with("cannot create a service");
  } else if (avahi_entry_group_reset(group_) < 0) {
    return avahi_.fail_with("cannot withdraw the published service");
  }
  if (std::exchange(collided_, false)) {
    char* const other = avahi_alternative_service_name(publication.service.c_str());
    publication.service = other;
    avahi_free(other);
  }
  published_ = publication.placement;
  published_revision_ = publication.record.revision;
  text_updated_ = avahi_.executor.now();
  const TextList text = text_of(publication.record);
  for (const int interface : interfaces()) {
    const int added = avahi_entry_group_add_service_strlst(
        group_, interface, AVAHI_PROTO_UNSPEC, static_cast<AvahiPublishFlags>(0), publication.service.c_str(),
        kServiceType, nullptr, nullptr, publication.port, text.get());
    if (added == AVAHI_ERR_COLLISION) {  // with another service of this host
      collided_ = true;
      publication.changed.set();
      return;
    }
    if (added < 0) return avahi_.fail_with("cannot publish the service \"" + publication.service + "\"");
  }
  if (avahi_entry_group_commit(group_) < 0)
    avahi_.fail_with("cannot publish the service \"" + publication.service + "\"");
}

void AvahiPublisher::on_group(AvahiEntryGroup*, AvahiEntryGroupState state, void* self) noexcept {
  auto& me = *static_cast<AvahiPublisher*>(self);
  if (state == AVAHI_ENTRY_GROUP_COLLISION) me.collided_ = true;
  if (state == AVAHI_ENTRY_GROUP_FAILURE) me.avahi_.fail_with("avahi-daemon refused to publish the service");
  me.avahi_.publication.changed.set();
}

void AvahiPublisher::withdraw() {
  if (group_ != nullptr && std::exchange(published_, 0) != 0) avahi_entry_group_reset(group_);
}

std::optional<runtime::TimePoint> AvahiPublisher::next_update() const {
  if (avahi_.publication.record.revision == published_revision_) return std::nullopt;
  return text_updated_ + kTextInterval;
}

void AvahiPublisher::update_text() {
  const AvahiPublication& publication = avahi_.publication;
  const auto due = next_update();
  if (published_ == 0 || collided_ || !due || avahi_.executor.now() < *due) return;
  published_revision_ = publication.record.revision;
  text_updated_ = avahi_.executor.now();
  const TextList text = text_of(publication.record);
  for (const int interface : interfaces()) {
    const int updated = avahi_entry_group_update_service_txt_strlst(
        group_, interface, AVAHI_PROTO_UNSPEC, static_cast<AvahiPublishFlags>(0), publication.service.c_str(),
        kServiceType, nullptr, text.get());
    if (updated < 0) return avahi_.fail_with("cannot update the published revision");
  }
}

}  // namespace peer::discovery
