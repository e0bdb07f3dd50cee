// Formats sizes, times and progress for people, and makes text from other machines safe to print.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace peer::ctl {

std::string human_bytes(double bytes);            ///< "0 B", "1.5 MB", "85 MB"; powers of 1000
std::string human_rate(double bytes_per_second);  ///< "11.2 MB/s"
std::string human_seconds(double seconds);        ///< "0.4 s", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"
std::string human_rtt(double milliseconds);       ///< "0.21 ms", "14 ms"
/// Replaces control characters and bidirectional overrides by \xNN.
std::string printable(std::string_view text);
/// The text as one word of a shell command line, in quotes if necessary.
std::string shell_word(std::string_view text);

/// The content of a download's progress line.
struct Progress {
  std::string game;
  std::string state;
  double total = 0, done = 0, rate = 0;
  double eta_s = -1;  ///< below 0: unknown
  std::size_t sources = 0;
  std::string bottleneck;  ///< empty: unknown
  std::string error;       ///< why it is paused
};

/// "42 %". Rounds down, so that 100 % means complete.
std::string percent(double done, double total);
/// One line of at most `width` columns. Shortens the name and leaves out the least important parts if necessary.
std::string progress_line(const Progress& progress, std::size_t width);

/// The content of a verify's progress line.
struct VerifyState {
  std::string game;
  double total = 0, done = 0;
  double rate = 0;  ///< 0: unknown
  std::size_t damaged = 0;
  bool repairing = false;
};
std::string verify_line(const VerifyState& verify, std::size_t width);

}  // namespace peer::ctl
