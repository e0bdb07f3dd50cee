// The checks of `doctor`: each turns measurements or states into a finding with a verdict and a fix. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libpeer/access/access_mode.h"
#include "libpeer/api/peer_options.h"
#include "libpeer/node/listener.h"
#include "libpeer/node/speed_probe.h"

namespace peer::node {

/// Formats a size, as in "12 GB" or "640 MB".
std::string format_amount(double bytes);

/// Compares the speed of `what` with a gigabit network; `fix` applies if it is slower.
api::Finding judge_speed(const char* what, std::uint64_t bytes, runtime::Duration took, const char* fix);
api::Finding judge_space(const store::Space& space, const std::string& root, std::uint64_t reserve);
/// `error`: of probe_disk().
api::Finding judge_disk_error(const Error& error, const std::string& root);
/// Buffers and segmentation offload.
api::Finding judge_socket(const net::SocketStats& socket);
/// If the clock is behind, versions of other peers are dated in the future. Units: ns since 1970.
api::Finding judge_clock(std::int64_t now, const std::vector<api::GameInfo>& games);
/// One finding for each interface. `problem`: of the service Discovery.
std::vector<api::Finding> judge_interfaces(const std::vector<api::LocalInterface>& interfaces,
                                           const std::vector<api::PeerInfo>& peers, const std::string& problem);
/// One finding for each peer.
std::vector<api::Finding> judge_peers(const std::vector<api::PeerInfo>& peers, access::AccessMode mode);
/// `pairings`: how many peers are paired here.
api::Finding judge_access_mode(access::AccessMode mode, std::size_t pairings);

}  // namespace peer::node
