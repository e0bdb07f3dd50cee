#include "libpeer/control/client_methods.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "libpeer/api/commands.h"

namespace peer::control {
namespace {

#if PEERD_TEST_HOOKS
constexpr bool kTestBuild = true;
#else
constexpr bool kTestBuild = false;
#endif

/// Only test builds answer debug.fail.
template <class C>
constexpr bool kHasMethod = requires { C::kMethod; } && (kTestBuild || !std::is_same_v<C, api::FailService>);

template <class Commands>
struct CommandNames;

template <class... C>
struct CommandNames<std::variant<api::Request<C>...>> {
  static constexpr std::size_t kCount = (std::size_t{kHasMethod<C>} + ...);

  static constexpr auto list() {
    std::array<MethodName, kCount + 3> names{};
    std::size_t size = 0;
    const auto add = [&]<class One>(std::type_identity<One>) {
      if constexpr (kHasMethod<One>) names[size++] = {One::kMethod, One::kRepeatable};
    };
    (add(std::type_identity<C>{}), ...);
    for (const MethodName& own : {kSubscribe, kUnsubscribe, kDiscover}) names[size++] = own;
    return names;
  }
};

constexpr auto kNames = CommandNames<api::Command>::list();

}  // namespace

std::span<const MethodName> method_names() { return kNames; }

bool is_repeatable(std::string_view method) {
  const auto found = std::ranges::find(kNames, method, &MethodName::name);
  return found != kNames.end() && found->repeatable;
}

}  // namespace peer::control
