/* What the Windows host side shares between its own files, and with nobody else: where the library
 * under test lies, and what the event handler and the hooks wait on. */
#ifndef INITRACE_PLATFORM_WINDOWS_HOST_WINDOWS_H
#define INITRACE_PLATFORM_WINDOWS_HOST_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

/* True if `address` is in the image of request.library. Known from the loader's notification on,
 * which comes before any code of the library runs; false before. */
bool itrh_windows_in_library(uintptr_t address);

#endif
