#include "libpeer/staging/publication.h"

#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>

#include "libpeer/library/installed.h"
#include "libpeer/staging/publication_journal.h"
#include "libpeer/staging/staging.h"

namespace peer::staging {

namespace {

constexpr std::string_view kJournalName = "journal";
constexpr std::string_view kReplacedName = "replaced";

using DirectoryPtr = std::unique_ptr<store::Directory>;

bool is_unsupported(const Error& error) { return error.system == EINVAL || error.system == ENOSYS; }

/// One publication, as far as it got.
class Publication {
 public:
  Publication(Workspace& workspace, const std::string& game, DirectoryPtr stage, const library::OfferedGame* known)
      : workspace_(workspace),
        root_(*workspace.root),
        peerd_(*workspace.peerd),
        staging_(*workspace.staging),
        game_(game),
        known_(known),
        stage_(std::move(stage)) {
    files_.game = game;
  }

  Result<void> run(bool keep_own);
  Result<void> recover();
  UserFiles& files() noexcept { return files_; }

 private:
  Result<void> install();
  Result<void> replace();
  Result<void> finish(const Journal& journal);
  Result<void> finish_exchange(const Journal& journal);
  Result<void> finish_renames(const Journal& journal);
  Result<void> settle(std::uint64_t number);
  Result<void> write(const Journal& journal);
  Result<void> take_back();
  Result<void> record();
  Result<void> end();
  Result<void> open_replaced();

  Workspace& workspace_;
  store::Directory& root_;
  store::Directory& peerd_;
  store::Directory& staging_;
  const std::string& game_;
  const library::OfferedGame* known_;
  DirectoryPtr stage_;
  DirectoryPtr replaced_;  // .peerd/replaced/GAME
  UserFiles files_;
};

Result<void> Publication::run(bool keep_own) {
  if (Result<void> allowed = check_target(root_, game_); !allowed) return allowed;
  const auto there = look(root_, game_);
  if (!there) return std::unexpected(there.error());
  if (!*there) {
    Result<void> done = install();
    if (done || done.error().system != EEXIST) return done;
    return fail(ErrorCode::refused,
                root_.path() + "/" + game_ + " appeared while " + game_ +
                    " was downloaded: it is kept; what was received is kept too, so 'peerctl download " + game_ +
                    " --version VERSION' can still replace it",
                EEXIST);
  }
  if (keep_own) {
    const auto record = library::read_installed(root_, game_, nullptr);
    if (!record) return std::unexpected(record.error());
    if (!*record) {
      return fail(ErrorCode::refused,
                  root_.path() + "/" + game_ +
                      " was not downloaded, it is your own: downloads.auto does not replace it; what was received is "
                      "kept, so 'peerctl download " +
                      game_ + " --version VERSION' can (yours then lies in .peerd/replaced)");
    }
  }
  return replace();
}

Result<void> Publication::install() {
  const Journal journal{};
  if (Result<void> done = write(journal); !done) return done;
  if (Result<void> done = stage_->rename(kTreeName, root_, game_, store::RenameMode::no_replace); !done) {
    static_cast<void>(take_back());  // the first failure is the one to tell
    return done;
  }
  return finish(journal);
}

Result<void> Publication::replace() {
  const auto tree = stage_->info(kTreeName);
  if (!tree) return std::unexpected(tree.error());
  if (Result<void> done = open_replaced(); !done) return done;
  const auto number = next_number(*replaced_);
  if (!number) return std::unexpected(number.error());

  if (tree->inode != 0) {
    const Journal journal{Journal::Kind::exchange, *number, tree->inode};
    if (Result<void> done = write(journal); !done) return done;
    Result<void> done = stage_->rename(kTreeName, root_, game_, store::RenameMode::exchange);
    if (done) return finish(journal);
    if (!is_unsupported(done.error())) {
      static_cast<void>(take_back());
      return done;
    }
  }
  const Journal journal{Journal::Kind::rename, *number, 0};
  if (Result<void> done = write(journal); !done) return done;
  if (Result<void> done = root_.rename(game_, *replaced_, std::to_string(*number), store::RenameMode::no_replace);
      !done) {
    static_cast<void>(take_back());
    return done;
  }
  if (Result<void> done = replaced_->sync(); !done) return done;
  return finish(journal);
}

Result<void> Publication::recover() {
  const auto text = store::read_file(*stage_, kJournalName, 256);
  if (!text && is_missing(text.error())) return {};
  if (!text && text.error().code != ErrorCode::invalid) return std::unexpected(text.error());
  std::optional<Journal> journal;
  if (text) journal = parse_journal({reinterpret_cast<const char*>(text->data()), text->size()});
  if (!journal || journal->kind != Journal::Kind::install) {
    if (Result<void> done = open_replaced(); !done) return done;
  }
  if (journal) {
    const auto document = look(*stage_, kDocumentName);
    if (!document) return std::unexpected(document.error());
    const auto tree = look(*stage_, kTreeName);
    if (!tree) return std::unexpected(tree.error());
    return *document || *tree ? finish(*journal) : end();
  }
  // Nobody can tell any more whose files these are: kept, whole.
  const auto number = next_number(*replaced_);
  if (!number) return std::unexpected(number.error());
  stage_.reset();
  if (Result<void> done = staging_.rename(game_, *replaced_, std::to_string(*number), store::RenameMode::no_replace);
      !done) {
    return done;
  }
  if (Result<void> done = replaced_->sync(); !done) return done;
  return staging_.sync();
}

Result<void> Publication::finish(const Journal& journal) {
  if (journal.kind == Journal::Kind::exchange) return finish_exchange(journal);
  if (journal.kind == Journal::Kind::rename) return finish_renames(journal);
  const auto tree = look(*stage_, kTreeName);
  if (!tree) return std::unexpected(tree.error());
  if (*tree) return take_back();
  if (Result<void> done = root_.sync(); !done) return done;
  if (Result<void> done = stage_->sync(); !done) return done;
  if (Result<void> done = record(); !done) return done;
  return end();
}

Result<void> Publication::finish_exchange(const Journal& journal) {
  const auto there = look(root_, game_);
  if (!there) return std::unexpected(there.error());
  if (!*there || (*there)->inode != journal.inode) return take_back();
  if (Result<void> done = root_.sync(); !done) return done;
  if (Result<void> done = stage_->sync(); !done) return done;
  const auto old = look(*stage_, kTreeName);
  if (!old) return std::unexpected(old.error());
  if (*old) {
    const std::string name = std::to_string(journal.number);
    if (Result<void> done = stage_->rename(kTreeName, *replaced_, name, store::RenameMode::no_replace); !done) {
      return done;
    }
    if (Result<void> done = replaced_->sync(); !done) return done;
    if (Result<void> done = stage_->sync(); !done) return done;
  }
  return settle(journal.number);
}

Result<void> Publication::finish_renames(const Journal& journal) {
  const std::string name = std::to_string(journal.number);
  const auto old = look(*replaced_, name);
  if (!old) return std::unexpected(old.error());
  if (!*old) return take_back();
  const auto there = look(root_, game_);
  if (!there) return std::unexpected(there.error());
  if (!*there) {
    const auto tree = look(*stage_, kTreeName);
    if (!tree) return std::unexpected(tree.error());
    if (!*tree) {  // neither is left but the old one
      if (Result<void> done = replaced_->rename(name, root_, game_, store::RenameMode::no_replace); !done) return done;
      if (Result<void> done = root_.sync(); !done) return done;
      return end();
    }
    if (Result<void> done = stage_->rename(kTreeName, root_, game_, store::RenameMode::no_replace); !done) return done;
  }
  if (Result<void> done = root_.sync(); !done) return done;
  if (Result<void> done = stage_->sync(); !done) return done;
  return settle(journal.number);
}

/// The new version is in place, durably, and the old one lies whole in replaced/GAME/N, unless this was begun before.
Result<void> Publication::settle(std::uint64_t number) {
  const std::string name = std::to_string(number);
  files_.place = replaced_->path() + "/" + name;
  const auto old = library::read_installed(root_, game_, nullptr);
  if (!old) return std::unexpected(old.error());
  if (*old) {
    const bool current = known_ != nullptr && known_->version == (*old)->version;
    const auto replaced = replaced_->open_directory(name, false);
    if (!replaced) return std::unexpected(replaced.error());
    const auto installed = root_.open_directory(game_, false);
    if (!installed) return std::unexpected(installed.error());
    sort_out(**replaced, **installed, (*old)->document->manifest, current ? known_ : nullptr, files_);
    if (Result<void> synced = root_.sync_file_system(); !synced) return synced;
    remove_empty(**replaced);
  } else {
    files_.whole = true;
  }
  if (Result<void> done = record(); !done) return done;
  // Those in which nothing is left.
  static_cast<void>(replaced_->remove_directory(name));
  if (const auto all = peerd_.open_directory(kReplacedName, false)) static_cast<void>((*all)->remove_directory(game_));
  return end();
}

Result<void> Publication::write(const Journal& journal) {
  const std::string text = format(journal);
  return store::write_file_atomically(*stage_, kJournalName,
                                      std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

/// Nothing was moved: the stage is again what it was.
Result<void> Publication::take_back() {
  if (Result<void> removed = stage_->remove_file(kJournalName); !removed) return removed;
  return stage_->sync();
}

Result<void> Publication::record() {
  auto records = ensure_directory(peerd_, library::kInstalledName);
  if (!records) return std::unexpected(records.error());
  Result<void> moved = stage_->rename(kDocumentName, **records, game_, store::RenameMode::replace);
  if (!moved && !is_missing(moved.error())) return moved;
  if (Result<void> synced = (*records)->sync(); !synced) return synced;
  return stage_->sync();
}

Result<void> Publication::end() {
  stage_.reset();
  if (Result<void> removed = remove_stage(workspace_, game_); !removed) return removed;
  return staging_.sync();
}

Result<void> Publication::open_replaced() {
  auto all = ensure_directory(peerd_, kReplacedName);
  if (!all) return std::unexpected(all.error());
  auto mine = ensure_directory(**all, game_);
  if (!mine) return std::unexpected(mine.error());
  replaced_ = std::move(*mine);
  // Also where they were made by a process that was killed before it could sync: the user's old game comes to lie here.
  if (Result<void> synced = (*all)->sync(); !synced) return synced;
  return peerd_.sync();
}

Result<UserFiles> recover_game(Workspace& workspace, const std::string& game, bool drop_empty) {
  auto stage = workspace.staging->open_directory(game, false);
  if (!stage && is_missing(stage.error())) return UserFiles{};
  if (!stage) return std::unexpected(stage.error());
  const auto tree = look(**stage, kTreeName);
  if (!tree) return std::unexpected(tree.error());
  const auto journal = look(**stage, kJournalName);
  if (!journal) return std::unexpected(journal.error());
  if (*journal) {
    Publication publication(workspace, game, std::move(*stage), nullptr);
    if (Result<void> done = publication.recover(); !done) return std::unexpected(done.error());
    return std::move(publication.files());
  }
  if (*tree || !drop_empty) return UserFiles{};
  stage->reset();
  if (Result<void> removed = remove_stage(workspace, game); !removed) return std::unexpected(removed.error());
  if (Result<void> synced = workspace.staging->sync(); !synced) return std::unexpected(synced.error());
  return UserFiles{};
}

}  // namespace

Result<UserFiles> put_in_place(Workspace& workspace, const std::string& game, const library::OfferedGame* known,
                               bool keep_own) {
  auto stage = workspace.staging->open_directory(game, false);
  if (!stage) return std::unexpected(stage.error());
  Publication publication(workspace, game, std::move(*stage), known);
  if (Result<void> done = publication.run(keep_own); !done) return std::unexpected(done.error());
  return std::move(publication.files());
}

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
