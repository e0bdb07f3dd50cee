#include "libpeer/staging/stage_files.h"

#include <cerrno>

namespace peer::staging {

namespace {
constexpr std::uint64_t kMaxLogBytes = 256 << 20;
constexpr std::uint64_t kMaxDocumentBytes = 2 * protocol::kMaxManifestBytes;  // the document also has file times
}  // namespace

Result<std::shared_ptr<const protocol::ManifestDocument>> read_document(store::Directory& stage,
                                                                        const Digest& version) {
  const auto bytes = store::read_file(stage, kDocumentName, kMaxDocumentBytes);
  if (!bytes) {
    if (is_missing(bytes.error()) || bytes.error().code == ErrorCode::invalid) return nullptr;
    return std::unexpected(bytes.error());
  }
  auto document = protocol::decode(*bytes, version);
  if (!document) return nullptr;
  return std::make_shared<const protocol::ManifestDocument>(std::move(*document));
}

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
  if (bytes || (!is_missing(bytes.error()) && bytes.error().code != ErrorCode::invalid)) return bytes;
  return std::vector<std::uint8_t>();
}

}  // namespace peer::staging
