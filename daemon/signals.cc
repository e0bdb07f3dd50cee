#include "daemon/signals.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "libpeer/base/check.h"

namespace peer::daemon {
namespace {

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

std::int64_t steady_ms() { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::milliseconds(1); }

}  // namespace

void block_signals() {
  const sigset_t set = handled();
  PEER_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  std::signal(SIGPIPE, SIG_IGN);
}

SignalThread::SignalThread(Log log, std::function<void()> flush_log)
    : log_(std::move(log)), flush_log_(std::move(flush_log)) {
  const sigset_t set = handled();
  signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  PEER_CHECK(signals_ >= 0 && wake_ >= 0);
}

void SignalThread::start(Callbacks callbacks) {
  PEER_CHECK(!thread_.joinable());
  callbacks_ = std::move(callbacks);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "signals");
}

SignalThread::~SignalThread() {
  ending_ = true;
  eventfd_write(wake_, 1);
  if (thread_.joinable()) thread_.join();
  close(signals_);
  close(wake_);
}

void SignalThread::begin_deadline(std::chrono::milliseconds limit) noexcept {
  std::int64_t none = 0;
  if (deadline_.compare_exchange_strong(none, steady_ms() + limit.count())) eventfd_write(wake_, 1);
}

int SignalThread::timeout() const noexcept {
  const std::int64_t deadline = deadline_;
  return deadline == 0 ? -1 : static_cast<int>(std::clamp<std::int64_t>(deadline - steady_ms(), 0, 1 << 30));
}

void SignalThread::run() {
  while (!ending_) {
    pollfd descriptors[2] = {{signals_, POLLIN, 0}, {wake_, POLLIN, 0}};
    poll(descriptors, 2, timeout());
    eventfd_t ignored;
    eventfd_read(wake_, &ignored);
    if (deadline_ != 0 && timeout() == 0 && !ending_) {
      log_.error("shutdown deadline passed: the program exits now");
      flush_log_();
      _exit(exit_code_);
    }
    signalfd_siginfo info;
    while (read(signals_, &info, sizeof info) == sizeof info) {
      const int number = static_cast<int>(info.ssi_signo);
      if (number == SIGHUP) {
        callbacks_.reload();
        continue;
      }
      if (++stops_ == 3) {
        flush_log_();
        _exit(128 + number);
      }
      callbacks_.stop(number == SIGTERM ? "SIGTERM" : "SIGINT");
    }
  }
}

}  // namespace peer::daemon
