// Cancellation: a tree of sources. A request reaches every source below, and none above.
//
// 1. A token is a copyable view of a source. A default-constructed one is never requested.
// 2. A request cannot be undone; requesting again does nothing.
// 3. A hook runs at most once: inside request(), or inside its constructor if the token was requested before.
// Loop: one. Between loops, a request is a posted message (see call_on.h).
#pragma once

#include <exception>
#include <functional>
#include <memory>

namespace peer::runtime {

/// Thrown by this layer's awaitables when their token is requested. It counts as cancellation only if the catcher's own
/// token was requested; otherwise it is a failure.
struct Cancelled final : std::exception {
  const char* what() const noexcept override { return "cancelled"; }
};

namespace detail {
struct HookNode {
  HookNode* previous = nullptr;
  HookNode* next = nullptr;
};
struct CancelState;
}  // namespace detail

class CancellationToken {
 public:
  CancellationToken() = default;
  bool requested() const noexcept;
  /// Fails: throws Cancelled.
  void throw_if_requested() const {
    if (requested()) throw Cancelled{};
  }

 private:
  friend class CancellationSource;
  friend class CancelHook;
  std::shared_ptr<detail::CancelState> state_;
};

/// Runs `fn` when the token is requested, unless the hook has been destroyed before. `fn` may set flags, wake
/// coroutines, post, and destroy this hook; it must not throw.
class [[nodiscard]] CancelHook : private detail::HookNode {
 public:
  using Function = std::move_only_function<void()>;
  CancelHook(const CancellationToken& token, Function fn);
  CancelHook(const CancelHook&) = delete;
  CancelHook& operator=(const CancelHook&) = delete;
  ~CancelHook();

 private:
  friend class CancellationSource;
  friend struct detail::CancelState;
  std::shared_ptr<detail::CancelState> state_;  // null once the hook has run, or if the token has no source
  Function fn_;
};

class CancellationSource {
 public:
  explicit CancellationSource(const CancellationToken& parent);
  /// A root source.
  CancellationSource() : CancellationSource(CancellationToken{}) {}
  CancellationSource(const CancellationSource&) = delete;
  CancellationSource& operator=(const CancellationSource&) = delete;

  void request() noexcept;
  CancellationToken token() const noexcept { return token_; }

 private:
  CancellationToken token_;
  CancelHook parent_;
};

}  // namespace peer::runtime
