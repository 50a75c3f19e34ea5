# ---- floors with LibTorch ----
find_package(Torch REQUIRED)
set(FRUGAL_LIBTORCH "$<INSTALL_INTERFACE:frugal::libtorch>")  # where it is installed, frugalConfig.cmake finds it anew
foreach(library ${TORCH_LIBRARIES})
  list(APPEND FRUGAL_LIBTORCH "$<BUILD_INTERFACE:${library}>")
endforeach()
set(FRUGAL_FLOORS_WITHOUT_TORCH ${FRUGAL_FLOORS})
set(FRUGAL_FLOORS)
frugal_floor(core core frugal_kernels frugal_budget ${FRUGAL_LIBTORCH})
target_compile_definitions(frugal_core PUBLIC AT_PER_OPERATOR_HEADERS)
frugal_floor(nn nn frugal_core frugal_formats)
frugal_floor(train train frugal_nn frugal_data frugal_loop frugal_train_config)
# Small networks on torch::nn: every file goes through one precompiled header (29 s once instead of each time).
frugal_floor(modules nn/modules frugal_core frugal_formats)
target_precompile_headers(frugal_modules PRIVATE ${CMAKE_SOURCE_DIR}/frugal/nn/modules/torch_nn.h)
target_compile_options(frugal_modules PRIVATE -fpch-preprocess)  # so that ccache can tell what the header holds
function(frugal_use_torch_nn target)
  target_precompile_headers(${target} REUSE_FROM frugal_modules)
  target_compile_options(${target} PRIVATE -fpch-preprocess -fPIC)  # as the header was made, a test program's, too
endfunction()

# Each method's part that computes.
frugal_method_library(tuners tune TRUE register_tuners TunerRegistry frugal/train/tuner_registry.h register_tuner
  frugal_train frugal_methods)
frugal_method_library(pruners prune TRUE register_pruners PrunerRegistry frugal/prune/torch/pruner.h register_pruner
  frugal_train frugal_prune_methods)
set(FRUGAL_ROOM_LIBRARIES)

frugal_tests(core TRUE frugal_core frugal_formats)
frugal_tests(nn TRUE frugal_nn)
frugal_tests(nn/modules TRUE frugal_modules)
if(TARGET test_nn_modules)
  frugal_use_torch_nn(test_nn_modules)
endif()
frugal_tests(train TRUE frugal_train)
frugal_tests(tune TRUE frugal_tuners)
frugal_tests(prune TRUE frugal_pruners)

# A room's library: libfrugal_<room>.so, that of the verbs libfrugal_torch.so.
foreach(room ${FRUGAL_ROOMS})
  frugal_folders(computing ${room} torch)
  if(NOT computing)
    continue()
  endif()
  frugal_room_sources(sources ${room} TRUE)
  frugal_table(table register_room_${room} JobTable frugal/train/loop/job_table.h register_torch_job ${computing})
  add_library(computing_${room} STATIC ${sources} ${table})
  if(room STREQUAL verbs)
    set(library frugal_torch)
    target_link_libraries(computing_${room} PUBLIC frugal_tuners frugal_pruners room_verbs)
  else()
    set(library frugal_${room})
    target_link_libraries(computing_${room} PUBLIC frugal_modules frugal_loop room_${room})
    frugal_use_torch_nn(computing_${room})
  endif()
  frugal_generate(entry register_room_of_${room} "#include \"frugal/train/loop/job_table.h\"

namespace frugal {
void register_room_${room}(JobTable&);
void register_room(JobTable& table) { register_room_${room}(table); }
}  // namespace frugal
")
  add_library(${library} SHARED ${CMAKE_SOURCE_DIR}/frugal/train/room/entry.cpp ${entry})
  target_link_libraries(${library} PRIVATE computing_${room})
  target_link_options(${library} PRIVATE -Wl,-z,defs)  # a function registered under a wrong name fails here, not when it is run
  list(APPEND FRUGAL_ROOM_LIBRARIES ${library})
  add_dependencies(frugal ${library})
  frugal_tests(${room} TRUE computing_${room})
  if(TARGET test_${room}_torch)
    add_dependencies(test_${room}_torch frugal)
    if(NOT room STREQUAL verbs)
      frugal_use_torch_nn(test_${room}_torch)
    endif()
  endif()
endforeach()

# What the acceptance of BAdam and SPruFT is measured with; bench/small_scale.sh runs it. Then the benchmarks of methods of
# prune: bench/masks.cpp of bonsai is bin/bench_bonsai_masks. Built with the tests, so that they go on compiling.
if(FRUGAL_TESTS)
  foreach(bench small_scale updates)
    add_executable(bench_${bench} frugal/tune/bench/${bench}.cpp)
    target_link_libraries(bench_${bench} PRIVATE frugal_tuners)
  endforeach()
  file(GLOB programs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/prune/*/bench/*.cpp)
  foreach(program ${programs})
    string(REGEX REPLACE ".*/([^/]+)/bench/([^/]+)\\.cpp$" "bench_\\1_\\2" target ${program})
    add_executable(${target} ${program})
    target_link_libraries(${target} PRIVATE frugal_pruners)
  endforeach()
endif()
