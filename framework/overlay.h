/* What `go build -overlay` reads: the JSON that puts changed files in the place of a GOROOT's, and the folder with both.
 * It changes no text and runs no Go. */
#ifndef INITRACE_FRAMEWORK_OVERLAY_H
#define INITRACE_FRAMEWORK_OVERLAY_H

#include "framework/changes.h"

#include <jansson.h>

/* The object {"Replace": {GOROOT/src/FILE: FOLDER/src/FILE}}, a removed file mapped to "". Both folders are absolute.
 * A new reference; NULL: out of memory, or a folder's name that is not UTF-8. */
json_t *itr_overlay_json(const struct itr_changes *changes, const char *folder);

/* Writes the changed files below FOLDER/src and FOLDER/overlay.json; a file that has its content already is not touched.
 * One at a time for a folder: the caller sees to that. `*hash` (may be NULL) is itr_changes_hash(). */
enum itr_status itr_overlay_write(const struct itr_changes *changes, const char *folder, uint64_t *hash,
                                  struct itr_error *err) ITR_MUST_USE;

#endif
