# Tests: unit.X (framework/tests/test_X.c), contract.X (platform/tests/contract_X.c, and in
# platform/<unix|windows>/tests those of one system alone), self.X and case.X (the "ctest" object of a
# case.json). What that object may hold:
#
#   count          trials at each point, for each Go
#   points         fire points, each its own --at; the case's default when there are none
#   control_count  trials of each control; 0 or absent: no controls
#   args           more arguments of `initrace run`
#   axes           quick (the default), base or all: which combinations of the case's axes
#   soak_count     trials of each combination in case.X.all, which runs all of them (count); with INITRACE_SOAK alone
#   soak_timeout   seconds until CTest ends that (7200)
#   per_go         true: a test for each Go, case.X.go1.22.12, where one for all takes over a minute
#   timeout        seconds until CTest ends it (300)
#
# Cases with the label soak are left out unless INITRACE_SOAK is on.

pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

set(itr_test_fixtures "")
if(CMAKE_CROSSCOMPILING AND WIN32)
  add_test(NAME wine.start COMMAND ${CMAKE_CROSSCOMPILING_EMULATOR} --start)
  add_test(NAME wine.stop COMMAND ${CMAKE_CROSSCOMPILING_EMULATOR} --stop)
  set_tests_properties(wine.start PROPERTIES FIXTURES_SETUP wine TIMEOUT 300)
  set_tests_properties(wine.stop PROPERTIES FIXTURES_CLEANUP wine TIMEOUT 120)
  set(itr_test_fixtures wine)
endif()

# Some take minutes under Wine and with a sanitizer: there they are built, and run with INITRACE_SOAK alone.
set(itr_slow FALSE)
if((CMAKE_CROSSCOMPILING OR INITRACE_SANITIZE) AND NOT INITRACE_SOAK)
  set(itr_slow TRUE)
endif()

# ---- unit and contract ----

function(itr_cmocka_test kind file)
  get_filename_component(name "${file}" NAME_WE)
  string(REGEX REPLACE "^(test|contract|self)_" "" name "${name}")
  set(target "${kind}_${name}")
  add_executable(${target} "${file}")
  target_link_libraries(${target} PRIVATE initrace_core PkgConfig::CMOCKA)
  if(INITRACE_SANITIZE)
    target_compile_definitions(${target} PRIVATE INITRACE_SANITIZED # framework/tests/sanitized.h
                               $<$<STREQUAL:${INITRACE_SANITIZE},thread>:INITRACE_SANITIZED_THREAD>)
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if("LONG" IN_LIST ARGN AND itr_slow)
    return()
  endif()
  add_test(NAME ${kind}.${name} COMMAND ${target} WORKING_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  set_tests_properties(${kind}.${name} PROPERTIES LABELS ${kind} TIMEOUT 120 SKIP_RETURN_CODE 77
                       FIXTURES_REQUIRED "${itr_test_fixtures}")
endfunction()

file(GLOB itr_unit_tests CONFIGURE_DEPENDS framework/tests/test_*.c)
if(WIN32)
  # mingw links the C library's own strtod and printf in, and what they allocate would be refused too: they crash then.
  list(FILTER itr_unit_tests EXCLUDE REGEX "/test_no_memory\\.c$")
endif()
foreach(file IN LISTS itr_unit_tests)
  itr_cmocka_test(unit "${file}")
endforeach()
if(TARGET unit_no_memory)
  target_compile_definitions(unit_no_memory PRIVATE "INITRACE_CORPUS=\"${CMAKE_SOURCE_DIR}/framework/fuzz/corpus\"")
  target_link_options(unit_no_memory PRIVATE
                      -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=free)
endif()
target_compile_definitions(unit_triage PRIVATE "INITRACE_CRASHES=\"${CMAKE_SOURCE_DIR}/framework/tests/crashes\""
                           "INITRACE_KNOWN=\"${CMAKE_SOURCE_DIR}/cases/known\"")
target_compile_definitions(unit_known PRIVATE "INITRACE_KNOWN=\"${CMAKE_SOURCE_DIR}/cases/known\"")

# The child is a host like any other: no sanitizer, no test library.
add_executable(contract_child platform/tests/child.c)
target_link_libraries(contract_child PRIVATE initrace_host)
set_target_properties(contract_child PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
# What the debugger's contract lets the child load: all its names are exported.
add_library(contract_library SHARED platform/tests/debug_library.c)
target_link_libraries(contract_library PRIVATE initrace_common Threads::Threads)
set_target_properties(contract_library PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests"
                      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests" WINDOWS_EXPORT_ALL_SYMBOLS ON)

file(GLOB itr_contract_tests CONFIGURE_DEPENDS platform/tests/contract_*.c
     platform/${itr_platform}/tests/contract_*.c)
foreach(file IN LISTS itr_contract_tests)
  itr_cmocka_test(contract "${file}")
  get_filename_component(name "${file}" NAME_WE)
  add_dependencies(${name} contract_child contract_library)
  target_compile_definitions(${name} PRIVATE "INITRACE_CONTRACT_CHILD=\"$<TARGET_FILE:contract_child>\""
                             "INITRACE_CONTRACT_LIBRARY=\"$<TARGET_FILE:contract_library>\"")
  string(REGEX REPLACE "^contract_" "" name "${name}")
  set_tests_properties(contract.${name} PROPERTIES RUN_SERIAL ON TIMEOUT 600)
endforeach()

add_library(code_library SHARED platform/${itr_platform}/tests/code_library.c)
target_link_libraries(code_library PRIVATE initrace_common Threads::Threads)
set_target_properties(code_library PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests"
                      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
add_dependencies(contract_debug_code code_library)
target_compile_definitions(contract_debug_code PRIVATE "INITRACE_CODE_LIBRARY=\"$<TARGET_FILE:code_library>\"")
if(NOT WIN32)
  add_library(children_library SHARED platform/unix/tests/children_library.c)
  target_link_libraries(children_library PRIVATE initrace_common Threads::Threads)
  set_target_properties(children_library PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_dependencies(contract_debug_children children_library)
  target_compile_definitions(contract_debug_children PRIVATE
                             "INITRACE_CHILDREN_LIBRARY=\"$<TARGET_FILE:children_library>\"")
endif()

# ---- the program as a whole, from outside ----

# The keeper is a host: no sanitizer. It needs libuv's sockets and processes, so that the test sees hosts die.
add_executable(self_keeper framework/tests/keeper.c)
target_link_libraries(self_keeper PRIVATE initrace_host PkgConfig::LIBUV)
set_target_properties(self_keeper PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")

itr_cmocka_test(self framework/tests/self_campaign.c)
add_dependencies(self_campaign initrace self_keeper)
target_compile_definitions(self_campaign PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                           "INITRACE_KEEPER=\"$<TARGET_FILE:self_keeper>\"")
set_tests_properties(self.campaign PROPERTIES TIMEOUT 600)

itr_cmocka_test(self framework/tests/self_matrix.c)
add_dependencies(self_matrix initrace golibs host_misbehave host_library_host plainlib_plain)
target_compile_definitions(self_matrix PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\"")
set_tests_properties(self.matrix PROPERTIES TIMEOUT 600)

itr_cmocka_test(self framework/tests/self_triage.c)
add_dependencies(self_triage initrace)
target_compile_definitions(self_triage PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                           "INITRACE_CRASHES=\"${CMAKE_SOURCE_DIR}/framework/tests/crashes\"")

itr_cmocka_test(self framework/tests/self_recipes.c)
target_compile_definitions(self_recipes PRIVATE "INITRACE_RECIPES=\"${CMAKE_SOURCE_DIR}/cases/recipes\""
                           "INITRACE_LIBRARIES=\"${CMAKE_BINARY_DIR}/${itr_library_dir}\"")

list(GET itr_go_version_roots 0 itr_root)
itr_cmocka_test(self framework/tests/self_arms.c)
add_dependencies(self_arms initrace golibs host_library_host)
target_compile_definitions(self_arms PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\"" "INITRACE_GO_ROOT=\"${itr_root}\"")
set_tests_properties(self.arms PROPERTIES TIMEOUT 600)

# The build's own clearing up, which must spare those libraries.
add_test(NAME self.stale COMMAND ${CMAKE_COMMAND} "-DFOLDER=${CMAKE_BINARY_DIR}/tests/stale"
         -P "${CMAKE_SOURCE_DIR}/cmake/stale_test.cmake")
set_tests_properties(self.stale PROPERTIES LABELS self TIMEOUT 60)

itr_cmocka_test(self framework/tests/self_replay.c)
add_dependencies(self_replay initrace host_library_host plainlib_plain)
target_compile_definitions(self_replay PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                           "INITRACE_LIBRARY=\"$<TARGET_FILE:plainlib_plain>\"")

# What is shown of a Go library that hangs in a known way, one of every Go.
if(NOT WIN32)
  set(itr_stuck_libraries "")
  foreach(version IN LISTS itr_go_versions)
    list(APPEND itr_stuck_libraries "${CMAKE_BINARY_DIR}/${itr_library_dir}/${version}/stuck.so")
  endforeach()
  list(JOIN itr_stuck_libraries ":" itr_text)
  itr_cmocka_test(self platform/unix/tests/self_hangs.c)
  add_dependencies(self_hangs initrace golibs host_library_host)
  target_compile_definitions(self_hangs PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\"" "INITRACE_STUCK_LIBRARIES=\"${itr_text}\"")
  set_tests_properties(self.hangs PROPERTIES TIMEOUT 600)
endif()

# rr needs processor counters, which few machines that run tests have: one of the same name and words stands in for it.
# No sanitizer, as in a host.
if(NOT WIN32)
  add_executable(self_rr platform/unix/tests/rr.c)
  target_link_libraries(self_rr PRIVATE initrace_common)
  set_target_properties(self_rr PROPERTIES OUTPUT_NAME rr RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests/stand-in")
  itr_cmocka_test(self platform/unix/tests/self_record.c)
  add_dependencies(self_record initrace self_rr host_misbehave host_library_host plainlib_plain)
  target_compile_definitions(self_record PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                             "INITRACE_STAND_IN=\"$<TARGET_FILE_DIR:self_rr>\""
                             "INITRACE_LIBRARY=\"$<TARGET_FILE:plainlib_plain>\"")
  set_tests_properties(self.record PROPERTIES TIMEOUT 600)
endif()

# Stacks of a real process with the library "stacks" of every Go.
if(NOT WIN32)
  add_executable(self_stacks_host platform/unix/tests/stacks_host.c)
  target_link_libraries(self_stacks_host PRIVATE initrace_common Threads::Threads ${CMAKE_DL_LIBS})
  set_target_properties(self_stacks_host PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  set(itr_stacks_libraries "")
  foreach(version IN LISTS itr_go_versions)
    list(APPEND itr_stacks_libraries "${CMAKE_BINARY_DIR}/${itr_library_dir}/${version}/stacks.so")
  endforeach()
  list(JOIN itr_stacks_libraries ":" itr_text)
  foreach(name IN ITEMS stacks goroutines)
    itr_cmocka_test(self platform/unix/tests/self_${name}.c)
    add_dependencies(self_${name} golibs self_stacks_host)
    target_compile_definitions(self_${name} PRIVATE "INITRACE_STACKS_HOST=\"$<TARGET_FILE:self_stacks_host>\""
                               "INITRACE_STACKS_LIBRARIES=\"${itr_text}\"")
    set_tests_properties(self.${name} PROPERTIES TIMEOUT 300)
  endforeach()
endif()

# Under what policy the kernel runs hosts: a library that asks it.
if(NOT WIN32)
  add_library(policy_library MODULE platform/unix/tests/policy_library.c)
  target_link_libraries(policy_library PRIVATE initrace_common Threads::Threads)
  set_target_properties(policy_library PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  itr_cmocka_test(self platform/unix/tests/self_scheduling.c)
  add_dependencies(self_scheduling initrace host_library_host host_library_host_hooked policy_library)
  target_compile_definitions(self_scheduling PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                             "INITRACE_POLICY_LIBRARY=\"$<TARGET_FILE:policy_library>\"")
endif()

# A Go library that dies in ways that are known to the line, for the evidence that is taken of that: one of every Go.
if(NOT WIN32)
  set(itr_faulty_folder "${CMAKE_SOURCE_DIR}/cases/selftest/golibs/faulty")
  set(itr_faulties "")
  foreach(root version IN ZIP_LISTS itr_go_version_roots itr_go_versions)
    set(itr_faulty "${CMAKE_BINARY_DIR}/tests/faulty/${version}/faulty${CMAKE_SHARED_MODULE_SUFFIX}")
    add_custom_command(OUTPUT "${itr_faulty}"
      COMMAND ${CMAKE_COMMAND} -E env ${itr_golib_env} "GOROOT=${root}" "GOCACHE=${itr_go_cache}" "GOPATH=${itr_go_cache}/path"
              "${root}/bin/go" build -buildmode=c-shared -trimpath -buildvcs=false -o "${itr_faulty}" faulty.go
      DEPENDS "${itr_faulty_folder}/faulty.go" "${root}/bin/go"
      WORKING_DIRECTORY "${itr_faulty_folder}"
      JOB_POOL go VERBATIM)
    list(APPEND itr_faulties "${itr_faulty}")
  endforeach()
  list(JOIN itr_faulties ":" itr_text)
  add_custom_target(selftest_faulty ALL DEPENDS ${itr_faulties})
  itr_cmocka_test(self platform/unix/tests/self_evidence.c)
  add_dependencies(self_evidence initrace host_library_host selftest_faulty)
  target_compile_definitions(self_evidence PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                             "INITRACE_LIBRARY_HOST=\"$<TARGET_FILE:host_library_host>\"" "INITRACE_FAULTIES=\"${itr_text}\""
                             "INITRACE_FAULTY_SOURCE=\"${itr_faulty_folder}/faulty.go\"")
  set_tests_properties(self.evidence PROPERTIES TIMEOUT 600 RUN_SERIAL ON)
else()
  list(JOIN itr_go_versions ":" itr_text)
  itr_cmocka_test(self platform/windows/tests/self_evidence.c)
  add_dependencies(self_evidence initrace golibs host_library_host_hooked)
  target_compile_definitions(self_evidence PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                             "INITRACE_GO_VERSIONS=\"${itr_text}\"")
  set_tests_properties(self.evidence PROPERTIES TIMEOUT 600 RUN_SERIAL ON)
endif()

# Core files, opened with the debuggers that people use: gdb for a host with a Go library, Delve for a Go program.
if(NOT WIN32)
  list(GET itr_go_version_roots 0 itr_root)
  list(GET itr_faulties 0 itr_faulty)
  set(itr_go_host "${CMAKE_BINARY_DIR}/tests/gohost")
  add_custom_command(OUTPUT "${itr_go_host}"
    COMMAND ${CMAKE_COMMAND} -E env ${itr_golib_env} "GOROOT=${itr_root}" "GOCACHE=${itr_go_cache}" "GOPATH=${itr_go_cache}/path"
            "${itr_root}/bin/go" build -trimpath -buildvcs=false -o "${itr_go_host}" main.go
    DEPENDS platform/unix/tests/gohost/main.go "${itr_root}/bin/go"
    WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}/platform/unix/tests/gohost"
    JOB_POOL go VERBATIM)
  add_custom_target(selftest_go_host ALL DEPENDS "${itr_go_host}")
  itr_cmocka_test(self platform/unix/tests/self_core_gdb.c)
  add_dependencies(self_core_gdb initrace host_library_host selftest_faulty)
  target_compile_definitions(self_core_gdb PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                             "INITRACE_LIBRARY_HOST=\"$<TARGET_FILE:host_library_host>\"" "INITRACE_FAULTY=\"${itr_faulty}\"")
  itr_cmocka_test(self platform/unix/tests/self_core_delve.c)
  add_dependencies(self_core_delve selftest_go_host)
  target_compile_definitions(self_core_delve PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                             "INITRACE_STACKS_HOST=\"${itr_go_host}\"")
endif()

# Hosts that hang and are left running. The host is one like any other: no sanitizer.
add_executable(self_hanging_host framework/tests/hanging_host.c)
target_link_libraries(self_hanging_host PRIVATE initrace_host PkgConfig::LIBUV)
set_target_properties(self_hanging_host PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
itr_cmocka_test(self framework/tests/self_keep_hung.c)
target_sources(self_keep_hung PRIVATE platform/${itr_platform}/tests/family.c)
add_dependencies(self_keep_hung initrace self_hanging_host)
target_compile_definitions(self_keep_hung PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                           "INITRACE_HANGING_HOST=\"$<TARGET_FILE:self_hanging_host>\"")

# ---- planted windows and races, to be found blind ----

# Their sources are made from seeds: other ones make other windows.
# A sanitizer makes the runner slow, and it is the runner that it looks at: one seed shows it all paths.
if(INITRACE_SANITIZE)
  set(itr_seeds "1")
else()
  set(itr_seeds "1;2;3")
endif()
set(INITRACE_PLANTED_SEEDS "${itr_seeds}" CACHE STRING "Seeds of the libraries with planted windows")
set(itr_planted_dir "${CMAKE_BINARY_DIR}/tests/planted")

# A library that only tests load, as $<target>.so or .dll in itr_planted_dir.
function(itr_planted_library target)
  add_library(${target} MODULE ${ARGN})
  target_link_libraries(${target} PRIVATE initrace_common Threads::Threads)
  set_target_properties(${target} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${itr_planted_dir}")
endfunction()

set(itr_planted_libraries "")
foreach(seed IN LISTS INITRACE_PLANTED_SEEDS)
  set(source "${itr_planted_dir}/planted_${seed}.c")
  add_custom_command(OUTPUT "${source}"
    COMMAND ${CMAKE_COMMAND} "-DSEED=${seed}" "-DOUTPUT=${source}" -P "${CMAKE_SOURCE_DIR}/cmake/plant.cmake"
    DEPENDS cmake/plant.cmake VERBATIM)
  # All libraries of a seed are made of one file, which is written once.
  add_custom_target(planted_source_${seed} DEPENDS "${source}")
  foreach(misdeed IN ITEMS nothing loss hang crash)
    set(target planted_${misdeed}_${seed})
    itr_planted_library(${target} "${source}" platform/${itr_platform}/tests/planted.c)
    string(TOUPPER "PLANTED_MISDEED=PLANTED_${misdeed}" definition)
    target_compile_definitions(${target} PRIVATE ${definition})
    add_dependencies(${target} planted_source_${seed})
    list(APPEND itr_planted_libraries ${target})
  endforeach()
endforeach()
if(NOT WIN32)
  itr_planted_library(planted_race cases/selftest/planted/race.c)
  list(APPEND itr_planted_libraries planted_race)
endif()

# Failure rates to be told from each other: a library whose rate is the environment's to say.
itr_planted_library(planted_flaky cases/selftest/planted/flaky.c)
itr_cmocka_test(self framework/tests/self_bisect.c LONG)
add_dependencies(self_bisect initrace host_library_host planted_flaky)
target_compile_definitions(self_bisect PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                           "INITRACE_FLAKY=\"$<TARGET_FILE:planted_flaky>\"")
if(TEST self.bisect)
  set_tests_properties(self.bisect PROPERTIES TIMEOUT 600 RUN_SERIAL ON)
endif()

list(JOIN INITRACE_PLANTED_SEEDS "," itr_text)
foreach(name IN ITEMS locate debugged)
  itr_cmocka_test(self framework/tests/self_${name}.c)
  add_dependencies(self_${name} initrace golibs host_library_host ${itr_planted_libraries})
  target_compile_definitions(self_${name} PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                             "INITRACE_PLANTED=\"${itr_planted_dir}\"" "INITRACE_PLANTED_SEEDS=${itr_text}")
  if(INITRACE_SOAK)
    target_compile_definitions(self_${name} PRIVATE INITRACE_SOAK)
  endif()
  # A host's pace is part of what is measured: nothing else runs beside it.
  set_tests_properties(self.${name} PROPERTIES TIMEOUT 1800 RUN_SERIAL ON)
endforeach()

# Comparisons whose answers are known: a library that fails at rates of one's own.
itr_planted_library(planted_rate cases/selftest/planted/rate.c platform/${itr_platform}/tests/planted.c)
itr_cmocka_test(self framework/tests/self_compare.c LONG)
target_sources(self_compare PRIVATE platform/${itr_platform}/tests/family.c)
add_dependencies(self_compare initrace golibs host_library_host host_library_host_hooked plainlib_plain planted_rate)
target_compile_definitions(self_compare PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                           "INITRACE_RATE_LIBRARY=\"$<TARGET_FILE:planted_rate>\"")
if(TEST self.compare)
  set_tests_properties(self.compare PROPERTIES TIMEOUT 900 RUN_SERIAL ON)
endif()

# Gates: a library that looks at itself; where hosts have none, any other.
if(WIN32)
  set(itr_gate_library gate_library)
  itr_planted_library(gate_library platform/windows/tests/gate_library.c)
else()
  set(itr_gate_library plainlib_plain)
endif()
itr_cmocka_test(self framework/tests/self_gate.c)
add_dependencies(self_gate initrace host_library_host_hooked ${itr_gate_library})
target_compile_definitions(self_gate PRIVATE "INITRACE_PROGRAM=\"$<TARGET_FILE:initrace>\""
                           "INITRACE_GATE_LIBRARY=\"$<TARGET_FILE:${itr_gate_library}>\"")
set_tests_properties(self.gate PROPERTIES TIMEOUT 300 RUN_SERIAL ON)

# ---- cases ----

# Campaigns leave their folders in <build>/test; a run of CTest begins with an empty one.
set(itr_campaigns "${CMAKE_BINARY_DIR}/test")
add_test(NAME campaigns.clear COMMAND ${CMAKE_COMMAND} -E rm -rf "${itr_campaigns}")
add_test(NAME campaigns.make COMMAND ${CMAKE_COMMAND} -E make_directory "${itr_campaigns}")
set_tests_properties(campaigns.clear PROPERTIES FIXTURES_SETUP campaigns-clear)
set_tests_properties(campaigns.make PROPERTIES FIXTURES_SETUP campaigns FIXTURES_REQUIRED campaigns-clear)

# Value of a key in a JSON object, `otherwise` when it is not there.
function(itr_json_get result otherwise json)
  string(JSON value ERROR_VARIABLE missing GET "${json}" ${ARGN})
  if(missing)
    set(value "${otherwise}")
  endif()
  set(${result} "${value}" PARENT_SCOPE)
endfunction()

# A JSON list of strings as a CMake list.
function(itr_json_list result json)
  set(items "")
  string(JSON length ERROR_VARIABLE missing LENGTH "${json}" ${ARGN})
  if(NOT missing AND length GREATER 0)
    math(EXPR last "${length} - 1")
    foreach(i RANGE ${last})
      string(JSON item GET "${json}" ${ARGN} ${i})
      list(APPEND items "${item}")
    endforeach()
  endif()
  set(${result} "${items}" PARENT_SCOPE)
endfunction()

function(itr_add_case_test test kind labels timeout)
  add_test(NAME ${test} COMMAND initrace run ${ARGN} --output "${itr_campaigns}/${test}")
  # A trial's timing is what is measured: nothing else runs beside it.
  set_tests_properties(${test} PROPERTIES LABELS "${kind};${labels}" TIMEOUT ${timeout} SKIP_RETURN_CODE 77
                       RUN_SERIAL ON FIXTURES_REQUIRED "campaigns;${itr_test_fixtures}")
endfunction()

function(itr_case_test kind file)
  get_filename_component(folder "${file}" DIRECTORY)
  get_filename_component(name "${folder}" NAME)
  file(READ "${file}" json)
  string(JSON format ERROR_VARIABLE broken GET "${json}" format)
  if(broken)
    message(FATAL_ERROR "${file}: ${broken}")
  endif()
  itr_json_list(systems "${json}" os)
  itr_json_list(labels "${json}" labels)
  itr_json_get(ctest "" "${json}" ctest)
  if(NOT itr_os IN_LIST systems OR ctest STREQUAL "")
    return()
  elseif("soak" IN_LIST labels AND NOT INITRACE_SOAK)
    return()
  endif()
  itr_json_get(count 100 "${ctest}" count)
  itr_json_get(control_count 0 "${ctest}" control_count)
  if(INITRACE_SANITIZE AND control_count GREATER 1)
    set(control_count 1) # a sanitizer needs to see each of them once
  endif()
  itr_json_get(timeout 300 "${ctest}" timeout)
  itr_json_get(per_go OFF "${ctest}" per_go)
  itr_json_get(axes "" "${ctest}" axes)
  itr_json_list(points "${ctest}" points)
  itr_json_list(more "${ctest}" args)
  set(where "")
  foreach(point IN LISTS points)
    list(APPEND where --at "${point}")
  endforeach()
  if(control_count GREATER 0)
    list(APPEND where --controls --control-count ${control_count})
  endif()
  list(APPEND where ${more})
  set(arguments ${name} --count ${count} --seed 1 ${where})
  if(NOT axes STREQUAL "")
    list(APPEND arguments --axes ${axes})
  endif()
  if(per_go)
    foreach(version IN LISTS itr_go_versions)
      itr_add_case_test(${kind}.${name}.${version} ${kind} "${labels}" ${timeout} ${arguments} --go ${version})
    endforeach()
  else()
    itr_add_case_test(${kind}.${name} ${kind} "${labels}" ${timeout} ${arguments})
  endif()
  itr_json_get(product "" "${json}" axes)
  if(INITRACE_SOAK AND NOT product STREQUAL "" AND NOT axes STREQUAL "all")
    itr_json_get(soak_count ${count} "${ctest}" soak_count)
    itr_json_get(soak_timeout 7200 "${ctest}" soak_timeout)
    itr_add_case_test(${kind}.${name}.all ${kind} "${labels};soak" ${soak_timeout} ${name} --count ${soak_count} --seed 1 ${where}
                      --axes all)
  endif()
endfunction()

foreach(file IN LISTS itr_selftest_files)
  itr_case_test(self "${file}")
endforeach()
if(NOT INITRACE_SANITIZE)
  foreach(file IN LISTS itr_case_files)
    itr_case_test(case "${file}")
  endforeach()
endif()

# A CTest that runs two at a time, as ci/test's does on Linux, has all but those that run alone beside each other: these wait more than
# they compute, and come first, beside the unit tests. What is not here and starts campaigns of many trials runs alone.
foreach(name IN ITEMS record replay keep_hung)
  if(TEST self.${name})
    set_tests_properties(self.${name} PROPERTIES COST 100)
  endif()
endforeach()
foreach(name IN ITEMS campaign matrix arms scheduling)
  if(TEST self.${name})
    set_tests_properties(self.${name} PROPERTIES RUN_SERIAL ON)
  endif()
endforeach()

add_test(NAME self.silence COMMAND ${CMAKE_COMMAND}
         "-DCOMMAND=${CMAKE_CROSSCOMPILING_EMULATOR};$<TARGET_FILE:initrace>" "-DOUTPUT=${itr_campaigns}/self.silence"
         -P "${CMAKE_SOURCE_DIR}/cmake/silence.cmake")
set_tests_properties(self.silence PROPERTIES LABELS self TIMEOUT 120 FIXTURES_REQUIRED "campaigns;${itr_test_fixtures}")

find_program(itr_git git)
if(NOT itr_slow)
  add_test(NAME self.bisect_run COMMAND ${CMAKE_COMMAND}
           "-DCOMMAND=${CMAKE_CROSSCOMPILING_EMULATOR};$<TARGET_FILE:initrace>" "-DGIT=${itr_git}"
           "-DLIBRARY=$<TARGET_FILE:planted_flaky>" "-DOUTPUT=${itr_campaigns}/self.bisect_run"
           -P "${CMAKE_SOURCE_DIR}/cmake/bisect_run.cmake")
  set_tests_properties(self.bisect_run PROPERTIES LABELS self TIMEOUT 300 RUN_SERIAL ON SKIP_REGULAR_EXPRESSION "skipped: "
                       FIXTURES_REQUIRED "campaigns;${itr_test_fixtures}")
endif()

# ---- sanitizers ----

if(INITRACE_SANITIZE STREQUAL "thread")
  get_property(itr_tests DIRECTORY PROPERTY TESTS)
  set_property(TEST ${itr_tests} APPEND PROPERTY ENVIRONMENT
               "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/cmake/tsan.supp")
endif()
