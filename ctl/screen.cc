#include "ctl/screen.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <string_view>

// Included last: ncurses defines many lower-case names, some of them macros.
#define NCURSES_NOMACROS 1
#include <curses.h>

namespace peer::ctl {
namespace {

attr_t attribute(Tone tone, bool colour) {
  switch (tone) {
    case Tone::strong: return A_BOLD;
    case Tone::faint: return A_DIM;
    case Tone::good: return colour ? COLOR_PAIR(1) : A_NORMAL;
    case Tone::warning: return colour ? COLOR_PAIR(2) : A_NORMAL;
    case Tone::bad: return colour ? COLOR_PAIR(3) : A_BOLD;
    case Tone::normal: break;
  }
  return A_NORMAL;
}

}  // namespace

Screen::Screen(bool colour) : colour_(colour) {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
  terminal_ = newterm(nullptr, stdout, stdin);
  if (terminal_ == nullptr) return;
  cbreak();
  noecho();
  curs_set(0);
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  set_escdelay(50);
  colour_ = colour_ && has_colors() && start_color() == OK && use_default_colors() == OK;
  if (colour_) {
    init_pair(1, COLOR_GREEN, -1);
    init_pair(2, COLOR_YELLOW, -1);
    init_pair(3, COLOR_RED, -1);
  }
}

Screen::~Screen() {
  if (terminal_ == nullptr) return;
  endwin();
  delscreen(terminal_);
}

std::pair<std::size_t, std::size_t> Screen::size() const {
  return {static_cast<std::size_t>(COLS), static_cast<std::size_t>(LINES)};
}

void Screen::draw(const std::vector<Line>& lines) {
  erase();
  for (std::size_t row = 0; row < lines.size(); ++row) {
    ::move(static_cast<int>(row), 0);
    for (const Cell& cell : lines[row]) {
      attrset(attribute(cell.tone, colour_));
      addstr(cell.text.c_str());
    }
  }
  refresh();
}

Key Screen::read_key() {
  switch (getch()) {
    case ERR: return Key::none;
    case 'q':
    case 'Q': return Key::quit;
    case 'k':
    case KEY_UP: return Key::up;
    case 'j':
    case KEY_DOWN: return Key::down;
    case KEY_LEFT: return Key::left;
    case KEY_RIGHT: return Key::right;
    case KEY_PPAGE: return Key::page_up;
    case ' ':
    case KEY_NPAGE: return Key::page_down;
    case KEY_HOME: return Key::home;
    case KEY_END: return Key::end;
    default: return Key::other;
  }
}

}  // namespace peer::ctl
