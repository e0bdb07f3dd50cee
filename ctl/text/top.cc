#include "ctl/text/top.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "ctl/text/columns.h"

namespace peer::ctl {
namespace {

constexpr std::array kOrders{"queue", "name", "rate"};
/// Lines above and below the list.
constexpr std::size_t kHead = 3;
constexpr std::size_t kFoot = 1;

/// The line, cut to `width` columns.
Line fitted(const Line& line, std::size_t width) {
  Line fits;
  for (const Cell& cell : line) {
    if (width == 0) break;
    fits.push_back({cut(cell.text, width), cell.tone});
    width -= columns(fits.back().text);
  }
  return fits;
}

Line title(const TopState& state) {
  return {{printable(state.name), Tone::strong},
          {"  peerd " + printable(state.version) + ", running for " + human_seconds(state.uptime_s) + "; " +
           std::to_string(static_cast<long>(state.games)) + (state.games == 1 ? " game" : " games") + " offered; in "},
          {human_rate(state.rate_in), Tone::strong},
          {", out "},
          {human_rate(state.rate_out), Tone::strong}};
}

Line services(const TopState& state) {
  Line line;
  for (const TopService& service : state.services) {
    line.push_back({(line.empty() ? "" : "  ") + printable(service.name) + " "});
    const bool is_impaired = service.state == "running" && !service.problem.empty();
    line.push_back({printable(is_impaired ? service.problem : service.state),
                    is_impaired ? Tone::warning : tone_of(service.state)});
  }
  return line;
}

template <class T>
std::vector<const T*> ordered(const std::vector<T>& all, TopOrder order, std::string T::* name) {
  std::vector<const T*> list;
  list.reserve(all.size());
  for (const T& each : all) list.push_back(&each);
  // Comparing addresses keeps the original order among equals.
  if (order == TopOrder::name) {
    std::ranges::sort(list, [name](const T* a, const T* b) { return std::tie(a->*name, a) < std::tie(b->*name, b); });
  } else if (order == TopOrder::rate) {
    std::ranges::sort(list, [](const T* a, const T* b) { return std::tie(b->rate, a) < std::tie(a->rate, b); });
  }
  return list;
}

std::vector<Line> downloads(const TopState& state, TopOrder order, std::size_t width) {
  Table table({{"DOWNLOAD", false, true},
               {"STATE"},
               {"DONE", true},
               {"SIZE", true, false, 3},
               {"RATE", true},
               {"LEFT", true, false, 2},
               {"SOURCES", true, false, 4},
               {"HELD BACK BY", false, true, 1}});
  for (const Progress* each : ordered(state.downloads, order, &Progress::game)) {
    const bool moves = each->state == "downloading";
    table.row(
        {{each->game},
         {each->state, tone_of(each->state)},
         {each->total > 0 ? percent(each->done, each->total) : "-"},
         {human_bytes(each->total)},
         {moves ? human_rate(each->rate) : "-"},
         {moves && each->eta_s >= 0 ? human_seconds(each->eta_s) : "-"},
         {std::to_string(each->sources)},
         {each->error.empty() ? each->bottleneck : each->error, each->error.empty() ? Tone::normal : Tone::warning}});
  }
  std::vector<Line> lines = table.lines(width);
  if (state.downloads.empty()) lines.push_back({{"no downloads", Tone::faint}});
  return lines;
}

std::vector<Line> peers(const TopState& state, TopOrder order, std::size_t width) {
  Table table({{"PEER", false, true},
               {"STATE"},
               {"RATE", true},
               {"RTT", true, false, 2},
               {"GAMES", true, false, 3},
               {"ADDRESS", false, true, 1}});
  for (const TopPeer* each : ordered(state.peers, order, &TopPeer::name)) {
    table.row({{each->name},
               {each->state, tone_of(each->state)},
               {each->rate > 0 ? human_rate(each->rate) : "-"},
               {each->rtt_ms < 0 ? "-" : human_rtt(each->rtt_ms)},
               {std::to_string(static_cast<long>(each->games))},
               {each->address}});
  }
  std::vector<Line> lines = table.lines(width);
  if (state.peers.empty()) lines.push_back({{"no peers", Tone::faint}});
  return lines;
}

/// Number of lines of the list: downloads with their heading, an empty line, peers with theirs.
std::size_t list_lines(const TopState& state) {
  return std::max<std::size_t>(state.downloads.size(), 1) + std::max<std::size_t>(state.peers.size(), 1) + 3;
}

std::size_t list_height(std::size_t height) { return height > kHead + kFoot ? height - kHead - kFoot : 0; }

}  // namespace

TopOrder next_order(TopOrder order, int step) noexcept {
  const int count = static_cast<int>(kOrders.size());
  return static_cast<TopOrder>((static_cast<int>(order) + step + count) % count);
}

std::size_t last_scroll(const TopState& state, std::size_t height) {
  const std::size_t lines = list_lines(state);
  return lines - std::min(lines, list_height(height));
}

std::vector<Line> draw_top(const TopState& state, const TopView& view, std::size_t width, std::size_t height) {
  std::vector<Line> screen{title(state), services(state)};
  screen.push_back(state.trouble.empty() ? Line{} : Line{{printable(state.trouble), Tone::bad}});

  std::vector<Line> list = downloads(state, view.order, width);
  list.emplace_back();
  std::ranges::move(peers(state, view.order, width), std::back_inserter(list));
  const std::size_t first = std::min(view.scroll, last_scroll(state, height));
  for (std::size_t i = 0; i < list_height(height); ++i) {
    screen.push_back(first + i < list.size() ? std::move(list[first + i]) : Line{});
  }

  const std::size_t below = list.size() - std::min(list.size(), first + list_height(height));
  std::string foot = "q quits  left, right: sort by " + std::string(kOrders[static_cast<std::size_t>(view.order)]);
  if (first > 0 || below > 0)
    foot += "  up, down: " + std::to_string(first) + " above, " + std::to_string(below) + " below";
  screen.push_back({{foot, Tone::faint}});
  if (screen.size() > height) screen.resize(height);
  for (Line& line : screen) line = fitted(line, width);
  return screen;
}

}  // namespace peer::ctl
