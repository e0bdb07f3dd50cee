// FakeWatcher: reports the changes that a test makes up, and records which directories the library asked to watch.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "libpeer/library/watcher.h"
#include "libpeer/runtime/event.h"

namespace peer::test {

class FakeWatcher final : public library::Watcher {
 public:
  using WatchSubject = library::WatchSubject;

  std::unique_ptr<library::WatchWalk> walk(const WatchSubject& subject) override {
    ++walks;
    return std::make_unique<FakeWalk>(*this, subject);
  }
  void forget(const WatchSubject& subject) override { watched.erase(subject); }
  runtime::Task<void> run(std::function<void(const WatchSubject&)> changed, runtime::CancellationToken token) override {
    struct Stop {
      FakeWatcher& self;
      ~Stop() { self.changed_ = nullptr; }
    };
    const Stop stop{*this};
    changed_ = std::move(changed);
    runtime::Event never;
    co_await never.wait(token);
  }

  bool running() const { return changed_ != nullptr; }
  void report(const std::string& root, const std::string& game) const { changed_({root, game}); }

  std::map<WatchSubject, std::set<std::string>> watched;
  std::size_t walks = 0;
  std::function<bool(const std::string& path)> refuse = [](const std::string&) { return false; };

 private:
  class FakeWalk final : public library::WatchWalk {
   public:
    FakeWalk(FakeWatcher& watcher, WatchSubject subject) : watcher_(watcher), subject_(std::move(subject)) {}
    bool enter(const std::string& path) override {
      if (watcher_.refuse(path)) return false;
      entered_.insert(path);
      watcher_.watched[subject_].insert(path);
      return true;
    }
    void complete() override { watcher_.watched[subject_] = entered_; }

   private:
    FakeWatcher& watcher_;
    const WatchSubject subject_;
    std::set<std::string> entered_;
  };

  std::function<void(const WatchSubject&)> changed_;
};

}  // namespace peer::test
