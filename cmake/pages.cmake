# build/docs: a page a verb and a table of all, from the program and the READMEs. Takes a second.
file(GLOB readmes CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/*/*/README.md ${CMAKE_SOURCE_DIR}/frugal/*/*/packages.txt
  ${CMAKE_SOURCE_DIR}/docs/*.md)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/pages.stamp
  COMMAND python3 ${CMAKE_SOURCE_DIR}/scripts/make_pages.py $<TARGET_FILE:frugal> ${CMAKE_BINARY_DIR}/docs
  COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/pages.stamp
  DEPENDS frugal ${CMAKE_SOURCE_DIR}/scripts/make_pages.py ${readmes} COMMENT "Making the pages of verbs: docs/" VERBATIM)
add_custom_target(docs ALL DEPENDS ${CMAKE_BINARY_DIR}/pages.stamp)
