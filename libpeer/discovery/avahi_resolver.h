// AvahiResolver: resolves service instances to records and addresses, in the order that the RecordTable gives.
//
// Loop: the Avahi thread's. Functions marked "Blocks" wait for D-Bus. Limits: kMaxResolvers at once, and half as many
// more for proven peers; avahi-daemon allows a client 1,024 objects.
#pragma once

#include <avahi-client/lookup.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libpeer/discovery/avahi_connection.h"

namespace peer::discovery {

/// Decodes the strings of a TXT record. Returns nothing if they are not a valid record.
std::optional<Record> read_text(AvahiStringList* list);

class AvahiResolver {
 public:
  static constexpr std::size_t kMaxResolvers = 64;
  /// Called with the name of each instance that resolved to a valid record.
  using OnRecord = std::function<void(const std::string& name, const Record& record)>;

  AvahiResolver(AvahiConnection& avahi, OnRecord on_record) : avahi_(avahi), on_record_(std::move(on_record)) {}
  AvahiResolver(const AvahiResolver&) = delete;

  /// Resolves the instances that are due. Blocks.
  void start();
  /// Passes finished resolutions to the table. Blocks.
  void finish();
  /// The time at which start() or finish() has something to do.
  std::optional<runtime::TimePoint> next_turn(runtime::TimePoint now) const;

 private:
  struct Resolution {
    AvahiResolver* resolver;
    Instance instance;
    AvahiServiceResolver* handle = nullptr;
    runtime::TimePoint began{};
    bool done = false;
    std::optional<Record> record;  ///< nothing: no answer, or an unusable one
    net::SocketAddress address;
    bool answered = false;
  };
  static void on_resolved(AvahiServiceResolver* resolver, AvahiIfIndex interface, AvahiProtocol family,
                          AvahiResolverEvent event, const char* name, const char* type, const char* domain,
                          const char* host, const AvahiAddress* address, std::uint16_t port, AvahiStringList* text,
                          AvahiLookupResultFlags flags, void* resolution) noexcept;
  std::optional<net::SocketAddress> usable_address(const Instance& instance, const AvahiAddress& address,
                                                   std::uint16_t port) const;
  void report(const Resolution& resolution);

  AvahiConnection& avahi_;
  const OnRecord on_record_;
  std::map<Instance, std::unique_ptr<Resolution>> resolutions_;
};

}  // namespace peer::discovery
