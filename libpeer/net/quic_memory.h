// QuicMemory: counts what ngtcp2 allocates for one connection while it reads packets.
//
// Flow control bounds the bytes that a remote sends ahead, but not the bookkeeping of the gaps between them: one byte
// in every two costs far more than its share of the window. Loop: the connection's. Limits: see limit().
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstddef>
#include <cstdint>

namespace peer::net {

/// Must outlive the ngtcp2_conn.
class QuicMemory {
 public:
  QuicMemory();
  QuicMemory(const QuicMemory&) = delete;
  QuicMemory& operator=(const QuicMemory&) = delete;

  const ngtcp2_mem* native() const noexcept { return &native_; }
  /// Call it before and after ngtcp2_conn_read_pkt().
  void set_reading(bool reading) noexcept { reading_ = reading; }
  /// Bytes in use that were allocated while reading.
  std::size_t received() const noexcept { return received_; }

  /// The most that received() may be, for the window of a connection and the bytes that this side has sent: their
  /// acknowledgements and losses are recorded while reading as well.
  static std::uint64_t limit(std::uint64_t window, std::uint64_t sent) noexcept;

 private:
  struct Block;
  static void* allocate(std::size_t size, void* self) noexcept;
  static void* allocate_zeroed(std::size_t count, std::size_t size, void* self) noexcept;
  static void* resize(void* bytes, std::size_t size, void* self) noexcept;
  static void release(void* bytes, void* self) noexcept;

  ngtcp2_mem native_;
  bool reading_ = false;
  std::size_t received_ = 0;
};

}  // namespace peer::net
