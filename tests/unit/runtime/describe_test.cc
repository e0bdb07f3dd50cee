#include <catch2/catch_test_macros.hpp>
#include <stdexcept>

#include "libpeer/runtime/scope.h"

using peer::runtime::describe;

TEST_CASE("A failure is described by its message, whatever was thrown") {
  CHECK(describe(std::make_exception_ptr(std::runtime_error("the disk is gone"))) == "the disk is gone");
  CHECK(describe(std::make_exception_ptr(7)) == "unknown exception");
  CHECK(describe(nullptr) == "ended");
}
