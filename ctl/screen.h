// Screen: the whole terminal, drawn with ncurses. The destructor restores the terminal.
#pragma once

#include <utility>
#include <vector>

#include "ctl/text/table.h"

struct screen;  // of ncurses

namespace peer::ctl {

enum class Key { none, other, quit, up, down, left, right, page_up, page_down, home, end };

class Screen {
 public:
  explicit Screen(bool colour);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// False if the terminal is unknown or lacks a capability that ncurses needs.
  bool is_usable() const noexcept { return terminal_ != nullptr; }
  /// The current number of columns and lines.
  std::pair<std::size_t, std::size_t> size() const;
  void draw(const std::vector<Line>& lines);
  /// The next pressed key, or Key::none. Does not wait.
  Key read_key();

 private:
  ::screen* terminal_ = nullptr;
  bool colour_;
};

}  // namespace peer::ctl
