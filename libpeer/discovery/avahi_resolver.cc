#include "libpeer/discovery/avahi_resolver.h"

#include <avahi-common/error.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace peer::discovery {

namespace {

/// How long an instance that does not answer may keep others waiting.
constexpr runtime::Duration kCrowdedWait = std::chrono::milliseconds(1500);

net::SocketAddress to_socket_address(const AvahiAddress& address, std::uint16_t port, unsigned interface) {
  if (address.proto == AVAHI_PROTO_INET) {
    sockaddr_in native{};
    native.sin_family = AF_INET;
    native.sin_port = htons(port);
    native.sin_addr.s_addr = address.data.ipv4.address;
    return net::SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof native);
  }
  sockaddr_in6 native{};
  native.sin6_family = AF_INET6;
  native.sin6_port = htons(port);
  std::ranges::copy(address.data.ipv6.address, native.sin6_addr.s6_addr);
  native.sin6_scope_id = interface;  // ignored unless the address is link-local
  return net::SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof native);
}

/// Whether the error concerns one instance and not the connection to avahi-daemon.
bool concerns_instance(int error) {
  return error == AVAHI_ERR_INVALID_SERVICE_NAME || error == AVAHI_ERR_INVALID_DOMAIN_NAME ||
         error == AVAHI_ERR_INVALID_INTERFACE || error == AVAHI_ERR_TOO_MANY_OBJECTS;
}

}  // namespace

std::optional<Record> read_text(AvahiStringList* list) {
  std::vector<std::string_view> strings;
  for (; list != nullptr; list = avahi_string_list_get_next(list)) {
    strings.emplace_back(reinterpret_cast<const char*>(avahi_string_list_get_text(list)),
                         avahi_string_list_get_size(list));
  }
  auto record = decode_txt(strings);
  if (!record) return std::nullopt;
  return std::move(*record);
}

std::optional<runtime::TimePoint> AvahiResolver::next_turn(runtime::TimePoint now) const {
  const auto turn = avahi_.table.next_turn(now);
  // If all resolvers are busy, one must finish or time out first.
  if (turn && resolutions_.size() >= kMaxResolvers) return now + kCrowdedWait / 3;
  return turn;
}

void AvahiResolver::start() {
  const runtime::TimePoint now = avahi_.executor.now();
  for (std::size_t calls = 0; !avahi_.is_over(); ++calls) {
    if (resolutions_.size() >= kMaxResolvers + kMaxResolvers / 2) return;
    if (calls >= kCallsPerTurn) return avahi_.publication.changed.set();
    const auto instance = avahi_.table.next(now, resolutions_.size() >= kMaxResolvers);
    if (!instance) return;
    auto resolution = std::make_unique<Resolution>(this, *instance);
    resolution->began = now;
    resolution->handle = avahi_service_resolver_new(
        avahi_.client, instance->interface, instance->family, instance->name.c_str(), kServiceType,
        instance->domain.c_str(), instance->family, static_cast<AvahiLookupFlags>(0), on_resolved, resolution.get());
    if (resolution->handle == nullptr) {
      if (!concerns_instance(avahi_client_errno(avahi_.client))) return avahi_.fail_with("cannot resolve peers");
      avahi_.table.unanswered(*instance, now);
      continue;
    }
    resolutions_[*instance] = std::move(resolution);
  }
}

void AvahiResolver::on_resolved(AvahiServiceResolver*, AvahiIfIndex, AvahiProtocol, AvahiResolverEvent event,
                                const char*, const char*, const char*, const char*, const AvahiAddress* address,
                                std::uint16_t port, AvahiStringList* text, AvahiLookupResultFlags,
                                void* resolution) noexcept {
  auto& self = *static_cast<Resolution*>(resolution);
  if (self.done) return;
  self.done = true;
  if (event == AVAHI_RESOLVER_FOUND) {
    self.answered = true;
    self.record = read_text(text);
    const auto usable = self.resolver->usable_address(self.instance, *address, port);
    if (usable) self.address = *usable;
    if (!usable) self.record.reset();
  }
  self.resolver->avahi_.publication.changed.set();
}

/// The address, if it belongs to the network of a usable interface. A link-local address gets that interface as scope.
std::optional<net::SocketAddress> AvahiResolver::usable_address(const Instance& instance, const AvahiAddress& address,
                                                                std::uint16_t port) const {
  const auto& usable = avahi_.publication.usable;
  const auto index = static_cast<unsigned>(instance.interface);
  const bool used = std::ranges::any_of(usable, [index](const auto& each) { return each.index == index; });
  if (!used || port == 0) return std::nullopt;
  const net::SocketAddress result = to_socket_address(address, port, index);
  if (result.is_unspecified() || result.is_loopback()) return std::nullopt;
  if (!result.is_local() && !net::is_on_link(usable, result)) return std::nullopt;
  return result;
}

void AvahiResolver::finish() {
  const runtime::TimePoint now = avahi_.executor.now();
  const bool crowded = resolutions_.size() >= kMaxResolvers;
  std::size_t calls = 0;
  for (auto each = resolutions_.begin(); each != resolutions_.end() && !avahi_.is_over();) {
    Resolution& resolution = *each->second;
    const bool wanted = avahi_.table.contains(resolution.instance);
    const bool late = crowded && now - resolution.began >= kCrowdedWait;
    if (!resolution.done && wanted && !late) {
      ++each;
      continue;
    }
    if (++calls > kCallsPerTurn) return avahi_.publication.changed.set();
    avahi_service_resolver_free(resolution.handle);
    report(resolution);
    each = resolutions_.erase(each);
  }
}

void AvahiResolver::report(const Resolution& resolution) {
  if (resolution.record) {
    on_record_(resolution.instance.name, *resolution.record);
    avahi_.table.resolved(resolution.instance, *resolution.record, resolution.address);
  } else if (resolution.answered) {
    avahi_.table.useless(resolution.instance);
  } else {
    avahi_.table.unanswered(resolution.instance, avahi_.executor.now());
  }
}

}  // namespace peer::discovery
