#include "logging.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cstdlib>
#include <memory>

#include "protocol/path.h"

namespace peer::daemon {
namespace {

/// Whether stderr is the journal's stream, as systemd.exec(5) says to find out.
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

/// sd-daemon(3)'s prefix.
const char* journal_prefix(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
    case LogLevel::debug: return "<7>";
    case LogLevel::info: return "<6>";
    case LogLevel::warn: return "<4>";
    case LogLevel::error: return "<3>";
  }
  return "<3>";
}

}  // namespace

LogSink make_log_sink(LogLevel least) {
  auto logger = std::make_shared<spdlog::logger>("peerd", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(to_spdlog(least));
  const bool journal = writes_to_journal();
  logger->set_pattern(journal ? "%v" : "%Y-%m-%d %H:%M:%S.%e %^%-5l%$ %v");
  return [logger, journal](LogLevel level, std::string_view component, const std::string& line) {
    if (!logger->should_log(to_spdlog(level))) return;
    // Names that peers chose stand in lines.
    logger->log(to_spdlog(level), "{}{}: {}", journal ? journal_prefix(level) : "", component,
                protocol::printable(line));
  };
}

}  // namespace peer::daemon
