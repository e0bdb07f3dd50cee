#include "ctl/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace peer::ctl {
namespace {

constexpr std::size_t kDefaultWidth = 80;

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

}  // namespace

Page page_of(int descriptor) {
  if (isatty(descriptor) == 0) return {};
  winsize size{};
  const bool known = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return {known ? size.ws_col : kDefaultWidth, variable("NO_COLOR").empty() && variable("TERM") != "dumb"};
}

}  // namespace peer::ctl
