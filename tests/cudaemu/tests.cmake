# The emulation's own tests, and those of the project on the emulated device; included by
# tests/CMakeLists.txt.
add_executable(test_cudaemu cudaemu/test_cudaemu.cpp cudaemu/test_faults.cpp
  cudaemu/test_kernels.cu)
cudaemu_compile_kernels(test_cudaemu cudaemu/test_kernels.cu)
target_link_libraries(test_cudaemu PRIVATE cudaemu_flags PkgConfig::CRITERION)
set_target_properties(test_cudaemu PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
add_test(NAME ${PLSTAR_TEST_PREFIX}emulation.test_cudaemu COMMAND test_cudaemu -j1)
set_tests_properties(${PLSTAR_TEST_PREFIX}emulation.test_cudaemu PROPERTIES
  FAIL_REGULAR_EXPRESSION "Sanitizer:" TIMEOUT 900 ENVIRONMENT "${PLSTAR_TEST_ENVIRONMENT}")
