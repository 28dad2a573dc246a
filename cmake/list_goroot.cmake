# Writes down which files a GOROOT's libraries are built from: "SIZE TIME PATH" lines, into OUTPUT if they are others than those
# that it has. framework/golib_listing.c lists the same of a GOROOT, and compares.
#
# usage: cmake -DROOT=GOROOT -DOUTPUT=FILE -P list_goroot.cmake

file(GLOB_RECURSE files FOLLOW_SYMLINKS RELATIVE "${ROOT}" "${ROOT}/src/*" "${ROOT}/pkg/include/*")
list(FILTER files EXCLUDE REGEX "^src/cmd/|_test\\.go$|/testdata/|/[._]")
file(GLOB tools RELATIVE "${ROOT}" "${ROOT}/pkg/tool/*/*")
list(FILTER tools INCLUDE REGEX "/(asm|cgo|compile|link)(\\.exe)?$")
set(text "")
foreach(file IN LISTS files tools)
  if(EXISTS "${ROOT}/${file}") # no link to nothing
    file(SIZE "${ROOT}/${file}" size)
    file(TIMESTAMP "${ROOT}/${file}" time "%s" UTC)
    string(APPEND text "${size} ${time} ${file}\n")
  endif()
endforeach()
set(before "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" before)
endif()
if(NOT text STREQUAL before)
  file(WRITE "${OUTPUT}" "${text}")
endif()
