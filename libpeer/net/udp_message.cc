#include "libpeer/net/udp_message.h"

#include <netinet/ip.h>
#include <netinet/udp.h>

#include <cerrno>
#include <cstring>

#include "libpeer/base/check.h"

namespace peer::net {

namespace {

template <class T>
T value_of(const cmsghdr* message) {
  T value;
  std::memcpy(&value, CMSG_DATA(message), sizeof value);
  return value;
}

SocketAddress address_of(const in_addr& ip) {
  sockaddr_in native{};
  native.sin_family = AF_INET;
  native.sin_addr = ip;
  return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof native);
}

SocketAddress address_of(const in6_pktinfo& info) {
  sockaddr_in6 native{};
  native.sin6_family = AF_INET6;
  native.sin6_addr = info.ipi6_addr;
  native.sin6_scope_id = info.ipi6_ifindex;  // ignored unless the address is link-local
  return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof native);
}

}  // namespace

OutgoingMessage::OutgoingMessage(int family, const SocketAddress& local, const SocketAddress& remote, Ecn ecn) {
  std::memset(control_, 0, sizeof control_);
  header_.msg_name = &remote_;
  header_.msg_namelen = remote.to_native(family, remote_);
  header_.msg_iov = &part_;
  header_.msg_iovlen = 1;
  header_.msg_control = control_;
  header_.msg_controllen = sizeof control_;

  // IPv4 packets need IPv4's control messages, also on a dual-stack socket.
  const bool v4 = remote.is_v4();
  if (!local.is_unspecified() && local.is_v4() == v4) {
    sockaddr_storage native;
    local.to_native(v4 ? AF_INET : AF_INET6, native);
    if (v4) {
      in_pktinfo info{};
      info.ipi_spec_dst = reinterpret_cast<const sockaddr_in&>(native).sin_addr;
      add(IPPROTO_IP, IP_PKTINFO, info);
    } else {
      const auto& v6 = reinterpret_cast<const sockaddr_in6&>(native);
      in6_pktinfo info{};
      info.ipi6_addr = v6.sin6_addr;
      info.ipi6_ifindex = v6.sin6_scope_id;
      add(IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
  }
  if (ecn != Ecn::not_ect) {
    if (v4) {
      add(IPPROTO_IP, IP_TOS, static_cast<int>(ecn));
    } else {
      add(IPPROTO_IPV6, IPV6_TCLASS, static_cast<int>(ecn));
    }
  }
}

template <class T>
void OutgoingMessage::add(int level, int type, const T& value) {
  PEER_CHECK(used_ + CMSG_SPACE(sizeof value) <= sizeof control_);
  auto* message = reinterpret_cast<cmsghdr*>(control_ + used_);
  message->cmsg_level = level;
  message->cmsg_type = type;
  message->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(message), &value, sizeof value);
  used_ += CMSG_SPACE(sizeof value);
}

int OutgoingMessage::send(int fd, std::span<const std::uint8_t> data, std::size_t segment) {
  const std::size_t common = used_;
  if (segment != 0) add(SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(segment));
  header_.msg_control = used_ == 0 ? nullptr : control_;
  header_.msg_controllen = used_;
  used_ = common;
  part_.iov_base = const_cast<std::uint8_t*>(data.data());
  part_.iov_len = data.size();
  ssize_t sent;
  do {
    sent = sendmsg(fd, &header_, 0);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

IncomingMessage parse_message(msghdr& header, std::uint16_t local_port) {
  IncomingMessage result;
  result.remote = SocketAddress::from_native(static_cast<const sockaddr*>(header.msg_name), header.msg_namelen);
  for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr; message = CMSG_NXTHDR(&header, message)) {
    const int level = message->cmsg_level;
    const int type = message->cmsg_type;
    if (level == IPPROTO_IP && type == IP_PKTINFO) {
      result.local = address_of(value_of<in_pktinfo>(message).ipi_addr);
    } else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO) {
      result.local = address_of(value_of<in6_pktinfo>(message));
    } else if (level == IPPROTO_IP && type == IP_TOS) {
      result.ecn = static_cast<Ecn>(value_of<std::uint8_t>(message) & IPTOS_ECN_MASK);
    } else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS) {
      result.ecn = static_cast<Ecn>(value_of<int>(message) & IPTOS_ECN_MASK);
    } else if (level == SOL_UDP && type == UDP_GRO) {
      result.segment = static_cast<std::size_t>(value_of<int>(message));
    } else if (level == SOL_SOCKET && type == SO_RXQ_OVFL) {
      result.dropped = value_of<std::uint32_t>(message);
    }
  }
  result.local = result.local.with_port(local_port);
  return result;
}

}  // namespace peer::net
