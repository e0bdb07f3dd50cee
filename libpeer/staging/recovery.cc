#include "libpeer/staging/recovery.h"

#include <optional>

#include "libpeer/staging/game_publisher.h"
#include "libpeer/staging/publication_journal.h"
#include "libpeer/staging/stage_files.h"

namespace peer::staging {

namespace {

/// `remove_empty`: a stage with neither a journal nor a tree is removed.
Result<UserFiles> recover_game(Workspace& workspace, const std::string& game, bool remove_empty) {
  auto stage = workspace.staging->open_directory(game, false);
  if (!stage && is_missing(stage.error())) return UserFiles{};
  if (!stage) return std::unexpected(stage.error());
  const auto tree = find_entry(**stage, kTreeName);
  if (!tree) return std::unexpected(tree.error());
  const auto journal = find_entry(**stage, kJournalName);
  if (!journal) return std::unexpected(journal.error());
  if (*journal) {
    GamePublisher publisher(workspace, game, std::move(*stage), nullptr);
    if (Result<void> done = publisher.recover(); !done) return std::unexpected(done.error());
    return std::move(publisher.user_files());
  }
  if (*tree || !remove_empty) return UserFiles{};
  stage->reset();
  if (Result<void> removed = remove_stage(workspace, game); !removed) return std::unexpected(removed.error());
  if (Result<void> synced = workspace.staging->sync(); !synced) return std::unexpected(synced.error());
  return UserFiles{};
}

}  // namespace

Result<UserFiles> recover_stage(Workspace& workspace, const std::string& game) {
  return recover_game(workspace, game, false);
}

Result<std::vector<UserFiles>> recover(store::Disk& disk, const std::string& root) {
  auto workspace = open_workspace(disk, root);
  if (!workspace) return std::unexpected(workspace.error());
  const auto stages = workspace->staging->list();
  if (!stages) return std::unexpected(stages.error());
  std::vector<UserFiles> all;
  std::optional<Error> first;
  for (const store::DirectoryEntry& stage : *stages) {
    Result<UserFiles> done = recover_game(*workspace, stage.name, true);
    if (done) {
      all.push_back(std::move(*done));
    } else if (!first) {
      first = done.error();
    }
  }
  if (first) return std::unexpected(*first);
  return all;
}

}  // namespace peer::staging
