#include "text/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "protocol/path.h"

namespace peer::ctl {
namespace {

template <class... A>
std::string print(const char* format, A... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string two_units(long long value, long long per, const char* large, const char* small) {
  const long long rest = value % per;
  if (rest == 0) return print("%lld %s", value / per, large);
  return print("%lld %s %lld %s", value / per, large, rest, small);
}

/// The first `width` columns.
std::string cut(const std::string& text, std::size_t width) {
  std::size_t taken = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && taken++ == width) return text.substr(0, i);
  }
  return text;
}

}  // namespace

std::string human_bytes(double bytes) {
  static constexpr std::array<const char*, 6> kUnits{"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  // 999.5 would be shown as 1000.
  while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  const bool fraction = unit > 0 && bytes < 9.95;
  return print(fraction ? "%.1f %s" : "%.0f %s", bytes, kUnits[unit]);
}

std::string human_rate(double bytes_per_second) { return human_bytes(bytes_per_second) + "/s"; }

std::string human_seconds(double seconds) {
  if (seconds < 0.05) return "0 s";
  if (seconds < 9.95) return print("%.1f s", seconds);
  const long long whole = std::llround(seconds);
  if (whole < 60) return print("%lld s", whole);
  if (whole < 3600) return two_units(whole, 60, "min", "s");
  if (whole < 24 * 3600) return two_units(whole / 60, 60, "h", "min");
  return two_units(whole / 3600, 24, "d", "h");
}

std::string human_rtt(double milliseconds) { return print(milliseconds < 9.95 ? "%.2f ms" : "%.0f ms", milliseconds); }

std::string plain(std::string_view text) { return protocol::printable(text); }

std::size_t columns(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void Table::row(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = plain(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - columns(row[i]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string progress_line(const Progress& progress, std::size_t width) {
  std::string line = plain(progress.game) + ": ";
  // 100 % only when it is.
  const double share = std::floor((progress.total > 0 ? progress.done / progress.total : 1) * 100);
  if (progress.state == "downloading") {
    line += print("%3.0f %%", share);
    line += "  " + human_bytes(progress.done) + " of " + human_bytes(progress.total) + "  " + human_rate(progress.rate);
    if (progress.eta_s >= 0) line += "  " + human_seconds(progress.eta_s) + " left";
    line += print("  %zu %s", progress.sources, progress.sources == 1 ? "source" : "sources");
  } else {
    line += plain(progress.state);
    if (!progress.error.empty()) {
      line += ": " + plain(progress.error);
    } else if (progress.state == "paused") {
      line += " at " + print("%.0f %%", share) + "; 'peerctl resume' lets it go on";
    }
  }
  return cut(line, width);
}

}  // namespace peer::ctl
