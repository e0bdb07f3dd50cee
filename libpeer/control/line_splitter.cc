#include "libpeer/control/line_splitter.h"

namespace peer::control {

std::optional<std::string> LineSplitter::next(bool at_end) {
  if (too_long_) return std::nullopt;
  const std::size_t newline = input_.find('\n', scanned_);
  const bool found = newline != std::string::npos;
  if (!found && (!at_end || input_.empty())) {
    scanned_ = input_.size();
    too_long_ = scanned_ > limit_;
    return std::nullopt;
  }
  std::string line = input_.substr(0, newline);
  input_.erase(0, found ? newline + 1 : newline);
  scanned_ = 0;
  too_long_ = line.size() > limit_;
  if (too_long_) return std::nullopt;
  return line;
}

}  // namespace peer::control
