/* Go libraries made on demand: for a GOROOT that the build did not know, the program has that Go build the
 * libraries that come with it. It runs no host. */
#ifndef INITRACE_FRAMEWORK_GOLIB_H
#define INITRACE_FRAMEWORK_GOLIB_H

#include "framework/layout.h"

/* Makes sure that the libraries of a GOROOT are there and gives the name of their folder: the version
 * ("go1.26.10") for a GOROOT that the build used, else the version and a mark of the path
 * ("go1.26.10-1a2b3c4d"), so that a patched Go is never taken for a released one. Libraries of the second
 * kind are built anew each time (Go's cache makes that quick), since the GOROOT's files may have changed.
 * The compiler's own messages go to stderr. */
enum itr_status itr_golib_provide(const struct itr_layout *layout, const char *root, char *name, size_t room,
                                  struct itr_error *err) ITR_MUST_USE;

#endif
