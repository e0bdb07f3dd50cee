#include "libpeer/runtime/scope.h"

#include <algorithm>
#include <utility>

namespace peer::runtime {

std::string describe(const std::exception_ptr& error) {
  if (!error) return "ended";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "unknown exception";
  }
}

struct Scope::JoinWait {
  Scope& scope;
  bool await_ready() const noexcept { return scope.running_.empty(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> waiter) noexcept {
    PEER_CHECK(scope.joiner_ == nullptr);
    scope.joiner_ = &waiter.promise();
  }
  void await_resume() const noexcept {}
};

Scope::Scope(Executor& executor, std::string name, const CancellationToken& parent)
    : executor_(executor), parent_(nullptr), root_(*this), name_(std::move(name)), source_(parent) {}

Scope::Scope(Scope& parent, std::string name) : Scope(parent, std::move(name), parent.token()) {}

Scope::Scope(Scope& parent, std::string name, const CancellationToken& token)
    : executor_(parent.executor_), parent_(&parent), root_(parent.root_), name_(std::move(name)), source_(token) {
  parent_->below_.push_back(this);
}

Scope::~Scope() {
  PEER_CHECK(running_.empty() && below_.empty());
  PEER_CHECK(failures_.empty());  // join() throws them
  if (parent_ != nullptr) std::erase(parent_->below_, this);
}

detail::Root Scope::drive(std::list<std::string>::iterator self, Task<void> task) {
  std::exception_ptr error;
  try {
    co_await task;
  } catch (const Cancelled&) {
    if (!token().requested()) error = std::make_exception_ptr(std::logic_error(*self + ": stray cancellation"));
  } catch (...) {
    error = std::current_exception();
  }
  if (error) fail(std::move(error));
  running_.erase(self);
  --root_.alive_;
  if (running_.empty() && joiner_ != nullptr) std::exchange(joiner_, nullptr)->wake();
}

void Scope::fail(std::exception_ptr error) {
  failures_.push_back(std::move(error));
  source_.request();
}

void Scope::spawn(std::string name, Task<void> task) {
  PEER_CHECK(!joined_);
  const auto self = running_.insert(running_.end(), std::move(name));
  ++root_.alive_;
  drive(self, std::move(task)).start(executor_);
}

Task<void> Scope::join() {
  while (!running_.empty()) {
    JoinWait wait{*this};
    co_await wait;
  }
  joined_ = true;
  const std::vector<std::exception_ptr> failures = std::exchange(failures_, {});
  if (failures.size() == 1) std::rethrow_exception(failures.front());
  if (failures.size() > 1) {
    std::string all;
    for (const std::exception_ptr& failure : failures) {
      if (!all.empty()) all += "; ";
      all += describe(failure);
    }
    throw ScopeFailed(all);
  }
}

std::size_t Scope::size() const noexcept {
  std::size_t count = running_.size();
  for (const Scope* scope : below_) count += scope->size();
  return count;
}

void Scope::visit(const std::function<void(const std::string&, const std::string&)>& fn) const {
  for (const std::string& task : running_) fn(task, name_);
  for (const Scope* scope : below_) scope->visit(fn);
}

}  // namespace peer::runtime
