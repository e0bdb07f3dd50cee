#include "libpeer/library/link_policy.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace peer::library {

using store::DirectoryId;

namespace {

using Ancestry = std::vector<DirectoryId>;

constexpr std::array<const char*, 5> kSystem{"/proc", "/sys", "/dev", "/etc", "/run"};
constexpr const char* kMedia = "/run/media";  // desktops mount removable disks here

/// Empty if the directory does not exist, or if peerd may not list it. Other errors (EMFILE, EIO) must not skip a
/// check.
Result<Ancestry> ancestry_of(store::Disk& disk, const std::string& path) {
  const auto directory = disk.open(path, false, false);
  if (directory) return (*directory)->ancestry();
  const int error = directory.error().system;
  if (error == ENOENT || error == ENOTDIR || error == EACCES) return Ancestry();
  return std::unexpected(directory.error());
}

bool holds(const Ancestry& ancestry, const DirectoryId& id) {
  return std::ranges::find(ancestry, id) != ancestry.end();
}

std::unexpected<Error> refuse(const std::string& why) {
  return fail(ErrorCode::refused, why + ": move the game elsewhere, or remove the link");
}

}  // namespace

Result<void> LinkPolicy::check_owners(const store::FollowedLink& followed) {
  for (const store::LinkStep& link : followed.links) {
    if (link.own) {
      if (!link.movable) continue;
      return fail(ErrorCode::refused,
                  "is or leads through a link of peerd's own user, which other users can move or replace, so it is not "
                  "shared: remove the link, or make the directory that contains it writable for its owner only");
    }
    if (link.owner == 0 || link.owner == followed.owner) continue;
    return fail(ErrorCode::refused, "is or leads through a link of user " + std::to_string(link.owner) +
                                        " to a directory of user " + std::to_string(followed.owner) +
                                        ", so it is not shared: let root or the directory's owner create the link");
  }
  return {};
}

Result<void> LinkPolicy::check(store::Directory& game, const std::string& root, bool link) const {
  const auto ancestry = game.ancestry();
  if (!ancestry) return std::unexpected(ancestry.error());
  if (link && ancestry->size() == 1) return refuse("leads to the top of the file system");
  // If the root itself is below the state directory, its games are not protected.
  Result<Ancestry> above;
  if (!link) above = ancestry_of(disk_, root);
  if (!above) return std::unexpected(above.error());
  if (auto allowed = check_own_places(*ancestry, *above, link); !allowed || !link) return allowed;
  if (auto allowed = check_roots(*ancestry, root); !allowed) return allowed;
  return check_system(*ancestry);
}

Result<void> LinkPolicy::check_own_places(const Ancestry& game, const Ancestry& above, bool link) const {
  const DirectoryId& self = game.front();
  const std::string verb = link ? "leads" : "belongs";
  const std::string holder = link ? "leads to a directory that holds " : "holds ";
  for (const std::string& tree : trees_) {
    const auto other = ancestry_of(disk_, tree);
    if (!other) return std::unexpected(other.error());
    if (other->empty()) continue;
    if (!holds(above, other->front()) && holds(game, other->front()))
      return refuse(verb + " to " + tree + ", which peerd uses for itself");
    if (holds(*other, self)) return refuse(holder + tree);
  }
  for (const std::string& file : files_) {
    const std::size_t slash = file.rfind('/');
    const auto other = ancestry_of(disk_, slash == 0 ? "/" : file.substr(0, slash));
    if (!other) return std::unexpected(other.error());
    if (holds(*other, self)) return refuse(holder + file);
  }
  return {};
}

Result<void> LinkPolicy::check_roots(const Ancestry& game, const std::string& root) const {
  for (const std::string& each : roots_) {
    const auto other = ancestry_of(disk_, each);
    if (!other) return std::unexpected(other.error());
    if (other->empty()) continue;
    if (holds(*other, game.front())) return refuse("leads to a directory that contains the library root " + each);
    if (each != root && holds(game, other->front())) return refuse("leads into the library root " + each);
    const auto peerd = ancestry_of(disk_, each + "/.peerd");
    if (!peerd) return std::unexpected(peerd.error());
    if (!peerd->empty() && holds(game, peerd->front())) return refuse("leads into " + each + "/.peerd");
  }
  return {};
}

Result<void> LinkPolicy::check_system(const Ancestry& game) const {
  const auto media = ancestry_of(disk_, kMedia);
  if (!media) return std::unexpected(media.error());
  if (!media->empty() && game.front() != media->front() && holds(game, media->front())) return {};
  for (const char* system : kSystem) {
    const auto other = ancestry_of(disk_, system);
    if (!other) return std::unexpected(other.error());
    if (!other->empty() && holds(game, other->front()))
      return refuse("leads to " + std::string(system) + ", a system directory");
  }
  return {};
}

Result<OpenedGame> open_game(store::Directory& root, const std::string& game, const LinkPolicy* bounds) {
  auto directory = root.open_directory(game, false);
  if (directory) return OpenedGame{std::move(*directory), false};
  if (directory.error().system != ELOOP && directory.error().system != ENOTDIR)
    return std::unexpected(directory.error());
  auto followed = root.follow_link(game);
  if (!followed) return std::unexpected(followed.error());
  if (bounds != nullptr) {
    Result<void> allowed = bounds->check(*followed->directory, root.path(), true);
    if (allowed) allowed = LinkPolicy::check_owners(*followed);
    if (!allowed) return std::unexpected(allowed.error());
  }
  return OpenedGame{std::move(followed->directory), true};
}

}  // namespace peer::library
