#include "libpeer/staging/game_publisher.h"

#include <cerrno>
#include <optional>
#include <span>

#include "libpeer/library/installed.h"
#include "libpeer/staging/stage_files.h"

namespace peer::staging {

namespace {

constexpr std::string_view kReplacedName = "replaced";

bool is_unsupported(const Error& error) { return error.system == EINVAL || error.system == ENOSYS; }

}  // namespace

Result<void> GamePublisher::publish(bool keep_own) {
  if (Result<void> allowed = check_target(root_, game_); !allowed) return allowed;
  const auto existing = find_entry(root_, game_);
  if (!existing) return std::unexpected(existing.error());
  if (!*existing) {
    Result<void> done = install();
    if (done || done.error().system != EEXIST) return done;
    return fail(ErrorCode::refused,
                root_.path() + "/" + game_ + " appeared during the download of " + game_ +
                    " and is kept; the received data is kept too, so 'peerctl download " + game_ +
                    " --version VERSION' can still replace it",
                EEXIST);
  }
  if (keep_own) {
    const auto record = library::read_installed(root_, game_, nullptr);
    if (!record) return std::unexpected(record.error());
    if (!*record) {
      return fail(
          ErrorCode::refused,
          root_.path() + "/" + game_ +
              " was not downloaded, it is your own game, so downloads.auto does not replace it; the received data "
              "is kept, so 'peerctl download " +
              game_ + " --version VERSION' can replace it (your game then moves to .peerd/replaced)");
    }
  }
  return replace();
}

Result<void> GamePublisher::install() {
  const PublicationJournal journal{};
  if (Result<void> done = write_journal(journal); !done) return done;
  if (Result<void> done = stage_->rename(kTreeName, root_, game_, store::RenameMode::no_replace); !done) {
    static_cast<void>(roll_back());  // report the first failure
    return done;
  }
  return finish(journal);
}

Result<void> GamePublisher::replace() {
  const auto tree = stage_->info(kTreeName);
  if (!tree) return std::unexpected(tree.error());
  if (Result<void> done = open_replaced(); !done) return done;
  const auto number = next_number(*replaced_);
  if (!number) return std::unexpected(number.error());

  if (tree->inode != 0) {
    const PublicationJournal journal{PublicationKind::exchange, *number, tree->inode};
    if (Result<void> done = write_journal(journal); !done) return done;
    Result<void> done = stage_->rename(kTreeName, root_, game_, store::RenameMode::exchange);
    if (done) return finish(journal);
    if (!is_unsupported(done.error())) {
      static_cast<void>(roll_back());
      return done;
    }
  }
  const PublicationJournal journal{PublicationKind::rename, *number, 0};
  if (Result<void> done = write_journal(journal); !done) return done;
  if (Result<void> done = root_.rename(game_, *replaced_, std::to_string(*number), store::RenameMode::no_replace);
      !done) {
    static_cast<void>(roll_back());
    return done;
  }
  if (Result<void> done = replaced_->sync(); !done) return done;
  return finish(journal);
}

Result<void> GamePublisher::recover() {
  const auto text = store::read_file(*stage_, kJournalName, 256);
  if (!text && is_missing(text.error())) return {};
  if (!text && text.error().code != ErrorCode::invalid) return std::unexpected(text.error());
  std::optional<PublicationJournal> journal;
  if (text) journal = parse_journal({reinterpret_cast<const char*>(text->data()), text->size()});
  if (!journal || journal->kind != PublicationKind::install) {
    if (Result<void> done = open_replaced(); !done) return done;
  }
  if (journal) {
    const auto document = find_entry(*stage_, kDocumentName);
    if (!document) return std::unexpected(document.error());
    const auto tree = find_entry(*stage_, kTreeName);
    if (!tree) return std::unexpected(tree.error());
    return *document || *tree ? finish(*journal) : remove_own_stage();
  }
  return keep_whole_stage();
}

/// Without a readable journal the owner of the files is unknown, so all of them are kept.
Result<void> GamePublisher::keep_whole_stage() {
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

Result<void> GamePublisher::finish(const PublicationJournal& journal) {
  if (journal.kind == PublicationKind::exchange) return finish_exchange(journal);
  if (journal.kind == PublicationKind::rename) return finish_renames(journal);
  const auto tree = find_entry(*stage_, kTreeName);
  if (!tree) return std::unexpected(tree.error());
  if (*tree) return roll_back();
  if (Result<void> done = root_.sync(); !done) return done;
  if (Result<void> done = stage_->sync(); !done) return done;
  if (Result<void> done = move_record(); !done) return done;
  return remove_own_stage();
}

Result<void> GamePublisher::finish_exchange(const PublicationJournal& journal) {
  const auto existing = find_entry(root_, game_);
  if (!existing) return std::unexpected(existing.error());
  if (!*existing || (*existing)->inode != journal.inode) return roll_back();
  if (Result<void> done = root_.sync(); !done) return done;
  if (Result<void> done = stage_->sync(); !done) return done;
  const auto old = find_entry(*stage_, kTreeName);
  if (!old) return std::unexpected(old.error());
  if (*old) {
    const std::string name = std::to_string(journal.number);
    if (Result<void> done = stage_->rename(kTreeName, *replaced_, name, store::RenameMode::no_replace); !done) {
      return done;
    }
    if (Result<void> done = replaced_->sync(); !done) return done;
    if (Result<void> done = stage_->sync(); !done) return done;
  }
  return finish_replaced(journal.number);
}

Result<void> GamePublisher::finish_renames(const PublicationJournal& journal) {
  const std::string name = std::to_string(journal.number);
  const auto old = find_entry(*replaced_, name);
  if (!old) return std::unexpected(old.error());
  if (!*old) return roll_back();
  const auto existing = find_entry(root_, game_);
  if (!existing) return std::unexpected(existing.error());
  if (!*existing) {
    const auto tree = find_entry(*stage_, kTreeName);
    if (!tree) return std::unexpected(tree.error());
    if (!*tree) {  // only the old version is left
      if (Result<void> done = replaced_->rename(name, root_, game_, store::RenameMode::no_replace); !done) return done;
      if (Result<void> done = root_.sync(); !done) return done;
      return remove_own_stage();
    }
    if (Result<void> done = stage_->rename(kTreeName, root_, game_, store::RenameMode::no_replace); !done) return done;
  }
  if (Result<void> done = root_.sync(); !done) return done;
  if (Result<void> done = stage_->sync(); !done) return done;
  return finish_replaced(journal.number);
}

Result<void> GamePublisher::finish_replaced(std::uint64_t number) {
  const std::string name = std::to_string(number);
  files_.path = replaced_->path() + "/" + name;
  const auto old = library::read_installed(root_, game_, nullptr);
  if (!old) return std::unexpected(old.error());
  if (*old) {
    const bool current = known_ != nullptr && known_->version == (*old)->version;
    const auto replaced = replaced_->open_directory(name, false);
    if (!replaced) return std::unexpected(replaced.error());
    const auto installed = root_.open_directory(game_, false);
    if (!installed) return std::unexpected(installed.error());
    reconcile_user_files(**replaced, **installed, (*old)->document->manifest, current ? known_ : nullptr, files_);
    if (Result<void> synced = root_.sync_file_system(); !synced) return synced;
    remove_empty_directories(**replaced);
  } else {
    files_.kept_whole = true;
  }
  if (Result<void> done = move_record(); !done) return done;
  // These succeed only if the directories are empty.
  static_cast<void>(replaced_->remove_directory(name));
  if (const auto all = peerd_.open_directory(kReplacedName, false)) static_cast<void>((*all)->remove_directory(game_));
  return remove_own_stage();
}

Result<void> GamePublisher::write_journal(const PublicationJournal& journal) {
  const std::string text = format_journal(journal);
  return store::write_file_atomically(*stage_, kJournalName,
                                      std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

Result<void> GamePublisher::roll_back() {
  if (Result<void> removed = stage_->remove_file(kJournalName); !removed) return removed;
  return stage_->sync();
}

Result<void> GamePublisher::move_record() {
  auto records = ensure_directory(peerd_, library::kInstalledName);
  if (!records) return std::unexpected(records.error());
  Result<void> moved = stage_->rename(kDocumentName, **records, game_, store::RenameMode::replace);
  if (!moved && !is_missing(moved.error())) return moved;
  if (Result<void> synced = (*records)->sync(); !synced) return synced;
  return stage_->sync();
}

Result<void> GamePublisher::remove_own_stage() {
  stage_.reset();
  if (Result<void> removed = remove_stage(workspace_, game_); !removed) return removed;
  return staging_.sync();
}

Result<void> GamePublisher::open_replaced() {
  auto all = ensure_directory(peerd_, kReplacedName);
  if (!all) return std::unexpected(all.error());
  auto game_directory = ensure_directory(**all, game_);
  if (!game_directory) return std::unexpected(game_directory.error());
  replaced_ = std::move(*game_directory);
  // Sync existing directories too: a process may have been killed between creating and syncing them, and the user's old
  // game is moved into them.
  if (Result<void> synced = (*all)->sync(); !synced) return synced;
  return peerd_.sync();
}

Result<UserFiles> publish_stage(Workspace& workspace, const std::string& game, const library::OfferedGame* known,
                                bool keep_own) {
  auto stage = workspace.staging->open_directory(game, false);
  if (!stage) return std::unexpected(stage.error());
  GamePublisher publisher(workspace, game, std::move(*stage), known);
  if (Result<void> done = publisher.publish(keep_own); !done) return std::unexpected(done.error());
  return std::move(publisher.user_files());
}

}  // namespace peer::staging
