// Stage files: the manifest document and the progress log in a download's directory STAGING/GAME (the "stage").
//
// Loop: none; workers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/staging/workspace.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

inline constexpr std::string_view kDocumentName = "document";
inline constexpr std::string_view kLogName = "log";
inline constexpr std::string_view kTreeName = "tree";

/// Opens the stage of that version, or creates it with its document. Removes a stage of another version.
Result<std::unique_ptr<store::Directory>> open_stage(Workspace& workspace, const std::string& game,
                                                     const Digest& version, const protocol::ManifestDocument& document);

/// Null if there is no document, or if it is damaged or of another version.
Result<std::shared_ptr<const protocol::ManifestDocument>> read_document(store::Directory& stage, const Digest& version);

/// Empty if there is no log, or if it is too large to be one.
Result<std::vector<std::uint8_t>> read_log(store::Directory& stage);

}  // namespace peer::staging
