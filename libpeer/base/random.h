// Random: the source of all random numbers, so that a run with a seed can be repeated.
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

/// The kernel's generator. Loop: any thread.
std::unique_ptr<Random> system_random();

/// The same seed gives the same bytes. Not for secrets.
std::unique_ptr<Random> seeded_random(std::uint64_t seed);

}  // namespace peer
