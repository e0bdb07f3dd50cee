#include "libpeer/transfer/send_buffers.h"

#include <utility>

namespace peer::transfer {

namespace {
constexpr std::size_t kMaxSpare = 16;
}

struct SendBuffers::State {
  explicit State(std::uint64_t limit) : budget(limit) {}
  runtime::Semaphore budget;                     // bytes
  std::vector<std::vector<std::uint8_t>> spare;  // of kBatchBytes: neither zeroed nor paged in again
};

struct SendBuffers::Buffer {
  Buffer(std::shared_ptr<State> s, runtime::SemaphoreUnits bytes) : state(std::move(s)), charged(std::move(bytes)) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (content.size() == kBatchBytes && state->spare.size() < kMaxSpare) state->spare.push_back(std::move(content));
  }
  std::shared_ptr<State> state;
  runtime::SemaphoreUnits charged;
  std::vector<std::uint8_t> content;
};

SendBuffers::SendBuffers(std::uint64_t limit) : state_(std::make_shared<State>(limit)) {
  state_->spare.reserve(kMaxSpare);
}

runtime::Task<std::shared_ptr<std::vector<std::uint8_t>>> SendBuffers::take(std::size_t bytes,
                                                                            runtime::CancellationToken token) {
  const std::shared_ptr<State> state = state_;
  runtime::SemaphoreUnits charged = co_await state->budget.acquire(bytes, token);
  auto buffer = std::make_shared<Buffer>(state, std::move(charged));
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
