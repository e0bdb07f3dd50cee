# The library for other programs (cmake --install BUILD --component development): the public headers, one archive that holds
# libpeer and the libraries no distribution package provides, and a CMake package, so that find_package(peerd) needs
# the system's own libraries only.
include(CMakePackageConfigHelpers)

set(layers base runtime store net protocol discovery library staging access transfer api sessions downloads node host)
set(archives ${PEERD_PRIVATE_ARCHIVES})
set(archive_targets "")
foreach(layer IN LISTS layers)
  get_target_property(type peer_${layer} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND archive_targets peer_${layer})
  endif()
endforeach()
foreach(target deps_blake3 deps_isoc23)
  if(TARGET ${target})
    list(APPEND archive_targets ${target})
  endif()
endforeach()
foreach(target IN LISTS archive_targets)
  list(APPEND archives $<TARGET_FILE:${target}>)
endforeach()

# ar's MRI script merges archives without unpacking them, so members with the same name do not collide.
set(archive ${CMAKE_BINARY_DIR}/embedding/libpeerd.a)
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/embedding/merge.mri CONTENT
"create ${archive}
addlib $<JOIN:${archives},
addlib >
save
end
")
add_custom_command(OUTPUT ${archive}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
  COMMAND sh -c "${CMAKE_AR} -M <${CMAKE_BINARY_DIR}/embedding/merge.mri"
  DEPENDS ${archive_targets} ${CMAKE_BINARY_DIR}/embedding/merge.mri VERBATIM)
add_custom_target(embedding ALL DEPENDS ${archive})

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/peerd)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/peerd-config.cmake.in ${CMAKE_BINARY_DIR}/embedding/peerd-config.cmake
  INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/embedding/peerd-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development EXCLUDE_FROM_ALL)
install(FILES ${CMAKE_BINARY_DIR}/embedding/peerd-config.cmake ${CMAKE_BINARY_DIR}/embedding/peerd-config-version.cmake
  DESTINATION ${package} COMPONENT development EXCLUDE_FROM_ALL)
install(CODE "set(source \"${CMAKE_SOURCE_DIR}\")\nset(include \"${CMAKE_INSTALL_INCLUDEDIR}/peerd\")"
  COMPONENT development EXCLUDE_FROM_ALL)
install(SCRIPT ${CMAKE_SOURCE_DIR}/cmake/install_headers.cmake COMPONENT development EXCLUDE_FROM_ALL)
