# The test install/examples: cmake -DBUILD=... -DSOURCE=... -DTORCH=ON|OFF -DGENERATOR=Ninja -P cmake/test_install.cmake
set(prefix ${BUILD}/installed)
set(outside ${BUILD}/installed_examples)
find_program(CCACHE ccache)
if(NOT CCACHE)
  set(CCACHE "")
endif()
file(REMOVE_RECURSE ${prefix} ${outside})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGN} ended with ${code}:\n${said}")
  endif()
  set(said "${said}" PARENT_SCOPE)
endfunction()

# Copied, so that nothing beside the examples is found by accident.
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
file(COPY ${SOURCE}/examples DESTINATION ${outside})
run(${CMAKE_COMMAND} -S ${outside}/examples -B ${outside}/build -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${prefix}
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER_LAUNCHER=${CCACHE})
run(${CMAKE_COMMAND} --build ${outside}/build)
run(${outside}/build/custom_job ${outside}/run)
if(TORCH)
  set(model ${SOURCE}/frugal/nn/tests/golden/tied)
  run(${outside}/build/tune_lora ${model} ${outside}/adapter)
  run(${outside}/build/mezo_objective ${model})
  run(${prefix}/bin/frugal doctor --json)  # opens a room's library: that of the prefix
  if(said MATCHES "cannot load" OR NOT said MATCHES "installed/lib/libfrugal_torch.so")
    message(FATAL_ERROR "the installed program opens no library of its own:\n${said}")
  endif()
endif()
run(${prefix}/bin/frugal list ${outside} --json)
