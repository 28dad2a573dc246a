/* What the files of Windows' snapshots share: a snapshot that is being made. Private to platform/windows. What may
 * never return is called with a deadline (bounded_call.h). */
#ifndef INITRACE_PLATFORM_WINDOWS_SNAPSHOT_WINDOWS_H
#define INITRACE_PLATFORM_WINDOWS_SNAPSHOT_WINDOWS_H

#include "framework/ledger.h"
#include "platform/platform.h"
#include "platform/snapshot.h"
#include "platform/windows/bounded_call.h"

#include <windows.h>

/* ---- snapshot.c ---- */

/* A thread whose part its debugger knows. */
struct itrp_windows_known_thread {
    DWORD id;
    enum itr_role role;
};

struct itrp_windows_snapshot_request {
    HANDLE process; /* borrowed */
    DWORD id;
    enum itrp_snapshot_reason reason;
    DWORD about;                       /* thread that the reason is about; 0: none */
    const EXCEPTION_RECORD *exception; /* that it has raised; NULL: none */
    bool first_chance;
    uint32_t exit_status;
    const struct itr_ledger *ledger; /* tells of threads' parts; NULL: none */
    const struct itrp_windows_known_thread *known;
    size_t known_count;
    uint64_t deadline_ns; /* of uv_hrtime() */
};

/* Memory of the process, in order. */
struct itrp_windows_region {
    uint64_t begin;
    uint64_t bytes;
    uint64_t allocation; /* the begin of what it was made as a part of */
    DWORD allocation_protect;
    DWORD state;
    DWORD protect;
    DWORD type;
    const char *path; /* of the mapped file; NULL: none. Owned by the map */
};

struct itrp_windows_map {
    struct itrp_windows_region *regions;
    size_t count;
    size_t room;
    char **paths;
    size_t path_count;
    bool cut;
};

struct itrp_windows_snapshot {
    struct itrp_snapshot shown;
    HANDLE process; /* the snapshot's own */
    struct itr_target_thread *targets;
    struct itrp_snapshot_thread *threads;
    HANDLE *handles;    /* of the threads, each suspended once by the snapshot, until it lets go */
    uint64_t *blocks;   /* addresses of their TEBs; 0: not known */
    size_t thread_count;
    size_t thread_room;
    bool let_go;
    struct itrp_windows_map map;
    struct itrp_snapshot_mapping *mappings; /* one a region */
    struct itr_target_range *ranges;        /* one a mapping */
    struct itr_target_module *modules;
    char **module_paths; /* of those that have no mapping to lend them one */
    size_t module_path_count;
    struct itrp_snapshot_descriptor *descriptors;
};

/* Suspends all threads of the process and reads what there is. NULL with the error where it cannot be done. The
 * process's debug events may be handled by any thread meanwhile. */
struct itrp_windows_snapshot *itrp_windows_snapshot_take(
    const struct itrp_windows_snapshot_request *request, struct itr_error *err);
/* Lets the threads go on that it stopped; the snapshot stays. More than once is fine. */
void itrp_windows_snapshot_let_go(struct itrp_windows_snapshot *snapshot);
/* Lets them go first. NULL is fine. */
void itrp_windows_snapshot_free(struct itrp_windows_snapshot *snapshot);

/* ---- snapshot_threads.c ---- */

/* Suspends every thread, also those that are born meanwhile, and reads their registers. */
enum itr_status itrp_windows_stop_threads(struct itrp_windows_snapshot *snapshot,
                                          const struct itrp_windows_snapshot_request *request,
                                          struct itr_error *err) ITR_MUST_USE;

/* ---- snapshot_memory.c ---- */

/* Fills the map; leaves it empty, and says that it is cut, if that does not end in time. */
void itrp_windows_read_map(struct itrp_windows_snapshot *snapshot, uint64_t deadline_ns);
void itrp_windows_map_release(struct itrp_windows_map *map);
/* Mappings and modules, from the map, the threads and the loader's own list. */
enum itr_status itrp_windows_find_mappings(struct itrp_windows_snapshot *snapshot,
                                           struct itr_error *err) ITR_MUST_USE;

/* ---- snapshot_modules.c ---- */

enum itr_status itrp_windows_find_modules(struct itrp_windows_snapshot *snapshot,
                                          uint64_t deadline_ns, struct itr_error *err) ITR_MUST_USE;

/* ---- snapshot_handles.c ---- */

/* Open handles; none, and cut, if that does not end in time. */
enum itr_status itrp_windows_read_handles(struct itrp_windows_snapshot *snapshot,
                                          uint64_t deadline_ns, struct itr_error *err) ITR_MUST_USE;

#endif
