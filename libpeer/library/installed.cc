#include "libpeer/library/installed.h"

#include <cerrno>

#include "libpeer/library/scan.h"

namespace peer::library {

namespace {

constexpr std::uint64_t kMaxRecordBytes =
    2 * protocol::kMaxManifestBytes;  // a document has the file times after the manifest

/// Whether there is no such file, or a path to it that peerd does not use.
bool is_missing(const Error& error) {
  return error.system == ENOENT || error.system == ENOTDIR || error.system == ELOOP || error.system == EACCES;
}

/// Null if the directory does not exist.
Result<std::unique_ptr<store::Directory>> open_records(store::Directory& root) {
  auto peerd = root.open_directory(kPeerdName, false);
  if (!peerd && is_missing(peerd.error())) return nullptr;
  if (!peerd) return peerd;
  auto records = (*peerd)->open_directory(kInstalledName, false);
  if (!records && is_missing(records.error())) return nullptr;
  return records;
}

}  // namespace

Result<std::shared_ptr<const InstalledRecord>> read_installed(store::Directory& root, const std::string& game,
                                                              std::shared_ptr<const InstalledRecord> known) {
  const auto records = open_records(root);
  if (!records) return std::unexpected(records.error());
  if (!*records) return nullptr;
  const auto info = (*records)->info(game);
  if (!info && is_missing(info.error())) return nullptr;
  if (!info) return std::unexpected(info.error());
  if (info->type != store::FileType::regular) return nullptr;
  const store::FileStamp stamp = stamp_of(*info);
  if (known && known->stamp == stamp) return known;
  const auto bytes = store::read_file(**records, game, kMaxRecordBytes);
  if (!bytes && bytes.error().code == ErrorCode::invalid) return nullptr;
  if (!bytes) return std::unexpected(bytes.error());
  auto decoded = protocol::decode_document(*bytes);
  if (!decoded) return nullptr;
  auto installed = std::make_shared<InstalledRecord>();
  installed->version = decoded->version;
  installed->document = std::make_shared<const protocol::ManifestDocument>(std::move(decoded->document));
  installed->stamp = stamp;
  return installed;
}

Result<void> forget_installed(store::Directory& root, const std::string& game) {
  const auto records = open_records(root);
  if (!records) return std::unexpected(records.error());
  if (!*records) return {};
  Result<void> removed = (*records)->remove_file(game);
  if (!removed && is_missing(removed.error())) return {};
  if (!removed) return removed;
  return (*records)->sync();
}

}  // namespace peer::library
