// Log: the sink that libpeer reports to. libpeer itself writes no log.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace peer {

enum class LogLevel { trace, debug, info, warn, error };

/// The subject of a line, as a field that a log can be searched by.
struct LogField {
  std::string_view name;  ///< "GAME", "PEER" or "SERVICE"
  std::string value;
};
using LogFields = std::vector<LogField>;

/// Receives the lines of every layer. It must be thread-safe; an empty sink drops the line. `component` is a short
/// fixed word ("quic", "transfer", ...). Loop: any thread.
using LogSink =
    std::function<void(LogLevel level, std::string_view component, const std::string& line, const LogFields& fields)>;

/// A sink bound to a component and to the fields of its lines. Cheap to copy.
class Log {
 public:
  Log() = default;
  Log(LogSink sink, std::string component) : sink_(std::move(sink)), component_(std::move(component)) {}

  /// The same sink for another component.
  Log named(std::string component) const { return Log(sink_, std::move(component)); }
  /// The same log for lines about a game, a peer (its full id) or a service.
  Log game(std::string id) const { return with("GAME", std::move(id)); }
  Log peer(std::string id) const { return with("PEER", std::move(id)); }
  Log service(std::string name) const { return with("SERVICE", std::move(name)); }

  void debug(const std::string& line) const { write(LogLevel::debug, line); }
  void info(const std::string& line) const { write(LogLevel::info, line); }
  void warn(const std::string& line) const { write(LogLevel::warn, line); }
  void error(const std::string& line) const { write(LogLevel::error, line); }

 private:
  void write(LogLevel level, const std::string& line) const {
    if (sink_) sink_(level, component_, line, fields_);
  }
  Log with(std::string_view name, std::string value) const {
    Log log = *this;
    log.fields_.push_back({name, std::move(value)});
    return log;
  }
  LogSink sink_;
  std::string component_;
  LogFields fields_;
};

}  // namespace peer
