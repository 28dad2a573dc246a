/* Unified diffs, of git or of diff -u, applied to sources of a Go distribution as strictly as recipes are. It opens no
 * file but through the list of changes. */
#ifndef INITRACE_FRAMEWORK_PATCH_H
#define INITRACE_FRAMEWORK_PATCH_H

#include "framework/changes.h"

enum {
    ITR_PATCH_BYTES_MAX = 4 << 20,
    ITR_PATCH_HUNKS_MAX = 1024, /* for one file at a time */
};

/* Applies the diff to files below GOROOT/src, which it calls src/… with or without a/ and b/. `name` and `version` are for
 * sentences. Each hunk's old lines must be there exactly: at the line that it says, or else exactly once in the file. New
 * and removed files are taken, renames and binary ones refused. ITR_E_FORMAT: no unified diff; ITR_E_USAGE: it does not
 * fit; ITR_E_UNSUPPORTED; ITR_E_LIMIT, ITR_E_SYSTEM, ITR_E_NO_MEMORY. */
enum itr_status itr_patch_apply(const char *name, const void *bytes, size_t count, const char *version,
                                struct itr_changes *changes, struct itr_error *err) ITR_MUST_USE;

/* The same for a file. Also ITR_E_NOT_FOUND. */
enum itr_status itr_patch_apply_file(const char *path, const char *version, struct itr_changes *changes,
                                     struct itr_error *err) ITR_MUST_USE;

#endif
