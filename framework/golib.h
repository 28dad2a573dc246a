/* Go libraries made on demand: those of a GOROOT that the build did not know, or of an arm that changes one, built once and
 * kept. It runs no host.
 *
 * An entry is the folder PREFIX/lib/initrace/<version>-<16 hex digits>. The digits are a hash of all that goes into it:
 * version, target system, a listing of the GOROOT (golib_listing.c), what the arm changes, build flags, the golibs' sources. No
 * absolute path is in it, so that a Linux initrace builds what one of Windows finds. Beside the libraries it has arm.json
 * (docs/formats.md) and, if sources are changed, overlay.json and src/. It is made in a folder of another name and renamed
 * when it is whole: several programs may build the same one, the first is used. */
#ifndef INITRACE_FRAMEWORK_GOLIB_H
#define INITRACE_FRAMEWORK_GOLIB_H

#include "framework/arm.h"
#include "framework/layout.h"

enum {
    ITR_GOLIB_NAME_MAX = 32,
    ITR_GOLIB_ENTRIES_MAX = 64, /* the longest unused are removed; none in use, none used in the last hour */
};

struct itr_golib_request {
    const char *root;               /* GOROOT */
    const struct itr_arm_spec *arm; /* NULL: the GOROOT as it is. Its `go`, `environment` and `library` are not looked at */
    const char *system;             /* "linux", "windows": whose libraries; NULL: this system's */
};

struct itr_golib {
    char name[ITR_GOLIB_NAME_MAX]; /* of the folder: "go1.26.10", "go1.26.10-0123456789abcdef" */
    char folder[1200];
    char label[ITR_ARM_LABEL_MAX]; /* of a GOROOT of its own, for people: its folder ("go-1.26", "patched/go"); "": one of the build's */
    bool built; /* by this call; else it was there */
};

/* Makes sure that the libraries are there: those of the project's build for a plain arm on a GOROOT that it used and that has
 * not changed since, else an entry. The compiler's own messages go to stderr. ITR_E_NOT_FOUND: no GOROOT, or its Go is none for this system (the
 * sentence has the command for one that can build it); ITR_E_USAGE: recipes, patches or the build fail; what
 * itr_arm_changes() gives. */
enum itr_status itr_golib_provide(const struct itr_layout *layout, const struct itr_golib_request *request,
                                  struct itr_golib *golib, struct itr_error *err) ITR_MUST_USE;

/* For who uses libraries by the name that a campaign recorded: marks an entry as in use by this process. Names of the
 * project's own build are fine. ITR_E_NOT_FOUND: it is not there any more. */
enum itr_status itr_golib_use(const struct itr_layout *layout, const char *name, struct itr_error *err) ITR_MUST_USE;

/* The GOROOTs that `wanted` means: itself if it is a path, else those of the project's build of that version or beginning
 * of one, NULL: all. Release with itr_layout_release(). ITR_E_NOT_FOUND: none, or it is gone. */
enum itr_status itr_golib_roots(const struct itr_layout *layout, const char *wanted, struct itr_strings *roots,
                                struct itr_error *err) ITR_MUST_USE;

#endif
