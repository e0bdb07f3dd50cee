# Generates manual pages, completions and the example configuration from the definitions that the programs use
# (ctl/arguments, daemon/config), into the build directory's reference/, from which they are installed.
include(GNUInstallDirs)

add_executable(peerd-reference ${CMAKE_SOURCE_DIR}/ctl/reference/generate/main.cc)
target_link_libraries(peerd-reference PRIVATE peer::reference peer::ctl_arguments peer::daemon_config peer_options)

set(reference_date 2026-11-22)
set(reference ${CMAKE_BINARY_DIR}/reference)
set(reference_man ${reference}/peerd.8 ${reference}/peerctl.1 ${reference}/peerd.toml.5)
file(GLOB reference_pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ctl/reference/pages/*.in)
add_custom_command(
  OUTPUT ${reference_man} ${reference}/peerd.toml ${reference}/bash/peerd ${reference}/bash/peerctl ${reference}/zsh/_peerd
    ${reference}/zsh/_peerctl ${reference}/fish/peerd.fish ${reference}/fish/peerctl.fish
  COMMAND peerd-reference ${CMAKE_SOURCE_DIR}/ctl/reference/pages ${reference} ${reference_date}
  DEPENDS peerd-reference ${reference_pages}
  COMMENT "Manual pages and completions")
add_custom_target(reference ALL DEPENDS ${reference_man})

install(FILES ${reference}/peerctl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${reference}/peerd.toml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${reference}/peerd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES ${reference}/bash/peerd ${reference}/bash/peerctl DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${reference}/zsh/_peerd ${reference}/zsh/_peerctl DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${reference}/fish/peerd.fish ${reference}/fish/peerctl.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
