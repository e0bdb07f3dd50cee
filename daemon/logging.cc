#include "daemon/logging.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

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

}  // namespace

LogSink make_log_sink(LogLevel least) {
  auto logger = std::make_shared<spdlog::logger>("peerd", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(to_spdlog(least));
  const bool journal = writes_to_journal();
  logger->set_pattern(journal ? "%v" : "%Y-%m-%d %H:%M:%S.%e %^%-5l%$ %v");
  return
      [logger, journal](LogLevel level, std::string_view component, const std::string& line, const LogFields& fields) {
        if (!logger->should_log(to_spdlog(level))) return;
        // Lines contain names that other peers chose.
        const std::string plain = protocol::printable(line);
        if (journal && send_to_journal(level, component, plain, fields)) return;
        // In its stream, the journal reads the priority from the prefix of sd-daemon(3).
        const std::string prefix = journal ? fmt::format("<{}>", journal_priority(level)) : "";
        logger->log(to_spdlog(level), "{}{}: {}", prefix, component, plain);
      };
}

}  // namespace peer::daemon
