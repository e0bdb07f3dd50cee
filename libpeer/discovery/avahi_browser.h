// AvahiBrowser: gets the list of service instances from avahi-daemon, and keeps the RecordTable up to date.
//
// Loop: the Avahi thread's. Functions marked "Blocks" wait for D-Bus.
#pragma once

#include <avahi-client/lookup.h>

#include <optional>
#include <set>

#include "libpeer/discovery/avahi_connection.h"

namespace peer::discovery {

class AvahiBrowser {
 public:
  explicit AvahiBrowser(AvahiConnection& avahi) : avahi_(avahi) {}
  AvahiBrowser(const AvahiBrowser&) = delete;

  bool started() const noexcept { return browser_ != nullptr; }
  /// Blocks.
  void start();
  /// Browses again if the table had to drop instances, at most every 30 s. Blocks.
  void browse_again_if_due();
  /// The time at which browse_again_if_due() has something to do.
  std::optional<runtime::TimePoint> next_browse() const;

 private:
  static void on_service(AvahiServiceBrowser* browser, AvahiIfIndex interface, AvahiProtocol family,
                         AvahiBrowserEvent event, const char* name, const char* type, const char* domain,
                         AvahiLookupResultFlags flags, void* self) noexcept;

  AvahiConnection& avahi_;
  AvahiServiceBrowser* browser_ = nullptr;
  runtime::TimePoint started_{};
  bool incomplete_ = false;                 // the table dropped some instances
  std::optional<std::set<Instance>> seen_;  // since browsing began again, until all were listed
};

}  // namespace peer::discovery
