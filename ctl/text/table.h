// Table: rows under a heading, made to fit a terminal.
#pragma once

#include <string>
#include <vector>

namespace peer::ctl {

enum class Tone { normal, strong, faint, good, warning, bad };

/// Where text goes to.
struct Page {
  std::size_t width = 0;  ///< columns; 0: no terminal, nothing is shortened
  bool colour = false;
};

/// In the tone's colour, if there are colours.
std::string painted(const std::string& text, Tone tone, bool colour);

/// How a state of a service, game, peer or download is to be seen.
Tone tone_of(std::string_view state);

struct Column {
  std::string heading;
  bool right = false;    ///< numbers stand to the right
  bool shrinks = false;  ///< long ones are shortened in their middle
  int drop = 0;          ///< where the terminal is narrow, the highest goes first; empty ones always; 0: never
};

struct Cell {
  std::string text;
  Tone tone = Tone::normal;
};

/// What stands on one line of a screen: its parts from left to right, blanks among them.
using Line = std::vector<Cell>;

/// Columns two blanks apart; the last column is not padded.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Cells are made printable.
  void row(std::vector<Cell> cells);
  /// Every line with its newline; none is wider than the page.
  std::string text(const Page& page) const;
  /// The heading first. `width`: as of a page.
  std::vector<Line> lines(std::size_t width) const;

 private:
  /// Of each column; 0: dropped.
  std::vector<std::size_t> widths(std::size_t page) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace peer::ctl
