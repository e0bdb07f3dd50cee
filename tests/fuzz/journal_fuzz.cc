// Any text is no journal, or a journal that is written in the same way again.
#include <string_view>

#include "libpeer/base/check.h"
#include "libpeer/staging/publication_journal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto journal = peer::staging::parse_journal({reinterpret_cast<const char*>(data), size});
  if (!journal) return 0;
  const auto again = peer::staging::parse_journal(format_journal(*journal));
  PEER_CHECK(again && again->kind == journal->kind && again->number == journal->number &&
             again->inode == journal->inode);
  return 0;
}
