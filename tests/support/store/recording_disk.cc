#include "support/store/recording_disk.h"

#include <utility>

#include "libpeer/base/check.h"

namespace peer::test {

using store::Directory;
using store::DirectoryEntry;
using store::DirectoryId;
using store::File;
using store::FileInfo;
using store::OpenMode;
using store::RenameMode;
using store::Space;

namespace {

class RecordingFile final : public File {
 public:
  RecordingFile(RecordingDisk& disk, std::string path, std::unique_ptr<File> inner)
      : disk_(disk), path_(std::move(path)), inner_(std::move(inner)) {}

  Result<std::size_t> read_at(std::span<std::uint8_t> into, std::uint64_t offset) override {
    return inner_->read_at(into, offset);
  }
  Result<void> write_at(std::span<const std::uint8_t> from, std::uint64_t offset) override {
    return disk_.record(path_, from, offset, *inner_);
  }
  Result<FileInfo> info() override { return inner_->info(); }
  Result<void> allocate(std::uint64_t size) override { return inner_->allocate(size); }
  Result<void> truncate(std::uint64_t size) override { return inner_->truncate(size); }
  Result<void> set_mtime(std::int64_t nanoseconds) override { return inner_->set_mtime(nanoseconds); }
  Result<void> set_executable(bool executable) override { return inner_->set_executable(executable); }
  Result<void> sync() override { return inner_->sync(); }

 private:
  RecordingDisk& disk_;
  const std::string path_;
  const std::unique_ptr<File> inner_;
};

class RecordingDirectory final : public Directory {
 public:
  RecordingDirectory(RecordingDisk& disk, std::unique_ptr<Directory> inner) : disk_(disk), inner_(std::move(inner)) {}

  const std::string& path() const override { return inner_->path(); }
  Result<std::vector<DirectoryId>> ancestry() override { return inner_->ancestry(); }
  Result<std::vector<DirectoryEntry>> list() override { return inner_->list(); }
  Result<FileInfo> info(std::string_view name) override { return inner_->info(name); }
  Result<std::unique_ptr<Directory>> open_directory(std::string_view name, bool follow) override {
    auto opened = inner_->open_directory(name, follow);
    if (!opened) return opened;
    return std::make_unique<RecordingDirectory>(disk_, std::move(*opened));
  }
  Result<store::FollowedLink> follow_link(std::string_view name) override {
    auto followed = inner_->follow_link(name);
    if (followed) followed->directory = std::make_unique<RecordingDirectory>(disk_, std::move(followed->directory));
    return followed;
  }
  Result<void> may_remove_entries() override { return inner_->may_remove_entries(); }
  Result<void> make_directory(std::string_view name) override { return inner_->make_directory(name); }
  Result<std::unique_ptr<File>> open_file(std::string_view name, OpenMode mode) override {
    auto opened = inner_->open_file(name, mode);
    if (!opened) return opened;
    return std::make_unique<RecordingFile>(disk_, path() + "/" + std::string(name), std::move(*opened));
  }
  Result<std::string> read_link(std::string_view name) override { return inner_->read_link(name); }
  Result<void> make_symlink(std::string_view name, std::string_view target) override {
    return inner_->make_symlink(name, target);
  }
  Result<void> rename(std::string_view from, Directory& to_directory, std::string_view to, RenameMode mode) override {
    auto* const recording = dynamic_cast<RecordingDirectory*>(&to_directory);
    PEER_CHECK(recording != nullptr);
    return inner_->rename(from, *recording->inner_, to, mode);
  }
  Result<void> remove_file(std::string_view name) override { return inner_->remove_file(name); }
  Result<void> remove_directory(std::string_view name) override { return inner_->remove_directory(name); }
  Result<void> sync() override { return inner_->sync(); }
  Result<void> sync_file_system() override { return inner_->sync_file_system(); }
  Result<Space> space() override { return inner_->space(); }

 private:
  RecordingDisk& disk_;
  const std::unique_ptr<Directory> inner_;
};

}  // namespace

Result<std::unique_ptr<Directory>> RecordingDisk::open(const std::string& path, bool create, bool private_mode) {
  auto opened = inner_.open(path, create, private_mode);
  if (!opened) return opened;
  return std::make_unique<RecordingDirectory>(*this, std::move(*opened));
}

Result<void> RecordingDisk::record(const std::string& path, std::span<const std::uint8_t> from, std::uint64_t offset,
                                   File& inner) {
  const std::size_t number = writes_.size();
  writes_.push_back({path, offset, from.size()});
  if (during_) during_(number);
  Result<void> done = inner.write_at(from, offset);
  writes_[number].ended = true;
  return done;
}

}  // namespace peer::test
