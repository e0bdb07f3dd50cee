#include "ctl/text/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "ctl/text/columns.h"
#include "libpeer/protocol/path.h"

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

/// A bottleneck, worded for a progress line.
std::string reason(const std::string& bottleneck) {
  if (bottleneck == "network" || bottleneck == "sender" || bottleneck == "disk") return "the " + bottleneck;
  if (bottleneck == "cpu") return "the processor";
  return bottleneck == "limit" ? "the rate limit" : printable(bottleneck);
}

/// Pads a percentage, so that the line does not jump at 10 % and 100 %.
std::string aligned(const std::string& share) {
  return std::string(share.size() < 5 ? 5 - share.size() : 0, ' ') + share;
}

/// The name and as many of the parts as fit. The most important parts come first.
std::string line(const std::string& name, const std::vector<std::string>& parts, std::size_t width) {
  std::string text = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (columns(text) + columns(parts[i]) + 2 + std::min<std::size_t>(columns(name), 12) + 2 > width) break;
    text += "  " + parts[i];
  }
  const std::size_t rest = width - std::min(width, columns(text) + 2);
  return cut(shortened(name, rest) + ": " + text, width);
}

}  // namespace

std::string human_bytes(double bytes) {
  static constexpr std::array<const char*, 6> kUnits{"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  // 999.5 would round to 1000.
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

std::string printable(std::string_view text) { return protocol::printable(text); }

std::string shell_word(std::string_view text) {
  std::string shown = printable(text);
  const auto is_safe = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           static_cast<unsigned char>(c) >= 0x80 || std::string_view("-_.,+:@/%").find(c) != std::string_view::npos;
  };
  if (!shown.empty() && std::ranges::all_of(shown, is_safe)) return shown;
  std::string quoted = "'";
  for (const char c : shown) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string percent(double done, double total) {
  return print("%.0f %%", std::floor((total > 0 ? done / total : 1) * 100));
}

std::string progress_line(const Progress& progress, std::size_t width) {
  const std::string name = printable(progress.game);
  const std::string share = percent(progress.done, progress.total);
  std::vector<std::string> parts;  // the most important first
  if (progress.state == "downloading") {
    parts = {aligned(share), human_rate(progress.rate)};
    if (progress.eta_s >= 0) parts.push_back(human_seconds(progress.eta_s) + " left");
    parts.push_back(human_bytes(progress.done) + " of " + human_bytes(progress.total));
    parts.push_back(print("%zu %s", progress.sources, progress.sources == 1 ? "source" : "sources"));
    if (!progress.bottleneck.empty()) parts.push_back("held back by " + reason(progress.bottleneck));
  } else if (!progress.error.empty()) {
    parts = {printable(progress.state) + ": " + printable(progress.error)};
  } else if (progress.state == "paused") {
    parts = {"paused at " + share, "'peerctl resume' continues it"};
  } else {
    parts = {printable(progress.state)};
  }
  return line(name, parts, width);
}

std::string verify_line(const VerifyState& verify, std::size_t width) {
  std::vector<std::string> parts;
  if (verify.repairing) {
    parts = {"repairing"};
  } else {
    parts = {"verifying " + aligned(percent(verify.done, verify.total))};
  }
  if (verify.damaged > 0) {
    parts.push_back(print("%zu %s damaged", verify.damaged, verify.damaged == 1 ? "file" : "files"));
  }
  if (!verify.repairing && verify.rate > 0) {
    parts.push_back(human_rate(verify.rate));
    parts.push_back(human_seconds((verify.total - verify.done) / verify.rate) + " left");
    parts.push_back(human_bytes(verify.done) + " of " + human_bytes(verify.total));
  }
  return line(printable(verify.game), parts, width);
}

}  // namespace peer::ctl
