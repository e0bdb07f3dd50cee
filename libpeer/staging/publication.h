// Publication: a staged tree takes its place in the library by one rename, and a crash in between is repaired.
//
// 1. A journal is written into the stage first. A game that is there already changes places with the new tree and is
// moved to ROOT/.peerd/replaced/GAME/N: the stage's tree, which is the old game then, must not be taken for staged
// data.
// 2. Of the replaced game the user's files are kept: user_files.h. A game that no download installed is kept whole.
// 3. Then the stage's document becomes ROOT/.peerd/installed/GAME (library/installed.h), and the stage goes. As long as
// the document lies in the stage, 2. may have to be done again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/staging/user_files.h"
#include "libpeer/staging/workspace.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

inline constexpr std::string_view kTreeName = "tree";
inline constexpr std::string_view kDocumentName = "document";

/// Renames STAGING/GAME/tree, which must be whole and durable, to ROOT/GAME and removes the stage. Durable when it
/// returns. `known`: the installed version's files as they were when hashed; may be null.
/// `keep_own`: a game that no download installed is not replaced. Fails: refused then; the stage stays.
Result<UserFiles> put_in_place(Workspace& workspace, const std::string& game, const library::OfferedGame* known,
                               bool keep_own);

/// Ends or takes back what a crash interrupted in the stage of that game; where that was nothing it stays as it is.
Result<UserFiles> recover_stage(Workspace& workspace, const std::string& game);

}  // namespace peer::staging
