#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "libpeer/control/client_events.h"
#include "libpeer/control/openrpc.h"

using namespace peer::control;

TEST_CASE("The OpenRPC document has every event, and each method's answer has a schema") {
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
