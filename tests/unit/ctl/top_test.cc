#include "ctl/text/top.h"

#include <catch2/catch_test_macros.hpp>

#include "ctl/text/columns.h"

namespace peer::ctl {
namespace {

std::string text_of(const Line& line) {
  std::string text;
  for (const Cell& cell : line) text += cell.text;
  return text;
}

std::string screen(const TopState& state, const TopView& view, std::size_t width, std::size_t height) {
  std::string text;
  for (const Line& line : draw_top(state, view, width, height)) text += text_of(line) + "\n";
  return text;
}

Progress download(const std::string& game, double rate) {
  Progress progress;
  progress.game = game;
  progress.state = "downloading";
  progress.total = 1e9;
  progress.done = 4.2e8;
  progress.rate = rate;
  progress.eta_s = 52;
  progress.sources = 2;
  progress.bottleneck = "network";
  return progress;
}

TopState busy() {
  TopState state;
  state.name = "den";
  state.version = "1.0";
  state.uptime_s = 200;
  state.games = 3;
  state.rate_in = 12e6;
  state.services = {{"QuicServer", "running", ""}, {"Discovery", "restarting", ""}};
  state.downloads = {download("tux", 1e6), download("quake \u65e5\u672c\u8a9e", 11e6)};
  state.peers = {{"living-room", "connected", "192.168.1.20:24747", 0.4, 5, 12e6},
                 {"attic", "unreachable", "", -1, 0, 0}};
  return state;
}

TEST_CASE("The screen shows downloads, peers, rates and services") {
  CHECK(screen(busy(), {}, 100, 12) ==
        "den  peerd 1.0, running for 3 min 20 s; 3 games offered; in 12 MB/s, out 0 B/s\n"
        "QuicServer running  Discovery restarting\n"
        "\n"
        "DOWNLOAD      STATE        DONE    SIZE      RATE  LEFT  SOURCES  HELD BACK BY\n"
        "tux           downloading  42 %  1.0 GB  1.0 MB/s  52 s        2  network\n"
        "quake \u65e5\u672c\u8a9e  downloading  42 %  1.0 GB   11 MB/s  52 s        2  network\n"
        "\n"
        "PEER         STATE           RATE      RTT  GAMES  ADDRESS\n"
        "living-room  connected    12 MB/s  0.40 ms      5  192.168.1.20:24747\n"
        "attic        unreachable        -        -      0  \n"
        "\n"
        "q quits  left, right: sort by queue\n");
}

TEST_CASE("The list can be sorted and scrolled") {
  const TopState state = busy();
  CHECK(last_scroll(state, 12) == 0);
  CHECK(last_scroll(state, 9) == 2);
  const std::string by_name = screen(state, {.order = TopOrder::name}, 100, 12);
  CHECK(by_name.find("quake") < by_name.find("tux"));
  CHECK(by_name.find("attic") < by_name.find("living-room"));
  const std::string by_rate = screen(state, {.order = TopOrder::rate}, 100, 12);
  CHECK(by_rate.find("quake") < by_rate.find("tux"));
  // Scrolling beyond the end stops at the end.
  const std::string scrolled = screen(state, {.scroll = 99}, 100, 9);
  CHECK(scrolled == screen(state, {.scroll = 2}, 100, 9));
  CHECK(scrolled.find("attic") != std::string::npos);
  CHECK(scrolled.find("tux") == std::string::npos);
  CHECK(scrolled.find("2 above, 0 below") != std::string::npos);
  CHECK(next_order(TopOrder::queue, -1) == TopOrder::rate);
  CHECK(next_order(TopOrder::rate, 1) == TopOrder::queue);
}

TEST_CASE("The screen fills a terminal of any size and never exceeds it") {
  for (const TopState& state : {busy(), TopState()}) {
    for (std::size_t width = 0; width < 90; ++width) {
      for (std::size_t height = 0; height < 15; ++height) {
        const std::vector<Line> lines = draw_top(state, {.scroll = 1}, width, height);
        CHECK(lines.size() == height);
        for (const Line& line : lines) CHECK(columns(text_of(line)) <= width);
      }
    }
  }
}

TEST_CASE("The screen shows trouble, and text chosen by peers cannot move the cursor") {
  TopState state = busy();
  state.trouble = "the daemon stopped";
  state.peers[0].name = "\x1b[2J";
  state.downloads[0].error = "a\nb";
  const std::string text = screen(state, {}, 100, 12);
  CHECK(text.find("\nthe daemon stopped\n") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
}

}  // namespace
}  // namespace peer::ctl
