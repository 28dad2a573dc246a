/* Paths as the system sees them: are they there, where do they lead, away with what is below. It knows none of the program's own
 * folders (layout.h does). */
#ifndef INITRACE_FRAMEWORK_PATH_H
#define INITRACE_FRAMEWORK_PATH_H

#include "framework/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { ITR_PATH_MAX = 2048 }; /* of any path that is made here, with its NUL */

bool itr_path_exists(const char *path);

/* The absolute path without links, with slashes on every system. ITR_E_NOT_FOUND: there is nothing; ITR_E_LIMIT: it does not
 * fit, and nothing was written; ITR_E_NO_MEMORY. */
enum itr_status itr_path_real(const char *path, char *out, size_t room, struct itr_error *err) ITR_MUST_USE;
/* The same, for free(); NULL after a failure. */
enum itr_status itr_path_real_copy(const char *path, char **out, struct itr_error *err) ITR_MUST_USE;

/* Removes a folder and what is in it, at most `depth` levels of folders deep; links are removed and not followed. What cannot be
 * removed stays. */
void itr_path_remove(const char *path, int depth);

#endif
