# What `cmake --install` puts where: the program, both libraries, the public headers, and what
# pkg-config and find_package(plstar) need. All of it may be moved as a whole afterwards.
include(CMakePackageConfigHelpers)

if(TARGET plstar)
  install(TARGETS plstar RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS plstar_shared plstar_static EXPORT plstar
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/plstar DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES src/data/digits/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME digits.md)

# find_package(plstar): plstar::plstar (shared) and plstar::static.
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/plstar)
install(EXPORT plstar NAMESPACE plstar:: FILE plstar-config.cmake DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/plstar-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/plstar-config-version.cmake DESTINATION ${package_folder})

# plstar.pc. Libraries without a pkg-config file of their own go to Libs.private.
function(link_flags output)
  set(flags)
  foreach(library ${ARGN})
    if(IS_ABSOLUTE ${library})
      get_filename_component(folder ${library} DIRECTORY)
      get_filename_component(name ${library} NAME_WE)
      string(REGEX REPLACE "^lib" "" name ${name})
      if(NOT folder IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
        list(APPEND flags -L${folder})
      endif()
      list(APPEND flags -l${name})
    else()
      list(APPEND flags -l${library})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES flags)
  list(JOIN flags " " flags)
  set(${output} ${flags} PARENT_SCOPE)
endfunction()

link_flags(private_flags ${CSV_LIBRARY} ${OpenMP_C_LIBRARIES} ${CMAKE_DL_LIBS} m)
file(RELATIVE_PATH prefix_from_pkgconfig
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/plstar.pc.in ${PROJECT_BINARY_DIR}/plstar.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/plstar.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
