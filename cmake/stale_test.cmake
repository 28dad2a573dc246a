# Tests stale.cmake: what the build does not make any more goes, what the program made for itself stays.
#
# usage: cmake -DFOLDER=SCRATCH -P stale_test.cmake

cmake_minimum_required(VERSION 3.22)
include("${CMAKE_CURRENT_LIST_DIR}/stale.cmake")
set(entry go1.19.8-0123456789abcdef)
set(stays c/plain.so go1.19.8/minimal.so go1.19.8/GOROOT ${entry}/minimal.so ${entry}/arm.json ${entry}/src/runtime/proc.go
          go1.27-fedcba9876543210/stacks.so .building-${entry}.linux.1/minimal.so .removed-${entry}.linux.1/minimal.so)
set(goes c/old.so go1.19.8/old.so go1.18/minimal.so go1.19.8-0123/minimal.so go1.19.8-0123456789ABCDEF/minimal.so
         ${entry}0/minimal.so other/x)
file(REMOVE_RECURSE "${FOLDER}")
foreach(file IN LISTS stays goes)
  file(WRITE "${FOLDER}/${file}" "x")
endforeach()
itr_remove_stale("${FOLDER}" "*" "c;go1.19.8")
itr_remove_stale("${FOLDER}" "*/*.so" "c/plain.so;go1.19.8/minimal.so")
foreach(file IN LISTS stays)
  if(NOT EXISTS "${FOLDER}/${file}")
    message(SEND_ERROR "${file} was removed")
  endif()
endforeach()
foreach(file IN LISTS goes)
  if(EXISTS "${FOLDER}/${file}")
    message(SEND_ERROR "${file} is still there")
  endif()
endforeach()
file(REMOVE_RECURSE "${FOLDER}")
