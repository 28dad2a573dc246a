# Libraries that hosts load: each C file of cases/plainlibs, of its folder for this system and of that in
# cases/selftest/plainlibs, and each folder of cases/golibs once for every Go. A golib folder
# with files ldflags.<os> is built for those systems only, with that line added to the linker's flags.

set(itr_golib_env GOENV=off GOTOOLCHAIN=local GOFLAGS= GO111MODULE=auto GOWORK=off CGO_ENABLED=1
    "GOOS=${itr_os}" GOARCH=amd64 "CC=${CMAKE_C_COMPILER}")

# ---- plain C ----

file(GLOB itr_plainlibs CONFIGURE_DEPENDS cases/plainlibs/*.c cases/plainlibs/${itr_platform}/*.c)
file(GLOB itr_selftest_plainlibs CONFIGURE_DEPENDS cases/selftest/plainlibs/${itr_platform}/*.c)
foreach(source IN LISTS itr_plainlibs itr_selftest_plainlibs)
  get_filename_component(name "${source}" NAME_WE)
  add_library(plainlib_${name} MODULE "${source}")
  target_link_libraries(plainlib_${name} PRIVATE initrace_common)
  if(NOT WIN32)
    target_link_libraries(plainlib_${name} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  endif()
  set_target_properties(plainlib_${name} PROPERTIES PREFIX "" OUTPUT_NAME "${name}"
                        LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/${itr_library_dir}/c")
  list(APPEND itr_kept_libraries "c/${name}${CMAKE_SHARED_MODULE_SUFFIX}")
  if(source IN_LIST itr_plainlibs)
    install(TARGETS plainlib_${name} LIBRARY DESTINATION ${itr_library_dir}/c)
  endif()
endforeach()

# ---- which Gos ----

# The version that a GOROOT says it is, "go1.22.12"; empty if it is no GOROOT.
function(itr_go_version root result)
  set(version "")
  if(EXISTS "${root}/VERSION")
    file(STRINGS "${root}/VERSION" version LIMIT_COUNT 1)
  endif()
  if(NOT version MATCHES "^go[0-9.]+")
    execute_process(COMMAND ${CMAKE_COMMAND} -E env GOTOOLCHAIN=local "${root}/bin/go${CMAKE_HOST_EXECUTABLE_SUFFIX}" version
                    OUTPUT_VARIABLE version ERROR_QUIET RESULT_VARIABLE failed)
  endif()
  if(version MATCHES "(go[0-9][0-9A-Za-z.]*)")
    set(${result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
  else()
    set(${result} "" PARENT_SCOPE)
  endif()
endfunction()

function(itr_find_go_roots result)
  if(CMAKE_HOST_WIN32)
    find_program(INITRACE_GO go REQUIRED)
    execute_process(COMMAND "${INITRACE_GO}" env GOROOT OUTPUT_VARIABLE roots OUTPUT_STRIP_TRAILING_WHITESPACE
                    COMMAND_ERROR_IS_FATAL ANY)
    file(TO_CMAKE_PATH "${roots}" roots)
  else()
    execute_process(COMMAND "${CMAKE_SOURCE_DIR}/ci/go-roots" OUTPUT_VARIABLE roots RESULT_VARIABLE failed
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(failed)
      message(FATAL_ERROR "No Go: see above, or give GOROOTs as -DINITRACE_GO_ROOTS='ROOT;ROOT…'")
    endif()
    string(REPLACE "\n" ";" roots "${roots}")
  endif()
  set(${result} "${roots}" PARENT_SCOPE)
endfunction()

if(CMAKE_HOST_WIN32)
  set(CMAKE_HOST_EXECUTABLE_SUFFIX .exe)
endif()
set(itr_go_roots "${INITRACE_GO_ROOTS}")
if(NOT itr_go_roots)
  itr_find_go_roots(itr_go_roots)
endif()
if(INITRACE_OLDEST_GO_ONLY)
  list(GET itr_go_roots 0 itr_go_roots)
endif()

if(INITRACE_GO_CACHE)
  set(itr_go_cache "${INITRACE_GO_CACHE}")
elseif("${CMAKE_BINARY_DIR}" MATCHES "^${CMAKE_SOURCE_DIR}/build/")
  set(itr_go_cache "${CMAKE_SOURCE_DIR}/build/go-cache")
else()
  set(itr_go_cache "${CMAKE_BINARY_DIR}/go-cache")
endif()

# ---- Go ----

# A Go of its own keeps both processors busy while it compiles, one while it links.
set_property(GLOBAL APPEND PROPERTY JOB_POOLS go=2)

file(GLOB itr_golibs LIST_DIRECTORIES true CONFIGURE_DEPENDS cases/golibs/*)
set(itr_go_versions "")
set(itr_go_version_roots "") # of each version, in the same order
set(itr_golib_files "")
foreach(root IN LISTS itr_go_roots)
  itr_go_version("${root}" version)
  if(NOT version)
    message(FATAL_ERROR "${root}: no Go in there: expected a GOROOT, with bin/go in it (INITRACE_GO_ROOTS)")
  endif()
  if(version IN_LIST itr_go_versions)
    message(WARNING "${root}: ${version} is in the list already, left out")
    continue()
  endif()
  list(APPEND itr_go_versions "${version}")
  list(APPEND itr_go_version_roots "${root}")
  # So that --go ROOT knows whether these libraries are that GOROOT's.
  file(WRITE "${CMAKE_BINARY_DIR}/${itr_library_dir}/${version}/GOROOT" "${root}\n")
  list(APPEND itr_kept_libraries "${version}/GOROOT" "${version}/GOROOT.files")
  # Looked at by every build: the libraries of a GOROOT that was edited are made anew, and --go ROOT knows of which they are.
  set(listing "${CMAKE_BINARY_DIR}/${itr_library_dir}/${version}/GOROOT.files")
  add_custom_target(goroot_${version}
    COMMAND ${CMAKE_COMMAND} "-DROOT=${root}" "-DOUTPUT=${listing}" -P "${CMAKE_SOURCE_DIR}/cmake/list_goroot.cmake"
    BYPRODUCTS "${listing}"
    COMMENT "Listing the GOROOT of ${version}"
    VERBATIM)
  set(go "${root}/bin/go${CMAKE_HOST_EXECUTABLE_SUFFIX}")
  foreach(folder IN LISTS itr_golibs)
    get_filename_component(name "${folder}" NAME)
    file(GLOB sources CONFIGURE_DEPENDS "${folder}/*.go")
    file(GLOB all_flags CONFIGURE_DEPENDS "${folder}/ldflags.*")
    set(flags_file "${folder}/ldflags.${itr_os}")
    set(flags "")
    if(all_flags AND NOT EXISTS "${flags_file}")
      continue()
    elseif(all_flags)
      file(STRINGS "${flags_file}" flags LIMIT_COUNT 1)
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${flags_file}")
      set(flags "-ldflags=${flags}")
    endif()
    set(file "${itr_library_dir}/${version}/${name}${CMAKE_SHARED_MODULE_SUFFIX}")
    set(output "${CMAKE_BINARY_DIR}/${file}")
    add_custom_command(OUTPUT "${output}"
      COMMAND ${CMAKE_COMMAND} -E env ${itr_golib_env} "GOROOT=${root}" "GOCACHE=${itr_go_cache}"
              "GOPATH=${itr_go_cache}/path" "${go}" build -buildmode=c-shared -trimpath -buildvcs=false
              ${flags} -o "${output}" ${sources}
      COMMAND ${CMAKE_COMMAND} -E rm -f "${CMAKE_BINARY_DIR}/${itr_library_dir}/${version}/${name}.h"
      COMMAND ${CMAKE_COMMAND} -E touch "${output}"
      DEPENDS ${sources} ${all_flags} "${go}" "${listing}"
      WORKING_DIRECTORY "${folder}"
      JOB_POOL go
      COMMENT "Building Go library ${version}/${name}"
      VERBATIM)
    list(APPEND itr_golib_files "${output}")
    list(APPEND itr_kept_libraries "${version}/${name}${CMAKE_SHARED_MODULE_SUFFIX}")
    install(PROGRAMS "${output}" DESTINATION ${itr_library_dir}/${version})
  endforeach()
endforeach()
add_custom_target(golibs ALL DEPENDS ${itr_golib_files})
foreach(version IN LISTS itr_go_versions)
  add_dependencies(golibs goroot_${version})
endforeach()
list(JOIN itr_go_versions ", " itr_text)
message(STATUS "Go: ${itr_text}")
