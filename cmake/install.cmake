# cmake --install: the program, its rooms' libraries, and the floors as a package.
#
#   find_package(frugal REQUIRED)                         # every floor; finds LibTorch
#   find_package(frugal REQUIRED COMPONENTS torch_free)   # those that never see it
#   target_link_libraries(mine PRIVATE frugal::loop)      # or frugal::train, frugal::tuners, ...
include(CMakePackageConfigHelpers)
if(NOT FRUGAL_TORCH)
  set(FRUGAL_FLOORS_WITHOUT_TORCH ${FRUGAL_FLOORS})
  set(FRUGAL_FLOORS)
endif()
list(REMOVE_ITEM FRUGAL_FLOORS_WITHOUT_TORCH frugal_common)  # what verbs share
set(package lib/cmake/frugal)

# The program looks for ../lib beside itself; a room's library for LibTorch where the build found it.
set_target_properties(frugal PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
install(TARGETS frugal RUNTIME DESTINATION bin)
if(FRUGAL_TORCH)
  # Named here: what CMake would add by itself leaves out a LibTorch inside the project, where set-up puts it.
  get_target_property(torch_library torch LOCATION)
  get_filename_component(torch_folder ${torch_library} DIRECTORY)
  set_target_properties(${FRUGAL_ROOM_LIBRARIES} PROPERTIES INSTALL_RPATH "$ORIGIN;${torch_folder}")
  install(TARGETS ${FRUGAL_ROOM_LIBRARIES} LIBRARY DESTINATION lib)
  install(TARGETS ${FRUGAL_FLOORS} EXPORT frugalTorchTargets ARCHIVE DESTINATION lib)
  install(EXPORT frugalTorchTargets NAMESPACE frugal:: DESTINATION ${package})
endif()
install(TARGETS ${FRUGAL_FLOORS_WITHOUT_TORCH} EXPORT frugalTargets ARCHIVE DESTINATION lib)
install(EXPORT frugalTargets NAMESPACE frugal:: DESTINATION ${package})
foreach(folder base formats plan data core nn train tune prune)  # the rooms' own headers go with libraries that are not installed
  install(DIRECTORY frugal/${folder} DESTINATION include/frugal FILES_MATCHING PATTERN "*.h"
    PATTERN tests EXCLUDE PATTERN fuzz EXCLUDE PATTERN golden EXCLUDE PATTERN bench EXCLUDE)
endforeach()

configure_package_config_file(cmake/frugalConfig.cmake.in ${CMAKE_BINARY_DIR}/frugalConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/frugalConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/frugalConfig.cmake ${CMAKE_BINARY_DIR}/frugalConfigVersion.cmake DESTINATION ${package})

# Installed into a folder of the build, the examples build against it from outside the tree, and run.
if(FRUGAL_TESTS AND NOT FRUGAL_SANITIZE)
  add_test(NAME install/examples COMMAND ${CMAKE_COMMAND} -DBUILD=${CMAKE_BINARY_DIR} -DSOURCE=${CMAKE_SOURCE_DIR}
    -DTORCH=${FRUGAL_TORCH} -DGENERATOR=${CMAKE_GENERATOR}
    -P ${CMAKE_SOURCE_DIR}/cmake/test_install.cmake)
  set_tests_properties(install/examples PROPERTIES LABELS slow TIMEOUT 1200)
endif()
