# ---- floors with LibTorch ----
find_package(Torch REQUIRED)
frugal_floor(core core frugal_kernels frugal_budget ${TORCH_LIBRARIES})
target_compile_definitions(frugal_core PUBLIC AT_PER_OPERATOR_HEADERS)
frugal_floor(nn nn frugal_core frugal_formats)
frugal_floor(train train frugal_nn frugal_data frugal_run)

# Each method's part that computes.
frugal_table(tuner_table tune tuner.cpp register_tuner TunerRegistry register_tuners frugal/train/tuner_registry.h)
file(GLOB tuner_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/frugal/tune/*/tuner.cpp ${CMAKE_SOURCE_DIR}/frugal/tune/*/*_torch.cpp)
add_library(frugal_tuners STATIC ${tuner_sources} ${tuner_table})
target_link_libraries(frugal_tuners PUBLIC frugal_train frugal_methods)

# What the program opens when a verb computes.
frugal_sources(verb_sources verbs)
list(FILTER verb_sources EXCLUDE REGEX "/entry\\.cpp$")
add_library(frugal_verbs STATIC ${verb_sources})
target_link_libraries(frugal_verbs PUBLIC frugal_tuners)
add_library(frugal_torch SHARED ${CMAKE_SOURCE_DIR}/frugal/verbs/entry.cpp)
target_link_libraries(frugal_torch PRIVATE frugal_verbs)
add_dependencies(frugal frugal_torch)

frugal_tests(core frugal_core frugal_formats)
frugal_tests(nn frugal_nn)
frugal_tests(train frugal_train)
frugal_tests(tune frugal_tuners)
frugal_tests(verbs frugal_verbs)
if(TARGET test_verbs)
  add_dependencies(test_verbs frugal)
endif()

# What the acceptance of BAdam and SPruFT is measured with; bench/small_scale.sh runs it. Built with the tests, so that
# it goes on compiling.
if(FRUGAL_TESTS)
  foreach(bench small_scale updates)
    add_executable(bench_${bench} frugal/tune/bench/${bench}.cpp)
    target_link_libraries(bench_${bench} PRIVATE frugal_tuners)
  endforeach()
endif()
