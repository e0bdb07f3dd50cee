// PublicationJournal: records what a publication is about to move, so that the next start can complete or roll back a
// publication that a crash interrupted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peer::staging {

inline constexpr std::string_view kJournalName = "journal";

enum class PublicationKind : std::uint8_t { install, exchange, rename };

/// The text forms, and how recovery finds out whether the move happened:
///   install 0 0         no game is replaced; it happened if the stage has no tree
///   exchange N INODE    it happened if ROOT/GAME has this inode, which is that of the new tree
///   rename N 0          it happened at least in part if replaced/GAME/N exists
struct PublicationJournal {
  PublicationKind kind = PublicationKind::install;
  std::uint64_t number = 0;  ///< N in replaced/GAME/N
  std::uint64_t inode = 0;
};

std::string format_journal(const PublicationJournal& journal);
/// Nothing if the text is not a journal.
std::optional<PublicationJournal> parse_journal(std::string_view text);

}  // namespace peer::staging
