// Defer: a cleanup that runs when its scope ends, however it ends.
//
// A class written for one cleanup hides a line of code in a dozen of boilerplate, and a cleanup repeated before each
// return is forgotten before one of them. Defer keeps the cleanup next to the line that made it necessary. Inside a
// coroutine it runs on every path as well: return, failure and cancellation.
#pragma once

#include <utility>

namespace peer::runtime {

/// Runs `fn` when it is destroyed. Fails: an exception from `fn` ends the program.
template <class F>
class [[nodiscard]] Defer {
 public:
  explicit Defer(F fn) : fn_(std::move(fn)) {}
  Defer(const Defer&) = delete;
  Defer& operator=(const Defer&) = delete;
  ~Defer() { fn_(); }

 private:
  F fn_;
};

}  // namespace peer::runtime
