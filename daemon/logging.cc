#include "daemon/logging.h"

#include <poll.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/details/os.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/base/log_queue.h"
#include "libpeer/protocol/path.h"

namespace peer::daemon {
namespace {

/// Whether stderr is the journal's stream, by the method of systemd.exec(5).
bool writes_to_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || fstat(2, &info) != 0) return false;
  return fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::trace: return spdlog::level::trace;
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warn: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

/// The priority of syslog(3).
char journal_priority(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
    case LogLevel::debug: return '7';
    case LogLevel::info: return '6';
    case LogLevel::warn: return '4';
    case LogLevel::error: return '3';
  }
  return '3';
}

/// Sends one entry with the fields that journalctl can search for. Returns false if the journal does not accept it.
bool send_to_journal(LogLevel level, std::string_view component, const std::string& line, const LogFields& fields) {
  std::vector<std::string> entry;
  entry.reserve(fields.size() + 4);
  entry.push_back(fmt::format("MESSAGE={}: {}", component, line));
  entry.push_back(std::string("PRIORITY=") + journal_priority(level));
  entry.emplace_back("SYSLOG_IDENTIFIER=peerd");
  entry.push_back(fmt::format("COMPONENT={}", component));
  for (const LogField& field : fields) entry.push_back(fmt::format("{}={}", field.name, field.value));
  std::vector<iovec> parts;
  parts.reserve(entry.size());
  for (std::string& text : entry) parts.push_back({text.data(), text.size()});
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

const char* color_of(LogLevel level) {
  switch (level) {
    case LogLevel::trace: return "\033[37m";
    case LogLevel::debug: return "\033[36m";
    case LogLevel::info: return "\033[32m";
    case LogLevel::warn: return "\033[33m\033[1m";
    case LogLevel::error: return "\033[31m\033[1m";
  }
  return "";
}

/// Writes to stderr without the lock of its FILE, which a blocked write would keep from the end of the program.
void write_stderr(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      pollfd writable{STDERR_FILENO, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

/// Writes lines to the journal, or to stderr with time and level.
class LogWriter {
 public:
  void write(const LogLine& line) {
    // Lines contain names that other peers chose.
    const std::string plain = protocol::printable(line.text);
    if (journal_ && send_to_journal(line.level, line.component, plain, line.fields)) return;
    // In its stream, the journal reads the priority from the prefix of sd-daemon(3).
    const std::string prefix = journal_ ? fmt::format("<{}>", journal_priority(line.level)) : "";
    const std::string text = fmt::format("{}{}: {}", prefix, line.component, plain);
    const spdlog::details::log_msg message(line.time, {}, "peerd", to_spdlog(line.level), text);
    spdlog::memory_buf_t buffer;
    formatter_.format(message, buffer);
    std::string formatted = fmt::to_string(buffer);
    if (colors_ && message.color_range_end > message.color_range_start) {
      formatted.insert(message.color_range_end, "\033[m");
      formatted.insert(message.color_range_start, color_of(line.level));
    }
    write_stderr(formatted);
  }

 private:
  const bool journal_ = writes_to_journal();
  const bool colors_ = spdlog::details::os::in_terminal(stderr) && spdlog::details::os::is_color_terminal();
  spdlog::pattern_formatter formatter_{journal_ ? "%v" : "%Y-%m-%d %H:%M:%S.%e %^%-5l%$ %v"};
};

}  // namespace

ProgramLog start_log(LogLevel least) {
  auto write = [writer = std::make_shared<LogWriter>()](const LogLine& line) { writer->write(line); };
  auto queue = std::make_shared<LogQueue>(std::move(write));
  ProgramLog log;
  log.sink = [queue, least](LogLevel level, std::string_view component, const std::string& line,
                            const LogFields& fields) {
    if (level < least) return;
    queue->push({level, std::string(component), line, fields, std::chrono::system_clock::now()});
  };
  log.flush = [queue] { queue->flush(kLogFlushTime); };
  return log;
}

}  // namespace peer::daemon
