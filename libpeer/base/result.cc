#include "libpeer/base/result.h"

#include <cerrno>
#include <system_error>

namespace peer {

std::unexpected<Error> fail_errno(int error_number, std::string_view what) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(error_number);
  return fail(full ? ErrorCode::no_space : ErrorCode::disk_error, std::move(message), error_number);
}

}  // namespace peer
