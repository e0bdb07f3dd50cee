// What `peerctl top` shows, as lines of a screen: nothing here knows of a terminal or a daemon.
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
  double rate = 0;  ///< bytes a second from it
};

struct TopState {
  std::string trouble;  ///< why this may be old; empty: it is not
  std::string name, version;
  double uptime_s = 0;
  double games = 0;  ///< offered here
  double rate_in = 0, rate_out = 0;
  std::vector<TopService> services;
  std::vector<Progress> downloads;  ///< in the order of the queue
  std::vector<TopPeer> peers;
};

enum class TopOrder { queue, name, rate };

struct TopView {
  std::size_t scroll = 0;  ///< lines of the list above its first one shown
  TopOrder order = TopOrder::queue;
};

/// The order after (or before) this one, round and round.
TopOrder next_order(TopOrder order, int step) noexcept;

/// How far the list can be scrolled on a screen so high.
std::size_t last_scroll(const TopState& state, std::size_t height);

/// Exactly `height` lines of at most `width` columns.
std::vector<Line> draw_top(const TopState& state, const TopView& view, std::size_t width, std::size_t height);

}  // namespace peer::ctl
