// What Downloads needs from the rest of the peer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libpeer/api/events.h"
#include "libpeer/base/log.h"
#include "libpeer/library/library.h"
#include "libpeer/sessions/peer_table.h"
#include "libpeer/store/store.h"
#include "libpeer/transfer/download_context.h"

namespace peer::downloads {

struct DownloadsOptions {
  transfer::DownloadContext context;
  const sessions::PeerTable* table = nullptr;
  library::Library* library = nullptr;
  store::Store* store = nullptr;
  runtime::Workers* store_thread = nullptr;
  std::function<std::int64_t()> wall_clock;
  std::size_t parallel = 3;
  std::vector<std::string> automatic;  ///< globs of downloads.auto
  api::EventSink on_event;
  Log log;
  DownloadsOptions() = default;
};

}  // namespace peer::downloads
