// What people read on a terminal: sizes, times, progress. Remote text is made printable here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace peer::ctl {

std::string human_bytes(double bytes);            ///< "0 B", "1.5 MB", "85 MB"; powers of 1000
std::string human_rate(double bytes_per_second);  ///< "11.2 MB/s"
std::string human_seconds(double seconds);        ///< "0.4 s", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"
std::string human_rtt(double milliseconds);       ///< "0.21 ms", "14 ms"
/// Control characters and what could change the terminal's direction, as \xNN.
std::string plain(std::string_view text);
/// As one word of a shell's command line, quoted where that takes quotes.
std::string word(std::string_view text);
/// What a progress line tells.
struct Progress {
  std::string game;
  std::string state;
  double total = 0, done = 0, rate = 0;
  double eta_s = -1;  ///< below 0: unknown
  std::size_t sources = 0;
  std::string bottleneck;  ///< empty: none
  std::string error;       ///< why it is paused
};
/// "42 %"; 100 only when it is.
std::string percent(double done, double total);
/// One line of at most `width` columns: the name is shortened, and what matters least is left out.
std::string progress_line(const Progress& progress, std::size_t width);
/// What a verify's line tells.
struct Comparison {
  std::string game;
  double total = 0, done = 0;
  double rate = 0;  ///< 0: unknown
  std::size_t damaged = 0;
  bool repairing = false;
};
std::string verify_line(const Comparison& comparison, std::size_t width);

}  // namespace peer::ctl
