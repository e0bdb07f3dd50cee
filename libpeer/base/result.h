// Errors that a peer, a user or a disk can cause are values: Result<T>.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace peer {

/// The error words of the control socket (data.code), and `internal` for what should not happen.
enum class ErrorCode {
  no_such_game,
  no_peer_has_it,
  peers_gone,
  cancelled,
  refused,
  no_space,
  disk_error,
  unreachable,
  busy,
  invalid,
  internal,
};

/// The word a person or a script sees: "no_such_game", ...
std::string_view to_string(ErrorCode code) noexcept;

/// What went wrong: a code for programs, and a sentence for people that names the thing and, where it can, what to do.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  int system = 0;  ///< errno behind a disk_error or unreachable; 0 where there is none
};

template <class T = void>
using Result = std::expected<T, Error>;

/// `return fail(ErrorCode::invalid, "...")` from a function that returns any Result.
inline std::unexpected<Error> fail(ErrorCode code, std::string message, int system = 0) {
  return std::unexpected<Error>(Error{code, std::move(message), system});
}

/// A failed system call on `what`: no_space for ENOSPC and EDQUOT, otherwise disk_error, with strerror's words.
std::unexpected<Error> fail_errno(int error_number, std::string_view what);

}  // namespace peer
