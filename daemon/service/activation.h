// Socket activation: the control socket that systemd made and keeps (sd_listen_fds(3)).
#pragma once

#include <optional>
#include <string>

#include "libpeer/base/log.h"
#include "libpeer/base/result.h"

namespace peer::daemon {

/// What FileDescriptorName= calls the control socket; a Unix socket that comes alone may have any name.
inline constexpr const char* kControlSocketName = "control";

struct PassedSocket {
  int fd = -1;  ///< listening; whoever takes it closes it, and never removes the name
  std::string path;
};

/// The control socket, if this process was passed one; other descriptors that were passed are closed. Programs that
/// this one starts will not see any of it. Fails: invalid, if what was passed is no control socket or not the `wanted`
/// one.
Result<std::optional<PassedSocket>> take_passed_socket(const std::optional<std::string>& wanted, const Log& log);

}  // namespace peer::daemon
