// DatagramSocket: one UDP port, sending and receiving in bursts. Real over libuv, simulated in tests.
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

/// Of an IP header's two bits.
enum class Ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

enum class SendStatus {
  sent,         ///< taken by the kernel (or lost on purpose: UDP errors that concern one destination count as loss)
  would_block,  ///< keep exactly these bytes and try again after on_writable
  too_big,      ///< EMSGSIZE: larger than the path or interface allows; counts as a lost probe
};

/// Implemented by the socket's one user. Loop: the socket's. Data is valid during the call only.
class DatagramReceiver {
 public:
  virtual ~DatagramReceiver() = default;
  /// One datagram (super-packets are already split). `local` has the address it came to; the port is the socket's.
  virtual void on_datagram(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                           std::span<const std::uint8_t> data) = 0;
  /// All datagrams of one turn have been given: time to send what they caused.
  virtual void on_burst_end() = 0;
  /// The socket takes data again after would_block.
  virtual void on_writable() = 0;
  /// The socket is broken for good (never for a single destination's error).
  virtual void on_socket_error(const Error& error) = 0;
};

class DatagramSocket {
 public:
  struct Stats {
    std::uint64_t datagrams_in = 0, datagrams_out = 0, bytes_in = 0, bytes_out = 0;
    std::uint64_t dropped_by_kernel = 0;                ///< SO_RXQ_OVFL
    std::uint32_t receive_buffer = 0, send_buffer = 0;  ///< bytes granted
    bool gso = false, gro = false;
  };

  /// close() must have finished, if start() was called.
  virtual ~DatagramSocket() = default;
  /// The address bound to, with its real port.
  virtual SocketAddress local_address() const = 0;
  /// Begins to receive; at most `kDatagramsPerTurn` datagrams a loop turn, empty ones counted.
  virtual void start(DatagramReceiver& receiver) = 0;
  /// Sends `data` as datagrams of `segment` bytes each, the last perhaps shorter; at most max_segments() of them and
  /// kMaxSend bytes. `local` chooses the source address (unspecified: the kernel does).
  virtual SendStatus send(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                          std::span<const std::uint8_t> data, std::size_t segment) = 0;
  /// How many datagrams one send() may carry: 1 without GSO.
  virtual std::size_t max_segments() const = 0;
  virtual Stats stats() const = 0;
  /// Stops receiving and releases the port; returns when the last callback is over. Not cancellable. Once; a send()
  /// from then on goes nowhere.
  virtual runtime::Task<void> close() = 0;
};

inline constexpr std::size_t kDatagramsPerTurn = 256;
inline constexpr std::size_t kMaxSend = 65000;  ///< bytes of one send()

}  // namespace peer::net
