#include "libpeer/downloads/stored_options.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace peer::downloads {

namespace {
constexpr std::chrono::seconds kLongestWait = std::chrono::years(1);
}

std::string format_options(const DownloadEntry& entry, runtime::TimePoint now) {
  std::string text;
  if (entry.request.version_prefix) text += "version=" + *entry.request.version_prefix + " ";
  if (entry.request.automatic) text += "auto=1 ";
  for (const PeerId& peer : entry.request.from) text += "from=" + peer.hex() + " ";
  if (entry.wait.brought()) {
    text += "wait=" + std::to_string(std::chrono::ceil<std::chrono::seconds>(entry.wait.left(now)).count()) + " ";
  }
  if (const std::uint64_t bytes = entry.reused(); bytes > 0) text += "reused=" + std::to_string(bytes) + " ";
  return text;
}

void parse_options(std::string_view text, DownloadEntry& entry, runtime::TimePoint now) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const std::size_t equals = word.find('=');
    if (equals == word.npos) continue;
    const std::string_view value = word.substr(equals + 1);
    if (word.starts_with("version=")) {
      entry.request.version_prefix = std::string(value);
    } else if (word == "auto=1") {
      entry.request.automatic = true;
    } else if (word.starts_with("from=")) {
      if (const auto peer = PeerId::from_hex(value)) entry.request.from.insert(*peer);
    } else if (word.starts_with("wait=")) {
      std::int64_t seconds = 0;
      std::from_chars(value.data(), value.data() + value.size(), seconds);
      entry.wait.bring(std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kLongestWait.count())), now);
    } else if (word.starts_with("reused=")) {
      std::from_chars(value.data(), value.data() + value.size(), entry.figures.progress.bytes_reused);
    }
  }
}

}  // namespace peer::downloads
