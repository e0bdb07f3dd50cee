// PrivateNetwork: a network namespace for a test, with only a loopback interface.
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "libpeer/base/check.h"

namespace peer::test {

/// The calling thread is in the namespace during the object's lifetime. Sockets that it opens then belong to it.
class PrivateNetwork {
 public:
  PrivateNetwork() : outside_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    entered_ = outside_ >= 0 && unshare(CLONE_NEWNET) == 0;
    if (entered_) set_loopback(0);
  }
  PrivateNetwork(const PrivateNetwork&) = delete;
  PrivateNetwork& operator=(const PrivateNetwork&) = delete;
  ~PrivateNetwork() {
    if (entered_) PEER_CHECK(setns(outside_, CLONE_NEWNET) == 0);
    if (outside_ >= 0) ::close(outside_);
  }

  /// False without the privilege: skip the test.
  bool entered() const noexcept { return entered_; }

  /// Brings the loopback interface up. An `mtu` of 0 keeps the default.
  void set_loopback(int mtu) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    PEER_CHECK(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
    if (mtu != 0) {
      request.ifr_mtu = mtu;
      PEER_CHECK(ioctl(fd, SIOCSIFMTU, &request) == 0);
    }
    ::close(fd);
  }

  /// Runs a tool of iproute2 inside; false if it fails or is missing.
  bool run(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

 private:
  int outside_;
  bool entered_ = false;
};

}  // namespace peer::test
