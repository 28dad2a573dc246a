/* The host side: what a C program needs to be a host of initrace. It links this and nothing else of
 * the project: no libuv, no test library, no sanitizer. Every function does the same on every
 * system; what differs is said in its comment.
 *
 * A host is:
 *
 *     struct itrh_host host = {0};
 *     if (!itrh_open(&host)) return ITRH_EXIT_SETUP;
 *     itrh_install_handlers(&host);
 *     itrh_arm(&host);
 *     itrh_load(&host);
 *     itrh_call(&host);
 *     itrh_wait(&host);
 *     return itrh_finish(&host);
 *
 * Between load-begin and init-done only the firing thread, and in a host linked with the hooks the
 * hooked functions and the gate, run code of ours. */
#ifndef INITRACE_PLATFORM_HOST_H
#define INITRACE_PLATFORM_HOST_H

#include "framework/ledger.h"

#include <stdbool.h>
#include <stdint.h>

/* Exit code of a host that could not do what the request asks; host_failed in the ledger says why. */
#define ITRH_EXIT_SETUP 86

struct itrh_host {
    struct itr_ledger *ledger; /* the shared block; never NULL after itrh_open() */
    bool attached;             /* false: no runner, the block is private memory of this process */
    void *library;             /* handle of the loaded library, NULL if none */
};

/* Attaches the ledger that INITRACE_LEDGER names and marks host-started. Without that variable the
 * host runs alone: argv[1], if `library` is not NULL, names the library, nothing is fired. False,
 * with a line on stderr, if the block is not one of this version. */
bool itrh_open(struct itrh_host *host, const char *library, const char *function);

/* Installs the host's handler for each event of request.handlers and marks handlers-ready. The
 * handler writes its entry into the ledger and wakes itrh_wait(); on unix it is async-signal-safe. On
 * Windows it returns TRUE. */
bool itrh_install_handlers(struct itrh_host *host);

/* Gets every shot ready: starts the firing thread (all signals blocked in it) if a shot goes off at a
 * phase, installs the hooks if one goes off at a call; one at a gate has its jump written into the library
 * once that is mapped (Windows; false elsewhere, and in a host linked without hooks). */
bool itrh_arm(struct itrh_host *host);

/* Loads request.library, marking load-begin and load-returned; true at once if it is empty. */
bool itrh_load(struct itrh_host *host);

/* Calls request.function, `int f(void)`, marking call-begin and init-done; without a library or
 * function only the marks are made. Its result is in reply.call_result. */
bool itrh_call(struct itrh_host *host);

/* Marks waiting, then sleeps until every shot was sent and as many handler entries as shots were
 * made. Has no deadline of its own: the runner ends a host that waits for ever. Returns at once
 * without shots. */
void itrh_wait(struct itrh_host *host);

/* Marks finished. Returns the exit code for main(). */
int itrh_finish(struct itrh_host *host);

/* Records that the host itself failed (not the runtime under test) and returns ITRH_EXIT_SETUP. */
int itrh_fail(struct itrh_host *host, int64_t os_code, const char *text);

/* For hosts with a scenario of their own. */
void itrh_mark(struct itrh_host *host, enum itr_phase phase);
uint64_t itrh_now_ns(void);
uint32_t itrh_thread_id(void);
/* Sends shot `index` now, from the calling thread, and records it; for a shot at a call or a gate, holds
 * the calling thread as long as the request says. At most once a shot. */
void itrh_fire(struct itrh_host *host, uint32_t index);
/* Sends the process one more event (enum itr_event), which is no shot: it stands in the ledger only as an entry of the host's
 * handler. By kill() on unix, through CtrlRoutine on Windows. False, with the host's failure in the ledger, if it cannot. */
bool itrh_send(struct itrh_host *host, uint32_t event);
/* Sleeps at least `ns`. Signals do not cut it short. */
void itrh_sleep_ns(uint64_t ns);

/* ---- for hosts that hold what they see against what they were promised (platform/host_checks.c) ---- */

/* Records that the host looked at the promise `name` (a-z, 0-9 and '-'; it becomes a word of the signature) and
 * whether it was kept; of the broken ones the first is told, with the text made of `format`. Which promises were looked at
 * must not depend on what was seen: a trial passes when all were kept and there was at least one. From any
 * thread, not from a signal handler. Returns `kept`. */
bool itrh_check(struct itrh_host *host, bool kept, const char *name, const char *format, ...)
    ITR_PRINTF(4, 5);

/* ---- words for hosts that misbehave on purpose (cases/selftest) ---- */

/* Starts a child process that lives for ever; with `detach` in a session or process group of its own,
 * its standard streams closed. Returns its process id, 0 on failure. */
uint32_t itrh_spawn_child(bool detach);
/* Makes the process deaf to every event that can be ignored. */
void itrh_ignore_everything(void);
/* Closes standard output, standard error and every other descriptor or handle of the host that the
 * host side can name; the ledger stays mapped. */
void itrh_close_descriptors(void);
/* Ends the process at once with `code`, running nothing. */
_Noreturn void itrh_exit_now(uint32_t code);
/* Crashes: a write to address 8. */
_Noreturn void itrh_crash(void);
/* Writes `bytes` bytes from `data` to standard error (descriptor 2), again and again until all are
 * out; false on error. */
bool itrh_write_error_stream(const void *data, uint64_t bytes);

/* ---- between host_fire.c and host_hooks.c ---- */

/* Installs what counts calls of `call` by the library and fires the shots at them. The version in
 * host_hooks.c does it; the one in host_plain.c, for hosts without hooks, returns false. */
bool itrh_hooks_install(struct itrh_host *host, enum itr_call call);

#endif
