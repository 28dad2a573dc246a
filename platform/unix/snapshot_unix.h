/* What the files of Linux' snapshots share: a snapshot that is being made. Private to platform/unix.
 *
 * begin, then stop the threads, then add each stopped one (by the thread that traces it), then finish. */
#ifndef INITRACE_PLATFORM_UNIX_SNAPSHOT_UNIX_H
#define INITRACE_PLATFORM_UNIX_SNAPSHOT_UNIX_H

#include "platform/platform.h"
#include "platform/snapshot.h"

#include <sys/types.h>

struct itrp_unix_snapshot {
    struct itrp_snapshot shown;
    pid_t process;
    int memory; /* /proc/PID/mem */
    struct itr_target_thread *targets;
    struct itrp_snapshot_thread *threads;
    size_t thread_count;
    size_t thread_room;
    struct itrp_snapshot_mapping *mappings;
    struct itr_target_range *ranges; /* one a mapping */
    char **paths;                    /* one for each run of mappings of the same */
    size_t path_count;
    struct itr_target_module *modules;
    struct itrp_snapshot_descriptor *descriptors;
};

/* ---- snapshot.c ---- */

/* With what is to be had without stopping anybody. NULL with the error where the process is gone, or memory is out. */
struct itrp_unix_snapshot *itrp_unix_snapshot_begin(pid_t process, struct itr_error *err);
/* A thread that stands in a stop of ptrace's, and whose tracer calls this. */
void itrp_unix_snapshot_add(struct itrp_unix_snapshot *snapshot, pid_t thread, enum itr_role role, bool at_fault);
/* The process as a whole. Frees the snapshot where it fails. */
enum itr_status itrp_unix_snapshot_finish(struct itrp_unix_snapshot *snapshot, enum itrp_snapshot_reason reason,
                                          struct itr_error *err) ITR_MUST_USE;
void itrp_unix_snapshot_free(struct itrp_unix_snapshot *snapshot);

/* ---- snapshot_proc.c: what /proc tells of a process ---- */

/* Fills state and wait channel of a thread, and its name. False: it is gone. */
bool itrp_unix_read_thread(pid_t process, pid_t thread, struct itrp_snapshot_thread *into);
/* Masks of a thread; where `process` is not NULL, those of its process too. */
bool itrp_unix_read_signals(pid_t process, pid_t thread, struct itrp_snapshot_thread *into,
                            struct itrp_snapshot *whole);
/* Ids of the process's threads, at most `max`; returns how many there are. */
size_t itrp_unix_list_threads(pid_t process, pid_t *threads, size_t max);
enum itr_status itrp_unix_read_mappings(struct itrp_unix_snapshot *snapshot, struct itr_error *err);
enum itr_status itrp_unix_read_descriptors(struct itrp_unix_snapshot *snapshot, struct itr_error *err);

/* ---- snapshot_attach.c: a process that no debugger has ---- */

/* Attaches to all threads of a process and stops them, at most until `deadline_ns` (CLOCK_MONOTONIC), from the thread
 * that must call itrp_unix_detach() too. */
enum itr_status itrp_unix_attach(pid_t process, uint64_t deadline_ns, struct itrp_unix_snapshot **snapshot,
                                 struct itr_error *err) ITR_MUST_USE;
/* Lets all those threads go that stand, as they were. */
void itrp_unix_detach(const struct itrp_unix_snapshot *snapshot);
/* After that, of a process that was killed: waits, at most a second, for the end of those threads that did not stand,
 * which their process could not end without. */
void itrp_unix_reap_threads(const struct itrp_unix_snapshot *snapshot);

/* ---- keep.c ---- */

/* Makes the process independent of this one, and starts the reader of its output. It stands on. */
enum itr_status itrp_unix_keep(const struct itrp_unix_snapshot *snapshot, const struct itrp_keep *keep, pid_t *reader,
                               struct itr_error *err) ITR_MUST_USE;

/* ---- inject.c ---- */

/* Has a thread of the snapshot that stands make a system call that neither waits nor touches memory, and leaves it as it
 * was. ITR_E_UNSUPPORTED, ITR_E_SYSTEM when it could not be made; what it returned is in `*result`. */
enum itr_status itrp_unix_inject(const struct itrp_unix_snapshot *snapshot, pid_t thread, int64_t number,
                                 const uint64_t arguments[5], int64_t *result, struct itr_error *err) ITR_MUST_USE;

#endif
