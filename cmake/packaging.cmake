# The installed files and the Debian package: `cpack` in the build directory, or scripts/package. The default prefix is /usr,
# because the units name /usr/bin.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Where to install" FORCE)
endif()
include(GNUInstallDirs)
set(units ${CMAKE_SOURCE_DIR}/systemd)
set(doc ${CMAKE_INSTALL_DATADIR}/doc/peerd)

install(TARGETS peerd peerctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${units}/peerd.service ${units}/peerd.socket DESTINATION lib/systemd/system)
if(systemd_pc_VERSION VERSION_GREATER_EQUAL 253)
  install(FILES ${units}/notify-reload.conf DESTINATION lib/systemd/system/peerd.service.d)
endif()
install(FILES ${units}/peerd.sysusers DESTINATION lib/sysusers.d RENAME peerd.conf)
install(FILES ${units}/peerd.tmpfiles DESTINATION lib/tmpfiles.d RENAME peerd.conf)
install(FILES ${units}/peerd.sysctl DESTINATION lib/sysctl.d RENAME 60-peerd.conf)
install(FILES ${units}/firewall/firewalld.xml DESTINATION lib/firewalld/services RENAME peerd.xml)
install(FILES ${units}/firewall/ufw DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/ufw/applications.d RENAME peerd)
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${doc})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs DESTINATION ${doc} USE_SOURCE_PERMISSIONS)  # recipes are programs
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${doc} RENAME copyright)
install(FILES ${units}/container/Containerfile DESTINATION ${doc})

# The service's configuration: every key as in the reference, and the library, which the service requires.
set(service_config ${CMAKE_BINARY_DIR}/packaging/peerd.toml)
add_custom_command(OUTPUT ${service_config}
  COMMAND ${CMAKE_COMMAND} -D FROM=${CMAKE_BINARY_DIR}/reference/peerd.toml -D TO=${service_config}
    -P ${CMAKE_SOURCE_DIR}/cmake/service_config.cmake
  DEPENDS ${CMAKE_BINARY_DIR}/reference/peerd.toml ${CMAKE_SOURCE_DIR}/cmake/service_config.cmake)
add_custom_target(service_config ALL DEPENDS ${service_config})
install(FILES ${service_config} DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/peerd)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME peerd)
set(CPACK_PACKAGE_VENDOR peerd)
set(CPACK_PACKAGE_CONTACT "the peerd maintainers <peerd@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "shares game folders between the machines of a local network")
set(CPACK_PACKAGE_DESCRIPTION "Each machine runs the daemon peerd; peers find each other and tell each other which games
they hold, and peerctl brings one over: in verified chunks, from every peer that has it.")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd, init-system-helpers (>= 1.54)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS avahi-daemon)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${units}/deb/postinst ${units}/deb/prerm ${units}/deb/postrm ${units}/deb/conffiles)
include(CPack)
