// The limits on what a remote can make net/ store, send or do.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "libpeer/runtime/executor.h"

namespace peer::net::limits {

inline constexpr std::size_t kConnections = 1024;  ///< live connections, in both roles
inline constexpr std::size_t kInbound = 896;       ///< connections from clients; the rest is kept for dialing
inline constexpr std::size_t kUnaccepted = 512;    ///< of kInbound: without a session, proof or known peer
/// How long a connection without a session may be idle: before its first request, and always without a certificate.
inline constexpr runtime::Duration kIdleUnaccepted = std::chrono::seconds(5);
inline constexpr std::size_t kClosed = 1024;   ///< closed connections that still repeat their last packet
inline constexpr std::uint64_t kStreams = 64;  ///< requests in progress in a connection, from its client
/// What a client may send ahead of BodyReader::release(). A request and a frame before Hello fit into it.
inline constexpr std::uint64_t kRequestWindow = 64 * 1024;             ///< bytes of one stream
inline constexpr std::uint64_t kRequestConnectionWindow = 256 * 1024;  ///< bytes of all streams of a connection
/// The same after ServerStream::grow_window(): a frame of 1 MiB, and the beginning of the next one.
inline constexpr std::uint64_t kSessionWindow = 1152 * 1024;
inline constexpr std::uint64_t kSessionConnectionWindow = 2048 * 1024;
/// Memory for received packets, in addition to twice the window of the connection: 1 MiB in all before a session.
inline constexpr std::uint64_t kReceiveOverhead = 512 * 1024;
/// The most memory that is added for the acknowledgements and losses of sent packets.
inline constexpr std::uint64_t kSendOverhead = 8 * 1024 * 1024;
inline constexpr std::size_t kHeaderBytes = 16 * 1024;  ///< bytes of one header section; every field counts 32 extra
inline constexpr std::size_t kReason = 128;             ///< bytes of a close reason, sent or displayed
/// A token bucket for version negotiations, refusals and stateless resets: the answers that strangers can cause.
inline constexpr double kStatelessBurst = 128;
inline constexpr double kStatelessPerSecond = 512;
inline constexpr int kCloseAnswers = 8;  ///< how often a closed connection repeats its last packet

/// Log lines that one remote can cause.
inline constexpr double kLogLines = 8;
inline constexpr double kLogLinesPerSecond = 0.1;
/// Requests that clients cancel: token buckets of a connection, and of the remote's share (net/accounts.h). A client
/// that has used both is disconnected. A download that ends cancels at most kStreams requests.
inline constexpr double kCancelsOfConnection = 64;
inline constexpr double kCancelsOfConnectionPerSecond = 16;
inline constexpr double kCancelsOfRemote = 512;
inline constexpr double kCancelsOfRemotePerSecond = 128;
/// Requests that begin: of a remote's share, and those that all may use beyond it.
inline constexpr double kRequestsOfRemote = 8192;
inline constexpr double kRequestsOfRemotePerSecond = 4096;
inline constexpr double kRequestsShared = 32768;
inline constexpr double kRequestsSharedPerSecond = 16384;
inline constexpr runtime::Duration kRetryTokenLife = std::chrono::seconds(10);
inline constexpr runtime::Duration kDrain =
    std::chrono::milliseconds(200);                ///< how long a close waits for the last bytes to be sent
inline constexpr std::size_t kBurstBytes = 65000;  ///< bytes of one send()
inline constexpr std::size_t kFlushMinimum =
    128 * 1024;  ///< bytes that a connection may send in one turn, whatever the pacing rate
inline constexpr std::size_t kFlushMaximum = 1024 * 1024;  ///< the most bytes that one connection sends in one turn

}  // namespace peer::net::limits
