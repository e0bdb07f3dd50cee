// FailingStore: passes calls to another store, and fails its writes on demand.
#pragma once

#include "libpeer/store/store.h"

namespace peer::test {

class FailingStore final : public store::Store {
 public:
  /// `inner` must outlive this.
  explicit FailingStore(store::Store& inner) : inner_(inner) {}

  bool failing = false;  ///< writes fail

  Result<std::vector<store::CachedFile>> load_game(std::string_view root, std::string_view game) override {
    return inner_.load_game(root, game);
  }
  Result<void> save_files(std::string_view root, std::string_view game,
                          const std::vector<store::CachedFile>& files) override {
    return write([&] { return inner_.save_files(root, game, files); });
  }
  Result<void> prune_game(std::string_view root, std::string_view game, const std::vector<std::string>& keep) override {
    return write([&] { return inner_.prune_game(root, game, keep); });
  }
  Result<void> forget_game(std::string_view root, std::string_view game) override {
    return write([&] { return inner_.forget_game(root, game); });
  }
  Result<std::vector<store::StoredDownload>> downloads() override { return inner_.downloads(); }
  Result<void> put_download(const store::StoredDownload& download) override {
    return write([&] { return inner_.put_download(download); });
  }
  Result<void> remove_download(std::string_view game) override {
    return write([&] { return inner_.remove_download(game); });
  }
  Result<std::vector<store::StoredBan>> bans() override { return inner_.bans(); }
  Result<void> put_ban(const store::StoredBan& ban) override {
    return write([&] { return inner_.put_ban(ban); });
  }
  Result<void> remove_ban(const PeerId& peer) override {
    return write([&] { return inner_.remove_ban(peer); });
  }
  Result<std::vector<store::StoredPairing>> pairings() override { return inner_.pairings(); }
  Result<void> put_pairing(const store::StoredPairing& pairing) override {
    return write([&] { return inner_.put_pairing(pairing); });
  }
  Result<void> remove_pairing(const PeerId& peer) override {
    return write([&] { return inner_.remove_pairing(peer); });
  }

 private:
  template <class F>
  Result<void> write(F work) {
    if (failing) return fail(ErrorCode::disk_error, "the store fails on request");
    return work();
  }

  store::Store& inner_;
};

}  // namespace peer::test
