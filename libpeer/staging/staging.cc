#include "libpeer/staging/staging.h"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <optional>

#include "libpeer/base/check.h"
#include "libpeer/base/units.h"
#include "libpeer/library/installed.h"
#include "libpeer/protocol/path.h"
#include "libpeer/staging/progress_log.h"
#include "libpeer/staging/publication.h"
#include "libpeer/staging/trash.h"
#include "libpeer/staging/tree_writer.h"

namespace peer::staging {

namespace {

constexpr std::string_view kLogName = "log";
constexpr std::uint64_t kMaxLogBytes = 256 << 20;
constexpr std::uint64_t kMaxDocumentBytes = 2 * protocol::kMaxManifestBytes;  // the times stand behind the manifest

using Document = std::shared_ptr<const protocol::ManifestDocument>;

/// Null if there is none, or one of another version, or a damaged one.
Result<Document> read_document(store::Directory& stage, const Digest& version) {
  const auto bytes = store::read_file(stage, kDocumentName, kMaxDocumentBytes);
  if (!bytes) {
    if (bytes.error().system == ENOENT || bytes.error().code == ErrorCode::invalid) return nullptr;
    return std::unexpected(bytes.error());
  }
  auto document = protocol::decode(*bytes, version);
  if (!document) return nullptr;
  return std::make_shared<const protocol::ManifestDocument>(std::move(*document));
}

/// The stage of that version, empty if it is new; one of another version is removed.
Result<std::unique_ptr<store::Directory>> open_stage(Workspace& workspace, const std::string& game,
                                                     const Digest& version,
                                                     const protocol::ManifestDocument& document) {
  auto stage = workspace.staging->open_directory(game, false);
  if (stage) {
    const auto stored = read_document(**stage, version);
    if (!stored) return std::unexpected(stored.error());
    if (*stored) return stage;
    stage->reset();
  }
  if (Result<void> removed = remove_stage(workspace, game); !removed) return std::unexpected(removed.error());
  stage = ensure_directory(*workspace.staging, game);
  if (!stage) return stage;
  const auto bytes = protocol::encode(document);
  if (Result<void> written = store::write_file_atomically(**stage, kDocumentName, bytes); !written) {
    return std::unexpected(written.error());
  }
  return stage;
}

Result<std::vector<std::uint8_t>> read_log(store::Directory& stage) {
  auto bytes = store::read_file(stage, kLogName, kMaxLogBytes);
  if (bytes || (bytes.error().system != ENOENT && bytes.error().code != ErrorCode::invalid)) return bytes;
  return std::vector<std::uint8_t>();
}

}  // namespace

struct Staging::Impl {
  Impl(Workspace w, std::string g, Document d, std::unique_ptr<store::Directory> root)
      : workspace(std::move(w)), game(std::move(g)), document(d), tree(std::move(root), d) {}

  const protocol::Manifest& manifest() const { return document->manifest; }
  Result<void> load(store::Directory& stage, const Digest& version, const runtime::StopFlag& stop);
  Result<void> hash_unlogged(const std::vector<bool>& whole, const runtime::StopFlag& stop);
  Result<void> usable();
  Result<void> broken(Error error);
  Result<void> write_chunk(std::uint64_t chunk, std::span<const std::uint8_t> bytes);
  Result<void> checkpoint();

  Workspace workspace;
  const std::string game;
  const Document document;
  TreeWriter tree;
  std::unique_ptr<ProgressLog> log;
  std::uint64_t unreserved = 0;  // bytes that were missing when it was opened, and had no blocks reserved for them

  std::mutex mutex;  // over all that follows
  std::vector<bool> have;
  std::vector<ChunkRun> unlogged;
  std::uint64_t unlogged_bytes = 0;
  std::optional<Error> failure;  // of a sync: nothing is logged any more
};

Result<void> Staging::Impl::load(store::Directory& stage, const Digest& version, const runtime::StopFlag& stop) {
  const auto bytes = read_log(stage);
  if (!bytes) return std::unexpected(bytes.error());
  LogContent logged = parse_log(*bytes, version, manifest().chunks.size());
  const auto whole = tree.survey();
  if (!whole) return std::unexpected(whole.error());
  have = std::move(logged.had);
  for (std::size_t i = 0; i < manifest().files.size(); ++i) {
    if ((*whole)[i]) continue;
    const protocol::ManifestFile& file = manifest().files[i];
    std::fill_n(have.begin() + static_cast<std::ptrdiff_t>(file.first_chunk), file.chunk_count(), false);
  }
  if (!logged.clean) {
    if (Result<void> hashed = hash_unlogged(*whole, stop); !hashed) return hashed;
  }
  for (std::size_t i = 0; i < manifest().files.size(); ++i) {
    const protocol::ManifestFile& file = manifest().files[i];
    if ((*whole)[i] && file.chunk_count() > 1) continue;  // TreeWriter reserves those whole
    for (std::size_t chunk = 0; chunk < file.chunk_count(); ++chunk) {
      if (!have[file.first_chunk + chunk]) unreserved += manifest().place(file.first_chunk + chunk).size;
    }
  }
  auto begun = ProgressLog::begin(stage, kLogName, version, have);
  if (!begun) return std::unexpected(begun.error());
  log = std::move(*begun);
  return {};
}

// What an unclean stop left unlogged counts if it is right, once it has been synced.
Result<void> Staging::Impl::hash_unlogged(const std::vector<bool>& whole, const runtime::StopFlag& stop) {
  constexpr std::size_t kGlance = 4096;
  std::vector<std::uint8_t> buffer(protocol::kChunkSize);
  std::set<std::size_t> found;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const protocol::ManifestFile& file = manifest().files[i];
    const auto chunks = have.begin() + static_cast<std::ptrdiff_t>(file.first_chunk);
    const auto last = chunks + static_cast<std::ptrdiff_t>(file.chunk_count());
    if (!whole[i] || std::find(chunks, last, false) == last) continue;
    const auto handle = tree.file_for_read(i);
    if (!handle) return std::unexpected(handle.error());
    for (std::size_t chunk = 0; chunk < file.chunk_count(); ++chunk) {
      if (stop.requested()) return fail(ErrorCode::cancelled, "stopped while " + game + " was checked");
      if (have[file.first_chunk + chunk]) continue;
      const std::uint64_t offset = chunk * protocol::kChunkSize;
      const auto size = static_cast<std::size_t>(std::min(file.size - offset, protocol::kChunkSize));
      const auto begin = std::span(buffer).first(std::min(size, kGlance));
      const auto rest = std::span(buffer).first(size).subspan(begin.size());
      const auto glance = (*handle)->read_at(begin, offset);
      if (!glance) return std::unexpected(glance.error());
      // Reserved and never written, most likely; if not, it is fetched again.
      if (std::ranges::all_of(begin, [](std::uint8_t byte) { return byte == 0; })) continue;
      const auto count = (*handle)->read_at(rest, offset + begin.size());
      if (!count) return std::unexpected(count.error());
      if (*glance != begin.size() || *count != rest.size()) continue;
      if (protocol::hash(std::span(buffer).first(size)) != manifest().chunks[file.first_chunk + chunk]) continue;
      have[file.first_chunk + chunk] = true;
      found.insert(i);
    }
  }
  if (found.empty()) return {};
  // A kill may have come before the names of the files were durable.
  Touched touched{found, {""}};
  for (const std::size_t file : found) {
    const std::string& path = manifest().files[file].path;
    for (std::size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1))
      touched.directories.insert(path.substr(0, at));
  }
  Result<void> synced = tree.sync(touched);
  if (!synced) tree.discard(found);
  return synced;
}

Result<void> Staging::Impl::usable() {
  const std::lock_guard lock(mutex);
  if (failure) return std::unexpected(*failure);
  return {};
}

Result<void> Staging::Impl::broken(Error error) {
  const std::lock_guard lock(mutex);
  if (!failure) failure = error;
  return std::unexpected(std::move(error));
}

Result<void> Staging::Impl::write_chunk(std::uint64_t chunk, std::span<const std::uint8_t> bytes) {
  const protocol::ChunkPlace place = manifest().place(static_cast<std::size_t>(chunk));
  const protocol::ManifestFile& file = manifest().files[place.file];
  if (bytes.size() < place.size || protocol::hash(bytes.first(place.size)) != manifest().chunks[chunk]) {
    return fail(ErrorCode::invalid, "chunk " + std::to_string(chunk - file.first_chunk) + " of " +
                                        protocol::printable(file.path) + " is not what the manifest says");
  }
  {
    const std::lock_guard lock(mutex);
    if (have[chunk]) return {};  // another source was faster
  }
  const auto handle = tree.file_for_write(place.file);
  if (!handle) return std::unexpected(handle.error());
  if (Result<void> done = (*handle)->write_at(bytes.first(place.size), place.offset); !done) return done;
  if (file.chunk_count() == 1) {
    if (Result<void> done = tree.set_attributes(place.file, **handle); !done) return done;
  }
  tree.touched(place.file);  // before it counts as written: a checkpoint syncs all that it logs
  const std::lock_guard lock(mutex);
  have[chunk] = true;
  unlogged_bytes += place.size;
  if (!unlogged.empty() && unlogged.back().first + unlogged.back().count == chunk) {
    ++unlogged.back().count;
  } else {
    unlogged.push_back({chunk, 1});
  }
  return {};
}

Result<void> Staging::Impl::checkpoint() {
  std::vector<ChunkRun> runs;
  std::uint64_t bytes = 0;
  {
    const std::lock_guard lock(mutex);
    if (failure) return std::unexpected(*failure);
    runs = std::exchange(unlogged, {});
    bytes = unlogged_bytes;
  }
  const Touched touched = tree.take_touched();
  if (Result<void> synced = tree.sync(touched); !synced) {
    Result<void> result = broken(synced.error());
    tree.discard(touched.files);
    tree.discard(tree.take_touched().files);
    return result;
  }
  if (runs.empty()) return {};
  std::ranges::sort(runs, {}, &ChunkRun::first);
  std::vector<ChunkRun> merged;
  for (const ChunkRun& run : runs) {
    if (!merged.empty() && merged.back().first + merged.back().count == run.first) {
      merged.back().count += run.count;
    } else {
      merged.push_back(run);
    }
  }
  if (Result<void> logged = log->append(merged, false); !logged) return broken(logged.error());
  const std::lock_guard lock(mutex);
  unlogged_bytes -= bytes;
  return {};
}

Staging::Staging(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Staging::~Staging() = default;

Result<std::unique_ptr<Staging>> Staging::open(store::Disk& disk, const std::string& root, const std::string& game,
                                               const Digest& version, Document document,
                                               const runtime::StopFlag& stop) {
  if (const auto problem = protocol::game_id_problem(game)) {
    return fail(ErrorCode::invalid, "a game cannot be called \"" + protocol::printable(game) + "\": " + *problem);
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
  const bool empty = std::ranges::find((*staging)->impl_->have, true) == (*staging)->impl_->have.end();
  staging->reset();
  if (empty) static_cast<void>(discard_staging(disk, root, game));  // why it does not fit is the thing to tell
  return std::unexpected(room.error());
}

Result<void> Staging::check_room(const std::string& root, std::uint64_t reserve) {
  const auto space = impl_->workspace.root->space();
  if (!space) return std::unexpected(space.error());
  const std::uint64_t needed = impl_->unreserved;
  if (needed <= space->available && space->available - needed >= reserve) return {};
  return fail(ErrorCode::no_space, impl_->game + " needs " + megabytes(needed) + " more and " + megabytes(reserve) +
                                       " are to stay free, but " + root + " has only " + megabytes(space->available) +
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
  const auto log = store::read_file(**next, kLogName, kMaxLogBytes);
  return log ? parse_log(*log, version, chunks).had : std::vector<bool>(chunks);
}

std::vector<bool> Staging::have() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->have;
}

bool Staging::has(std::uint64_t first, std::uint64_t count) const {
  const std::lock_guard lock(impl_->mutex);
  const auto begin = impl_->have.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = begin + static_cast<std::ptrdiff_t>(count);
  return !impl_->failure && std::find(begin, end, false) == end;
}

Result<std::shared_ptr<store::File>> Staging::open_file(std::size_t file) { return impl_->tree.file_for_read(file); }

std::uint64_t Staging::unlogged_bytes() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->unlogged_bytes;
}

Result<void> Staging::write(const ChunkBatch& batch, std::uint64_t& written) {
  written = 0;
  const std::uint64_t chunks = impl_->manifest().chunks.size();
  PEER_CHECK(batch.first <= chunks && batch.count <= chunks - batch.first);
  std::span<const std::uint8_t> rest = batch.bytes;
  for (std::uint64_t chunk = batch.first; chunk < batch.first + batch.count; ++chunk) {
    if (Result<void> ok = impl_->usable(); !ok) return ok;
    if (Result<void> done = impl_->write_chunk(chunk, rest); !done) return done;
    rest = rest.subspan(impl_->manifest().place(static_cast<std::size_t>(chunk)).size);
    ++written;
  }
  return {};
}

Result<void> Staging::checkpoint() { return impl_->checkpoint(); }

Result<void> Staging::close_cleanly() {
  if (Result<void> done = impl_->checkpoint(); !done) return done;
  if (!impl_->log) return {};  // publish() closed it: all of it was logged
  if (Result<void> marked = impl_->log->append({}, true); !marked) return impl_->broken(marked.error());
  return {};
}

Result<UserFiles> Staging::publish(const library::OfferedGame* known, bool keep_own) {
  const protocol::Manifest& manifest = impl_->manifest();
  if (Result<void> done = impl_->checkpoint(); !done) return std::unexpected(done.error());
  {
    const std::lock_guard lock(impl_->mutex);
    PEER_CHECK(std::ranges::find(impl_->have, false) == impl_->have.end());
  }
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
    return std::unexpected(impl_->broken(synced.error()).error());
  }
  // FUSE keeps a file that is removed while it is open under a hidden name: the stage could not be removed.
  impl_->tree.close();
  impl_->log.reset();
  return put_in_place(impl_->workspace, impl_->game, known, keep_own);
}

}  // namespace peer::staging
