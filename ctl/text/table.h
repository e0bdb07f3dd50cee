// Table: rows below a heading, fitted to the width of a terminal.
#pragma once

#include <string>
#include <vector>

namespace peer::ctl {

enum class Tone { normal, strong, faint, good, warning, bad };

/// The properties of the output.
struct Page {
  std::size_t width = 0;  ///< in columns; 0: not a terminal, nothing is shortened
  bool colour = false;
};

/// The text with the escape codes of the tone's colour, if `colour` is set.
std::string coloured(const std::string& text, Tone tone, bool colour);

/// The tone for a state of a service, game, peer or download.
Tone tone_of(std::string_view state);

struct Column {
  std::string heading;
  bool right = false;    ///< aligned to the right, for numbers
  bool shrinks = false;  ///< long cells are shortened in their middle
  int drop = 0;  ///< order of removal on a narrow terminal: highest first; 0: never. Empty columns are always removed
};

struct Cell {
  std::string text;
  Tone tone = Tone::normal;
};

/// One line of a screen: its parts from left to right, including spaces.
using Line = std::vector<Cell>;

/// Columns are two spaces apart. The last column is not padded.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Adds a row. Makes the text of its cells printable.
  void row(std::vector<Cell> cells);
  /// All lines, each with a newline. No line is wider than the page.
  std::string text(const Page& page) const;
  /// All lines, the heading first. `width` is that of a Page.
  std::vector<Line> lines(std::size_t width) const;

 private:
  /// The width of each column; 0 means removed.
  std::vector<std::size_t> widths(std::size_t page) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace peer::ctl
