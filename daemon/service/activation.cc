#include "daemon/service/activation.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace peer::daemon {
namespace {

struct PassedDescriptor {
  int fd;
  std::string name;
};

std::vector<PassedDescriptor> receive_all() {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  std::vector<PassedDescriptor> all;
  for (int i = 0; i < count; ++i) {
    all.push_back({SD_LISTEN_FDS_START + i, names[i]});
    std::free(names[i]);
  }
  std::free(names);
  return all;
}

bool is_control_socket(int fd) { return sd_is_socket_unix(fd, SOCK_STREAM, 1, nullptr, 0) > 0; }

std::string path_of(int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  if (size <= offsetof(sockaddr_un, sun_path)) return {};
  return address.sun_path;
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

}  // namespace

Result<std::optional<PassedSocket>> receive_passed_socket(const std::optional<std::string>& expected, const Log& log) {
  const std::vector<PassedDescriptor> all = receive_all();
  if (all.empty()) return std::nullopt;
  int chosen = -1;
  for (const PassedDescriptor& each : all) {
    if (is_control_socket(each.fd) && (each.name == kControlSocketName || all.size() == 1)) {
      chosen = each.fd;
      break;
    }
  }
  for (const PassedDescriptor& each : all) {
    if (each.fd == chosen) continue;
    if (chosen >= 0) log.warn("unused descriptor from systemd closed: " + each.name);
    close(each.fd);
  }
  if (chosen < 0) {
    return fail(ErrorCode::invalid,
                std::string("systemd passed no listening Unix stream socket called \"") + kControlSocketName +
                    "\": in the .socket unit set ListenStream=PATH and FileDescriptorName=" + kControlSocketName);
  }
  PassedSocket socket{chosen, path_of(chosen)};
  if (expected && absolute_path(*expected) != absolute_path(socket.path)) {
    close(chosen);
    return fail(ErrorCode::invalid, "systemd passed the control socket \"" + socket.path + "\", but --socket is \"" +
                                        *expected +
                                        "\": leave out --socket, or change ListenStream= of the .socket unit");
  }
  return socket;
}

}  // namespace peer::daemon
