// The table of methods, from which calls are dispatched and the OpenRPC document is made.
#pragma once

#include <vector>

#include "libpeer/control/methods.h"
#include "libpeer/control/params.h"

namespace peer::control {

/// Sees its parameters checked.
using Handler = void (*)(MethodContext&, const Json& params, Answer);

struct Method {
  const char* name;
  const char* summary;
  std::vector<Param> params;
  const char* result;  ///< the schema of its answer, by name
  Handler handler;
};

const std::vector<Method>& method_table();

}  // namespace peer::control
