# Every header is also compiled alone, by the target all_verify_interface_header_sets (scripts/check headers).
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)

# peer_layer(NAME LINK ...): libpeer/NAME as the static library peer::NAME.
function(peer_layer name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/libpeer/${name}/*.cc)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/libpeer/${name}/*.h)
  if(name STREQUAL "control")
    # peerctl links only the client side.
    file(GLOB client CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/libpeer/control/client*.cc)
    list(REMOVE_ITEM sources ${client})
    peer_library(control_client SOURCES ${client} LINK peer::runtime deps::json)
    list(APPEND arg_LINK peer::control_client)
  endif()
  peer_library(${name} SOURCES ${sources} HEADERS ${headers} LINK ${arg_LINK})
endfunction()

# Precompiles the standard headers that nearly every file includes, which saves a fifth of a clean build's time. Not with
# ccache, which would then cache nothing. Builds with ccache and the header sets find files that lack an include.
function(peer_precompile target)
  if(CCACHE)
    return()
  endif()
  if(target STREQUAL "peer_base")
    target_precompile_headers(peer_base PRIVATE <algorithm> <array> <chrono> <coroutine> <expected> <functional> <list> <map>
      <memory> <optional> <set> <span> <string> <unordered_map> <variant> <vector>)
  else()
    target_precompile_headers(${target} REUSE_FROM peer_base)
  endif()
endfunction()

function(peer_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;LINK" ${ARGN})
  if(arg_SOURCES)
    add_library(peer_${name} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(peer_${name} PRIVATE peer_options)
    peer_precompile(peer_${name})
  else()
    add_library(peer_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_link_libraries(peer_${name} ${scope} ${arg_LINK})
  target_sources(peer_${name} ${scope} FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${arg_HEADERS})
  target_include_directories(peer_${name} ${scope} ${CMAKE_SOURCE_DIR})
  add_library(peer::${name} ALIAS peer_${name})
endfunction()

# peer_part(NAME DIR program/part LINK ...): a directory of a program as a static library.
function(peer_part name)
  cmake_parse_arguments(arg "" "DIR" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${arg_DIR}/*.cc)
  peer_library(${name} SOURCES ${sources} LINK ${arg_LINK})
endfunction()

# peer_program(NAME SOURCES dir LINK ...): every .cc in dir as the executable NAME.
function(peer_program name)
  cmake_parse_arguments(arg "" "SOURCES" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${arg_SOURCES}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${arg_LINK} peer_options)
  target_compile_definitions(${name} PRIVATE PEERD_VERSION="${PROJECT_VERSION}")
endfunction()
