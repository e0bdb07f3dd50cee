// The sink libpeer reports through: it never logs by itself.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace peer {

enum class LogLevel { trace, debug, info, warn, error };

/// Where a layer's reports go. The sink is called on any thread and must be thread-safe; an empty one drops the line.
/// `component` is a short fixed word ("quic", "transfer", ...).
using LogSink = std::function<void(LogLevel level, std::string_view component, const std::string& line)>;

/// A sink with a component bound to it; cheap to copy.
class Log {
 public:
  Log() = default;
  Log(LogSink sink, std::string component) : sink_(std::move(sink)), component_(std::move(component)) {}

  /// The same sink for another component.
  Log named(std::string component) const { return Log(sink_, std::move(component)); }

  void trace(const std::string& line) const { write(LogLevel::trace, line); }
  void debug(const std::string& line) const { write(LogLevel::debug, line); }
  void info(const std::string& line) const { write(LogLevel::info, line); }
  void warn(const std::string& line) const { write(LogLevel::warn, line); }
  void error(const std::string& line) const { write(LogLevel::error, line); }

 private:
  void write(LogLevel level, const std::string& line) const {
    if (sink_) sink_(level, component_, line);
  }
  LogSink sink_;
  std::string component_;
};

}  // namespace peer
