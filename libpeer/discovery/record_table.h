// RecordTable: the known service instances, and the peers that they describe. Pure state: no I/O.
//
// An instance exists once for each interface and address family. It is resolved when it is due, and then adds one
// address to the peer whose id its TXT record names. Instances of peers that a handshake has proven come first.
// Limits: the constants below. Instances beyond them are dropped; complete() reports that.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "libpeer/discovery/discovery.h"

namespace peer::discovery {

struct Instance {
  std::string name;
  std::string domain;
  int interface = 0;
  int family = 0;  ///< Avahi's number of the protocol by which it was received
  auto operator<=>(const Instance&) const = default;
};

class RecordTable {
 public:
  static constexpr std::size_t kMaxInstances = 4096;
  /// Resolutions allowed, separately for instances of proven peers and all others: a burst, then a rate.
  static constexpr double kTurnBurst = 256;
  static constexpr double kTurnsPerSecond = 100;
  static constexpr unsigned kMaxAttempts = 4;

  /// Receives what is known about a peer now; nothing if the peer is lost. Called from inside the functions below.
  using OnChange = std::function<void(const PeerId& id, const std::optional<Found>& found)>;

  RecordTable(PeerId self, OnChange on_change) : self_(self), on_change_(std::move(on_change)) {}

  void appeared(const Instance& instance);
  void gone(const Instance& instance);
  /// The records of this name have changed: resolves all its instances again.
  void changed(const std::string& name);
  /// Resolves every instance of the peer again.
  void resolve_again(const PeerId& id);
  /// Resolves every instance again.
  void resolve_all();
  /// Removes all instances but these.
  void keep_only(const std::set<Instance>& there);
  /// Removes everything, and reports every peer as lost.
  void clear();
  /// A handshake has proven this peer.
  void prefer(const PeerId& id);

  /// The next instance to resolve, if one is due. With `proven_only`, one of a proven peer.
  std::optional<Instance> next(runtime::TimePoint now, bool proven_only);
  void resolved(const Instance& instance, const Record& record, const net::SocketAddress& address);
  /// The instance did not resolve to a usable record. It is not resolved again until it changes or appears again.
  void useless(const Instance& instance);
  /// No answer: resolves it again later, kMaxAttempts times in all.
  void unanswered(const Instance& instance, runtime::TimePoint now);

  bool contains(const Instance& instance) const { return instances_.contains(instance); }
  bool contains_name(const std::string& name) const;
  bool is_proven(const std::string& name) const { return proven_names_.contains(name); }
  /// The earliest time at which next() may return an instance.
  std::optional<runtime::TimePoint> next_turn(runtime::TimePoint now) const;
  /// Whether no instance was dropped since the last call.
  bool complete() noexcept { return !std::exchange(overflowed_, false); }
  std::size_t instances() const noexcept { return instances_.size(); }
  std::size_t peers() const noexcept { return peers_.size(); }

 private:
  enum class ResolveState { waiting, delayed, resolving, resolved };
  struct InstanceEntry {
    ResolveState state = ResolveState::waiting;
    bool again = false;  ///< it changed while it was resolved
    unsigned attempts = 0;
    std::uint64_t ticket = 0;  ///< identifies its place in a queue
    std::optional<PeerId> peer;
  };
  struct InstanceAddress {
    Instance instance;
    net::SocketAddress address;
  };
  struct FoundPeer {
    Record record;
    std::string owner;                   ///< the service name that the record comes from
    std::deque<InstanceAddress> places;  ///< the oldest first
    std::optional<Found> reported;
    std::uint64_t age = 0;  ///< lower numbers are known longer
  };
  struct QueuedInstance {
    Instance instance;
    std::uint64_t ticket;
  };
  struct TurnQueue {
    std::deque<QueuedInstance> places;  ///< may contain outdated tickets
    double turns = kTurnBurst;
    runtime::TimePoint counted{};
    double turns_at(runtime::TimePoint now) const;
  };

  void enqueue(const Instance& instance, InstanceEntry& entry);
  void forget(std::map<Instance, InstanceEntry>::iterator entry);
  void leave_peer(const Instance& instance, InstanceEntry& entry);
  void make_room();
  void make_room_for_peer();
  void report(const PeerId& id, FoundPeer& peer);
  bool waits(const QueuedInstance& place) const;
  std::optional<Instance> pop_waiting(TurnQueue& queue, bool newest, runtime::TimePoint now);

  const PeerId self_;
  const OnChange on_change_;
  std::map<Instance, InstanceEntry> instances_;
  std::map<PeerId, FoundPeer> peers_;
  TurnQueue first_, others_;
  std::multimap<runtime::TimePoint, Instance> delayed_;
  std::set<PeerId> proven_;
  std::set<std::string> proven_names_;
  std::uint64_t next_number_ = 1;
  bool newest_next_ = false;
  bool overflowed_ = false;
};

}  // namespace peer::discovery
