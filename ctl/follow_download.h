// Follows one download until it ends, and shows its progress.
#pragma once

#include "ctl/invocation.h"

namespace peer::ctl {

/// Subscribes to the events that follow_download() reads. Call it before downloads.start, so that no event is missed.
std::expected<void, CallFailure> subscribe_to_downloads(Invocation& invocation);

/// Whether a user paused the download. A download that peerd paused because of a disk error continues by itself.
bool is_paused_by_user(const Json& entry);

/// Shows progress from the first entry (the answer of downloads.start) to the end. Returns the exit code.
int follow_download(Invocation& invocation, Json entry);

}  // namespace peer::ctl
