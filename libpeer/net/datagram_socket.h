// DatagramSocket: one UDP port that sends and receives in bursts. The daemon's socket uses libuv; tests use a simulated
// one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "libpeer/base/result.h"
#include "libpeer/net/address.h"
#include "libpeer/runtime/task.h"

namespace peer::net {

/// The ECN bits of an IP header.
enum class Ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

enum class SendStatus {
  sent,         ///< accepted by the kernel, or lost: an error that concerns one destination counts as loss
  would_block,  ///< try again with exactly these bytes after on_writable()
  too_big,      ///< EMSGSIZE: larger than the path or the interface allows; counts as a lost probe
};

/// The only user of the socket. Loop: the socket's. The data is valid only during the call.
class DatagramReceiver {
 public:
  virtual ~DatagramReceiver() = default;
  /// One datagram; super-packets are already split. `local` is the address that it was sent to, with the socket's port.
  virtual void on_datagram(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                           std::span<const std::uint8_t> data) = 0;
  /// All datagrams of this turn were delivered. Send the replies now.
  virtual void on_burst_end() = 0;
  /// The socket accepts data again after would_block.
  virtual void on_writable() = 0;
  /// The socket has failed permanently. Errors of a single destination are not reported.
  virtual void on_socket_error(const Error& error) = 0;
};

struct SocketStats {
  std::uint64_t datagrams_in = 0, datagrams_out = 0, bytes_in = 0, bytes_out = 0;
  std::uint64_t dropped_by_kernel = 0;                ///< SO_RXQ_OVFL
  std::uint32_t receive_buffer = 0, send_buffer = 0;  ///< bytes that the kernel granted
  bool gso = false, gro = false;
};

class DatagramSocket {
 public:
  /// close() must have returned, if start() was called.
  virtual ~DatagramSocket() = default;
  /// The bound address, with the actual port.
  virtual SocketAddress local_address() const = 0;
  /// Starts receiving: at most `kDatagramsPerTurn` datagrams a loop turn, counting empty ones.
  virtual void start(DatagramReceiver& receiver) = 0;
  /// Sends `data` as datagrams of `segment` bytes each; the last one may be shorter. `local` chooses the source
  /// address; if it is unspecified, the kernel does. Limits: max_segments() datagrams and kMaxSend bytes.
  virtual SendStatus send(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                          std::span<const std::uint8_t> data, std::size_t segment) = 0;
  /// How many datagrams one send() may carry: 1 without GSO.
  virtual std::size_t max_segments() const = 0;
  virtual SocketStats stats() const = 0;
  /// Stops receiving and releases the port. Returns after the last callback. Later calls of send() do nothing. Call it
  /// once. Cancel: not cancellable.
  virtual runtime::Task<void> close() = 0;
};

inline constexpr std::size_t kDatagramsPerTurn = 256;
inline constexpr std::size_t kMaxSend = 65000;  ///< bytes of one send()

}  // namespace peer::net
