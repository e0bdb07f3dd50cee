#include "libpeer/control/hook_process.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "libpeer/base/check.h"
#include "libpeer/runtime/sleep.h"

namespace peer::control {
namespace {

/// Returns a file in memory with the text, or -1. Unlike a pipe, it never makes the daemon wait for the program.
int memory_file(const std::string& text) {
  const int fd = memfd_create("event", MFD_CLOEXEC);
  if (fd < 0) return -1;
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(fd, text.data() + written, text.size() - written);
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  if (written == text.size() && lseek(fd, 0, SEEK_SET) == 0) return fd;
  close(fd);
  return -1;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));  // uv_spawn only reads them
  list.push_back(nullptr);
  return list;
}

}  // namespace

HookProcess::~HookProcess() { PEER_CHECK(!open_); }

Result<void> HookProcess::start(const HookRun& run) {
  const int input = memory_file(run.input);
  if (input < 0)
    return fail(ErrorCode::disk_error, "cannot pass the event to " + run.command.front() + ": no memory", errno);
  std::array<uv_stdio_container_t, 3> stdio{};
  for (uv_stdio_container_t& each : stdio) {
    each.flags = UV_INHERIT_FD;
    each.data.fd = STDERR_FILENO;
  }
  stdio[0].data.fd = input;
  std::vector<char*> arguments = pointers(run.command);
  std::vector<char*> environment = pointers(run.environment);
  uv_process_options_t options{};
  options.file = run.command.front().c_str();
  options.args = arguments.data();
  options.env = environment.data();
  options.cwd = "/";
  options.flags = UV_PROCESS_DETACHED;  // a process group of its own, to be signalled as a whole
  options.stdio = stdio.data();
  options.stdio_count = static_cast<int>(stdio.size());
  options.exit_cb = [](uv_process_t* process, std::int64_t code, int signal) {
    auto* self = static_cast<HookProcess*>(process->data);
    self->code_ = code;
    self->signal_ = signal;
    self->ended_.set();
  };
  process_.data = this;
  const int status = uv_spawn(loop_, &process_, &options);
  ::close(input);
  open_ = true;  // the handle must be closed even if uv_spawn failed
  if (status == 0) return {};
  ended_.set();
  return fail(ErrorCode::disk_error, "cannot run " + run.command.front() + ": " + uv_strerror(status), -status);
}

std::string HookProcess::failure() const {
  if (signal_ != 0) return "killed by signal " + std::to_string(signal_);
  return code_ == 0 ? "" : "exit code " + std::to_string(code_);
}

void HookProcess::send_signal(int number) const noexcept {
  if (process_.pid > 0) ::kill(-process_.pid, number);
}

runtime::Task<HookEnd> HookProcess::wait_or_terminate(runtime::Executor& executor, std::chrono::milliseconds timeout,
                                                      std::chrono::milliseconds term_grace,
                                                      runtime::CancellationToken token) {
  HookEnd end = HookEnd::timed_out;
  try {
    const auto exit = [this](runtime::CancellationToken limited) { return ended(std::move(limited)); };
    co_await runtime::with_timeout(executor, timeout, exit, token);
  } catch (const runtime::Cancelled&) {
    end = HookEnd::cancelled;
  }
  if (has_ended()) co_return HookEnd::exited;
  co_await terminate(executor, term_grace);
  co_return end;
}

runtime::Task<void> HookProcess::terminate(runtime::Executor& executor, std::chrono::milliseconds term_grace) {
  const auto exit = [this](runtime::CancellationToken limited) { return ended(std::move(limited)); };
  for (const int number : {SIGTERM, SIGKILL}) {
    send_signal(number);
    const bool in_time = co_await runtime::with_timeout(executor, term_grace, exit, runtime::CancellationToken{});
    if (in_time) co_return;
  }
}

runtime::Task<void> HookProcess::close() {
  if (!open_) co_return;
  uv_close(reinterpret_cast<uv_handle_t*>(&process_),
           [](uv_handle_t* handle) { static_cast<HookProcess*>(handle->data)->closed_.set(); });
  co_await closed_.wait(runtime::CancellationToken{});
  open_ = false;
}

}  // namespace peer::control
