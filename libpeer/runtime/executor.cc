#include "libpeer/runtime/executor.h"

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace peer::runtime::detail {

void call(Executor::Function& fn, const char* kind) noexcept {
  try {
    fn();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fatal: a %s function threw: %s\n", kind, error.what());
    std::abort();
  } catch (...) {
    std::fprintf(stderr, "fatal: a %s function threw an unknown exception\n", kind);
    std::abort();
  }
}

}  // namespace peer::runtime::detail
