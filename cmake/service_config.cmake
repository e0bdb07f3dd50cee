# Writes the example configuration FROM, with the library that the service may write to, to TO.
file(READ ${FROM} text)
set(default "#roots = []")
string(FIND "${text}" "\n${default}\n" found)
if(found EQUAL -1)
  message(FATAL_ERROR "${FROM} has no line ${default}")
endif()
string(REPLACE "\n${default}\n" "\nroots = [\"/srv/games\"]\n" text "${text}")
file(WRITE ${TO} "${text}")
