// What people read on a terminal: sizes, times, tables. Remote text is made printable here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace peer::ctl {

std::string human_bytes(double bytes);            ///< "0 B", "1.5 MB", "85 MB"; powers of 1000
std::string human_rate(double bytes_per_second);  ///< "11.2 MB/s"
std::string human_seconds(double seconds);        ///< "0.4 s", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"
std::string human_rtt(double milliseconds);       ///< "0.21 ms", "14 ms"
/// Control characters and what could change the terminal's direction, as \xNN.
std::string plain(std::string_view text);
/// How many columns UTF-8 text takes, wide characters counted as one.
std::size_t columns(std::string_view text) noexcept;

/// Rows under a heading, in columns two blanks apart; the last column is not padded.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  /// Cells are made printable.
  void row(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// What a progress line tells.
struct Progress {
  std::string game;
  std::string state;
  double total = 0, done = 0, rate = 0;
  double eta_s = -1;  ///< below 0: unknown
  std::size_t sources = 0;
  std::string error;  ///< why it is paused
};
/// One line of at most `width` columns.
std::string progress_line(const Progress& progress, std::size_t width);

}  // namespace peer::ctl
