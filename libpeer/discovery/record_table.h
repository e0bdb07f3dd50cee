// RecordTable: the service instances that are there, and the peers they add up to. Pure state.
//
// An instance appears once an interface and family, is resolved when its turn comes, and adds one address to the peer
// whose id its TXT record claims. Instances of peers that were proven by a handshake have the first turn.
// Limits: those below; what exceeds them is forgotten, and complete() tells so.
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
  int family = 0;  ///< Avahi's number of the protocol it was heard by
  auto operator<=>(const Instance&) const = default;
};

class RecordTable {
 public:
  static constexpr std::size_t kMaxInstances = 4096;
  /// Turns that the proven peers' instances get, and all others': so many at once, and then a second.
  static constexpr double kTurnBurst = 256;
  static constexpr double kTurnsPerSecond = 100;
  static constexpr unsigned kMaxAttempts = 4;

  /// What is known of a peer now; nothing: it is lost. Called from inside the functions below.
  using Tell = std::function<void(const PeerId& id, const std::optional<Found>& found)>;

  RecordTable(PeerId self, Tell tell) : self_(self), tell_(std::move(tell)) {}

  void appeared(const Instance& instance);
  void gone(const Instance& instance);
  /// Its records are others now: all instances of that name are resolved again.
  void changed(const std::string& name);
  /// The same of every instance of that peer.
  void look_again(const PeerId& id);
  /// The same of every instance.
  void resolve_all();
  /// All others are gone.
  void keep_only(const std::set<Instance>& there);
  /// Everybody is lost.
  void clear();
  void prefer(const PeerId& id);

  /// The next one to be resolved, if one's turn has come; with `proven_only` one of a proven peer.
  std::optional<Instance> next(runtime::TimePoint now, bool proven_only);
  void resolved(const Instance& instance, const Record& record, const net::SocketAddress& address);
  /// It was resolved to something that is of no use: let be until it changes or appears again.
  void useless(const Instance& instance);
  /// No answer: it gets some turns more, later.
  void unanswered(const Instance& instance, runtime::TimePoint now);

  bool contains(const Instance& instance) const { return instances_.contains(instance); }
  bool contains_name(const std::string& name) const;
  bool is_proven(const std::string& name) const { return proven_names_.contains(name); }
  /// When next() may have one, at the earliest.
  std::optional<runtime::TimePoint> next_turn(runtime::TimePoint now) const;
  /// Nothing was forgotten for lack of room since the last call.
  bool complete() noexcept { return !std::exchange(overflowed_, false); }
  std::size_t instances() const noexcept { return instances_.size(); }
  std::size_t peers() const noexcept { return peers_.size(); }

 private:
  enum class State { waiting, delayed, resolving, resolved };
  struct Entry {
    State state = State::waiting;
    bool again = false;  ///< it changed while it was being resolved
    unsigned attempts = 0;
    std::uint64_t ticket = 0;  ///< of its place in a queue
    std::optional<PeerId> peer;
  };
  struct Place {
    Instance instance;
    net::SocketAddress address;
  };
  struct Peer {
    Record record;
    std::string owner;         ///< the service name the record is from
    std::deque<Place> places;  ///< the oldest first
    std::optional<Found> told;
    std::uint64_t age = 0;  ///< the lower, the longer it is known
  };
  struct Waiting {
    Instance instance;
    std::uint64_t ticket;
  };
  struct Queue {
    std::deque<Waiting> places;  ///< may name some that wait no more, by an old ticket
    double turns = kTurnBurst;
    runtime::TimePoint counted{};
    double turns_at(runtime::TimePoint now) const;
  };

  void wait(const Instance& instance, Entry& entry);
  void forget(std::map<Instance, Entry>::iterator entry);
  void leave(const Instance& instance, Entry& entry);
  void make_room();
  void make_room_for_peer();
  void refresh(const PeerId& id, Peer& peer);
  bool waits(const Waiting& place) const;
  std::optional<Instance> take(Queue& queue, bool newest, runtime::TimePoint now);

  const PeerId self_;
  const Tell tell_;
  std::map<Instance, Entry> instances_;
  std::map<PeerId, Peer> peers_;
  Queue first_, others_;
  std::multimap<runtime::TimePoint, Instance> delayed_;
  std::set<PeerId> proven_;
  std::set<std::string> proven_names_;
  std::uint64_t next_number_ = 1;
  bool newest_next_ = false;
  bool overflowed_ = false;
};

}  // namespace peer::discovery
