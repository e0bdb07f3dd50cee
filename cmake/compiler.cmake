# Warnings and sanitizers of the project's own targets, and the compilers known to miscompile coroutines.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR "GCC ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines: use clang 18 or later, or GCC 14 or later "
    "(on Debian 12: apt-get install clang-19 libclang-rt-19-dev, then cmake --preset release).")
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 18)
  message(FATAL_ERROR "clang ${CMAKE_CXX_COMPILER_VERSION} is too old: use clang 18 or later, or GCC 14 or later.")
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_program(LLD NAMES ld.lld ld.lld-19)
if(LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=${LLD})
endif()

add_library(peer_options INTERFACE)
target_compile_options(peer_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wconversion
  -Wno-sign-conversion -Wno-missing-field-initializers)
target_include_directories(peer_options INTERFACE ${CMAKE_SOURCE_DIR}/libpeer)
if(PEERD_SANITIZE)
  target_compile_options(peer_options INTERFACE -fsanitize=${PEERD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(peer_options INTERFACE -fsanitize=${PEERD_SANITIZE})
endif()
if(PEERD_FUZZ)
  target_compile_options(peer_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(PEERD_TEST_HOOKS)
  target_compile_definitions(peer_options INTERFACE PEERD_TEST_HOOKS=1)
endif()
