#include "libpeer/transfer/send_buffers.h"

#include <utility>

namespace peer::transfer {

namespace {
constexpr std::size_t kMaxSpare = 16;
}

struct SendBuffers::BufferPool {
  explicit BufferPool(std::uint64_t limit) : budget(limit) {}
  runtime::Semaphore budget;                     // bytes
  std::vector<std::vector<std::uint8_t>> spare;  // of kBatchBytes, for reuse without zeroing and page faults
};

struct SendBuffers::SendBuffer {
  SendBuffer(std::shared_ptr<BufferPool> s, runtime::SemaphoreUnits bytes)
      : pool(std::move(s)), charged(std::move(bytes)) {}
  SendBuffer(const SendBuffer&) = delete;
  SendBuffer& operator=(const SendBuffer&) = delete;
  ~SendBuffer() {
    if (content.size() == kBatchBytes && pool->spare.size() < kMaxSpare) pool->spare.push_back(std::move(content));
  }
  std::shared_ptr<BufferPool> pool;
  runtime::SemaphoreUnits charged;
  std::vector<std::uint8_t> content;
};

SendBuffers::SendBuffers(std::uint64_t limit) : pool_(std::make_shared<BufferPool>(limit)) {
  pool_->spare.reserve(kMaxSpare);
}

runtime::Task<std::shared_ptr<std::vector<std::uint8_t>>> SendBuffers::acquire(std::size_t bytes,
                                                                               runtime::CancellationToken token) {
  const std::shared_ptr<BufferPool> pool = pool_;
  runtime::SemaphoreUnits charged = co_await pool->budget.acquire(bytes, token);
  auto buffer = std::make_shared<SendBuffer>(pool, std::move(charged));
  if (bytes == kBatchBytes && !pool->spare.empty()) {
    buffer->content = std::move(pool->spare.back());
    pool->spare.pop_back();
  } else {
    buffer->content.resize(bytes);
  }
  std::vector<std::uint8_t>* content = &buffer->content;
  co_return std::shared_ptr<std::vector<std::uint8_t>>(std::move(buffer), content);
}

std::uint64_t SendBuffers::used() const noexcept { return pool_->budget.used(); }

}  // namespace peer::transfer
