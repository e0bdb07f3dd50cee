#include "libpeer/net/quic_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "libpeer/net/limits.h"

namespace peer::net {

// What precedes an allocation.
struct alignas(std::max_align_t) QuicMemory::Block {
  std::size_t size;
  bool received;
  void* bytes() noexcept { return this + 1; }
  static Block* of(void* bytes) noexcept { return static_cast<Block*>(bytes) - 1; }
};

QuicMemory::QuicMemory() : native_{this, &allocate, &release, &allocate_zeroed, &resize} {}

std::uint64_t QuicMemory::limit(std::uint64_t window, std::uint64_t sent) noexcept {
  return limits::kReceiveOverhead + 2 * window + std::min(sent / 4, limits::kSendOverhead);
}

void* QuicMemory::allocate(std::size_t size, void* self) noexcept {
  QuicMemory& me = *static_cast<QuicMemory*>(self);
  if (size > SIZE_MAX - sizeof(Block)) return nullptr;
  auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + size));
  if (block == nullptr) return nullptr;
  block->size = sizeof(Block) + size;
  block->received = me.reading_;
  if (block->received) me.received_ += block->size;
  return block->bytes();
}

void* QuicMemory::allocate_zeroed(std::size_t count, std::size_t size, void* self) noexcept {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  void* bytes = allocate(count * size, self);
  if (bytes != nullptr) std::memset(bytes, 0, count * size);
  return bytes;
}

void* QuicMemory::resize(void* bytes, std::size_t size, void* self) noexcept {
  void* moved = allocate(size, self);
  if (bytes == nullptr || moved == nullptr) return moved;
  std::memcpy(moved, bytes, std::min(size, Block::of(bytes)->size - sizeof(Block)));
  release(bytes, self);
  return moved;
}

void QuicMemory::release(void* bytes, void* self) noexcept {
  if (bytes == nullptr) return;
  Block* block = Block::of(bytes);
  if (block->received) static_cast<QuicMemory*>(self)->received_ -= block->size;
  std::free(block);
}

}  // namespace peer::net
