// Errors that a peer, a user or a disk can cause are values: Result<T>.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace peer {

/// The kind of an error, for programs. protocol/error_words.h gives each the word that peers and scripts see.
enum class ErrorCode {
  not_found,    ///< the named thing does not exist here
  unavailable,  ///< nothing that could supply it is reachable
  source_lost,  ///< everything that supplied it became unreachable before the end
  cancelled,
  refused,
  no_space,
  disk_error,
  unreachable,
  busy,
  invalid,
  internal,  ///< a bug
};

/// A code for programs, and a sentence for people that says what failed, on what, why and, if possible, what to do.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  int system = 0;  ///< the errno of the system call that failed; 0: none
};

template <class T = void>
using Result = std::expected<T, Error>;

/// `return fail(ErrorCode::invalid, "...")` from a function that returns any Result.
inline std::unexpected<Error> fail(ErrorCode code, std::string message, int system = 0) {
  return std::unexpected<Error>(Error{code, std::move(message), system});
}

/// The error of a system call on `what`: no_space for ENOSPC and EDQUOT, otherwise disk_error; the message ends with
/// the errno's description.
std::unexpected<Error> fail_errno(int error_number, std::string_view what);

}  // namespace peer
