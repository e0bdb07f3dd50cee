// GamePublisher: moves a complete stage into the library, or completes or rolls back a publication that a crash
// interrupted.
//
// 1. It writes a journal into the stage (publication_journal.h). A new game then moves to ROOT/GAME by one rename. An
//    existing game changes places with the new tree, and moves on to ROOT/.peerd/replaced/GAME/N, so that it is never
//    mistaken for staged data.
// 2. It keeps the user's files of the replaced game (user_files.h). An own game, which no download installed, is kept
//    as a whole.
// 3. The stage's document becomes the installed record ROOT/.peerd/installed/GAME (library/installed.h), and the stage
//    is removed. Until the document has moved, step 2 is repeated after a crash.
// Loop: none; workers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libpeer/base/result.h"
#include "libpeer/staging/publication_journal.h"
#include "libpeer/staging/user_files.h"
#include "libpeer/staging/workspace.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

class GamePublisher {
 public:
  /// `stage`: the open directory STAGING/GAME. `known`: the installed version's files as they were hashed; may be null.
  /// References must outlive it.
  GamePublisher(Workspace& workspace, const std::string& game, std::unique_ptr<store::Directory> stage,
                const library::OfferedGame* known)
      : workspace_(workspace),
        root_(*workspace.root),
        peerd_(*workspace.peerd),
        staging_(*workspace.staging),
        game_(game),
        known_(known),
        stage_(std::move(stage)) {
    files_.game = game;
  }

  /// Publishes the tree, which must be complete and durable. `keep_own`: an own game is not replaced; fails with
  /// refused, and the stage stays.
  Result<void> publish(bool keep_own);
  /// Completes or rolls back the publication that the journal in the stage describes.
  Result<void> recover();
  /// The files of the replaced game that were kept.
  UserFiles& user_files() noexcept { return files_; }

 private:
  Result<void> install();
  Result<void> replace();
  Result<void> finish(const PublicationJournal& journal);
  Result<void> finish_exchange(const PublicationJournal& journal);
  Result<void> finish_renames(const PublicationJournal& journal);
  /// The new version is in place and durable, and replaced/GAME/N holds the old one: keeps the user's files.
  Result<void> finish_replaced(std::uint64_t number);
  Result<void> keep_whole_stage();
  Result<void> write_journal(const PublicationJournal& journal);
  /// Nothing was moved: removes the journal.
  Result<void> roll_back();
  Result<void> move_record();
  Result<void> remove_own_stage();
  Result<void> open_replaced();

  Workspace& workspace_;
  store::Directory& root_;
  store::Directory& peerd_;
  store::Directory& staging_;
  const std::string& game_;
  const library::OfferedGame* known_;
  std::unique_ptr<store::Directory> stage_;
  std::unique_ptr<store::Directory> replaced_;  ///< .peerd/replaced/GAME
  UserFiles files_;
};

/// Publishes STAGING/GAME. Durable when it returns. `known`, `keep_own`: as above.
Result<UserFiles> publish_stage(Workspace& workspace, const std::string& game, const library::OfferedGame* known,
                                bool keep_own);

}  // namespace peer::staging
