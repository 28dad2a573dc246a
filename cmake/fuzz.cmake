# Fuzz targets: each framework/fuzz/fuzz_X.c is a program in <build>/fuzz. With INITRACE_FUZZER the compiler's own driver
# feeds it (libFuzzer of clang, or AFL++'s of afl-clang-fast); else framework/fuzz/replay.c, and the test unit.fuzz_X runs
# its corpus once. unit.fuzz (label soak, off by default) is `ci/fuzz`, which builds the preset `fuzz` for itself.

set(itr_corpus "${CMAKE_SOURCE_DIR}/framework/fuzz/corpus")
file(GLOB itr_fuzz_sources CONFIGURE_DEPENDS framework/fuzz/fuzz_*.c)
add_custom_target(fuzzers)
foreach(source IN LISTS itr_fuzz_sources)
  get_filename_component(target "${source}" NAME_WE)
  string(REGEX REPLACE "^fuzz_" "" name "${target}")
  add_executable(${target} "${source}")
  target_link_libraries(${target} PRIVATE initrace_core)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
  add_dependencies(fuzzers ${target})
  if(INITRACE_FUZZER)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${target} PRIVATE framework/fuzz/replay.c)
  endif()
  if(INITRACE_TESTS AND NOT INITRACE_FUZZER)
    set(itr_seeds "${itr_corpus}/${name}")
    if(name STREQUAL triage) # the recorded crash texts, too
      list(APPEND itr_seeds "${CMAKE_SOURCE_DIR}/framework/tests/crashes")
    endif()
    add_test(NAME unit.${target} COMMAND ${target} ${itr_seeds})
    set_tests_properties(unit.${target} PROPERTIES LABELS unit TIMEOUT 120 FIXTURES_REQUIRED "${itr_test_fixtures}")
  endif()
endforeach()

if(INITRACE_TESTS AND INITRACE_SOAK AND NOT INITRACE_FUZZER AND CMAKE_HOST_UNIX)
  add_test(NAME unit.fuzz COMMAND "${CMAKE_SOURCE_DIR}/ci/fuzz" 60s)
  set_tests_properties(unit.fuzz PROPERTIES LABELS soak TIMEOUT 3600 SKIP_RETURN_CODE 77)
endif()
