#include "libpeer/base/result.h"

#include <cerrno>
#include <system_error>

namespace peer {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::no_such_game: return "no_such_game";
    case ErrorCode::no_peer_has_it: return "no_peer_has_it";
    case ErrorCode::peers_gone: return "peers_gone";
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

std::unexpected<Error> fail_errno(int error_number, std::string_view what) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(error_number);
  return fail(full ? ErrorCode::no_space : ErrorCode::disk_error, std::move(message), error_number);
}

}  // namespace peer
