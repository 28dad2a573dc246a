/* Stops a process that no debugger has: attaches to every thread, also those that are born meanwhile, and waits until
 * all stand. It reads nothing of them itself. */
#include "platform/unix/snapshot_unix.h"
#include "platform/unix/debug_unix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

enum {
    ROUNDS_MAX = 16, /* of looking for threads that were not there before */
    NAP_NS = 200000,
};

#define REAP_NS UINT64_C(1000000000)

struct attached {
    pid_t id;
    bool stopped;
    bool gone;
    int signal; /* it stands before this one's delivery, which is to be made good */
};

struct crowd {
    struct attached *threads;
    size_t count;
};

static struct attached *find(struct crowd *crowd, pid_t id) {
    for (size_t i = 0; i < crowd->count; i++) {
        if (crowd->threads[i].id == id) {
            return &crowd->threads[i];
        }
    }
    return NULL;
}

/* Attaches to all threads that are not attached to yet. Returns how many there were of them; -1 with errno if it may
 * not be done. */
static int attach_more(struct crowd *crowd, pid_t process) {
    pid_t ids[ITRP_SNAPSHOT_THREADS_MAX];
    int more = 0;
    size_t count = itrp_unix_list_threads(process, ids, ITRP_SNAPSHOT_THREADS_MAX);
    count = count < ITRP_SNAPSHOT_THREADS_MAX ? count : ITRP_SNAPSHOT_THREADS_MAX;
    for (size_t i = 0; i < count && crowd->count < ITRP_SNAPSHOT_THREADS_MAX; i++) {
        if (find(crowd, ids[i]) != NULL) {
            continue;
        }
        if (ptrace(PTRACE_SEIZE, ids[i], NULL, NULL) != 0) {
            if (errno != ESRCH && !(errno == EPERM && more + (int)crowd->count > 0)) { /* an ending thread: EPERM */
                return -1;
            }
            continue;
        }
        ptrace(PTRACE_INTERRUPT, ids[i], NULL, NULL);
        crowd->threads[crowd->count++] = (struct attached){.id = ids[i]};
        more++;
    }
    return more;
}

/* Hears of stops without waiting. Returns how many threads do not stand yet. */
static size_t hear(struct crowd *crowd) {
    size_t running = 0;
    for (size_t i = 0; i < crowd->count; i++) {
        struct attached *one = &crowd->threads[i];
        int status = 0;
        if (one->stopped || one->gone) {
            continue;
        }
        pid_t got = waitpid(one->id, &status, __WALL | WNOHANG);
        if (got < 0 || (got == one->id && !WIFSTOPPED(status))) {
            one->gone = true;
        } else if (got == one->id) {
            one->stopped = true;
            one->signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;
        } else {
            running++;
        }
    }
    return running;
}

static void let_go(const struct crowd *crowd) {
    for (size_t i = 0; i < crowd->count; i++) {
        const struct attached *one = &crowd->threads[i];
        if (!one->gone) {
            ptrace(PTRACE_DETACH, one->id, NULL, (void *)(intptr_t)one->signal);
        }
    }
}

/* The deadline passing is no failure: those who stand are shown. */
static enum itr_status stop_all(struct crowd *crowd, pid_t process, uint64_t deadline_ns, struct itr_error *err) {
    int more = attach_more(crowd, process);
    for (int round = 0; more > 0 && round < ROUNDS_MAX; round++) {
        while (hear(crowd) > 0 && itrp_debug_now_ns() < deadline_ns) {
            nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
        }
        more = itrp_debug_now_ns() < deadline_ns ? attach_more(crowd, process) : 0;
    }
    if (more < 0) {
        int code = errno;
        return itr_fail(err, ITR_E_UNSUPPORTED, code, "cannot attach to the host: %s", strerror(code));
    }
    for (size_t i = 0; i < crowd->count; i++) {
        if (crowd->threads[i].stopped) {
            return ITR_OK;
        }
    }
    return crowd->count == 0 ? itr_fail(err, ITR_E_NOT_FOUND, 0, "the host has ended")
                             : itr_fail(err, ITR_E_TIMEOUT, 0, "no thread of the host could be stopped");
}

enum itr_status itrp_unix_attach(pid_t process, uint64_t deadline_ns, struct itrp_unix_snapshot **out,
                                 struct itr_error *err) {
    struct crowd crowd = {.threads = calloc(ITRP_SNAPSHOT_THREADS_MAX, sizeof *crowd.threads)};
    struct itrp_unix_snapshot *snapshot = crowd.threads != NULL ? itrp_unix_snapshot_begin(process, err) : NULL;
    if (snapshot == NULL) {
        free(crowd.threads);
        return err != NULL && err->status != ITR_OK ? err->status
                                                    : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory stopping a host");
    }
    enum itr_status status = stop_all(&crowd, process, deadline_ns, err);
    if (status == ITR_OK) {
        for (size_t i = 0; i < crowd.count; i++) {
            if (crowd.threads[i].stopped) {
                itrp_unix_snapshot_add(snapshot, crowd.threads[i].id, ITR_ROLE_ANY, false);
            }
        }
        status = itrp_unix_snapshot_finish(snapshot, ITRP_SNAPSHOT_ASKED, err);
    } else {
        itrp_unix_snapshot_free(snapshot);
    }
    if (status == ITR_OK) {
        *out = snapshot;
    } else {
        let_go(&crowd);
    }
    free(crowd.threads);
    return status;
}

void itrp_unix_detach(const struct itrp_unix_snapshot *snapshot) {
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        const struct itrp_snapshot_thread *thread = &snapshot->threads[i];
        if (snapshot->targets[i].has_registers) {
            ptrace(PTRACE_DETACH, (pid_t)snapshot->targets[i].id, NULL,
                   (void *)(intptr_t)(thread->has_signal ? thread->signal : 0));
        }
    }
}

void itrp_unix_reap_threads(const struct itrp_unix_snapshot *snapshot) {
    uint64_t deadline_ns = itrp_debug_now_ns() + REAP_NS;
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        pid_t id = (pid_t)snapshot->targets[i].id;
        if (snapshot->targets[i].has_registers || id == snapshot->process) {
            continue; /* the main one is waited for by whoever waits for the process */
        }
        while (waitpid(id, NULL, __WALL | WNOHANG) == 0 && itrp_debug_now_ns() < deadline_ns) {
            nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
        }
    }
}
