# Cases: copies every case.json, and the sources of the Go libraries, to where the program looks for
# them, and keeps the list of cases for this system for the tests. What is no longer in the source
# tree disappears from the build tree.

file(GLOB itr_case_files CONFIGURE_DEPENDS cases/*/case.json)
file(GLOB itr_selftest_files CONFIGURE_DEPENDS cases/selftest/*/case.json)
file(GLOB itr_golib_sources CONFIGURE_DEPENDS cases/golibs/*/*)

# Copying is part of configuring, which the build repeats when one of them changes.
set(itr_kept_cases "")
foreach(file IN LISTS itr_case_files itr_selftest_files)
  get_filename_component(folder "${file}" DIRECTORY)
  get_filename_component(name "${folder}" NAME)
  if(name IN_LIST itr_kept_cases)
    message(FATAL_ERROR "${file}: there is another case of that name")
  endif()
  list(APPEND itr_kept_cases "${name}")
  configure_file("${file}" "${CMAKE_BINARY_DIR}/${itr_share_dir}/cases/${name}/case.json" COPYONLY)
  if(file IN_LIST itr_case_files)
    install(FILES "${file}" DESTINATION ${itr_share_dir}/cases/${name})
  endif()
endforeach()

# Known failures, for triage.
file(GLOB itr_known_files CONFIGURE_DEPENDS cases/known/*.json)
set(itr_kept_known "")
foreach(file IN LISTS itr_known_files)
  get_filename_component(name "${file}" NAME)
  configure_file("${file}" "${CMAKE_BINARY_DIR}/${itr_share_dir}/known/${name}" COPYONLY)
  install(FILES "${file}" DESTINATION ${itr_share_dir}/known)
  list(APPEND itr_kept_known "${name}")
endforeach()

# Edit recipes, for the runtimes that libraries are built with.
file(GLOB itr_recipe_files CONFIGURE_DEPENDS cases/recipes/*.recipe)
set(itr_kept_recipes "")
foreach(file IN LISTS itr_recipe_files)
  get_filename_component(name "${file}" NAME)
  configure_file("${file}" "${CMAKE_BINARY_DIR}/${itr_share_dir}/recipes/${name}" COPYONLY)
  install(FILES "${file}" DESTINATION ${itr_share_dir}/recipes)
  list(APPEND itr_kept_recipes "${name}")
endforeach()

foreach(file IN LISTS itr_golib_sources)
  file(RELATIVE_PATH path "${CMAKE_SOURCE_DIR}/cases/golibs" "${file}")
  get_filename_component(folder "${path}" DIRECTORY)
  configure_file("${file}" "${CMAKE_BINARY_DIR}/${itr_share_dir}/golibs/${path}" COPYONLY)
  install(FILES "${file}" DESTINATION ${itr_share_dir}/golibs/${folder})
  list(APPEND itr_kept_golibs "${path}")
endforeach()

include(stale)
set(itr_kept_folders c ${itr_go_versions})
itr_remove_stale("${CMAKE_BINARY_DIR}/${itr_share_dir}/cases" "*" "${itr_kept_cases}")
itr_remove_stale("${CMAKE_BINARY_DIR}/${itr_share_dir}/known" "*.json" "${itr_kept_known}")
itr_remove_stale("${CMAKE_BINARY_DIR}/${itr_share_dir}/recipes" "*.recipe" "${itr_kept_recipes}")
itr_remove_stale("${CMAKE_BINARY_DIR}/${itr_share_dir}/golibs" "*/*" "${itr_kept_golibs}")
itr_remove_stale("${CMAKE_BINARY_DIR}/${itr_library_dir}" "*" "${itr_kept_folders}")
itr_remove_stale("${CMAKE_BINARY_DIR}/${itr_library_dir}" "*/*${CMAKE_SHARED_MODULE_SUFFIX}" "${itr_kept_libraries}")
itr_remove_stale("${CMAKE_BINARY_DIR}/${itr_host_dir}" "*" "${itr_kept_hosts}")
