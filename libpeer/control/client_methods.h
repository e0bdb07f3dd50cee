// The names of all methods of the control socket, for both of its ends.
//
// The name of a command's method comes from the command's struct (api/commands.h); this header adds the methods that
// concern the connection itself.
#pragma once

#include <span>
#include <string_view>

namespace peer::control {

struct MethodName {
  std::string_view name;
  bool repeatable;  ///< it changes nothing, so a client whose connection broke may send it again
};

inline constexpr MethodName kSubscribe{"events.subscribe", true};
inline constexpr MethodName kUnsubscribe{"events.unsubscribe", false};
inline constexpr MethodName kDiscover{"rpc.discover", true};

/// Every method: the commands' in the order of api::Command, then the three above.
std::span<const MethodName> method_names();

/// False for an unknown method.
bool is_repeatable(std::string_view method);

}  // namespace peer::control
