// The words for error codes in HTTP answers and on the control socket. They are part of both formats.
#pragma once

#include <string_view>

#include "libpeer/base/result.h"

namespace peer::protocol {

std::string_view error_word(ErrorCode code) noexcept;

}  // namespace peer::protocol
