# A room is a folder of frugal/ whose folders register themselves: systems and verbs in a register.cpp, methods of tune in
# theirs. The build finds them and writes the tables, so that adding a folder changes no list (and no linker drops a static
# constructor). What lies in a folder called torch/ computes with LibTorch and goes into the room's library, which the
# program opens when a verb needs it; everything else is free of LibTorch and part of the program.

# frugal_table(<out variable> <function> <type> <header> <prefix> <path>...): a source file with `function(type&)` that calls
# `<prefix>_<room>_<folder>(table)` for each path <room>/<folder>.
function(frugal_table out function type header prefix)
  set(declared "")
  set(called "")
  foreach(path ${ARGN})
    string(REPLACE "/" "_" name ${path})
    string(APPEND declared "void ${prefix}_${name}(${type}&);\n")
    string(APPEND called "  ${prefix}_${name}(table);\n")
  endforeach()
  frugal_generate(${out} ${function} "#include \"${header}\"

namespace frugal {
${declared}
void ${function}([[maybe_unused]] ${type}& table) {
${called}}
}  // namespace frugal
")
  set(${out} ${${out}} PARENT_SCOPE)
endfunction()

set(FRUGAL_GENERATED ${CMAKE_BINARY_DIR}/generated)
function(frugal_generate out name content)
  set(path ${FRUGAL_GENERATED}/${name}.cpp)
  file(CONFIGURE OUTPUT ${path} @ONLY CONTENT "${content}")
  set(${out} ${path} PARENT_SCOPE)
endfunction()

# The folders <room>/<folder> that hold `file`, by name.
function(frugal_folders out room file)
  file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/${room}/*/${file})
  set(folders)
  foreach(path ${found})
    string(REGEX REPLACE "/${file}$" "" path ${path})
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR}/frugal ${path})
    list(APPEND folders ${path})
  endforeach()
  list(SORT folders)
  set(${out} ${folders} PARENT_SCOPE)
endfunction()

# Sources below a room with or without LibTorch; neither tests nor programs of their own.
function(frugal_room_sources out room with_torch)
  frugal_sources(found ${room})
  if(with_torch)
    list(FILTER found INCLUDE REGEX "/torch/")
  else()
    list(FILTER found EXCLUDE REGEX "/torch/")
  endif()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# frugal_method_library(<name> <room> <with LibTorch> <function> <type> <header> <prefix> <libraries>...): of a room whose folders
# are methods of one verb the library frugal_<name>, with the table that `function(type&)` fills, and <name>: the folders.
macro(frugal_method_library name room with_torch function type header prefix)
  if(${with_torch})
    frugal_folders(${name} ${room} torch)
  else()
    frugal_folders(${name} ${room} register.cpp)
  endif()
  frugal_table(${name}_table ${function} ${type} ${header} ${prefix} ${${name}})
  frugal_room_sources(${name}_sources ${room} ${with_torch})
  add_library(frugal_${name} STATIC ${${name}_sources} ${${name}_table})
  target_include_directories(frugal_${name} PUBLIC ${FRUGAL_INCLUDE})
  target_link_libraries(frugal_${name} PUBLIC ${ARGN})
  frugal_library(${name})
endmacro()

# ---- the methods of tune and of prune, as far as help and plans need them ----
frugal_method_library(methods tune FALSE register_tune_methods MethodTable frugal/tune/registry.h register frugal_train_config)
frugal_method_library(prune_methods prune FALSE register_prune_methods PruneMethodTable frugal/prune/registry.h register
  frugal_formats frugal_plan)
frugal_floor(common verbs/common frugal_methods frugal_prune_methods frugal_data)

# ---- the rooms of systems ----
set(FRUGAL_ROOMS)
set(FRUGAL_SYSTEMS)
file(GLOB found RELATIVE ${CMAKE_SOURCE_DIR}/frugal CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/*/*/register.cpp)
foreach(path ${found})
  string(REGEX REPLACE "/.*" "" room ${path})
  if(NOT room MATCHES "^(tune|prune)$")
    list(APPEND FRUGAL_ROOMS ${room})
    string(REGEX REPLACE "/register.cpp$" "" folder ${path})
    list(APPEND FRUGAL_SYSTEMS ${folder})
  endif()
endforeach()
list(REMOVE_DUPLICATES FRUGAL_ROOMS)
list(SORT FRUGAL_SYSTEMS)
set(FRUGAL_JOBS)
set(room_libraries)
foreach(room ${FRUGAL_ROOMS})
  frugal_folders(jobs ${room} job.cpp)
  list(APPEND FRUGAL_JOBS ${jobs})
  if(NOT room STREQUAL cli)
    frugal_room_sources(sources ${room} FALSE)
    add_library(room_${room} STATIC ${sources})
    target_link_libraries(room_${room} PUBLIC frugal_common frugal_loop frugal_kernels)
    list(APPEND room_libraries room_${room})
    frugal_tests(${room} FALSE room_${room})
    frugal_fuzz(${room} room_${room})
    # The long claims of a paper as a program: make acceptance SYSTEM=<folder> builds and runs it.
    file(GLOB programs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/${room}/*/acceptance/*.cpp)
    foreach(program ${programs})
      string(REGEX REPLACE ".*/([^/]+)/acceptance/[^/]+$" "\\1" system ${program})
      if(NOT TARGET acceptance_${system})
        add_executable(acceptance_${system} EXCLUDE_FROM_ALL)
        target_link_libraries(acceptance_${system} PRIVATE room_${room})
      endif()
      target_sources(acceptance_${system} PRIVATE ${program})
    endforeach()
    # Its benchmarks: bench/speed.cpp of swarm is bin/bench_swarm_speed, built with the tests so that it goes on compiling.
    file(GLOB programs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/${room}/*/bench/*.cpp)
    if(FRUGAL_TESTS AND NOT room STREQUAL verbs)
      foreach(program ${programs})
        string(REGEX REPLACE ".*/([^/]+)/bench/([^/]+)\\.cpp$" "bench_\\1_\\2" target ${program})
        add_executable(${target} ${program})
        target_link_libraries(${target} PRIVATE room_${room})
      endforeach()
    endif()
  endif()
endforeach()

# frugal_system_table(<out variable> <room>/<folder>...): a source file with the table of systems. Each folder registers under
# its own path, so that `frugal list` can say where a system lives.
function(frugal_system_table out)
  set(declared "")
  set(called "")
  foreach(path ${ARGN})
    string(REPLACE "/" "_" name ${path})
    string(APPEND declared "void register_${name}(SystemTable&);\n")
    string(APPEND called "  add(register_${name}, \"${path}\");\n")
  endforeach()
  frugal_generate(${out} register_systems "#include \"frugal/base/system.h\"

namespace frugal {
${declared}
void register_systems(SystemTable& table) {
  const auto add = [&](void (*fill)(SystemTable&), const char* folder) {
    SystemTable own(\"verb\", \"verbs\");
    fill(own);
    for (SystemInfo system : own.all()) {
      system.folder = folder;
      table.add(std::move(system));
    }
  };
${called}}

const SystemTable& systems() {
  static const SystemTable table = [] {
    SystemTable all(\"verb\", \"verbs\");
    register_systems(all);
    return all;
  }();
  return table;
}
}  // namespace frugal
")
  set(${out} ${${out}} PARENT_SCOPE)
endfunction()
frugal_system_table(system_table ${FRUGAL_SYSTEMS})
frugal_table(job_table register_jobs JobTable frugal/train/loop/job_table.h register_job ${FRUGAL_JOBS})

# ---- the program ----
pkg_check_modules(CLI11 REQUIRED IMPORTED_TARGET CLI11)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
frugal_sources(cli_sources cli)
list(FILTER cli_sources EXCLUDE REGEX "/main\\.cpp$")
add_library(frugal_cli STATIC ${cli_sources} ${system_table} ${job_table})
target_include_directories(frugal_cli PUBLIC ${CMAKE_SOURCE_DIR})
target_compile_definitions(frugal_cli PRIVATE FRUGAL_VERSION="${PROJECT_VERSION}" FRUGAL_COMPILER="${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
target_link_libraries(frugal_cli PUBLIC ${room_libraries} frugal_common frugal_loop frugal_kernels ${CMAKE_DL_LIBS} PRIVATE PkgConfig::CLI11 PkgConfig::HTTPLIB)
add_executable(frugal ${CMAKE_SOURCE_DIR}/frugal/cli/main.cpp)
target_link_libraries(frugal PRIVATE frugal_cli)
frugal_tests(cli FALSE frugal_cli)
if(TARGET test_cli)
  add_dependencies(test_cli frugal)
endif()
