# CMake toolchain: cross-compiles for 64-bit Windows with mingw-w64 and runs the results through
# ci/wine. Finds libraries only in what ci/mingw-deps built, never among the system's own.

set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)

# Where the libraries are: in the cache, so that a later run of CMake without the environment
# variable, and the small projects of its own checks, see the same place.
if(NOT DEFINED INITRACE_MINGW_PREFIX)
  if(NOT "$ENV{INITRACE_BUILD_DIR}" STREQUAL "")
    get_filename_component(_itr_build "$ENV{INITRACE_BUILD_DIR}" ABSOLUTE BASE_DIR "${CMAKE_SOURCE_DIR}")
  else()
    get_filename_component(_itr_build "${CMAKE_CURRENT_LIST_DIR}/../build" ABSOLUTE)
  endif()
  set(INITRACE_MINGW_PREFIX "${_itr_build}/deps/mingw" CACHE PATH
      "Libraries for Windows, as ci/mingw-deps builds them")
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES INITRACE_MINGW_PREFIX)

set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

set(CMAKE_FIND_ROOT_PATH "${INITRACE_MINGW_PREFIX}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_PREFIX_PATH "${INITRACE_MINGW_PREFIX}")
set(ENV{PKG_CONFIG_LIBDIR} "${INITRACE_MINGW_PREFIX}/lib/pkgconfig")
set(ENV{PKG_CONFIG_PATH} "")

# One file to copy: nothing of the compiler's own comes as a DLL.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-static")
set(CMAKE_MODULE_LINKER_FLAGS_INIT "-static")

# The prefix of ci/wine belongs to the build folder, so that folder goes with every command.
get_filename_component(_itr_build "${INITRACE_MINGW_PREFIX}/../.." ABSOLUTE)
get_filename_component(_itr_default "${CMAKE_CURRENT_LIST_DIR}/../build" ABSOLUTE)
if(_itr_build STREQUAL _itr_default)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/wine")
else()
  set(CMAKE_CROSSCOMPILING_EMULATOR
      env "INITRACE_BUILD_DIR=${_itr_build}" "${CMAKE_CURRENT_LIST_DIR}/wine")
endif()
