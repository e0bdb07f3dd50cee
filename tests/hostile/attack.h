// Attack: what one connection of an attack does. The runner opens connections, keeps their number, and calls tick().
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "hostile/raw_client.h"
#include "libpeer/base/digest.h"
#include "libpeer/net/identity.h"

namespace peer::hostile {

/// What the command line says.
struct AttackOptions {
  std::string name;
  net::SocketAddress target;
  std::size_t connections = 1;
  std::size_t sources = 0;  ///< addresses 127.1.x.y to send from; 0: the one that the kernel chooses
  double seconds = 10;
  double rate = 1000;        ///< messages or connections a second, where the attack has a rate
  std::size_t streams = 64;  ///< requests at a time in a connection
  std::string path = "/v1/library";
  std::string game = "honest";
  std::string version;  ///< of that game, hex
  std::uint64_t size = 0;
};

class Attack {
 public:
  virtual ~Attack() = default;
  virtual bool anonymous() const { return true; }
  virtual std::uint64_t stream_window() const { return 1 << 20; }
  virtual bool reads() const { return true; }
  /// The handshake is complete.
  virtual void ready(RawClient& client, const PeerId& id) = 0;
  virtual void tick(RawClient&, double /*seconds since ready()*/) {}
  virtual void data(RawClient&, std::int64_t /*stream*/) {}
  virtual void closed(RawClient&, std::int64_t /*stream*/) {}
};

/// A new state machine of the attack that `options.name` names. Null if there is none of this name.
std::unique_ptr<Attack> make_attack(const AttackOptions& options);

/// Attacks without connections of RawClient. They return the number of their attempts.
std::size_t flood_handshakes(const AttackOptions& options, Random& random);
std::size_t lure_downloads(const AttackOptions& options, Random& random);

}  // namespace peer::hostile
