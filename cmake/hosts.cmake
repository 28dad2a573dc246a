# Hosts: each C file of cases/hosts, of its folder for this system, and of cases/selftest/hosts is a program, built
# twice: <name>, in which nothing is hooked, and <name>_hooked, which counts the library's calls and can have a gate.
# Never with a sanitizer.

# host_plain.c comes along in the archive and gives way to host_hooks.c (and host_gate.c) where that is linked.
set(itr_host_sources host.c host_fire.c host_misbehave.c host_plain.c)
list(TRANSFORM itr_host_sources PREPEND platform/${itr_platform}/)
list(APPEND itr_host_sources platform/host_checks.c)
add_library(initrace_host STATIC ${itr_host_sources})
target_link_libraries(initrace_host PUBLIC initrace_common)
set(itr_hooks_sources platform/${itr_platform}/host_hooks.c)
if(WIN32)
  list(APPEND itr_hooks_sources platform/windows/host_gate.c)
endif()
add_library(initrace_host_hooks OBJECT ${itr_hooks_sources})
target_link_libraries(initrace_host_hooks PUBLIC initrace_common)
if(NOT WIN32)
  set(THREADS_PREFER_PTHREAD_FLAG ON)
  find_package(Threads REQUIRED)
  target_link_libraries(initrace_host PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
endif()

file(GLOB itr_hosts CONFIGURE_DEPENDS cases/hosts/*.c cases/hosts/${itr_platform}/*.c)
file(GLOB itr_selftest_hosts CONFIGURE_DEPENDS cases/selftest/hosts/*.c)

foreach(source IN LISTS itr_hosts itr_selftest_hosts)
  get_filename_component(name "${source}" NAME_WE)
  foreach(suffix IN ITEMS "" "_hooked")
    set(target "host_${name}${suffix}")
    add_executable(${target} "${source}")
    if(suffix)
      target_link_libraries(${target} PRIVATE initrace_host_hooks)
      set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
      if(NOT WIN32)
        # The whole program's dynamic symbols, so that the library finds this pthread_create first.
        target_link_options(${target} PRIVATE -rdynamic)
      endif()
    endif()
    target_link_libraries(${target} PRIVATE initrace_host)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME "${name}${suffix}"
                          RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/${itr_host_dir}")
    list(APPEND itr_kept_hosts "${name}${suffix}${CMAKE_EXECUTABLE_SUFFIX}")
    if(source IN_LIST itr_hosts)
      install(TARGETS ${target} RUNTIME DESTINATION ${itr_host_dir})
    endif()
  endforeach()
endforeach()

# A flood of 1 GB takes a sanitized runner, and Wine, most of a minute. There it is an eighth, which is still a thousand times what
# the runner keeps; Linux proper reads all of it, and Wine that of the case garbage-low-image-base.
if(INITRACE_SANITIZE OR (WIN32 AND CMAKE_CROSSCOMPILING))
  foreach(target IN ITEMS host_misbehave host_misbehave_hooked)
    target_compile_definitions(${target} PRIVATE FLOOD_BYTES=134217728)
  endforeach()
endif()
