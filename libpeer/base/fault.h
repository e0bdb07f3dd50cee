// Fault points: places where a test makes the program throw. They exist in test builds only.
//
// Each arm("x") makes one later PEER_FAULT_POINT("x") throw std::runtime_error. All peers of a process share the
// points; the first that reaches an armed point throws. Loop: any thread.
#pragma once

#if PEERD_TEST_HOOKS

#include <string>
#include <string_view>

namespace peer::fault {

/// False if there is no such point.
bool arm(std::string_view where);
/// How many more times the point will throw.
unsigned armed(std::string_view where);
/// The names of all points, for messages.
std::string names();
/// Throws if the point is armed.
void point(std::string_view where);

}  // namespace peer::fault

#define PEER_FAULT_POINT(where) ::peer::fault::point(where)
#else
#define PEER_FAULT_POINT(where) static_cast<void>(0)
#endif
