#include "libpeer/library/bounds.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

namespace peer::library {

namespace {

using Ancestry = std::vector<store::DirectoryId>;

constexpr std::array<const char*, 5> kSystem{"/proc", "/sys", "/dev", "/etc", "/run"};
constexpr const char* kMedia = "/run/media";  // desktops mount removable disks here

/// Nothing if the directory does not exist.
std::optional<Ancestry> ancestry_of(store::Disk& disk, const std::string& path) {
  const auto directory = disk.open(path, false, false);
  if (!directory) return std::nullopt;
  auto ancestry = (*directory)->ancestry();
  if (!ancestry) return std::nullopt;
  return std::move(*ancestry);
}

bool holds(const Ancestry& ancestry, const store::DirectoryId& id) {
  return std::ranges::find(ancestry, id) != ancestry.end();
}

std::unexpected<Error> refuse(const std::string& why) {
  return fail(ErrorCode::refused, why + ": move the game elsewhere, or remove the link");
}

}  // namespace

Result<void> Bounds::check(store::Directory& game, const std::string& root, bool link) const {
  const auto ancestry = game.ancestry();
  if (!ancestry) return std::unexpected(ancestry.error());
  const store::DirectoryId& self = ancestry->front();
  if (link && ancestry->size() == 1) return refuse("leads to the top of the file system");
  const std::string verb = link ? "leads" : "belongs";
  // If the root itself is below the state directory, its games are not protected.
  const auto above = link ? std::nullopt : ancestry_of(disk_, root);
  for (const std::string& tree : trees_) {
    const auto other = ancestry_of(disk_, tree);
    if (!other) continue;
    const bool holds_root = above && holds(*above, other->front());
    if (!holds_root && holds(*ancestry, other->front()))
      return refuse(verb + " to " + tree + ", which peerd uses for itself");
    if (holds(*other, self)) return refuse((link ? "leads to a directory that holds " : "holds ") + tree);
  }
  for (const std::string& file : files_) {
    const std::size_t slash = file.rfind('/');
    const auto other = ancestry_of(disk_, slash == 0 ? "/" : file.substr(0, slash));
    if (other && holds(*other, self)) return refuse((link ? "leads to a directory that holds " : "holds ") + file);
  }
  if (!link) return {};
  for (const std::string& each : roots_) {
    const auto other = ancestry_of(disk_, each);
    if (!other) continue;
    if (holds(*other, self)) return refuse("leads to a directory that contains the library root " + each);
    if (each != root && holds(*ancestry, other->front())) return refuse("leads into the library root " + each);
    const auto peerd = ancestry_of(disk_, each + "/.peerd");
    if (peerd && holds(*ancestry, peerd->front())) return refuse("leads into " + each + "/.peerd");
  }
  const auto media = ancestry_of(disk_, kMedia);
  const bool in_media = media && self != media->front() && holds(*ancestry, media->front());
  for (const char* system : kSystem) {
    const auto other = ancestry_of(disk_, system);
    if (other && !in_media && holds(*ancestry, other->front())) {
      return refuse("leads to " + std::string(system) + ", a system directory");
    }
  }
  return {};
}

Result<OpenedGame> open_game(store::Directory& root, const std::string& game, const Bounds* bounds) {
  OpenedGame opened;
  auto directory = root.open_directory(game, false);
  if (!directory && (directory.error().system == ELOOP || directory.error().system == ENOTDIR)) {
    opened.link = true;
    directory = root.open_directory(game, true);
  }
  if (!directory) return std::unexpected(directory.error());
  if (opened.link && bounds != nullptr) {
    if (Result<void> allowed = bounds->check(**directory, root.path(), true); !allowed) {
      return std::unexpected(allowed.error());
    }
  }
  opened.directory = std::move(*directory);
  return opened;
}

}  // namespace peer::library
