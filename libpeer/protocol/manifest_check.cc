#include "libpeer/protocol/manifest_check.h"

#include <algorithm>

#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/path.h"
#include "libpeer/protocol/varint.h"

namespace peer::protocol {

namespace {

constexpr std::size_t kNamedOffenders = 20;
constexpr std::size_t kShownPathBytes = 200;

std::string_view name_of(EntryKind kind) {
  switch (kind) {
    case EntryKind::file:
    case EntryKind::executable: return "file";
    case EntryKind::directory: return "empty directory";
    case EntryKind::symlink: return "symlink";
  }
  return "entry";
}

}  // namespace

void ManifestChecker::offend(std::string_view path, std::string_view problem) {
  if (++offenders_ > kNamedOffenders) return;
  if (!offences_.empty()) offences_ += "; ";
  const std::string_view shown = clip(path, kShownPathBytes);
  offences_ += "'" + printable(shown) + (shown.size() < path.size() ? "...' " : "' ");
  offences_ += problem;
}

void ManifestChecker::check_place(const ManifestEntry& entry) {
  if (!beginnings_.empty()) {
    const std::string_view last = beginnings_.back().path;
    const auto differ = std::mismatch(last.begin(), last.end(), entry.path.begin(), entry.path.end());
    const auto common = static_cast<std::size_t>(differ.first - last.begin());
    while (!beginnings_.empty() && beginnings_.back().path.size() > common) beginnings_.pop_back();
    if (!beginnings_.empty() && beginnings_.back().path == entry.path) {
      offend(entry.path, "is listed twice");
      return;
    }
    if (entry.path < last) offend(entry.path, "is out of order");
    for (const ManifestEntry& beginning : beginnings_) {
      if (entry.path[beginning.path.size()] != '/') continue;
      const std::string_view above = clip(beginning.path, kShownPathBytes);
      offend(entry.path, "is below the " + std::string(name_of(beginning.kind)) + " '" + printable(above) + "'");
      break;
    }
  }
  beginnings_.push_back(entry);
}

void ManifestChecker::add(const ManifestEntry& entry) {
  if (auto problem = path_problem(entry.path)) {
    offend(entry.path, *problem);
    if (entry.path.empty() || entry.path.size() > kMaxPathBytes) return;
  }
  check_place(entry);
  encoded_ += 1 + varint_size(entry.path.size()) + entry.path.size();
  if (entry.kind == EntryKind::directory) {
    ++directories_;
  } else if (entry.kind == EntryKind::symlink) {
    ++symlinks_;
    if (auto problem = symlink_problem(entry.path, entry.target)) offend(entry.path, *problem);
    encoded_ += varint_size(entry.target.size()) + entry.target.size();
  } else {
    ++files_;
    if (entry.size > kMaxFileSize) {
      offend(entry.path, "is larger than " + std::to_string(kMaxFileSize) + " bytes");
      return;
    }
    const std::uint64_t chunks = (entry.size + kChunkSize - 1) / kChunkSize;
    chunks_ += chunks;
    total_size_ += entry.size;
    encoded_ += varint_size(entry.size) + 32 * chunks + 8;  // 8 bytes for its time
    if (total_size_ > kMaxGameSize) {
      size_overflow_ = true;
      total_size_ = 0;
    }
  }
}

Result<void> ManifestChecker::finish() {
  const std::size_t entries = files_ + directories_ + symlinks_;
  const std::uint64_t fixed = 5 + varint_size(entries) + 8 + varint_size(files_);
  if (entries > kMaxManifestEntries) {
    return fail(ErrorCode::invalid, "the manifest has " + std::to_string(entries) + " entries, more than " +
                                        std::to_string(kMaxManifestEntries));
  }
  if (size_overflow_) {
    return fail(ErrorCode::invalid,
                "the files of the manifest have more than " + std::to_string(kMaxGameSize) + " bytes in total");
  }
  if (offenders_ > kNamedOffenders) {
    offences_ += "; and " + std::to_string(offenders_ - kNamedOffenders) + " more";
  }
  if (offenders_ > 0) return fail(ErrorCode::invalid, "the manifest is invalid: " + offences_);
  if (encoded_ + fixed > kMaxManifestBytes) {
    return fail(ErrorCode::invalid, "the manifest has " + std::to_string(encoded_ + fixed) + " bytes, more than " +
                                        std::to_string(kMaxManifestBytes));
  }
  return {};
}

}  // namespace peer::protocol
