/* What the Linux process code and the debugger share: how the child of a start becomes the host. Private to
 * platform/unix. */
#ifndef INITRACE_PLATFORM_UNIX_PROCESS_UNIX_H
#define INITRACE_PLATFORM_UNIX_PROCESS_UNIX_H

#include "platform/platform.h"
#include "platform/snapshot.h"

#include <stdint.h>
#include <sys/types.h>

/* In memory that a forked child shares too. */
struct itrp_unix_start_words {
    volatile int error; /* written by the child: errno of what failed, 0 once it is the host */
    uint32_t go;        /* a debugger's: futex, 0 wait, 1 become the host, 2 give up */
};

struct itrp_unix_start {
    const struct itrp_process_spec *spec;
    char **arguments;
    char **environment;
    int null_device;
    int ledger; /* -1: none */
    pid_t runner;
    struct itrp_unix_start_words *words;
};

/* For what runs in the child between its birth and its execve. In a copy of the runner another thread may have held a
 * lock of the sanitizer's, for ever now: so no instrumented code, and system calls only by syscall(), as sanitizers
 * stand before the C library's functions. (With them ThreadSanitizer's copies now and then spun in such a lock.) */
#define ITRP_UNIX_BARE __attribute__((no_sanitize("thread"), no_sanitize("address")))

/* Runs in the child, with the runner's memory shared or copied: system calls only, nothing that takes a lock.
 * All signals must be blocked. */
_Noreturn void itrp_unix_become_host(const struct itrp_unix_start *start);

/* The debugger of one host: debug.c. */
struct itrp_debugger;

/* Starts the host that `start` describes on a thread of the debugger's own and returns once it runs, or could
 * not be made to: `*code` is then the errno why, 0 where `err` says it. `on_end` is called from `loop` once the
 * host was reaped and the thread has ended. On success `*out` must be given to itrp_debugger_close(). */
enum itr_status itrp_debugger_start(struct itrp_debugger **out, const struct itrp_unix_start *start, uv_loop_t *loop,
                                    void (*on_end)(void *context), void *context, int *code,
                                    struct itr_error *err) ITR_MUST_USE;
pid_t itrp_debugger_host(const struct itrp_debugger *debugger);
/* The wait status of the host; waits for the thread's end. */
int itrp_debugger_join(struct itrp_debugger *debugger);
const struct itrp_debug_report *itrp_debugger_report(const struct itrp_debugger *debugger);
bool itrp_debugger_has_paused(const struct itrp_debugger *debugger);
/* debug_evidence.c, from the loop's thread: as itrp_process_snapshot(), _stop(), _go_on(). */
const struct itrp_snapshot *itrp_debugger_snapshot(struct itrp_debugger *debugger);
enum itr_status itrp_debugger_stop(struct itrp_debugger *debugger, uint32_t timeout_ms,
                                   struct itr_error *err) ITR_MUST_USE;
void itrp_debugger_go_on(struct itrp_debugger *debugger);
/* The thread must have been joined. `on_closed` is called from the loop once nothing of it is left there. */
void itrp_debugger_close(struct itrp_debugger *debugger, void (*on_closed)(void *context), void *context);

#endif
