// Link: requests with streaming bodies over one connection to one peer. HTTP/3 in the daemon; the layers above see only
// this.
//
// 1. Everything belongs to the loop of its Transport; calls from other loops go through runtime::call_on().
// 2. Destroying a stream that is not complete resets it, both ways.
// 3. A stream's failure concerns that stream; a link's failure ends its streams with the link's error.
// 4. Errors: `unreachable` when the connection is lost or the time is over, `refused` when the other side said no,
//    `invalid` when it broke the protocol.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/net/address.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::net {

/// A secret that both ends of one connection know, that nobody else knows, and that no other connection has: what is
/// proven over it (access/party.h) is proven for this connection alone. TLS's exporter (RFC 8446, 7.5) in HTTP/3.
struct ChannelBindingTag;
using ChannelBinding = Bytes32<ChannelBindingTag>;

/// Names are lower case. Pseudo-header fields stand in the heads below.
struct Field {
  std::string name;
  std::string value;
};

struct RequestHead {
  std::string method;  ///< "GET", "HEAD", "POST"
  std::string path;    ///< with the query, percent-encoded
  std::vector<Field> fields;
};

struct ResponseHead {
  int status = 200;
  std::vector<Field> fields;
  std::optional<std::uint64_t> content_length;  ///< sent and received as the header field of that name
};

/// The bytes that arrive on a stream.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  /// Fills `into` whole unless the body ends first; returns how many bytes it wrote (0: the end). One reader at a time.
  /// Bytes that arrive while a read waits are written straight into `into`, which must stay valid until the Task has
  /// ended. Cancel: throws Cancelled; the stream is then good for nothing but destruction.
  virtual runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token) = 0;
  /// Tells the flow control that `bytes` which read() gave are done with (on disk, say): only now may the sender send
  /// as many more.
  virtual void release(std::size_t bytes) = 0;
};

/// Immutable bytes shared until the last acknowledgement.
using SharedBytes = std::shared_ptr<const std::vector<std::uint8_t>>;

/// The bytes that leave on a stream.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  /// Queues the bytes; waits first while kMaxUnackedPerStream or more are queued or unacknowledged.
  /// Fails: when the stream was reset or stopped by the other side, or the link failed. Cancel: throws Cancelled,
  /// nothing was queued.
  virtual runtime::Task<Result<void>> write(SharedBytes bytes, runtime::CancellationToken token) = 0;
  /// No more bytes: the end of the body. Idempotent.
  virtual void finish() = 0;
};

inline constexpr std::size_t kMaxUnackedPerStream = 4 << 20;

/// A request this side sent.
class ClientStream {
 public:
  virtual ~ClientStream() = default;
  /// Waits for the response's head. Once.
  virtual runtime::Task<Result<ResponseHead>> response(runtime::CancellationToken token) = 0;
  virtual BodyReader& reader() = 0;
  virtual BodyWriter& writer() = 0;  ///< of a request with a body
};

/// A request the other side sent.
class ServerStream {
 public:
  virtual ~ServerStream() = default;
  virtual const RequestHead& request() const = 0;
  /// The other side's proven id; none for a client without a certificate.
  virtual const std::optional<PeerId>& peer() const = 0;
  virtual SocketAddress remote_address() const = 0;
  virtual const ChannelBinding& channel_binding() const = 0;
  /// A mark on the whole connection, for whoever decides what may be asked on it; it is not there at first.
  virtual bool admitted() const = 0;
  virtual void admit() = 0;
  virtual BodyReader& reader() = 0;
  /// Sends the head, once; `has_body` false ends the response with it. Fails: as BodyWriter::write.
  virtual Result<void> respond(const ResponseHead& head, bool has_body) = 0;
  virtual BodyWriter& writer() = 0;
};

struct LinkStats {
  runtime::Duration smoothed_rtt{};
  std::uint64_t bytes_in = 0, bytes_out = 0;  ///< UDP payload
  std::uint64_t packets_lost = 0;
  runtime::TimePoint last_received{};
};

class Link {
 public:
  /// Destroying a link closes it.
  virtual ~Link() = default;
  virtual const std::optional<PeerId>& peer() const = 0;
  virtual SocketAddress remote_address() const = 0;
  virtual const ChannelBinding& channel_binding() const = 0;
  /// Sends a request; with `has_body` its writer() follows. Fails: as above, `busy` when the peer allows no more
  /// streams.
  virtual runtime::Task<Result<std::unique_ptr<ClientStream>>> request(const RequestHead& head, bool has_body,
                                                                       runtime::CancellationToken token) = 0;
  /// Closes with a reason the other side sees; open streams fail. Idempotent, does not wait.
  virtual void close(std::string_view reason) = 0;
  /// Waits until the link has ended, for whatever reason, and tells it. Several may wait.
  virtual runtime::Task<Error> ended(runtime::CancellationToken token) = 0;
  virtual LinkStats stats() const = 0;
};

/// Serves one request; runs in the scope of its connection. What it throws resets that stream and closes that
/// connection only. The token is requested when the stream is reset or its connection or the serving ends.
using RequestHandler = std::function<runtime::Task<void>(ServerStream& stream, runtime::CancellationToken token)>;

/// One UDP port in both roles.
class Transport {
 public:
  virtual ~Transport() = default;
  /// With its real port.
  virtual SocketAddress local_address() const = 0;
  /// Connects, proves both identities and checks the other's against `expected` where given.
  /// Fails: unreachable within kDialTimeout, refused on a wrong id.
  virtual runtime::Task<Result<std::unique_ptr<Link>>> dial(SocketAddress address, std::optional<PeerId> expected,
                                                            runtime::CancellationToken token) = 0;
  /// Accepts connections and serves their requests until cancelled; joins every handler. While nobody serves, new
  /// connections and requests are refused; dialled links are not concerned.
  virtual runtime::Task<void> serve(RequestHandler handler, runtime::CancellationToken token) = 0;
};

inline constexpr runtime::Duration kDialTimeout = std::chrono::seconds(5);

}  // namespace peer::net
