#include "libpeer/base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <random>

#include "libpeer/base/check.h"

namespace peer {

namespace {

class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    while (!out.empty()) {
      const ssize_t n = getrandom(out.data(), out.size(), 0);
      if (n < 0 && errno == EINTR) continue;
      PEER_CHECK(n > 0);
      out = out.subspan(static_cast<std::size_t>(n));
    }
  }
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace

std::uint64_t Random::below(std::uint64_t bound) {
  PEER_CHECK(bound > 0);
  // Rejects values from the incomplete last range, so that every result is equally likely.
  const std::uint64_t limit =
      std::numeric_limits<std::uint64_t>::max() - std::numeric_limits<std::uint64_t>::max() % bound;
  std::uint64_t value;
  do {
    std::uint8_t bytes[8];
    fill(bytes);
    std::memcpy(&value, bytes, sizeof value);
  } while (value >= limit);
  return value % bound;
}

std::unique_ptr<Random> system_random() { return std::make_unique<SystemRandom>(); }
std::unique_ptr<Random> seeded_random(std::uint64_t seed) { return std::make_unique<SeededRandom>(seed); }

}  // namespace peer
