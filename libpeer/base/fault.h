// Fault points: places at which a test makes the program throw. Test builds only; elsewhere they are nothing.
//
// arm("x") makes the next PEER_FAULT_POINT("x") that is passed throw std::runtime_error, once for each time it was
// armed. The points are the process's: where several peers live in one, the first to pass it throws.
// Loop: any thread.
#pragma once

#if PEERD_TEST_HOOKS

#include <string>
#include <string_view>

namespace peer::fault {

/// False: there is no such point.
bool arm(std::string_view where);
/// How often it is still to throw.
unsigned armed(std::string_view where);
/// All there are, for messages.
std::string names();
/// Fails: throws if armed.
void point(std::string_view where);

}  // namespace peer::fault

#define PEER_FAULT_POINT(where) ::peer::fault::point(where)
#else
#define PEER_FAULT_POINT(where) static_cast<void>(0)
#endif
