// Randomness comes in through this interface, so that a seeded run repeats itself.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

namespace peer {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
  /// Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
};

/// From the kernel's generator; thread-safe.
std::unique_ptr<Random> system_random();

/// Repeatable: the same seed gives the same bytes. Not for secrets.
std::unique_ptr<Random> seeded_random(std::uint64_t seed);

}  // namespace peer
