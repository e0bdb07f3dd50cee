// A second `download` command for a game attaches to the download under way and adds its own wait. It is refused if the
// download under way cannot satisfy its options.
// Loop: control.
#pragma once

#include "libpeer/downloads/entry.h"
#include "libpeer/sessions/peer_table.h"

namespace peer::downloads {

/// Applies a second command to a download under way. Fails: busy, with the conflict; the errors of unknown peer names.
Result<void> attach(DownloadEntry& entry, const api::StartDownload& command, const sessions::PeerTable& peers,
                    runtime::TimePoint now);

}  // namespace peer::downloads
