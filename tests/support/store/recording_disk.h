// RecordingDisk: passes calls to another disk and records the start and the end of every write to a file.
//
// The function given to set_during() runs between the start and the end of a write. It may run the rest of the
// simulation, so that the simulation continues, as real loops do while a worker blocks in write(2).
// Loop: the simulation's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/store/disk.h"

namespace peer::test {

class RecordingDisk final : public store::Disk {
 public:
  struct Write {
    std::string path;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    bool ended = false;
  };

  /// `inner` must outlive this.
  explicit RecordingDisk(store::Disk& inner) : inner_(inner) {}

  Result<std::unique_ptr<store::Directory>> open(const std::string& path, bool create, bool private_mode) override;

  /// `during` may start further writes.
  void set_during(std::function<void(std::size_t write)> during) { during_ = std::move(during); }
  /// In the order of their start.
  const std::vector<Write>& writes() const noexcept { return writes_; }

  Result<void> record(const std::string& path, std::span<const std::uint8_t> from, std::uint64_t offset,
                      store::File& inner);

 private:
  store::Disk& inner_;
  std::function<void(std::size_t)> during_;
  std::vector<Write> writes_;
};

}  // namespace peer::test
