// Defer: a cleanup that runs when its scope ends, however it ends.
//
// A class for each cleanup buries the one line that matters in ten, and a cleanup that is repeated before every return
// is easily forgotten at one of them. Defer keeps the cleanup next to the line that makes it necessary. In a coroutine,
// too, it runs on every path: return, failure and cancellation.
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
