# Targets that are no part of an ordinary build: bench, lint.

# ---- bench-evidence: a campaign that would take evidence against one that would not; bench-triage: how fast texts are read; bench: the runner against a bare loop that starts the same host; bench-memory: its memory early and
# late in a long campaign ----

if(EXISTS "${CMAKE_SOURCE_DIR}/framework/bench/bench.c")
  if(WIN32)
    set(itr_bench_rate rate ctrl-break-during-init 500)
    set(itr_bench_memory memory ctrl-break-during-init 20000)
    set(itr_bench_evidence evidence ctrl-break-during-init 2000)
  else()
    set(itr_bench_rate rate sigterm-during-init 4000)
    set(itr_bench_memory memory sigterm-during-init 200000)
    set(itr_bench_evidence evidence sigterm-during-init 20000)
  endif()
  file(GLOB itr_bench_sources CONFIGURE_DEPENDS framework/bench/*.c)
  add_executable(initrace_bench EXCLUDE_FROM_ALL ${itr_bench_sources})
  target_link_libraries(initrace_bench PRIVATE initrace_core)
  set_target_properties(initrace_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/${itr_bin_dir}")
  add_custom_target(bench COMMAND initrace_bench ${itr_bench_rate} USES_TERMINAL VERBATIM
                    COMMENT "Trials per second against a bare loop")
  add_custom_target(bench-evidence COMMAND initrace_bench ${itr_bench_evidence} USES_TERMINAL VERBATIM
                    COMMENT "What it costs to be ready to take evidence")
  add_custom_target(bench-memory COMMAND initrace_bench ${itr_bench_memory} USES_TERMINAL VERBATIM
                    COMMENT "The runner's memory in a long campaign")
  add_custom_target(bench-exact COMMAND initrace_bench exact sigusr1-during-init 1000 USES_TERMINAL VERBATIM
                    COMMENT "Shots at an exact point per second against strace --inject")
  add_custom_target(bench-triage COMMAND initrace_bench triage 2048 USES_TERMINAL VERBATIM
                    COMMENT "Bytes per second of crash texts, and of what is none; memory")
  foreach(target IN ITEMS bench bench-evidence bench-memory bench-exact)
    add_dependencies(${target} initrace golibs host_library_host host_library_host_hooked plainlib_plain)
  endforeach()
endif()

# ---- lint ----

find_program(INITRACE_CLANG_TIDY clang-tidy)
find_program(INITRACE_CPPCHECK cppcheck)
set(itr_lint "")
if(INITRACE_CLANG_TIDY AND NOT CMAKE_CROSSCOMPILING)
  file(GLOB itr_lint_sources CONFIGURE_DEPENDS framework/*.c framework/tests/*.c platform/${itr_platform}/*.c
       cases/hosts/*.c cases/selftest/hosts/*.c)
  list(APPEND itr_lint COMMAND "${INITRACE_CLANG_TIDY}" -p "${CMAKE_BINARY_DIR}" --quiet ${itr_lint_sources})
endif()
if(INITRACE_CPPCHECK)
  list(APPEND itr_lint COMMAND "${INITRACE_CPPCHECK}" "--project=${CMAKE_BINARY_DIR}/compile_commands.json"
       --enable=warning,performance,portability --inline-suppr --quiet --error-exitcode=1
       --suppress=missingIncludeSystem)
endif()
if(itr_lint)
  add_custom_target(lint ${itr_lint} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}" VERBATIM
                    COMMENT "clang-tidy and cppcheck")
endif()
