# The emulation's own tests, and those of the project on the emulated device; included by
# tests/CMakeLists.txt.
add_executable(test_cudaemu cudaemu/test_cudaemu.cpp cudaemu/test_faults.cpp cudaemu/test_knobs.cpp
  cudaemu/test_blas.cpp cudaemu/test_blas_vector.cpp
  cudaemu/test_solver.cpp cudaemu/test_kernels.cu)
cudaemu_compile_kernels(test_cudaemu cudaemu/test_kernels.cu)

# Device functions that no test matrix reaches in full.
add_executable(test_device_functions cudaemu/test_division.cu)
cudaemu_compile_kernels(test_device_functions cudaemu/test_division.cu)
target_include_directories(test_device_functions PRIVATE ${PROJECT_SOURCE_DIR}/cuda
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_include_directories(test_device_functions SYSTEM PRIVATE ${RANDOM123_INCLUDE_DIR})
target_link_libraries(test_device_functions PRIVATE plstar_flags PkgConfig::CRITERION)
target_link_libraries(test_cudaemu PRIVATE plstar_flags PkgConfig::CRITERION)

# What the module does when calls fail, and where there is no device.
add_executable(test_cuda_failures cudaemu/test_cuda_failures.c)
target_include_directories(test_cuda_failures PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(test_cuda_failures PRIVATE plstar_static cudaemu PkgConfig::CRITERION)
set_target_properties(test_cudaemu test_device_functions test_cuda_failures PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)

set(emulated_device ${PLSTAR_TEST_ENVIRONMENT} PLSTAR_TEST_DEVICE=cuda
  PLSTAR_CUDA_MODULE=$<TARGET_FILE:plstar_cuda>)

# test_on_device(NAME SEED COMMAND...): one entry whose device is the emulated one.
function(test_on_device name seed)
  add_test(NAME ${PLSTAR_TEST_PREFIX}${name} COMMAND ${ARGN})
  set_tests_properties(${PLSTAR_TEST_PREFIX}${name} PROPERTIES
    FAIL_REGULAR_EXPRESSION "Sanitizer:" TIMEOUT 1800
    ENVIRONMENT "${emulated_device};EMU_SEED=${seed}")
endfunction()

# test_program_on_device(NAME SEED SCRIPT): the program's tests there. The leak sanitizer's look at the
# end of a process now and then crashes in a program that has loaded the module ("Tracer caught
# signal 11"); leaks of the module are looked for by test_cuda_failures.
function(test_program_on_device name seed script)
  test_on_device(${name} ${seed}
    Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/cli/${script}.py $<TARGET_FILE:plstar>)
  set_property(TEST ${PLSTAR_TEST_PREFIX}${name} APPEND PROPERTY
    ENVIRONMENT ASAN_OPTIONS=detect_leaks=0:strict_string_checks=1:allocator_may_return_null=1)
endfunction()

test_on_device(emulation.test_cudaemu 1 test_cudaemu -j1)
test_on_device(cuda.test_device_functions 1 test_device_functions -j1)
test_on_device(cuda.test_cuda_failures 1 test_cuda_failures -j1)

# The order of threads matters to kernels, so what computes runs in three. What compares devices with
# each other has no more to say here than on the CPU.
foreach(seed 1 2 3)
  set(which)
  if(seed GREATER 1) # failing allocations do not depend on the order
    set(which --filter "*/!(survives_the_failure*)")
  endif()
  test_on_device(cuda.seed${seed}.test_operations ${seed} test_operations -j1
    --filter "operations/!(give_the_same*)")
  foreach(test test_reference test_kernel test_bottom test_train test_twin)
    test_on_device(cuda.seed${seed}.${test} ${seed} ${test} -j1 ${which})
  endforeach()
  test_program_on_device(cuda.seed${seed}.test_reference_cli ${seed} test_reference)
endforeach()
test_on_device(cuda.test_lanczos 1 test_lanczos -j1)
test_on_device(cuda.test_layers 1 test_layers -j1)
test_on_device(cuda.test_products 1 test_products -j1)
test_on_device(cuda.test_second 1 test_second -j1)
test_on_device(cuda.test_systems 1 test_systems -j1)
test_on_device(cuda.test_factor 1 test_operations -j1 --filter "!(operations)/*")
foreach(test test_results test_resume test_solve)
  test_program_on_device(cuda.cli.${test} 1 ${test})
endforeach()
