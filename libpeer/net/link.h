// Link: requests with streaming bodies over one connection to one peer. The layers above net/ use only this interface;
// the daemon implements it with HTTP/3, tests also in memory.
//
// 1. Destroying a stream that is not complete resets both directions.
// 2. The failure of a stream affects only that stream. The failure of a link fails its streams with the link's error.
// Loop: that of the Transport; other loops call through runtime::call_on().
// Fails: `unreachable` if the connection is lost or a time limit is over, `refused` if the other side refuses,
// `invalid` if it violates the protocol.
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

/// A secret that only the two ends of one connection know. It is different for every connection, so a proof computed
/// over it (access/party.h) is valid for this connection alone. Source: the TLS exporter (RFC 8446, 7.5).
struct ChannelBindingTag;
using ChannelBinding = Bytes32<ChannelBindingTag>;

/// A header field. The name is in lower case. Pseudo-header fields are members of the heads below.
struct Field {
  std::string name;
  std::string value;
};

struct RequestHead {
  std::string method;  ///< "GET", "HEAD", "POST"
  std::string path;    ///< with its query, percent-encoded
  std::vector<Field> fields;
};

struct ResponseHead {
  int status = 200;
  std::vector<Field> fields;
  std::optional<std::uint64_t> content_length;  ///< the content-length field
};

/// Reads the bytes that arrive on a stream.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  /// Fills `into` completely unless the body ends first. Returns the number of bytes written; 0 means the end. One read
  /// at a time. Bytes that arrive during a read are written directly into `into`, which must stay valid until the Task
  /// has ended. Cancel: throws Cancelled; afterwards the stream can only be destroyed.
  virtual runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token) = 0;
  /// Gives the sender credit for `bytes` that read() returned and that were processed, for example written to disk.
  virtual void release(std::size_t bytes) = 0;
};

/// Immutable bytes. Shared until the other side has acknowledged them.
using SharedBytes = std::shared_ptr<const std::vector<std::uint8_t>>;

/// Writes the bytes of a stream.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  /// Queues the bytes. First waits while kMaxUnackedPerStream or more are queued or unacknowledged.
  /// Fails: if the other side reset or stopped the stream, or the link failed. Cancel: throws Cancelled; nothing was
  /// queued.
  virtual runtime::Task<Result<void>> write(SharedBytes bytes, runtime::CancellationToken token) = 0;
  /// Ends the body. Idempotent.
  virtual void finish() = 0;
};

inline constexpr std::size_t kMaxUnackedPerStream = 4 << 20;

/// A request that this side sent.
class ClientStream {
 public:
  virtual ~ClientStream() = default;
  /// Waits for the head of the response. Call it once.
  virtual runtime::Task<Result<ResponseHead>> response(runtime::CancellationToken token) = 0;
  virtual BodyReader& reader() = 0;
  virtual BodyWriter& writer() = 0;  ///< only for a request with a body
};

/// A request that the other side sent.
class ServerStream {
 public:
  virtual ~ServerStream() = default;
  virtual const RequestHead& request() const = 0;
  /// The other side's proven id. Nothing for a client without a certificate.
  virtual const std::optional<PeerId>& peer() const = 0;
  virtual SocketAddress remote_address() const = 0;
  virtual const ChannelBinding& channel_binding() const = 0;
  /// A flag of the whole connection, initially false. Layers above use it to record that the connection passed the
  /// gate.
  virtual bool admitted() const = 0;
  virtual void admit() = 0;
  /// Enlarges the receive window of this stream, and of its connection, from what a request needs to what a session
  /// needs: frames of 1 MiB. Idempotent. Until then, a read() of more than 64 KiB never ends.
  virtual void grow_window() = 0;
  virtual BodyReader& reader() = 0;
  /// Sends the head of the response. Call it once. With `has_body` false, the response has no body. Fails: as
  /// BodyWriter::write().
  virtual Result<void> respond(const ResponseHead& head, bool has_body) = 0;
  virtual BodyWriter& writer() = 0;
  /// Makes the end of the handler reset the stream, even if the response is finished but not acknowledged yet.
  virtual void reset() = 0;
};

struct LinkStats {
  runtime::Duration smoothed_rtt{};
  std::uint64_t bytes_in = 0, bytes_out = 0;  ///< UDP payload
  std::uint64_t packets_lost = 0;
  runtime::TimePoint last_received{};
};

class Link {
 public:
  /// Closes the link.
  virtual ~Link() = default;
  virtual const std::optional<PeerId>& peer() const = 0;
  virtual SocketAddress remote_address() const = 0;
  virtual const ChannelBinding& channel_binding() const = 0;
  /// Sends the head of a request. With `has_body`, the body follows through writer(). Fails: as above; `busy` if the
  /// peer allows no more streams.
  virtual runtime::Task<Result<std::unique_ptr<ClientStream>>> request(const RequestHead& head, bool has_body,
                                                                       runtime::CancellationToken token) = 0;
  /// Closes the link with a reason that the other side sees. Open streams fail. Idempotent. Does not wait.
  virtual void close(std::string_view reason) = 0;
  /// Waits until the link has ended, and returns why. Several callers may wait.
  virtual runtime::Task<Error> ended(runtime::CancellationToken token) = 0;
  virtual LinkStats stats() const = 0;
};

/// Serves one request. Runs in the scope of its connection. If it throws, its stream is reset and its connection
/// closed. The token is requested when the stream is reset, or when the connection or the serving ends.
using RequestHandler = std::function<runtime::Task<void>(ServerStream& stream, runtime::CancellationToken token)>;

/// One UDP port, as client and server.
class Transport {
 public:
  virtual ~Transport() = default;
  /// The bound address, with the actual port.
  virtual SocketAddress local_address() const = 0;
  /// Connects. Both sides prove their identities; `expected` is the id that the other side must have, if any.
  /// Fails: unreachable after kDialTimeout, refused if the id differs.
  virtual runtime::Task<Result<std::unique_ptr<Link>>> dial(SocketAddress address, std::optional<PeerId> expected,
                                                            runtime::CancellationToken token) = 0;
  /// Accepts connections and serves their requests until cancelled, then joins every handler. Outside of serve(), new
  /// connections and requests are refused. Links that this side dialed are not affected.
  virtual runtime::Task<void> serve(RequestHandler handler, runtime::CancellationToken token) = 0;
};

inline constexpr runtime::Duration kDialTimeout = std::chrono::seconds(5);

}  // namespace peer::net
