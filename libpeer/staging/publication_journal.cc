#include "libpeer/staging/publication_journal.h"

#include <algorithm>
#include <array>

#include "libpeer/staging/workspace.h"

namespace peer::staging {

namespace {
constexpr std::array<std::string_view, 3> kKinds{"install", "exchange", "rename"};
}  // namespace

std::string format(const Journal& journal) {
  return std::string(kKinds[static_cast<std::size_t>(journal.kind)]) + " " + std::to_string(journal.number) + " " +
         std::to_string(journal.inode) + "\n";
}

std::optional<Journal> parse_journal(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t first = text.find(' ');
  const std::size_t second = text.rfind(' ');
  if (first == text.npos || second <= first) return std::nullopt;
  const std::string_view word = text.substr(0, first);
  const auto number = number_in(text.substr(first + 1, second - first - 1));
  const auto inode = number_in(text.substr(second + 1));
  const auto kind = std::ranges::find(kKinds, word);
  if (kind == kKinds.end() || !number || !inode) return std::nullopt;
  return Journal{static_cast<Journal::Kind>(kind - kKinds.begin()), *number, *inode};
}

}  // namespace peer::staging
