// The limits on what a remote can make this peer store or do, above those of net/limits.h.
//
// Source: docs/protocol.md, section 8.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace peer::protocol {

inline constexpr std::uint64_t kChunkSize = 1
                                            << 20;  ///< the length of a chunk; the last chunk of a file may be shorter
inline constexpr std::size_t kMaxManifestBytes = 128 << 20;    ///< encoded, with its times
inline constexpr std::size_t kMaxManifestEntries = 1'000'000;  ///< files, directories and symlinks together
inline constexpr std::size_t kMaxPathDepth = 64;
inline constexpr std::size_t kMaxComponentBytes = 255;
inline constexpr std::size_t kMaxPathBytes = 4000;
inline constexpr std::uint64_t kMaxFileSize = std::uint64_t{1} << 50;
inline constexpr std::uint64_t kMaxGameSize = std::uint64_t{1} << 52;
inline constexpr std::size_t kMaxFrameBytes = 1 << 20;  ///< payload of one session message
/// One session message before the sender's Hello. The largest legal Hello has less than 3,500 bytes: 32 addresses of
/// 80 bytes, a fully escaped name of 64 bytes, and 400 bytes for everything else.
inline constexpr std::size_t kMaxFrameBytesBeforeHello = 4096;
/// A longer message is not decoded on the net loop.
inline constexpr std::size_t kMaxFrameBytesOnLoop = 64 << 10;
inline constexpr std::size_t kMaxGamesPerPeer = 10'000;
inline constexpr std::size_t kMaxGamesPerUpdate = 1'000;  ///< games and removals; they fit a frame with any ids
/// Frames of one session, and their bytes. The largest legal library has 10 MiB.
inline constexpr double kFramesBurst = 1'000;
inline constexpr double kFramesPerSecond = 500;
inline constexpr double kFrameBytesBurst = 16 << 20;
inline constexpr double kFrameBytesPerSecond = 1 << 20;
/// Checks of a whole library's digest against deltas: of one peer, and the games visited for all peers together.
inline constexpr double kLibraryChecksBurst = 8;
inline constexpr double kLibraryChecksPerSecond = 1;
inline constexpr double kDigestBurst = 200'000;
inline constexpr double kDigestsPerSecond = 200'000;
inline constexpr std::size_t kMaxAddressesPerPeer = 32;
inline constexpr std::size_t kMaxHintsPerMessage = 64;   ///< peers named by one message
inline constexpr std::size_t kMaxHintsPerSession = 256;  ///< peers named in one session
inline constexpr std::size_t kMaxHintAddresses = 8;
inline constexpr std::size_t kMaxNameBytes = 64;
inline constexpr std::size_t kMaxReasonBytes = 256;  ///< the reason of a Goodbye or a Refusal
inline constexpr std::size_t kMaxJsonDepth = 8;      ///< nesting in a message, including unknown fields
/// Scalars, arrays and objects in a message. The largest legal message, Holdings with 4,096 ranges, has 12,294. The
/// rest is reserved for the fields of later versions.
inline constexpr std::size_t kMaxJsonValues = 32'768;
inline constexpr std::uint64_t kMaxSpanBytes = 16 << 20;  ///< payload of one response
inline constexpr std::size_t kMaxSpanChunks = 4096;
inline constexpr std::uint64_t kMaxGameChunks = kMaxManifestBytes / 32;  ///< more hashes do not fit a manifest
inline constexpr std::size_t kMaxHoldingRuns = 4096;                     ///< runs in one message

/// Payload of responses that is not acknowledged yet, of all remotes together. transfer/fair_budget.h divides it.
inline constexpr std::uint64_t kSendMemory = 64 << 20;
inline constexpr std::size_t kFirstSendBytes = 64
                                               << 10;  ///< read for a response before its reader has proved its speed
/// A response of which nothing was read for so long is reset if others wait for memory.
inline constexpr std::chrono::seconds kSendProgressDeadline{10};
/// Encoded documents (the library, manifests) in use. Above it the next one is encoded when others have been sent.
inline constexpr std::uint64_t kDocumentMemory = 64 << 20;
inline constexpr std::size_t kKeptDocumentBytes = 16 << 20;  ///< encoded documents kept for the next requests

inline constexpr std::size_t kManifestSources = 2;  ///< sources asked at once for a manifest
inline constexpr std::chrono::seconds kManifestSilence{
    5};  ///< a source that sends nothing of it for so long is dropped
/// What a source must send of a manifest on average from then on, or it is dropped. Units: bytes per second.
inline constexpr std::uint64_t kManifestRate = 4096;

}  // namespace peer::protocol
