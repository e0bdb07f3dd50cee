// Finds out whether a descriptor is a terminal, how wide it is, and whether it shows colours.
#pragma once

#include "ctl/text/table.h"

namespace peer::ctl {

/// The width is 0 if the descriptor is not a terminal. Colours are off if NO_COLOR is set or TERM is "dumb".
Page page_of(int descriptor);

}  // namespace peer::ctl
