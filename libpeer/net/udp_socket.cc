#include "libpeer/net/udp_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "libpeer/base/check.h"
#include "libpeer/net/udp_descriptor.h"
#include "libpeer/net/udp_message.h"
#include "libpeer/runtime/event.h"

namespace peer::net {

namespace {

constexpr std::size_t kMaxSegments = 64;       // Linux's UDP_MAX_SEGMENTS, for sending and for receiving
constexpr std::size_t kBufferSize = 64 << 10;  // a super-packet; a smaller buffer would silently truncate it
constexpr std::size_t kBuffers = 8;

/// Whether the error concerns one datagram or a temporary condition, not the socket itself.
bool is_transient(int error) {
  switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENOBUFS:
    case ENOMEM:
    case EPERM:
    case EACCES:
    case EMSGSIZE: return true;
    default: return false;
  }
}

/// The buffers of one recvmmsg() call.
struct ReceiveBuffers {
  std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(kBuffers * kBufferSize);
  std::array<mmsghdr, kBuffers> messages{};
  std::array<iovec, kBuffers> parts{};
  std::array<sockaddr_storage, kBuffers> names{};
  struct alignas(cmsghdr) ControlBuffer {
    std::uint8_t bytes[kIncomingControl];
  };
  std::array<ControlBuffer, kBuffers> controls{};

  void prepare(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      parts[i] = iovec{bytes.data() + i * kBufferSize, kBufferSize};
      msghdr& header = messages[i].msg_hdr;
      header.msg_name = &names[i];
      header.msg_namelen = sizeof names[i];
      header.msg_iov = &parts[i];
      header.msg_iovlen = 1;
      header.msg_control = controls[i].bytes;
      header.msg_controllen = kIncomingControl;
      header.msg_flags = 0;
    }
  }
};

class UdpSocket final : public DatagramSocket {
 public:
  UdpSocket(uv_loop_t* loop, const UdpDescriptor& descriptor) : loop_(loop), udp_(descriptor) {
    stats_.receive_buffer = udp_.receive_buffer;
    stats_.send_buffer = udp_.send_buffer;
  }
  ~UdpSocket() override;

  SocketAddress local_address() const override { return udp_.local; }
  void start(DatagramReceiver& receiver) override;
  SendStatus send(const SocketAddress& local, const SocketAddress& remote, Ecn ecn, std::span<const std::uint8_t> data,
                  std::size_t segment) override;
  std::size_t max_segments() const override { return udp_.gso ? kMaxSegments : 1; }
  SocketStats stats() const override;
  runtime::Task<void> close() override;

 private:
  static void on_poll(uv_poll_t* poll, int status, int events);
  void poll();
  void survive_poll_error(int status);
  void receive();
  std::size_t deliver(msghdr& header, std::size_t size);
  int send_split(OutgoingMessage& message, std::span<const std::uint8_t> data, std::size_t segment);
  int send_all(OutgoingMessage& message, std::span<const std::uint8_t> data, std::size_t segment);
  void broken(int error, const char* what);

  uv_loop_t* loop_;
  UdpDescriptor udp_;
  uv_poll_t poll_{};
  DatagramReceiver* receiver_ = nullptr;
  runtime::Event poll_closed_;
  ReceiveBuffers inbox_;
  bool want_writable_ = false;
  bool closing_ = false;
  bool broken_ = false;
  SocketStats stats_;
  std::uint32_t dropped_seen_ = 0;
};

UdpSocket::~UdpSocket() {
  PEER_CHECK(receiver_ == nullptr || (closing_ && poll_closed_.is_set()));
  if (udp_.fd >= 0) ::close(udp_.fd);
}

void UdpSocket::start(DatagramReceiver& receiver) {
  PEER_CHECK(receiver_ == nullptr && !closing_);
  receiver_ = &receiver;
  PEER_CHECK(uv_poll_init(loop_, &poll_, udp_.fd) == 0);
  poll_.data = this;
  poll();
}

void UdpSocket::poll() {
  const int events = UV_READABLE | (want_writable_ ? UV_WRITABLE : 0);
  PEER_CHECK(uv_poll_start(&poll_, events, &UdpSocket::on_poll) == 0);
}

void UdpSocket::on_poll(uv_poll_t* poll, int status, int events) {
  auto& self = *static_cast<UdpSocket*>(poll->data);
  if (status < 0) {
    self.survive_poll_error(status);
    return;
  }
  if ((events & UV_WRITABLE) != 0 && self.want_writable_) {
    self.want_writable_ = false;
    self.poll();
    self.receiver_->on_writable();
  }
  if ((events & UV_READABLE) != 0 && !self.closing_) self.receive();
}

/// On any pending socket error, even a temporary one, libuv stops polling and reports EBADF.
void UdpSocket::survive_poll_error(int status) {
  int error = 0;
  socklen_t length = sizeof error;
  const bool asked = getsockopt(udp_.fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0;
  if (asked && is_transient(error)) {
    poll();
  } else {
    broken(error != 0 ? error : -status, "waiting for datagrams");
  }
}

void UdpSocket::broken(int error, const char* what) {
  broken_ = true;
  uv_poll_stop(&poll_);
  Error report;
  report.code = ErrorCode::internal;
  report.system = error;
  report.message = "the UDP socket at " + udp_.local.to_string() + " failed while " + what + ": " +
                   std::generic_category().message(error);
  receiver_->on_socket_error(report);
}

void UdpSocket::receive() {
  std::size_t budget = kDatagramsPerTurn;
  bool any = false;
  // Every message may be a super-packet, so receive only as many messages as fit the budget.
  while (budget >= kMaxSegments && !closing_ && !broken_) {
    const std::size_t wanted = udp_.gro ? std::min(kBuffers, budget / kMaxSegments) : kBuffers;
    inbox_.prepare(wanted);
    const int count = recvmmsg(udp_.fd, inbox_.messages.data(), static_cast<unsigned>(wanted), MSG_DONTWAIT, nullptr);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && !is_transient(errno)) broken(errno, "receiving");
      break;
    }
    for (int i = 0; i < count && !closing_; ++i) {
      mmsghdr& message = inbox_.messages[static_cast<std::size_t>(i)];
      const std::size_t given = deliver(message.msg_hdr, message.msg_len);
      any = any || given > 0;
      budget -= std::min(budget, std::max<std::size_t>(given, 1));
    }
    if (static_cast<std::size_t>(count) < wanted) break;
  }
  if (any && !closing_) receiver_->on_burst_end();
}

/// Delivers the datagrams of one message. Returns their number.
std::size_t UdpSocket::deliver(msghdr& header, std::size_t size) {
  const IncomingMessage message = parse_message(header, udp_.local.port());
  if (message.dropped) {
    stats_.dropped_by_kernel += *message.dropped - dropped_seen_;
    dropped_seen_ = *message.dropped;
  }
  if ((header.msg_flags & MSG_TRUNC) != 0) return 0;
  std::span<const std::uint8_t> data(static_cast<const std::uint8_t*>(header.msg_iov->iov_base), size);
  const std::size_t segment = message.segment > 0 ? message.segment : std::max<std::size_t>(size, 1);
  std::size_t given = 0;
  do {
    const auto one = data.first(std::min(segment, data.size()));
    data = data.subspan(one.size());
    ++given;
    ++stats_.datagrams_in;
    stats_.bytes_in += one.size();
    receiver_->on_datagram(message.local, message.remote, message.ecn, one);
  } while (!data.empty() && !closing_);
  return given;
}

SendStatus UdpSocket::send(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                           std::span<const std::uint8_t> data, std::size_t segment) {
  PEER_CHECK(segment > 0 && data.size() <= kMaxSend && data.size() <= segment * kMaxSegments);
  if (closing_ || broken_) return SendStatus::sent;
  OutgoingMessage message(udp_.family, local, remote, ecn);
  if (!message.possible()) return SendStatus::sent;
  const int error = send_all(message, data, segment);
  if (error == EAGAIN) {
    if (!want_writable_ && receiver_ != nullptr) {
      want_writable_ = true;
      poll();
    }
    return SendStatus::would_block;
  }
  if (error == EMSGSIZE) return SendStatus::too_big;
  if (error == 0) {
    stats_.datagrams_out += std::max<std::size_t>((data.size() + segment - 1) / segment, 1);
    stats_.bytes_out += data.size();
  }
  return SendStatus::sent;
}

/// Returns 0, or the errno of the datagram that could not be sent.
int UdpSocket::send_all(OutgoingMessage& message, std::span<const std::uint8_t> data, std::size_t segment) {
  if (data.size() <= segment) return message.send(udp_.fd, data, 0);
  if (!udp_.gso) return send_split(message, data, segment);
  const int error = message.send(udp_.fd, data, segment);
  if (error != EIO && error != EINVAL) return error;
  // A driver without checksum offload causes EIO. Older kernels return EINVAL, but also for a segment above the MTU and
  // for a source address that was removed. GSO is the cause only if the same datagrams can be sent one by one.
  const int split_error = send_split(message, data, segment);
  if (split_error == 0) udp_.gso = false;
  return split_error;
}

int UdpSocket::send_split(OutgoingMessage& message, std::span<const std::uint8_t> data, std::size_t segment) {
  while (!data.empty()) {
    const auto one = data.first(std::min(segment, data.size()));
    // After EAGAIN in the middle, the caller sends all of them again. QUIC ignores duplicates.
    if (const int error = message.send(udp_.fd, one, 0); error != 0) return error;
    data = data.subspan(one.size());
  }
  return 0;
}

SocketStats UdpSocket::stats() const {
  SocketStats result = stats_;
  result.gso = udp_.gso;
  result.gro = udp_.gro;
  return result;
}

runtime::Task<void> UdpSocket::close() {
  PEER_CHECK(!closing_);
  closing_ = true;
  if (receiver_ != nullptr) {
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_),
             [](uv_handle_t* handle) { static_cast<UdpSocket*>(handle->data)->poll_closed_.set(); });
    co_await poll_closed_.wait(runtime::CancellationToken{});
  }
  ::close(udp_.fd);
  udp_.fd = -1;
}

}  // namespace

Result<std::unique_ptr<DatagramSocket>> bind_udp(uv_loop_t* loop, const SocketAddress& address, const Log& log,
                                                 const UdpOptions& options) {
  auto descriptor = open_udp(address, log, options);
  if (!descriptor) return std::unexpected(descriptor.error());
  return std::make_unique<UdpSocket>(loop, *descriptor);
}

}  // namespace peer::net
