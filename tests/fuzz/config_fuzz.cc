// Any text is a configuration, or rejected as `invalid` with a message.
#include <string_view>

#include "daemon/config/config.h"
#include "libpeer/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = peer::daemon::parse_config({reinterpret_cast<const char*>(data), size}, "peerd.toml");
  if (config) return 0;
  PEER_CHECK(config.error().code == peer::ErrorCode::invalid && config.error().message.starts_with("peerd.toml"));
  return 0;
}
