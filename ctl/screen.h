// Screen: the whole terminal, by ncurses. The terminal is as it was before when the Screen is gone.
#pragma once

#include <utility>
#include <vector>

#include "ctl/text/table.h"

struct screen;  // ncurses's

namespace peer::ctl {

enum class Key { none, other, quit, up, down, left, right, page_up, page_down, home, end };

class Screen {
 public:
  explicit Screen(bool colour);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// False where the terminal can do too little, or is not known.
  bool works() const noexcept { return terminal_ != nullptr; }
  /// Columns and lines, as they are now.
  std::pair<std::size_t, std::size_t> size() const;
  void draw(const std::vector<Line>& lines);
  /// The next one pressed; never waits.
  Key key();

 private:
  ::screen* terminal_ = nullptr;
  bool colour_;
};

}  // namespace peer::ctl
