#include "ctl/text/table.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "ctl/text/columns.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

constexpr std::size_t kGap = 2;
/// The width to which columns shrink before others are removed, and the width to which they shrink at most.
constexpr std::size_t kComfortableWidth = 16;
constexpr std::size_t kMinimumWidth = 6;

std::size_t total(const std::vector<std::size_t>& widths) {
  std::size_t sum = 0;
  for (const std::size_t width : widths) sum += width == 0 ? 0 : width + kGap;
  return sum == 0 ? 0 : sum - kGap;
}

}  // namespace

std::string coloured(const std::string& text, Tone tone, bool colour) {
  static constexpr std::array<const char*, 6> kCodes{"", "1", "2", "32", "33", "31"};
  if (!colour || tone == Tone::normal) return text;
  return std::string("\033[") + kCodes[static_cast<std::size_t>(tone)] + "m" + text + "\033[0m";
}

Tone tone_of(std::string_view state) {
  using std::string_view_literals::operator""sv;
  static constexpr std::array kGood{"ready"sv, "connected"sv, "finished"sv, "running"sv};
  static constexpr std::array kWarning{"hashing"sv,   "paused"sv,     "unreachable"sv, "peers_gone"sv,
                                       "cancelled"sv, "restarting"sv, "modified"sv,    "connecting"sv};
  static constexpr std::array kBad{"damaged"sv, "unshareable"sv, "failed"sv, "refused"sv, "banned"sv, "stopped"sv};
  if (std::ranges::find(kGood, state) != kGood.end()) return Tone::good;
  if (std::ranges::find(kWarning, state) != kWarning.end()) return Tone::warning;
  return std::ranges::find(kBad, state) != kBad.end() ? Tone::bad : Tone::normal;
}

void Table::row(std::vector<Cell> cells) {
  for (Cell& cell : cells) cell.text = printable(cell.text);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(std::size_t page) const {
  std::vector<std::size_t> widths;
  widths.reserve(columns_.size());
  for (const Column& column : columns_) widths.push_back(columns(column.heading));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i].text));
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const bool is_empty = std::ranges::all_of(rows_, [i](const auto& row) { return row[i].text.empty(); });
    if (is_empty && columns_[i].drop > 0) widths[i] = 0;
  }
  if (page == 0) return widths;
  const auto shrink = [&](std::size_t least) {
    while (total(widths) > page) {
      std::size_t widest = columns_.size();
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (!columns_[i].shrinks || widths[i] <= least) continue;
        if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
      }
      if (widest == columns_.size()) return;
      --widths[widest];
    }
  };
  shrink(kComfortableWidth);
  while (total(widths) > page) {
    std::size_t next = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == 0 || columns_[i].drop == 0) continue;
      if (next == columns_.size() || columns_[i].drop > columns_[next].drop) next = i;
    }
    if (next == columns_.size()) break;
    widths[next] = 0;
  }
  shrink(kMinimumWidth);
  return widths;
}

std::vector<Line> Table::lines(std::size_t page) const {
  const std::vector<std::size_t> widths = this->widths(page);
  std::size_t last = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) last = widths[i] > 0 ? i : last;
  std::vector<Line> lines;
  const auto add_line = [&](const auto& cell_of) {
    std::size_t left = page == 0 ? std::string::npos : page;
    Line& line = lines.emplace_back();
    for (std::size_t i = 0; i <= last; ++i) {
      const std::size_t width = std::min(widths[i], left);
      if (width == 0) continue;
      Cell cell = cell_of(i);
      cell.text = cut(shortened(cell.text, widths[i]), width);
      std::string padding(width - columns(cell.text), ' ');
      left -= width;
      if (columns_[i].right && !padding.empty()) line.push_back({padding});
      line.push_back(std::move(cell));
      if (i == last) break;
      if (columns_[i].right) padding.clear();
      padding.append(std::min(kGap, left), ' ');
      left -= std::min(kGap, left);
      line.push_back({std::move(padding)});
    }
  };
  add_line([&](std::size_t i) { return Cell{columns_[i].heading, Tone::strong}; });
  for (const auto& row : rows_) add_line([&](std::size_t i) { return row[i]; });
  return lines;
}

std::string Table::text(const Page& page) const {
  std::string text;
  for (const Line& line : lines(page.width)) {
    for (const Cell& cell : line) text += coloured(cell.text, cell.tone, page.colour);
    text += '\n';
  }
  return text;
}

}  // namespace peer::ctl
