// GameVerifier: compares installed games with their versions, and repairs them.
//
// A damaged game is withdrawn from the offer and shown as damaged until a download has replaced it. Loop: control.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/downloads/downloads.h"
#include "libpeer/library/library.h"
#include "libpeer/node/event_emitter.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/staging/verifier.h"

namespace peer::node {

class GameVerifier {
 public:
  /// Everything must outlive it. `on_damage_changed` is called when a game becomes damaged or is repaired.
  GameVerifier(runtime::Executor& executor, store::Disk& disk, runtime::Workers& workers, library::Library& library,
               downloads::Downloads& downloads, EventEmitter& events, std::function<void()> on_damage_changed, Log log);

  /// Fails: not_found; busy if the game is not hashed yet or is being verified; cancelled if the command was
  /// abandoned; what the repair fails with.
  runtime::Task<Result<api::Verdict>> verify(api::VerifyGame command, runtime::CancellationToken token);

  /// The game as users see it: with the damage that verify() found.
  std::shared_ptr<const library::LocalGame> with_damage(std::shared_ptr<const library::LocalGame> local) const;
  /// Null if the game is not being compared.
  const api::VerifyProgress* comparing(const std::string& game) const;
  /// A download replaced the game, or it was removed.
  void forget(const std::string& game) { damaged_.erase(game); }
  /// Emits no further events; the node is stopping.
  void mute_events() noexcept { muted_ = true; }

 private:
  struct Damage {
    Digest version;  ///< the version that is supposed to be installed
    std::shared_ptr<const protocol::ManifestDocument> document;
    std::vector<std::string> paths;
  };
  Result<Damage> expected(const library::LocalGame& local) const;
  static std::vector<std::string> unexplained(const library::LocalGame& local, const Damage& damage,
                                              const std::vector<std::string>& paths);
  runtime::Task<Result<api::Verdict>> verify_game(const library::LocalGame& local, Damage damage,
                                                  api::VerifyGame command, runtime::CancellationToken token);
  runtime::Task<Result<void>> compare(staging::Verifier& verifier, api::VerifyGame command, Digest version,
                                      runtime::CancellationToken token);
  runtime::Task<Result<void>> compare_files(staging::Verifier& verifier, std::string game, Digest version,
                                            std::uint64_t rate, runtime::CancellationToken token);
  void report_damage(const library::LocalGame& local, Damage damage, const std::vector<std::string>& damaged);
  runtime::Task<Result<void>> repair(std::string game, Digest version, runtime::CancellationToken token);
  void emit_progress(const std::string& game, const Digest& version);

  runtime::Executor& executor_;
  store::Disk& disk_;
  runtime::Workers& workers_;
  library::Library& library_;
  downloads::Downloads& downloads_;
  EventEmitter& events_;
  std::function<void()> on_damage_changed_;
  Log log_;
  std::map<std::string, Damage> damaged_;                   ///< by game
  std::map<std::string, api::VerifyProgress> in_progress_;  ///< by game
  bool muted_ = false;
};

}  // namespace peer::node
