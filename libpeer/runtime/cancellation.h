// Cancellation flows down a tree of sources: requesting one requests all below it, never one above.
//
// 1. A token is a view: copyable, and never requested when default-constructed.
// 2. A request is for ever; requesting again does nothing.
// 3. A hook runs at most once, inside request() or, if that came first, inside the hook's constructor.
// Loop: one. Across loops a request is a posted message (see call_on.h).
#pragma once

#include <exception>
#include <functional>
#include <memory>

namespace peer::runtime {

/// "My token was requested." Thrown only by this layer's awaitables; counts as cancellation only where the catcher's
/// own token was requested, and is a failure anywhere else.
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

/// Runs `fn` when the token is requested; destroying the hook first unhooks it. `fn` may set flags, wake coroutines,
/// post and destroy this hook; it must not throw.
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
  std::shared_ptr<detail::CancelState> state_;  // null once fired or when there is nothing to wait for
  Function fn_;
};

class CancellationSource {
 public:
  explicit CancellationSource(const CancellationToken& parent);
  /// A root: nothing above it.
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
