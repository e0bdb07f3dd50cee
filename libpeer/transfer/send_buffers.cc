#include "libpeer/transfer/send_buffers.h"

#include <utility>

namespace peer::transfer {

namespace {
constexpr std::size_t kMaxSpare = 16;
}

struct SendBuffers::State {
  explicit State(std::uint64_t limit) : budget(limit) {}
  ByteBudget budget;
  std::vector<std::vector<std::uint8_t>> spare;  // of kBatchBytes: neither zeroed nor paged in again
};

struct SendBuffers::Buffer {
  Buffer(std::shared_ptr<State> s, std::size_t bytes) : state(std::move(s)), charged(bytes) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (content.size() == kBatchBytes && state->spare.size() < kMaxSpare) state->spare.push_back(std::move(content));
    state->budget.release(charged);
  }
  std::shared_ptr<State> state;
  std::size_t charged;
  std::vector<std::uint8_t> content;
};

SendBuffers::SendBuffers(std::uint64_t limit) : state_(std::make_shared<State>(limit)) {
  state_->spare.reserve(kMaxSpare);
}

runtime::Task<std::shared_ptr<std::vector<std::uint8_t>>> SendBuffers::take(std::size_t bytes,
                                                                            runtime::CancellationToken token) {
  const std::shared_ptr<State> state = state_;
  co_await state->budget.acquire(bytes, token);
  auto buffer = std::make_shared<Buffer>(state, bytes);
  if (bytes == kBatchBytes && !state->spare.empty()) {
    buffer->content = std::move(state->spare.back());
    state->spare.pop_back();
  } else {
    buffer->content.resize(bytes);
  }
  std::vector<std::uint8_t>* content = &buffer->content;
  co_return std::shared_ptr<std::vector<std::uint8_t>>(std::move(buffer), content);
}

std::uint64_t SendBuffers::used() const noexcept { return state_->budget.used(); }

}  // namespace peer::transfer
