// VersionChooser: chooses the version that a download fetches from the versions that peers offer and the one that is
// installed here.
// Loop: control.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libpeer/downloads/options.h"

namespace peer::downloads {

struct VersionChoice {
  Digest version;
  std::uint64_t size = 0;
  bool installed = false;
};

/// The default version: newest `modified` (times in the future count as unknown), then most
/// peers, then lowest hash. Null if nothing is offered. Units: `now` in ns since 1970.
const api::RemoteVersion* choose_version(const std::vector<api::RemoteVersion>& offered, std::int64_t now);

class VersionChooser {
 public:
  /// `options` must outlive it.
  explicit VersionChooser(const DownloadsOptions& options) : options_(options) {}

  /// The peers of these names. Fails: unavailable for an unknown peer; invalid for an ambiguous name.
  Result<std::set<PeerId>> resolve(const std::vector<std::string>& names) const;
  /// The version with this prefix, or the default version; only from these peers, if any are given. Fails:
  /// not_found, unavailable, refused, invalid for an ambiguous prefix.
  Result<VersionChoice> choose(const std::string& game, const std::optional<std::string>& prefix,
                               const std::set<PeerId>& from) const;
  /// The default version among those with this prefix; nothing if there is none.
  std::optional<VersionChoice> choose_any(const std::string& game, const std::optional<std::string>& prefix,
                                          const std::set<PeerId>& from) const;
  bool installed(const std::string& game, const Digest& version) const;
  /// Whether a connected peer, one of `from` unless that is empty, offers the version.
  bool offered(const std::string& game, const Digest& version, const std::set<PeerId>& from) const;

 private:
  std::vector<api::RemoteVersion> candidates(const std::string& game, const std::set<PeerId>& from) const;
  std::optional<Error> refusal_of(const std::set<PeerId>& from) const;

  const DownloadsOptions& options_;
};

}  // namespace peer::downloads
