#include "libpeer/staging/publication_journal.h"

#include <algorithm>
#include <array>

#include "libpeer/staging/workspace.h"

namespace peer::staging {

namespace {
constexpr std::array<std::string_view, 3> kKinds{"install", "exchange", "rename"};
}  // namespace

std::string format_journal(const PublicationJournal& journal) {
  return std::string(kKinds[static_cast<std::size_t>(journal.kind)]) + " " + std::to_string(journal.number) + " " +
         std::to_string(journal.inode) + "\n";
}

std::optional<PublicationJournal> parse_journal(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t first = text.find(' ');
  const std::size_t second = text.rfind(' ');
  if (first == text.npos || second <= first) return std::nullopt;
  const std::string_view word = text.substr(0, first);
  const auto number = parse_number(text.substr(first + 1, second - first - 1));
  const auto inode = parse_number(text.substr(second + 1));
  const auto kind = std::ranges::find(kKinds, word);
  if (kind == kKinds.end() || !number || !inode) return std::nullopt;
  return PublicationJournal{static_cast<PublicationKind>(kind - kKinds.begin()), *number, *inode};
}

}  // namespace peer::staging
