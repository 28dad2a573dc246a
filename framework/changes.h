/* Changed source files of one GOROOT, in memory: each is read once, and what recipes and patches make of it is kept. It
 * writes nothing; a GOROOT itself never changes. */
#ifndef INITRACE_FRAMEWORK_CHANGES_H
#define INITRACE_FRAMEWORK_CHANGES_H

#include "framework/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITR_CHANGES_FILES_MAX = 512,
    ITR_CHANGES_PATH_MAX = 256,
};

struct itr_changed_file {
    char *path; /* below GOROOT/src: "runtime/proc.go" */
    char *text; /* as it is now; NULL: there is no such file */
    size_t count;
    bool in_goroot; /* the GOROOT has it */
    bool changed;   /* it was given a new text, or removed */
};

/* `{.root = GOROOT}` (borrowed) is empty; `{0}` has no folder behind it, only what it is given. The owner calls
 * itr_changes_release(). After a failure of whatever adds to it, it is only fit to be released. */
struct itr_changes {
    const char *root;
    struct itr_changed_file **files; /* by path */
    size_t count;
};

/* The file of that path, read when it is asked for the first time; it lives as long as the list. One that the GOROOT does
 * not have is there without text. ITR_E_USAGE: no path below src; ITR_E_LIMIT, ITR_E_SYSTEM, ITR_E_NO_MEMORY. */
enum itr_status itr_changes_file(struct itr_changes *changes, const char *path, struct itr_changed_file **file,
                                 struct itr_error *err) ITR_MUST_USE;

/* Puts a file in as if the GOROOT had it, so that it is not read. */
enum itr_status itr_changes_give(struct itr_changes *changes, const char *path, const void *bytes, size_t count,
                                 struct itr_error *err) ITR_MUST_USE;

/* The new text, which is the list's from now on; NULL removes the file. */
void itr_changes_set(struct itr_changed_file *file, char *text, size_t count);

/* Depends on the paths and texts of what changed, on nothing else: not on machine, GOROOT or order. */
uint64_t itr_changes_hash(const struct itr_changes *changes);

void itr_changes_release(struct itr_changes *changes);

#endif
