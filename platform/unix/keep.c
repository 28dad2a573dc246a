/* Leaves a stopped host to a person: takes from it what would end it with the runner, and starts a process that reads its
 * output from then on. It neither stops the host nor lets it go. */
#include "platform/unix/snapshot_unix.h"
#include "platform/unix/process_unix.h"
#include "platform/unix/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { READ_BYTES = 16 * 1024, CLOSED_MAX = 65536 };

/* ---- the reader of its output ---- */

struct reader {
    long from[2];
    long to[2];
    uint64_t left[2]; /* that still go to the files */
};

ITRP_UNIX_BARE static void close_between(long first, long last) {
    if (first > last || syscall(SYS_close_range, first, last, 0L) == 0) {
        return;
    }
    for (long i = first; i <= last && i < CLOSED_MAX; i++) {
        syscall(SYS_close, i);
    }
}

/* All but the reader's own: the runner's pipes and its hosts' ledgers live as long as anybody has them open. */
ITRP_UNIX_BARE static void close_others(const struct reader *reader) {
    long kept[4] = {reader->from[0], reader->from[1], reader->to[0], reader->to[1]};
    for (int i = 0; i < 4; i++) {
        for (int j = i + 1; j < 4; j++) {
            if (kept[j] < kept[i]) {
                long swapped = kept[i];
                kept[i] = kept[j];
                kept[j] = swapped;
            }
        }
    }
    long next = 0;
    for (int i = 0; i < 4; i++) {
        close_between(next, kept[i] - 1);
        next = kept[i] + 1;
    }
    close_between(next, (long)(~0u >> 1));
}

/* False: the pipe's end. */
ITRP_UNIX_BARE static bool pass_on(struct reader *reader, int which) {
    char bytes[READ_BYTES];
    long got = syscall(SYS_read, reader->from[which], bytes, sizeof bytes);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    uint64_t wanted = (uint64_t)got < reader->left[which] ? (uint64_t)got : reader->left[which];
    long put = wanted > 0 ? syscall(SYS_write, reader->to[which], bytes, wanted) : 0;
    reader->left[which] = put < (long)wanted ? 0 : reader->left[which] - wanted; /* the disk is full */
    return true;
}

/* In a copy of the runner, of which no thread but this one is there. */
ITRP_UNIX_BARE static _Noreturn void read_on(struct reader *reader) {
    static const char name[] = "initrace-output";
    struct pollfd ends[2] = {{.fd = (int)reader->from[0], .events = POLLIN}, {.fd = (int)reader->from[1], .events = POLLIN}};
    syscall(SYS_setsid);
    syscall(SYS_prctl, (long)PR_SET_NAME, name);
    close_others(reader);
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        if (syscall(SYS_poll, ends, 2L, -1L) < 0 && errno != EINTR) {
            break;
        }
        for (int i = 0; i < 2; i++) {
            if (ends[i].fd >= 0 && ends[i].revents != 0 && !pass_on(reader, i)) {
                ends[i].fd = -1;
            }
        }
    }
    for (;;) {
        syscall(SYS_exit_group, 0L);
    }
}

/* With all signals blocked: what is meant for the runner is not for its copy. */
static pid_t start_reader(struct reader *reader) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t id = (pid_t)syscall(SYS_clone, (long)SIGCHLD, NULL, NULL, NULL, NULL);
    if (id == 0) {
        read_on(reader);
    }
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return id;
}

static int open_file(const char *path) {
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

static enum itr_status start_reading(const struct itrp_keep *keep, pid_t *id, struct itr_error *err) {
    struct reader reader = {.from = {keep->output, keep->error},
                            .to = {open_file(keep->output_path), open_file(keep->error_path)},
                            .left = {keep->limit_bytes, keep->limit_bytes}};
    enum itr_status status = ITR_OK;
    if (reader.to[0] < 0 || reader.to[1] < 0) {
        status = itr_fail(err, ITR_E_SYSTEM, errno, "cannot write %s: %s",
                          reader.to[0] < 0 ? keep->output_path : keep->error_path, strerror(errno));
    } else {
        *id = start_reader(&reader);
        if (*id < 0) {
            status = itr_fail(err, ITR_E_SYSTEM, errno, "cannot start a reader of the host's output: %s", strerror(errno));
        } else if (!itrp_tree_spare(*id)) {
            kill(*id, SIGKILL);
            status = itr_fail(err, ITR_E_LIMIT, 0, "too many hosts are kept already");
        }
    }
    for (int i = 0; i < 2; i++) {
        if (reader.to[i] >= 0) {
            close((int)reader.to[i]);
        }
    }
    return status;
}

/* ---- the host ---- */

static enum itr_status control(const struct itrp_unix_snapshot *snapshot, uint64_t what, uint64_t value, int64_t *result,
                               struct itr_error *err) {
    const uint64_t arguments[5] = {what, value};
    return itrp_unix_inject(snapshot, snapshot->process, SYS_prctl, arguments, result, err);
}

static bool main_thread_stands(const struct itrp_unix_snapshot *snapshot) {
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        if (snapshot->targets[i].id == (uint64_t)snapshot->process) {
            return snapshot->targets[i].has_registers;
        }
    }
    return false;
}

enum itr_status itrp_unix_keep(const struct itrp_unix_snapshot *snapshot, const struct itrp_keep *keep, pid_t *reader,
                               struct itr_error *err) {
    int64_t result = -1;
    if (!main_thread_stands(snapshot)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "the host's main thread does not stand");
    }
    enum itr_status status = control(snapshot, PR_SET_PDEATHSIG, 0, &result, err);
    if (status == ITR_OK && result != 0) {
        status = itr_fail(err, ITR_E_SYSTEM, (int)-result, "the host would end with the runner: %s", strerror((int)-result));
    }
    /* So that a person's debugger may attach where Yama lets only parents do so; elsewhere it means nothing. */
    if (status == ITR_OK) {
        status = control(snapshot, PR_SET_PTRACER, PR_SET_PTRACER_ANY, &result, err);
    }
    if (status == ITR_OK && !itrp_tree_spare(snapshot->process)) {
        status = itr_fail(err, ITR_E_LIMIT, 0, "too many hosts are kept already");
    }
    if (status == ITR_OK) {
        status = start_reading(keep, reader, err);
        if (status != ITR_OK) {
            itrp_tree_spare_no_more(snapshot->process);
        }
    }
    return status;
}
