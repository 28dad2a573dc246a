/* What golib.c's parts share: the key of an entry, one build, the cache's folder. Not for others. */
#ifndef INITRACE_FRAMEWORK_GOLIB_PARTS_H
#define INITRACE_FRAMEWORK_GOLIB_PARTS_H

#include "framework/changes.h"
#include "framework/golib.h"

#include <stdint.h>

enum { ITR_GOLIB_SOURCES_MAX = 32, ITR_GOLIB_FLAGS_MAX = 512, ITR_GOLIB_PATH_MAX = 2048 };

/* One of share/initrace/golibs: a library to be. */
struct itr_golib_sources {
    char folder[1300];
    char flags[ITR_GOLIB_FLAGS_MAX]; /* the linker's, "" for none */
    char files[ITR_GOLIB_SOURCES_MAX][128];
    size_t count;
    bool for_system; /* else there is no such library on that system */
};

/* All that a build is made from. */
struct itr_golib_inputs {
    const char *root; /* resolved */
    const char *version;
    const char *system;
    const struct itr_arm_spec *arm;
    const struct itr_changes *changes;
    const struct itr_golib_sources *sources; /* one for each of `names` */
    struct itr_strings names;
};

/* ---- golib_sources.c ---- */

/* Reads which sources and flags the library of that folder has on a system. */
enum itr_status itr_golib_read_sources(const char *folder, const char *system, struct itr_golib_sources *sources,
                                       struct itr_error *err) ITR_MUST_USE;
/* The first line of a small file; false if there is none. */
bool itr_golib_read_line(const char *path, char *line, size_t room);

/* ---- golib_listing.c ---- */

struct itr_golib_listing {
    uint64_t sum; /* of a hash of each file's path, size and time */
    uint64_t files;
};

uint64_t itr_golib_hash_text(uint64_t hash, const char *text);
uint64_t itr_golib_hash_number(uint64_t hash, uint64_t number);

/* What builds read of a GOROOT. ITR_E_LIMIT, ITR_E_SYSTEM, ITR_E_NO_MEMORY. */
enum itr_status itr_golib_list(const char *root, struct itr_golib_listing *listing, struct itr_error *err) ITR_MUST_USE;
/* The same of a GOROOT as it was when its libraries were built: the file GOROOT.files beside them. False: there is none, or it is
 * not whole. */
bool itr_golib_read_listing(const char *path, struct itr_golib_listing *listing);

/* ---- golib_key.c ---- */

/* The C compiler that Go is to use for that system's libraries, of this one's environment (CC); "": Go's own choice. For
 * Windows always that: a key must be the same wherever it is made. */
const char *itr_golib_c_compiler(const char *system);

/* See golib.h. ITR_E_LIMIT, ITR_E_SYSTEM. */
enum itr_status itr_golib_key(const struct itr_golib_inputs *inputs, uint64_t *key, struct itr_error *err) ITR_MUST_USE;

/* ---- golib_build.c ---- */

/* Suffix of libraries there. */
const char *itr_golib_suffix(const char *system);
/* Has the GOROOT's Go build library `index` into a folder; `overlay` is a file or NULL. */
enum itr_status itr_golib_build(const struct itr_golib_inputs *inputs, size_t index, const char *folder, const char *overlay,
                                struct itr_error *err) ITR_MUST_USE;

/* ---- golib_cache.c ---- */

/* Is the entry there as a whole? */
bool itr_golib_is_whole(const char *folder);
/* Marks it as used now, by this process. False: it is not there (any more). */
bool itr_golib_mark(const char *folder);
/* The folder to build in, of this process alone; not made. */
void itr_golib_work_folder(const char *libraries, const char *name, char *folder, size_t room);
/* Puts what was built in its place; if another one is there already that one stays and this one is removed. */
enum itr_status itr_golib_put(const char *from, const char *to, struct itr_error *err) ITR_MUST_USE;
/* Removes what was left by builds that died, and the longest unused entries above the ceiling, never `keep`. */
void itr_golib_prune(const char *libraries, const char *keep, size_t most);
/* Removes a folder and all that is in it. */
void itr_golib_remove(const char *folder);

#endif
