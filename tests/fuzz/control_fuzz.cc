// Any bytes on the control socket, in pieces, become lines, and any line becomes calls or errors.
#include <string>
#include <string_view>

#include "libpeer/base/check.h"
#include "libpeer/control/line_splitter.h"
#include "libpeer/control/rpc.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  peer::control::LineSplitter splitter(peer::control::kMaxLineBytes);
  const std::size_t step = text.empty() ? 1 : 1 + static_cast<std::uint8_t>(text.front());
  while (!text.empty() || splitter.next(true)) {
    splitter.append(text.substr(0, step));
    text.remove_prefix(std::min(step, text.size()));
    while (const auto line = splitter.next(false)) {
      PEER_CHECK(line->size() <= peer::control::kMaxLineBytes);
      const auto parsed = peer::control::parse_line(*line);
      PEER_CHECK(parsed.calls.size() <= peer::control::kMaxBatch);
      for (const auto& call : parsed.calls) {
        const auto answer = call.error ? peer::control::RpcResult(std::unexpected(*call.error)) : call.params;
        PEER_CHECK(peer::control::to_line(peer::control::make_answer(call.id, answer)).ends_with('\n'));
      }
    }
    if (splitter.too_long()) break;
  }
  return 0;
}
