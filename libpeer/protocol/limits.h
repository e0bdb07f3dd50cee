// Every cap on what a remote peer may make this one hold or do, above the ones of net/limits.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peer::protocol {

inline constexpr std::uint64_t kChunkSize = 1 << 20;           ///< a chunk is this long, or shorter at a file's end
inline constexpr std::size_t kMaxManifestBytes = 128 << 20;    ///< encoded
inline constexpr std::size_t kMaxManifestEntries = 1'000'000;  ///< files, directories and symlinks together
inline constexpr std::size_t kMaxPathDepth = 64;
inline constexpr std::size_t kMaxComponentBytes = 255;
inline constexpr std::size_t kMaxPathBytes = 4000;
inline constexpr std::uint64_t kMaxFileSize = std::uint64_t{1} << 50;
inline constexpr std::uint64_t kMaxGameSize = std::uint64_t{1} << 52;
inline constexpr std::size_t kMaxFrameBytes = 1 << 20;  ///< one session message
/// One session message before the sender's Hello. The largest legal Hello takes less than 3,500 bytes: 32 addresses of
/// 80 bytes, a name of 64 bytes in JSON's longest spelling, and 400 bytes for everything else.
inline constexpr std::size_t kMaxFrameBytesBeforeHello = 4096;
inline constexpr std::size_t kMaxGamesPerPeer = 10'000;
inline constexpr std::size_t kMaxGamesPerUpdate =
    1'000;  ///< games and removals; fits a frame whatever their ids; more come in parts
inline constexpr std::size_t kMaxAddressesPerPeer = 32;
inline constexpr std::size_t kMaxHintsPerMessage = 64;   ///< other peers that one message names
inline constexpr std::size_t kMaxHintsPerSession = 256;  ///< and that one session names in all
inline constexpr std::size_t kMaxHintAddresses = 8;
inline constexpr std::size_t kMaxNameBytes = 64;
inline constexpr std::size_t kMaxReasonBytes = 256;  ///< of a Goodbye or a Refusal
inline constexpr std::size_t kMaxJsonDepth = 8;      ///< of a message, later versions' fields included
/// Of a message: scalars, arrays and objects. The largest legal one, Holdings with 4,096 ranges, has 12,294; the rest
/// is room for later versions' fields.
inline constexpr std::size_t kMaxJsonValues = 32'768;
inline constexpr std::uint64_t kMaxSpanBytes = 16 << 20;  ///< payload of one chunk request
inline constexpr std::size_t kMaxSpanChunks = 4096;
inline constexpr std::uint64_t kMaxGameChunks = kMaxManifestBytes / 32;  ///< a manifest has room for no more
inline constexpr std::size_t kMaxHoldingRuns = 4096;                     ///< in one message

}  // namespace peer::protocol
