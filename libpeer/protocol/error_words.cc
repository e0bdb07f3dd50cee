#include "libpeer/protocol/error_words.h"

namespace peer::protocol {

std::string_view error_word(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::not_found: return "no_such_game";
    case ErrorCode::unavailable: return "no_peer_has_it";
    case ErrorCode::source_lost: return "peers_gone";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::refused: return "refused";
    case ErrorCode::no_space: return "no_space";
    case ErrorCode::disk_error: return "disk_error";
    case ErrorCode::unreachable: return "unreachable";
    case ErrorCode::busy: return "busy";
    case ErrorCode::invalid: return "invalid";
    case ErrorCode::internal: return "internal";
  }
  return "internal";
}

}  // namespace peer::protocol
