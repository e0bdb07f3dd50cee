// The sink libpeer reports through: it never logs by itself.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace peer {

enum class LogLevel { trace, debug, info, warn, error };

/// What a line is about, besides saying it: a log that keeps fields can be searched by them.
struct LogField {
  std::string_view name;  ///< "GAME", "PEER" or "SERVICE"
  std::string value;
};
using LogFields = std::vector<LogField>;

/// Where a layer's reports go. The sink is called on any thread and must be thread-safe; an empty one drops the line.
/// `component` is a short fixed word ("quic", "transfer", ...).
using LogSink =
    std::function<void(LogLevel level, std::string_view component, const std::string& line, const LogFields& fields)>;

/// A sink with a component, and what its lines are about, bound to it; cheap to copy.
class Log {
 public:
  Log() = default;
  Log(LogSink sink, std::string component) : sink_(std::move(sink)), component_(std::move(component)) {}

  /// The same sink for another component.
  Log named(std::string component) const { return Log(sink_, std::move(component)); }
  /// The same log for lines about a game, a peer (by its whole id) or a service.
  Log game(std::string id) const { return with("GAME", std::move(id)); }
  Log peer(std::string id) const { return with("PEER", std::move(id)); }
  Log service(std::string name) const { return with("SERVICE", std::move(name)); }

  void trace(const std::string& line) const { write(LogLevel::trace, line); }
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
