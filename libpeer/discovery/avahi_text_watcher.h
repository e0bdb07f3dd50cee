// AvahiTextWatcher: watches the TXT records of known peers, so that a changed record is resolved again.
//
// Loop: the Avahi thread's. Limits: kMaxWatched names, and twice as many with proven peers.
#pragma once

#include <avahi-client/lookup.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "libpeer/discovery/avahi_connection.h"

namespace peer::discovery {

class AvahiTextWatcher {
 public:
  static constexpr std::size_t kMaxWatched = 256;

  explicit AvahiTextWatcher(AvahiConnection& avahi) : avahi_(avahi) {}
  AvahiTextWatcher(const AvahiTextWatcher&) = delete;

  /// The instance `name` was resolved to `record`: watches its TXT record.
  void add(const std::string& name, const Record& record);
  /// Starts and ends watches, and reports changes to the table. Blocks on D-Bus.
  void update();
  /// The time at which update() has a change to report.
  std::optional<runtime::TimePoint> next_report() const;

 private:
  struct WatchedText {
    AvahiTextWatcher* watcher;
    std::string name;
    AvahiRecordBrowser* handle = nullptr;
    Record record;
    bool changed = false;
    runtime::TimePoint not_before{};
  };
  static void on_text(AvahiRecordBrowser* browser, AvahiIfIndex interface, AvahiProtocol family,
                      AvahiBrowserEvent event, const char* name, std::uint16_t clazz, std::uint16_t type,
                      const void* data, std::size_t size, AvahiLookupResultFlags flags, void* watched) noexcept;
  void report_changes();
  void start_watches();

  AvahiConnection& avahi_;
  std::map<std::string, std::unique_ptr<WatchedText>> watched_;
  std::deque<std::pair<std::string, Record>> added_;
};

}  // namespace peer::discovery
