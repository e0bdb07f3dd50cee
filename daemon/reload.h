// SIGHUP: reads the configuration again and applies what can change while the daemon runs.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "daemon/daemon.h"
#include "libpeer/api/peer.h"
#include "libpeer/control/hooks.h"

namespace peer::daemon {

/// The programs to run for events.
control::HookSettings hook_settings(const Config& config);

/// Loop: any thread.
class Reloader {
 public:
  using ApplyHooks = std::function<void(control::HookSettings)>;
  /// Receives the outcome as one line, once, on any thread.
  using Done = std::function<void(const std::string& outcome)>;

  /// `options` must outlive it. `apply_hooks` is called on the thread of reload().
  Reloader(const DaemonOptions& options, api::CommandSender sender, ApplyHooks apply_hooks);

  /// Applies the changed keys, and logs which ones it applied and which ones need a restart. An invalid configuration
  /// changes nothing. Does nothing after close(). Blocks.
  void reload(const Done& done);
  /// Waits for a reload that is running.
  void close();

 private:
  void apply(const Done& done);

  const DaemonOptions& options_;
  const api::CommandSender sender_;
  const ApplyHooks apply_hooks_;
  std::mutex mutex_;
  Config current_;  ///< as last applied
  bool closed_ = false;
};

}  // namespace peer::daemon
