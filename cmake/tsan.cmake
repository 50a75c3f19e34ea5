# The thread sanitizer on what shares memory between threads: the team, compiled with its tests and nothing else.
find_package(GTest REQUIRED)
find_package(Threads REQUIRED)
enable_testing()
include(GoogleTest)
add_executable(test_threads ${CMAKE_SOURCE_DIR}/frugal/base/threads.cpp ${CMAKE_SOURCE_DIR}/frugal/base/processor.cpp
  ${CMAKE_SOURCE_DIR}/frugal/base/tests/threads_test.cpp)
target_include_directories(test_threads PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_options(test_threads PRIVATE -fsanitize=thread -O1 -g)
target_link_options(test_threads PRIVATE -fsanitize=thread)
target_link_libraries(test_threads PRIVATE Threads::Threads GTest::gtest GTest::gtest_main)
gtest_discover_tests(test_threads TEST_PREFIX "tsan/" DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 300 ENVIRONMENT TSAN_OPTIONS=halt_on_error=1)
