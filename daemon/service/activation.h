// Socket activation: the control socket that systemd creates and keeps (sd_listen_fds(3)).
#pragma once

#include <optional>
#include <string>

#include "libpeer/base/log.h"
#include "libpeer/base/result.h"

namespace peer::daemon {

/// The name of the control socket in FileDescriptorName=. If only one socket is passed, it may have any name.
inline constexpr const char* kControlSocketName = "control";

struct PassedSocket {
  int fd = -1;  ///< listening; the caller closes it and must not remove its name
  std::string path;
};

/// Returns the control socket if systemd passed one. Closes every other passed descriptor, and removes the variables,
/// so that child processes inherit nothing. `expected`: the path that the socket must have. Fails: invalid, if the
/// passed descriptors include no control socket, or one at another path.
Result<std::optional<PassedSocket>> receive_passed_socket(const std::optional<std::string>& expected, const Log& log);

}  // namespace peer::daemon
