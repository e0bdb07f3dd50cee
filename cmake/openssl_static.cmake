# OpenSSL's static archives in the prefix, with their dependencies. They were built for a newer Debian: libcrypto.a needs one
# symbol of glibc 2.38, which is forwarded where glibc is older.
pkg_check_modules(zlib_pc QUIET IMPORTED_TARGET GLOBAL zlib)
pkg_check_modules(zstd_pc QUIET IMPORTED_TARGET GLOBAL libzstd)
if(NOT zlib_pc_FOUND OR NOT zstd_pc_FOUND)
  string(APPEND missing "\n  zlib and zstd: apt-get install zlib1g-dev libzstd-dev")
  return()
endif()
target_include_directories(deps_quic SYSTEM INTERFACE ${PEERD_DEPS}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
target_link_libraries(deps_quic INTERFACE ${deps_lib}/libssl.a ${deps_lib}/libcrypto.a PkgConfig::zlib_pc PkgConfig::zstd_pc
  dl Threads::Threads)
list(APPEND PEERD_PRIVATE_ARCHIVES ${deps_lib}/libssl.a ${deps_lib}/libcrypto.a)
list(APPEND PEERD_SYSTEM_MODULES zlib libzstd)
include(CheckSymbolExists)
check_symbol_exists(__isoc23_strtol "stdlib.h" PEERD_GLIBC_HAS_ISOC23)
if(NOT PEERD_GLIBC_HAS_ISOC23)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/isoc23.c CONTENT
"long strtol(const char *, char **, int);
long __isoc23_strtol(const char *s, char **e, int b) { return strtol(s, e, b); }
")
  add_library(deps_isoc23 STATIC ${CMAKE_BINARY_DIR}/isoc23.c)
  target_link_libraries(deps_quic INTERFACE deps_isoc23)
endif()
