#include "libpeer/runtime/uv_poll.h"

#include "libpeer/base/check.h"
#include "libpeer/runtime/defer.h"

namespace peer::runtime {

struct UvPoll::Handle {
  uv_poll_t uv{};
  Event readable;
};

UvPoll::UvPoll(UvExecutor& executor, int fd) : handle_(new Handle) {
  PEER_CHECK(uv_poll_init(executor.loop(), &handle_->uv, fd) == 0);
  handle_->uv.data = handle_;
}

UvPoll::~UvPoll() {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->uv),
           [](uv_handle_t* closed) { delete static_cast<Handle*>(closed->data); });
}

Task<void> UvPoll::readable(CancellationToken token) {
  token.throw_if_requested();
  const auto on_readable = [](uv_poll_t* poll, int, int) noexcept {
    static_cast<void>(uv_poll_stop(poll));
    static_cast<Handle*>(poll->data)->readable.set();
  };
  const Defer stop([this] { static_cast<void>(uv_poll_stop(&handle_->uv)); });
  handle_->readable.reset();
  PEER_CHECK(uv_poll_start(&handle_->uv, UV_READABLE, on_readable) == 0);
  co_await handle_->readable.wait(token);
}

}  // namespace peer::runtime
