// Lays out the screen of `peerctl top`. Pure: uses neither the terminal nor the daemon.
#pragma once

#include <string>
#include <vector>

#include "ctl/text/format.h"
#include "ctl/text/table.h"

namespace peer::ctl {

struct TopService {
  std::string name, state;
  std::string problem;  ///< empty: none
};

struct TopPeer {
  std::string name, state, address;
  double rtt_ms = -1;  ///< below 0: unknown
  double games = 0;
  double rate = 0;  ///< bytes per second received from it
};

struct TopState {
  std::string trouble;  ///< why this state may be outdated; empty if it is current
  std::string name, version;
  double uptime_s = 0;
  double games = 0;  ///< offered by this peer
  double rate_in = 0, rate_out = 0;
  std::vector<TopService> services;
  std::vector<Progress> downloads;  ///< in the order of the queue
  std::vector<TopPeer> peers;
};

enum class TopOrder { queue, name, rate };

struct TopView {
  std::size_t scroll = 0;  ///< number of list lines above the first visible one
  TopOrder order = TopOrder::queue;
};

/// The next order (step 1) or the previous one (step -1), cyclically.
TopOrder next_order(TopOrder order, int step) noexcept;

/// The largest useful TopView::scroll on a screen with this many lines.
std::size_t last_scroll(const TopState& state, std::size_t height);

/// Exactly `height` lines of at most `width` columns.
std::vector<Line> draw_top(const TopState& state, const TopView& view, std::size_t width, std::size_t height);

}  // namespace peer::ctl
