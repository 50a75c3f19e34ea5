# A method is a folder. frugal_table writes a source file with `function(argument&)` that calls `<prefix>_<folder>(argument)` for every
# folder below `floor` that holds `file`, so that adding a folder changes no list (and no linker drops a static constructor).
#   frugal_table(<out variable> <floor> <file> <prefix> <argument type> <function> <header>)
function(frugal_table out floor file prefix type function header)
  file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/${floor}/*/${file})
  list(SORT found)
  set(declared "")
  set(called "")
  foreach(path ${found})
    get_filename_component(folder ${path} DIRECTORY)
    get_filename_component(folder ${folder} NAME)
    string(APPEND declared "void ${prefix}_${folder}(${type}&);\n")
    string(APPEND called "  ${prefix}_${folder}(table);\n")
  endforeach()
  set(path ${CMAKE_BINARY_DIR}/generated/${function}.cpp)
  file(CONFIGURE OUTPUT ${path} @ONLY CONTENT
"#include \"${header}\"

namespace frugal {
${declared}
void ${function}(${type}& table) {
${called}}
}  // namespace frugal
")
  set(${out} ${path} PARENT_SCOPE)
endfunction()

# The torch-free face of the methods: configuration, registration, plan.
frugal_table(method_table tune register.cpp register Registry register_methods frugal/tune/registry.h)
file(GLOB method_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/tune/registry.cpp ${CMAKE_SOURCE_DIR}/frugal/tune/*/register.cpp
     ${CMAKE_SOURCE_DIR}/frugal/tune/*/plan.cpp)
add_library(frugal_methods STATIC ${method_sources} ${method_table})
target_include_directories(frugal_methods PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(frugal_methods PUBLIC frugal_plan)

# The program: it opens libfrugal_torch.so when a verb needs it, and not before.
pkg_check_modules(CLI11 REQUIRED IMPORTED_TARGET CLI11)
file(GLOB_RECURSE cli_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/cli/*.cpp)
list(FILTER cli_sources EXCLUDE REGEX "/(tests|torch)/|/main\\.cpp$")
add_library(frugal_cli STATIC ${cli_sources})
target_include_directories(frugal_cli PUBLIC ${CMAKE_SOURCE_DIR})
target_compile_definitions(frugal_cli PRIVATE FRUGAL_VERSION="${PROJECT_VERSION}" FRUGAL_COMPILER="${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
target_link_libraries(frugal_cli PUBLIC frugal_methods frugal_data frugal_kernels frugal_run ${CMAKE_DL_LIBS} PRIVATE PkgConfig::CLI11)
add_executable(frugal ${CMAKE_SOURCE_DIR}/frugal/cli/main.cpp)
target_link_libraries(frugal PRIVATE frugal_cli)
frugal_tests(cli frugal_cli)
if(TARGET test_cli)
  add_dependencies(test_cli frugal)
endif()
