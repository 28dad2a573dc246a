# Removes from a folder of the build tree the files, and then the folders, that are not in `kept`.
# What the program makes there by itself (framework/golib.h) is the program's to remove.
function(itr_remove_stale folder pattern kept)
  string(REPEAT "[0-9a-f]" 16 key)
  file(GLOB found RELATIVE "${folder}" "${folder}/${pattern}")
  foreach(path IN LISTS found)
    if(NOT path IN_LIST kept AND NOT path MATCHES "^(go[^/]*-${key}|[.](building|removed)-[^/]*)(/|$)")
      message(STATUS "No longer built, removed: ${folder}/${path}")
      file(REMOVE_RECURSE "${folder}/${path}")
    endif()
  endforeach()
endfunction()
