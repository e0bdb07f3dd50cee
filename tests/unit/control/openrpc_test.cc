#include "libpeer/control/openrpc.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "libpeer/control/client_events.h"
#include "libpeer/control/client_methods.h"

using namespace peer::control;

TEST_CASE("The OpenRPC document lists every event, and has a schema for the answer of every method") {
  const Json document = openrpc_document("1.2.3");
  CHECK(document.at("info").at("version") == "1.2.3");
  std::vector<std::string> events;
  for (const Json& event : document.at("x-events")) events.push_back(event.at("name"));
  CHECK(events == std::vector<std::string>(kEventNames.begin(), kEventNames.end()));
  const Json& schemas = document.at("components").at("schemas");
  for (const Json& method : document.at("methods")) {
    INFO(method.at("name"));
    CHECK(schemas.contains(method.at("result").at("name").get<std::string>()));
  }
}

TEST_CASE("Every command that names a method has an entry in the OpenRPC document, and every entry is a known method") {
  const Json document = openrpc_document("1.2.3");
  std::vector<std::string> documented, known;
  for (const Json& method : document.at("methods")) documented.push_back(method.at("name"));
  for (const MethodName& method : method_names()) known.emplace_back(method.name);
  std::ranges::sort(documented);
  std::ranges::sort(known);
  CHECK(documented == known);
}

TEST_CASE("A client may repeat the methods that only read, and no others") {
  std::vector<std::string> repeatable;
  for (const MethodName& method : method_names()) {
    if (is_repeatable(method.name)) repeatable.emplace_back(method.name);
  }
  std::ranges::sort(repeatable);
  CHECK(repeatable == std::vector<std::string>{"downloads.list", "events.subscribe", "games.list", "games.show",
                                               "limits.get", "metrics", "peers.list", "rpc.discover", "runtime.tasks",
                                               "status"});
  CHECK_FALSE(is_repeatable("no.such"));
}
