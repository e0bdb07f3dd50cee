// LineSplitter: cuts the bytes of a stream into lines. No I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace peer::control {

/// Limits: a line of more than `limit` bytes makes too_long() true; next() returns nothing from then on.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t limit) : limit_(limit) {}

  void append(std::string_view bytes) { input_ += bytes; }
  /// The next line without its newline, if it has arrived. At the end of the input, the bytes after the last newline
  /// count as a line.
  std::optional<std::string> next(bool at_end);
  bool too_long() const noexcept { return too_long_; }

 private:
  std::size_t limit_;
  std::string input_;
  std::size_t scanned_ = 0;  ///< leading bytes of input_ that contain no newline
  bool too_long_ = false;
};

}  // namespace peer::control
