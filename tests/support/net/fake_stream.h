// FakeServerStream: a request and its response, for handlers, without a network.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/base/check.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/event.h"

namespace peer::test {

/// Records what is written. A test can make it wait, fail, or keep the bytes as if they were not acknowledged.
class FakeBodyWriter final : public net::BodyWriter {
 public:
  runtime::Task<Result<void>> write(net::SharedBytes bytes, runtime::CancellationToken token) override {
    if (!open_.is_set()) co_await open_.wait(token);
    if (broken_) co_return fail(ErrorCode::unreachable, "the stream was reset");
    content_.append(bytes->begin(), bytes->end());
    ++writes_;
    if (hold_) held_.push_back(std::move(bytes));
    co_return Result<void>();
  }
  void finish() override { finished_ = true; }

  FakeBodyWriter() { open_.set(); }
  void block() { open_.reset(); }
  void unblock() { open_.set(); }
  void break_off() { broken_ = true; }
  void hold() { hold_ = true; }
  void acknowledge() { held_.clear(); }

  const std::string& content() const noexcept { return content_; }
  std::size_t writes() const noexcept { return writes_; }
  bool finished() const noexcept { return finished_; }

 private:
  runtime::Event open_;
  bool broken_ = false;
  bool hold_ = false;
  bool finished_ = false;
  std::size_t writes_ = 0;
  std::string content_;
  std::vector<net::SharedBytes> held_;
};

class FakeServerStream final : public net::ServerStream {
 public:
  FakeServerStream(net::RequestHead head, std::optional<PeerId> peer) : head_(std::move(head)), peer_(peer) {}
  /// A stream of the connection with this number, from this host.
  FakeServerStream(net::RequestHead head, std::optional<PeerId> peer, net::SocketAddress host, std::uint8_t connection)
      : head_(std::move(head)), peer_(peer), host_(host) {
    binding_.bytes[0] = connection;
  }

  const net::RequestHead& request() const override { return head_; }
  const std::optional<PeerId>& peer() const override { return peer_; }
  net::SocketAddress remote_address() const override { return host_; }
  const net::ChannelBinding& channel_binding() const override { return binding_; }
  bool admitted() const override { return admitted_; }
  void admit() override { admitted_ = true; }
  void grow_window() override { window_grown_ = true; }
  net::BodyReader& reader() override { check_failed("a request without a body", __FILE__, __LINE__); }
  Result<void> respond(const net::ResponseHead& head, bool has_body) override {
    PEER_CHECK(!response_);
    response_ = head;
    has_body_ = has_body;
    return {};
  }
  FakeBodyWriter& writer() override { return writer_; }
  void reset() override { reset_ = true; }
  bool was_reset() const noexcept { return reset_; }

  bool window_grown() const noexcept { return window_grown_; }
  /// Nothing if the handler returned without a response, which resets the stream.
  const std::optional<net::ResponseHead>& response() const noexcept { return response_; }
  bool has_body() const noexcept { return has_body_; }
  /// Whether the response is complete, and as long as its head says.
  bool complete() const {
    if (!response_) return false;
    if (!has_body_) return writer_.writes() == 0;
    return writer_.finished() && response_->content_length == writer_.content().size();
  }
  std::string field(std::string_view name) const {
    for (const net::Field& field : response_->fields) {
      if (field.name == name) return field.value;
    }
    return {};
  }

 private:
  net::RequestHead head_;
  std::optional<PeerId> peer_;
  net::SocketAddress host_;
  std::optional<net::ResponseHead> response_;
  net::ChannelBinding binding_;
  bool admitted_ = false;
  bool window_grown_ = false;
  bool has_body_ = false;
  bool reset_ = false;
  FakeBodyWriter writer_;
};

}  // namespace peer::test
