#include "libpeer/net/local_network.h"

namespace peer::net {

bool LocalNetwork::contains(const SocketAddress& address, runtime::TimePoint now) {
  if (address.is_local()) return true;
  if (!ever_listed_ || now - listed_ >= kListInterval) {
    // If the listing fails, the old list stays in use.
    if (auto found = lister_()) interfaces_ = std::move(*found);
    listed_ = now;
    ever_listed_ = true;
  }
  return is_on_link(interfaces_, address);
}

}  // namespace peer::net
