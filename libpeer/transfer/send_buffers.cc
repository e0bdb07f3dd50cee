#include "libpeer/transfer/send_buffers.h"

#include <algorithm>
#include <map>
#include <utility>

namespace peer::transfer {

namespace {
constexpr std::size_t kMaxSpare = 16;
constexpr runtime::Duration kSoon = std::chrono::milliseconds(250);  // buffers sent faster than this become larger
constexpr runtime::Duration kLate = std::chrono::seconds(1);         // and those sent slower become smaller
constexpr runtime::Duration kStallCheck = std::chrono::milliseconds(500);
}  // namespace

struct SendBuffers::BufferPool {
  explicit BufferPool(runtime::Executor& e) : executor(e) {}
  runtime::Executor& executor;
  std::vector<std::vector<std::uint8_t>> spare;  // of kBatchBytes, for reuse without zeroing and page faults
  std::map<const FairBudget::Account*, std::weak_ptr<SendPace>> paces;
};

/// How fast a connection sends: the size of its next buffers.
struct SendBuffers::SendPace {
  SendPace(std::shared_ptr<BufferPool> p, std::shared_ptr<FairBudget::Account> a)
      : pool(std::move(p)), account(std::move(a)) {}
  SendPace(const SendPace&) = delete;
  SendPace& operator=(const SendPace&) = delete;
  ~SendPace() { pool->paces.erase(account.get()); }
  void adapt(runtime::Duration took) {
    if (took < kSoon) batch = std::min(2 * batch, kBatchBytes);
    if (took > kLate) batch = std::max(batch / 2, protocol::kFirstSendBytes);
  }
  std::shared_ptr<BufferPool> pool;
  std::shared_ptr<FairBudget::Account> account;
  std::size_t batch = protocol::kFirstSendBytes;
};

class SendBuffers::ResponseFlow {
 public:
  explicit ResponseFlow(std::shared_ptr<SendPace> p) : pace(std::move(p)), progressed(pace->pool->executor.now()) {}

  void acquired(std::size_t bytes) {
    if (outstanding == 0) progressed = pace->pool->executor.now();
    outstanding += bytes;
  }
  void acknowledged(std::size_t bytes, runtime::TimePoint since) {
    progressed = pace->pool->executor.now();
    outstanding -= bytes;
    any_acknowledged = true;
    pace->adapt(progressed - since);
    changed.set();
  }
  /// A response that has acknowledged nothing yet holds one buffer.
  bool full() const { return any_acknowledged ? outstanding >= net::kMaxUnackedPerStream : outstanding > 0; }

  std::shared_ptr<SendPace> pace;
  std::uint64_t outstanding = 0;  // bytes in buffers
  bool any_acknowledged = false;
  runtime::TimePoint progressed;
  runtime::Event changed;
};

struct SendBuffers::SendBuffer {
  SendBuffer(std::shared_ptr<ResponseFlow> f, FairBudget::FairUnits units)
      : flow(std::move(f)), charged(std::move(units)), since(pool().executor.now()) {
    const auto bytes = static_cast<std::size_t>(charged.count());
    flow->acquired(bytes);
    if (bytes == kBatchBytes && !pool().spare.empty()) {
      content = std::move(pool().spare.back());
      pool().spare.pop_back();
    } else {
      content.resize(bytes);
    }
  }
  SendBuffer(const SendBuffer&) = delete;
  SendBuffer& operator=(const SendBuffer&) = delete;
  ~SendBuffer() {
    flow->acknowledged(content.size(), since);
    if (content.size() == kBatchBytes && pool().spare.size() < kMaxSpare) pool().spare.push_back(std::move(content));
  }
  BufferPool& pool() const { return *flow->pace->pool; }

  std::shared_ptr<ResponseFlow> flow;
  FairBudget::FairUnits charged;
  runtime::TimePoint since;
  std::vector<std::uint8_t> content;
};

SendBuffers::SendBuffers(runtime::Executor& executor, std::uint64_t limit)
    : executor_(executor), budget_(limit, kBatchBytes), pool_(std::make_shared<BufferPool>(executor)) {
  pool_->spare.reserve(kMaxSpare);
}

std::shared_ptr<SendBuffers::ResponseFlow> SendBuffers::begin(const net::ServerStream& stream) {
  std::shared_ptr<FairBudget::Account> account = budget_.account_of(stream);
  std::weak_ptr<SendPace>& slot = pool_->paces[account.get()];
  std::shared_ptr<SendPace> pace = slot.lock();
  if (!pace) slot = pace = std::make_shared<SendPace>(pool_, std::move(account));
  return std::make_shared<ResponseFlow>(std::move(pace));
}

std::size_t SendBuffers::batch(const ResponseFlow& flow) { return flow.pace->batch; }

runtime::Task<bool> SendBuffers::wait_for_progress(ResponseFlow& flow, runtime::CancellationToken token) {
  flow.changed.reset();
  if (co_await flow.changed.wait_for(executor_, kStallCheck, token)) co_return true;
  const bool stalled = flow.outstanding > 0 && executor_.now() - flow.progressed >= protocol::kSendProgressDeadline;
  co_return !stalled || !(budget_.contended() || others_wait_());
}

runtime::Task<SendBuffers::Buffer> SendBuffers::acquire(std::shared_ptr<ResponseFlow> flow, std::size_t least,
                                                        std::size_t most, runtime::CancellationToken token) {
  token.throw_if_requested();
  const std::shared_ptr<FairBudget::Account> account = flow->pace->account;
  FairBudget::FairUnits units;
  while (units.count() == 0) {
    if (!flow->full()) units = budget_.try_acquire(account, least, most);
    if (units.count() != 0) break;
    // A response that holds memory waits for its own acknowledgements and leaves what is free to those that hold none.
    if (flow->outstanding == 0) {
      units = co_await budget_.acquire(account, least, most, token);
    } else if (!co_await wait_for_progress(*flow, token)) {
      co_return nullptr;
    }
  }
  auto buffer = std::make_shared<SendBuffer>(std::move(flow), std::move(units));
  std::vector<std::uint8_t>* content = &buffer->content;
  co_return Buffer(std::move(buffer), content);
}

runtime::Task<bool> SendBuffers::drain(std::shared_ptr<ResponseFlow> flow, runtime::CancellationToken token) {
  while (flow->outstanding > 0) {
    if (!co_await wait_for_progress(*flow, token)) co_return false;
  }
  co_return true;
}

std::uint64_t SendBuffers::used() const noexcept { return budget_.used(); }

}  // namespace peer::transfer
