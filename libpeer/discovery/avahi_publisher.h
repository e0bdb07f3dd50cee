// AvahiPublisher: publishes this peer's service through avahi-daemon.
//
// Loop: the Avahi thread's. Functions marked "Blocks" wait for D-Bus.
#pragma once

#include <avahi-client/publish.h>
#include <avahi-common/strlst.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "libpeer/discovery/avahi_connection.h"

namespace peer::discovery {

struct FreeTextList {
  void operator()(AvahiStringList* list) const noexcept { avahi_string_list_free(list); }
};
using TextList = std::unique_ptr<AvahiStringList, FreeTextList>;

class AvahiPublisher {
 public:
  explicit AvahiPublisher(AvahiConnection& avahi) : avahi_(avahi) {}
  AvahiPublisher(const AvahiPublisher&) = delete;

  /// Publishes the service, or publishes it again with its new name, port or interfaces. Blocks.
  void publish();
  bool must_publish() const noexcept { return published_ != avahi_.publication.placement || collided_; }
  /// Publishes the library's revision, if it changed. Blocks.
  void update_text();
  /// The time at which update_text() has something to do.
  std::optional<runtime::TimePoint> next_update() const;
  /// The name of this host changes: withdraws the service, which refers to it. Blocks.
  void withdraw();

 private:
  static void on_group(AvahiEntryGroup* group, AvahiEntryGroupState state, void* self) noexcept;
  std::vector<int> interfaces() const;

  AvahiConnection& avahi_;
  AvahiEntryGroup* group_ = nullptr;
  bool collided_ = false;
  std::uint64_t published_ = 0;  // AvahiPublication::placement of the published service; 0: none
  std::uint64_t published_revision_ = 0;
  runtime::TimePoint text_updated_{};
};

}  // namespace peer::discovery
