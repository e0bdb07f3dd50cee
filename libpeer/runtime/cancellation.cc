#include "libpeer/runtime/cancellation.h"

#include <utility>

namespace peer::runtime {

namespace detail {
// The hooks form a ring through `ring`, in order of registration.
struct CancelState {
  bool requested = false;
  HookNode ring{&ring, &ring};

  void append(HookNode& node) noexcept {
    node.previous = ring.previous;
    node.next = &ring;
    ring.previous->next = &node;
    ring.previous = &node;
  }
  static void unlink(HookNode& node) noexcept {
    node.previous->next = node.next;
    node.next->previous = node.previous;
  }
};
}  // namespace detail

bool CancellationToken::requested() const noexcept { return state_ && state_->requested; }

CancelHook::CancelHook(const CancellationToken& token, Function fn) : fn_(std::move(fn)) {
  if (!token.state_) return;
  if (token.state_->requested) {
    Function run = std::move(fn_);
    run();
    return;
  }
  state_ = token.state_;
  state_->append(*this);
}

CancelHook::~CancelHook() {
  if (state_) detail::CancelState::unlink(*this);
}

CancellationSource::CancellationSource(const CancellationToken& parent)
    : token_([] {
        CancellationToken token;
        token.state_ = std::make_shared<detail::CancelState>();
        return token;
      }()),
      parent_(parent, [this] { request(); }) {}

void CancellationSource::request() noexcept {
  const std::shared_ptr<detail::CancelState> state = token_.state_;  // valid even if a hook destroys this source
  if (std::exchange(state->requested, true)) return;
  while (state->ring.next != &state->ring) {
    auto& hook = static_cast<CancelHook&>(*state->ring.next);
    detail::CancelState::unlink(hook);
    hook.state_.reset();
    CancelHook::Function fn = std::move(hook.fn_);  // the call may destroy the hook
    fn();
  }
}

}  // namespace peer::runtime
