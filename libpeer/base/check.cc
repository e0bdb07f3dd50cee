#include "libpeer/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace peer {

void check_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "peerd: internal error: %s does not hold at %s:%d; please report this\n", expression, file,
               line);
  std::abort();
}

}  // namespace peer
