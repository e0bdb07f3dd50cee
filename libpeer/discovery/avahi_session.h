// AvahiSession: one connection to avahi-daemon, from the first attempt until it fails: publishes this peer, browses,
// resolves.
//
// Every call of Avahi's that is named in a `do_` function blocks on D-Bus, for up to 25 s if the daemon hangs. Avahi's
// callbacks only note what happened; the calls are made by run(), between which it can be stopped.
// Loop: the Avahi thread's. Limits: so many objects of avahi-daemon's at once (it allows 1,024 a client).
#pragma once

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-common/strlst.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libpeer/discovery/outbox.h"
#include "libpeer/discovery/poll_adapter.h"
#include "libpeer/discovery/record_table.h"
#include "libpeer/net/interfaces.h"
#include "libpeer/runtime/executor.h"

namespace peer::discovery {

/// What is to be published and where; outlives the sessions. Loop: the Avahi thread's.
struct Publication {
  Record record;
  std::string service;  ///< the instance's name, as collisions have left it
  std::uint16_t port = 0;
  std::vector<int> interfaces;                ///< empty: on all, also on those to come
  std::vector<net::InterfaceAddress> usable;  ///< what is found on others is ignored
  std::uint64_t placed = 1;                   ///< counts the changes of the three above
  runtime::Event changed;
};

struct FreeTextList {
  void operator()(AvahiStringList* list) const noexcept { avahi_string_list_free(list); }
};
using TextList = std::unique_ptr<AvahiStringList, FreeTextList>;

class AvahiSession {
 public:
  static constexpr std::size_t kMaxResolvers = 64;  ///< and half as many more for proven peers
  static constexpr std::size_t kMaxTextBrowsers = 256;

  AvahiSession(runtime::Executor& executor, PollAdapter& poll, Publication& publication, RecordTable& table,
               Outbox& outbox, const std::atomic<bool>& stopping);
  ~AvahiSession();
  AvahiSession(const AvahiSession&) = delete;

  /// Returns why it failed. Cancel: throws Cancelled, after the call under way.
  runtime::Task<std::string> run(runtime::CancellationToken token);
  /// It was in working order at some time.
  bool worked() const noexcept { return worked_; }

 private:
  static constexpr runtime::Duration kBrowseAgain = std::chrono::seconds(30);
  /// An instance that does not answer keeps others waiting no longer.
  static constexpr runtime::Duration kCrowdedWait = std::chrono::milliseconds(1500);

  struct Resolve {
    AvahiSession* session;
    Instance instance;
    AvahiServiceResolver* handle = nullptr;
    runtime::TimePoint began{};
    bool done = false;
    std::optional<Record> record;  ///< nothing: no answer, or one of no use
    net::SocketAddress address;
    bool answered = false;
  };
  struct TextBrowser {
    AvahiSession* session;
    std::string name;
    AvahiRecordBrowser* handle = nullptr;
    Record record;
    bool changed = false;
    runtime::TimePoint not_before{};
  };

  static void on_client(AvahiClient* client, AvahiClientState state, void* self) noexcept;
  static void on_group(AvahiEntryGroup* group, AvahiEntryGroupState state, void* self) noexcept;
  static void on_service(AvahiServiceBrowser* browser, AvahiIfIndex interface, AvahiProtocol family,
                         AvahiBrowserEvent event, const char* name, const char* type, const char* domain,
                         AvahiLookupResultFlags flags, void* self) noexcept;
  static void on_resolved(AvahiServiceResolver* resolver, AvahiIfIndex interface, AvahiProtocol family,
                          AvahiResolverEvent event, const char* name, const char* type, const char* domain,
                          const char* host, const AvahiAddress* address, std::uint16_t port, AvahiStringList* text,
                          AvahiLookupResultFlags flags, void* resolve) noexcept;
  static void on_text(AvahiRecordBrowser* browser, AvahiIfIndex interface, AvahiProtocol family,
                      AvahiBrowserEvent event, const char* name, std::uint16_t clazz, std::uint16_t type,
                      const void* data, std::size_t size, AvahiLookupResultFlags flags, void* watched) noexcept;

  // avahi_session.cc
  bool is_over() const noexcept { return !failure_.empty() || stopping_; }
  void fail_with(const std::string& what);
  void step();
  runtime::Task<void> wait(runtime::CancellationToken token);
  void do_connect();
  void do_publish();
  void do_update_text();
  // avahi_browse.cc
  void do_browse();
  void do_finish_resolves();
  void do_start_resolves();
  void do_watch_texts();
  void note_seen(const Instance& instance);
  std::optional<net::SocketAddress> acceptable(const Resolve& resolve, const AvahiAddress& address,
                                               std::uint16_t port) const;

  runtime::Executor& executor_;
  PollAdapter& poll_;
  Publication& publication_;
  RecordTable& table_;
  Outbox& outbox_;
  const std::atomic<bool>& stopping_;
  std::string failure_;
  bool worked_ = false;

  AvahiClient* client_ = nullptr;
  AvahiClientState state_ = AVAHI_CLIENT_CONNECTING;
  AvahiEntryGroup* group_ = nullptr;
  bool collided_ = false;
  std::uint64_t published_ = 0;  ///< Publication::placed of what is published; 0: nothing is
  std::uint64_t published_revision_ = 0;
  runtime::TimePoint text_updated_{};
  AvahiServiceBrowser* browser_ = nullptr;
  runtime::TimePoint browsed_{};
  bool incomplete_ = false;                 ///< something was forgotten: to be browsed again
  std::optional<std::set<Instance>> seen_;  ///< since it was browsed again
  std::map<Instance, std::unique_ptr<Resolve>> resolves_;
  std::map<std::string, std::unique_ptr<TextBrowser>> texts_;
  std::deque<std::pair<std::string, Record>> new_texts_;
};

}  // namespace peer::discovery
