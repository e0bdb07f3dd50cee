// What a descriptor writes to: a terminal of some width, with or without colour, or something else.
#pragma once

#include "ctl/text/table.h"

namespace peer::ctl {

/// A width of 0: no terminal. Colour: unless NO_COLOR is set, or the terminal is a dumb one.
Page page_of(int descriptor);

}  // namespace peer::ctl
