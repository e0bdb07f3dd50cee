#include "libpeer/staging/staging.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "libpeer/base/check.h"
#include "libpeer/base/units.h"
#include "libpeer/library/installed.h"
#include "libpeer/protocol/path.h"
#include "libpeer/staging/game_publisher.h"
#include "libpeer/staging/progress_log.h"
#include "libpeer/staging/stage_files.h"
#include "libpeer/staging/staged_chunks.h"
#include "libpeer/staging/trash.h"
#include "libpeer/staging/tree_writer.h"
#include "libpeer/staging/unlogged_chunks.h"

namespace peer::staging {

namespace {
using Document = std::shared_ptr<const protocol::ManifestDocument>;
}

struct Staging::Impl {
  Impl(Workspace w, std::string g, Document d, std::unique_ptr<store::Directory> root)
      : workspace(std::move(w)), game(std::move(g)), document(d), tree(std::move(root), d) {}

  const protocol::Manifest& manifest() const { return document->manifest; }
  Result<void> load(store::Directory& stage, const Digest& version, const runtime::StopFlag& stop);
  Result<void> write_chunk(std::uint64_t chunk, std::span<const std::uint8_t> bytes);
  Result<void> checkpoint();

  Workspace workspace;
  const std::string game;
  const Document document;
  TreeWriter tree;
  std::unique_ptr<ProgressLog> log;
  std::uint64_t unreserved = 0;  ///< missing bytes for which no blocks were reserved when the staging was opened
  StagedChunks chunks;
};

Result<void> Staging::Impl::load(store::Directory& stage, const Digest& version, const runtime::StopFlag& stop) {
  const auto bytes = read_log(stage);
  if (!bytes) return std::unexpected(bytes.error());
  LogContent logged = parse_log(*bytes, version, manifest().chunks.size());
  const auto full_size = tree.find_full_size_files();
  if (!full_size) return std::unexpected(full_size.error());
  std::vector<bool> have = std::move(logged.have);
  for (std::size_t i = 0; i < manifest().files.size(); ++i) {
    if ((*full_size)[i]) continue;
    const protocol::ManifestFile& file = manifest().files[i];
    std::fill_n(have.begin() + static_cast<std::ptrdiff_t>(file.first_chunk), file.chunk_count(), false);
  }
  if (!logged.clean) {
    const Result<void> found = find_unlogged_chunks(tree, manifest(), game, *full_size, have, stop);
    if (!found) return found;
  }
  for (std::size_t i = 0; i < manifest().files.size(); ++i) {
    const protocol::ManifestFile& file = manifest().files[i];
    if ((*full_size)[i] && file.chunk_count() > 1) continue;  // TreeWriter has reserved the whole file
    for (std::size_t chunk = 0; chunk < file.chunk_count(); ++chunk) {
      if (!have[file.first_chunk + chunk]) unreserved += manifest().place(file.first_chunk + chunk).size;
    }
  }
  auto begun = ProgressLog::begin(stage, kLogName, version, have);
  if (!begun) return std::unexpected(begun.error());
  log = std::move(*begun);
  chunks.reset(std::move(have));
  return {};
}

Result<void> Staging::Impl::write_chunk(std::uint64_t chunk, std::span<const std::uint8_t> bytes) {
  const protocol::ChunkPlace place = manifest().place(static_cast<std::size_t>(chunk));
  const protocol::ManifestFile& file = manifest().files[place.file];
  if (bytes.size() < place.size || protocol::hash(bytes.first(place.size)) != manifest().chunks[chunk]) {
    return fail(ErrorCode::invalid, "chunk " + std::to_string(chunk - file.first_chunk) + " of " +
                                        protocol::printable(file.path) + " does not match its hash in the manifest");
  }
  if (chunks.has(chunk)) return {};  // another source delivered it first
  const auto handle = tree.file_for_write(place.file);
  if (!handle) return std::unexpected(handle.error());
  if (Result<void> done = (*handle)->write_at(bytes.first(place.size), place.offset); !done) return done;
  if (file.chunk_count() == 1) {
    if (Result<void> done = tree.set_attributes(place.file, **handle); !done) return done;
  }
  tree.mark_written(place.file);  // before the chunk counts: a checkpoint must sync every chunk that it logs
  chunks.mark_have(chunk, place.size);
  return {};
}

Result<void> Staging::Impl::checkpoint() {
  const auto unlogged = chunks.extract_unlogged();
  if (!unlogged) return std::unexpected(unlogged.error());
  const UnsyncedPaths unsynced = tree.extract_unsynced();
  if (Result<void> synced = tree.sync(unsynced); !synced) {
    Result<void> result = chunks.record_failure(synced.error());
    tree.discard(unsynced.files);
    tree.discard(tree.extract_unsynced().files);
    return result;
  }
  if (unlogged->runs.empty()) return {};
  if (Result<void> logged = log->append(unlogged->runs, false); !logged) return chunks.record_failure(logged.error());
  chunks.on_logged(unlogged->bytes);
  return {};
}

Staging::Staging(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Staging::~Staging() = default;

Result<std::unique_ptr<Staging>> Staging::open(store::Disk& disk, const std::string& root, const std::string& game,
                                               const Digest& version, Document document,
                                               const runtime::StopFlag& stop) {
  if (const auto problem = protocol::game_id_problem(game)) {
    return fail(ErrorCode::invalid, "'" + protocol::printable(game) + "' cannot be the name of a game: it " + *problem);
  }
  const auto& times = document->times.file_times;
  PEER_CHECK(times.empty() || times.size() == document->manifest.files.size());
  auto workspace = open_workspace(disk, root);
  if (!workspace) return std::unexpected(workspace.error());
  if (Result<void> allowed = check_target(*workspace->root, game); !allowed) return std::unexpected(allowed.error());
  if (const auto done = recover_stage(*workspace, game); !done) return std::unexpected(done.error());
  auto stage = open_stage(*workspace, game, version, *document);
  if (!stage) return std::unexpected(stage.error());
  auto tree = ensure_directory(**stage, kTreeName);
  if (!tree) return std::unexpected(tree.error());
  auto impl = std::make_unique<Impl>(std::move(*workspace), game, std::move(document), std::move(*tree));
  if (Result<void> loaded = impl->load(**stage, version, stop); !loaded) return std::unexpected(loaded.error());
  return std::unique_ptr<Staging>(new Staging(std::move(impl)));
}

Result<std::unique_ptr<Staging>> Staging::open_if_it_fits(store::Disk& disk, const std::string& root,
                                                          const std::string& game, const Digest& version,
                                                          Document document, std::uint64_t reserve,
                                                          const runtime::StopFlag& stop) {
  auto staging = open(disk, root, game, version, std::move(document), stop);
  if (!staging) return staging;
  const Result<void> room = (*staging)->check_room(root, reserve);
  if (room) return staging;
  const bool empty = (*staging)->impl_->chunks.empty();
  staging->reset();
  if (empty) static_cast<void>(discard_staging(disk, root, game));  // the missing space is the error to report
  return std::unexpected(room.error());
}

Result<void> Staging::check_room(const std::string& root, std::uint64_t reserve) {
  const auto space = impl_->workspace.root->space();
  if (!space) return std::unexpected(space.error());
  const std::uint64_t needed = impl_->unreserved;
  if (needed <= space->available && space->available - needed >= reserve) return {};
  return fail(ErrorCode::no_space, impl_->game + " needs " + megabytes(needed) + " more, and " + megabytes(reserve) +
                                       " must stay free, but " + root + " has only " + megabytes(space->available) +
                                       " left: free some space");
}

Result<Document> Staging::stored_document(store::Disk& disk, const std::string& root, const std::string& game,
                                          const Digest& version) {
  auto workspace = open_workspace(disk, root);
  if (!workspace) return std::unexpected(workspace.error());
  const auto stage = workspace->staging->open_directory(game, false);
  if (!stage && stage.error().system == ENOENT) return nullptr;
  if (!stage) return std::unexpected(stage.error());
  return read_document(**stage, version);
}

std::vector<bool> Staging::logged_chunks(store::Disk& disk, const std::string& root, const std::string& game,
                                         const Digest& version, std::size_t chunks) {
  std::unique_ptr<store::Directory> at;
  auto next = disk.open(root, false, false);
  for (const std::string& name : {std::string(library::kPeerdName), std::string("staging"), game}) {
    if (!next) break;
    at = std::move(*next);
    next = at->open_directory(name, false);
  }
  if (!next) return std::vector<bool>(chunks);
  const auto log = read_log(**next);
  return log ? parse_log(*log, version, chunks).have : std::vector<bool>(chunks);
}

std::vector<bool> Staging::have() const { return impl_->chunks.have(); }

bool Staging::has(std::uint64_t first, std::uint64_t count) const { return impl_->chunks.has_all(first, count); }

Result<std::shared_ptr<store::File>> Staging::open_file(std::size_t file) { return impl_->tree.file_for_read(file); }

std::uint64_t Staging::unlogged_bytes() const { return impl_->chunks.unlogged_bytes(); }

Result<void> Staging::write(const ChunkBatch& batch, std::uint64_t& written) {
  written = 0;
  const std::uint64_t chunks = impl_->manifest().chunks.size();
  PEER_CHECK(batch.first <= chunks && batch.count <= chunks - batch.first);
  std::span<const std::uint8_t> rest = batch.bytes;
  for (std::uint64_t chunk = batch.first; chunk < batch.first + batch.count; ++chunk) {
    if (Result<void> ok = impl_->chunks.check_usable(); !ok) return ok;
    if (Result<void> done = impl_->write_chunk(chunk, rest); !done) return done;
    rest = rest.subspan(impl_->manifest().place(static_cast<std::size_t>(chunk)).size);
    ++written;
  }
  return {};
}

Result<void> Staging::checkpoint() { return impl_->checkpoint(); }

Result<void> Staging::close_cleanly() {
  if (Result<void> done = impl_->checkpoint(); !done) return done;
  if (!impl_->log) return {};  // publish() has closed the log after logging everything
  if (Result<void> marked = impl_->log->append({}, true); !marked) return impl_->chunks.record_failure(marked.error());
  return {};
}

Result<UserFiles> Staging::publish(const library::OfferedGame* known, bool keep_own) {
  const protocol::Manifest& manifest = impl_->manifest();
  if (Result<void> done = impl_->checkpoint(); !done) return std::unexpected(done.error());
  PEER_CHECK(impl_->chunks.complete());
  for (std::size_t file = 0; file < manifest.files.size(); ++file) {
    if (Result<void> done = impl_->tree.finish_file(file); !done) return std::unexpected(done.error());
  }
  for (const std::string& path : manifest.directories) {
    if (Result<void> done = impl_->tree.make_directory(path); !done) return std::unexpected(done.error());
  }
  for (const protocol::ManifestSymlink& symlink : manifest.symlinks) {
    if (Result<void> done = impl_->tree.make_symlink(symlink); !done) return std::unexpected(done.error());
  }
  if (Result<void> synced = impl_->tree.root().sync_file_system(); !synced) {
    return impl_->chunks.record_failure(synced.error());
  }
  // Close the files: FUSE keeps a removed file that is still open under a hidden name, so that its directory cannot be
  // removed.
  impl_->tree.close();
  impl_->log.reset();
  return publish_stage(impl_->workspace, impl_->game, known, keep_own);
}

}  // namespace peer::staging
