/* One host under ptrace, on a thread of its own: starts it, waits for its stops and its end, and tells the loop. It
 * does not know what a stop means (debug_stops.c). */
#include "platform/unix/debug_unix.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_STACK_BYTES (64 * 1024)
#define OPTIONS           (PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)
/* Processes that the host makes are let go without the breakpoint that is in their copy of the code. */
#define CODE_OPTIONS      (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE)

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CHILD_HAS_A_COPY 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define CHILD_HAS_A_COPY 1
#endif
#endif

enum { GO_WAIT, GO_ON, GO_AWAY };
enum { LATE_STOPS_MAX = 256 }; /* that are handled before a hold whose time is over ends */

void itrp_debug_fail(struct itrp_debugger *debugger, enum itr_status status, int64_t os_code, const char *format,
                     ...) {
    char text[sizeof debugger->report.error.text];
    va_list args;
    if (debugger->report.error.status == ITR_OK) {
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        itr_fail(&debugger->report.error, status, os_code, "debugger: %s", text);
    }
    if (debugger->host > 0 && !debugger->reaped) {
        kill(debugger->host, SIGKILL);
    }
}

/* ---- start ---- */

/* In the child, whose memory may be the runner's. */
ITRP_UNIX_BARE static int be_born(void *argument) {
    const struct itrp_unix_start *start = argument;
    volatile const uint32_t *go = &start->words->go;
    while (*go == GO_WAIT) {
        syscall(SYS_futex, go, (long)FUTEX_WAIT, (long)GO_WAIT, NULL, NULL, 0L);
    }
    while (*go != GO_ON) {
        syscall(SYS_exit_group, 127L);
    }
    itrp_unix_become_host(start);
}

static void let_go(const struct itrp_unix_start *start, uint32_t where) {
    __atomic_store_n(&start->words->go, where, __ATOMIC_RELEASE);
    syscall(SYS_futex, &start->words->go, (long)FUTEX_WAKE, (long)INT_MAX, NULL, NULL, 0L);
}

/* The child shares the runner's memory until its exec, as vfork's does, but runs beside its parent: on a stack of
 * its own. Sanitizers do not know such a stack, there it gets a copy of everything. */
static pid_t make_child(const struct itrp_unix_start *start, char *stack) {
#ifdef CHILD_HAS_A_COPY
    (void)stack;
    pid_t id = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (id == 0) {
        be_born((void *)(uintptr_t)start);
    }
    return id;
#else
    return clone(be_born, stack + CHILD_STACK_BYTES, CLONE_VM | SIGCHLD, (void *)(uintptr_t)start);
#endif
}

static bool wait_for(pid_t id, int *status) {
    pid_t got = 0;
    do {
        got = waitpid(id, status, __WALL);
    } while (got < 0 && errno == EINTR);
    return got == id;
}

/* Waits for the stop at the exec, or the end of a child that could not become the host. */
static int wait_for_exec(struct itrp_debugger *debugger) {
    int status = 0;
    while (wait_for(debugger->host, &status)) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            debugger->reaped = true;
            int code = debugger->start->words->error;
            return code != 0 ? code : ECHILD;
        }
        if (status >> 16 == PTRACE_EVENT_EXEC) {
            return 0;
        }
        int signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;
        ptrace(PTRACE_CONT, debugger->host, NULL, (void *)(intptr_t)signal);
    }
    return errno;
}

static int start_host(struct itrp_debugger *debugger) {
    const struct itrp_unix_start *start = debugger->start;
    char *stack = malloc(CHILD_STACK_BYTES);
    if (stack == NULL) {
        return ENOMEM;
    }
    pid_t id = make_child(start, stack);
    int code = id < 0 ? errno : 0;
    if (id > 0) {
        debugger->host = id;
        uintptr_t options = OPTIONS | (debugger->report.code_breakpoints ? CODE_OPTIONS : 0) |
                            (debugger->plan->evidence ? PTRACE_O_TRACEEXIT : 0);
        if (ptrace(PTRACE_SEIZE, id, NULL, (void *)options) != 0) {
            code = errno;
            itrp_debug_fail(debugger, ITR_E_UNSUPPORTED, code, "PTRACE_SEIZE: %s", strerror(code));
            let_go(start, GO_AWAY);
            wait_for(id, &debugger->status);
            debugger->reaped = true;
        } else {
            let_go(start, GO_ON);
            code = wait_for_exec(debugger);
        }
    }
    free(stack); /* the child is the host now, or gone */
    return code;
}

/* ---- the thread ---- */

/* Where this thread was starved the taker's stops may be waiting when the time is over: they come first, unless there is
 * no end of stops. */
static bool hold_is_over(struct itrp_debugger *debugger, uint64_t now_ns, bool no_stop_waits) {
    if (debugger->held_until_ns == 0 || debugger->held_until_ns > now_ns) {
        return false;
    }
    return no_stop_waits || ++debugger->late_stops > LATE_STOPS_MAX;
}

/* What is due by the clock or has come about by the last stop. */
static void look_around(struct itrp_debugger *debugger, bool no_stop_waits) {
    if (debugger->held_until_ns != 0 || debugger->plan->chaos) {
        uint64_t now_ns = itrp_debug_now_ns();
        if (hold_is_over(debugger, now_ns, no_stop_waits)) {
            itrp_debug_release(debugger, true);
        }
        itrp_debug_chaos_look(debugger, now_ns);
    }
    itrp_debug_library_look(debugger);
    itrp_debug_code_look(debugger);
    itrp_debug_pause_look(debugger);
    itrp_debug_evidence_look(debugger);
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns) {
    return a_ns == 0 || (b_ns != 0 && b_ns < a_ns) ? b_ns : a_ns;
}

static void wake_in_time(struct itrp_debugger *debugger) {
    uint64_t next_ns = earlier(debugger->held_until_ns, itrp_debug_chaos_next_ns(debugger));
    next_ns = earlier(next_ns, itrp_debug_evidence_next_ns(debugger));
    itrp_debug_wake_at(debugger, earlier(next_ns, itrp_debug_code_next_ns(debugger)));
}

static void trace_host(struct itrp_debugger *debugger) {
    while (!debugger->reaped) {
        int status = 0;
        wake_in_time(debugger);
        pid_t id = waitpid(-1, &status, __WALL | __WNOTHREAD);
        if (id < 0 && errno != EINTR) {
            itrp_debug_fail(debugger, ITR_E_SYSTEM, errno, "waitpid: %s", strerror(errno));
            return;
        }
        if (id > 0 && WIFSTOPPED(status)) {
            itrp_debug_stopped(debugger, id, status);
        } else if (id > 0) {
            itrp_debug_ended(debugger, id, status);
        }
        look_around(debugger, id < 0);
    }
}

static void run(void *argument) {
    struct itrp_debugger *debugger = argument;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    debugger->self = (pid_t)syscall(SYS_gettid);
    debugger->start_code = start_host(debugger);
    debugger->start = NULL;
    if (debugger->start_code != 0) {
        uv_sem_post(&debugger->started);
        return;
    }
    struct itrp_debug_tracee *tracee = itrp_debug_tracee_add(debugger, debugger->host);
    if (debugger->plan->evidence) {
        itrp_debug_clock_open(debugger); /* so that others can wake this thread */
    }
    if (tracee != NULL) {
        tracee->born = true;
        tracee->stopped = true;
        itrp_debug_library_begin(debugger);
        itrp_debug_chaos_begin(debugger);
        itrp_debug_resume(debugger, tracee, 0);
    }
    uv_sem_post(&debugger->started);
    trace_host(debugger);
    itrp_debug_evidence_end(debugger);
    itrp_debug_clock_close(debugger);
    itrp_debug_code_close(debugger);
    free(debugger->tracees);
    debugger->tracees = NULL;
    uv_async_send(&debugger->ended);
}

/* ---- the loop's side ---- */

static void on_ended(uv_async_t *async) {
    struct itrp_debugger *debugger = async->data;
    debugger->on_end(debugger->context);
}

static void free_debugger(struct itrp_debugger *debugger) {
    uv_sem_destroy(&debugger->started);
    uv_cond_destroy(&debugger->evidence.changed);
    uv_mutex_destroy(&debugger->evidence.lock);
    itrp_unix_snapshot_free(debugger->evidence.snapshot);
    free(debugger->trace);
    free(debugger);
}

static void on_async_closed(uv_handle_t *handle) {
    struct itrp_debugger *debugger = handle->data;
    if (debugger->on_closed != NULL) {
        debugger->on_closed(debugger->context);
    }
    free_debugger(debugger);
}

static enum itr_status open_handles(struct itrp_debugger *debugger, uv_loop_t *loop, struct itr_error *err) {
    int result = uv_sem_init(&debugger->started, 0);
    if (result == 0) {
        result = uv_async_init(loop, &debugger->ended, on_ended);
        if (result != 0) {
            uv_sem_destroy(&debugger->started);
        }
    }
    debugger->ended.data = debugger;
    return result == 0 ? ITR_OK : itr_fail(err, ITR_E_SYSTEM, result, "debugger: %s", uv_strerror(result));
}

enum itr_status itrp_debugger_start(struct itrp_debugger **out, const struct itrp_unix_start *start, uv_loop_t *loop,
                                    void (*on_end_function)(void *context), void *context, int *code,
                                    struct itr_error *err) {
    const struct itrp_memory *ledger = start->spec->ledger;
    struct itrp_debugger *debugger = calloc(1, sizeof *debugger);
    enum itr_status status = ITR_OK;
    if (debugger == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory starting a debugger");
    }
    if (uv_mutex_init(&debugger->evidence.lock) != 0 || uv_cond_init(&debugger->evidence.changed) != 0) {
        ITR_BUG("no lock for a debugger");
    }
    debugger->plan = start->spec->debug;
    debugger->code_memory = -1;
    debugger->report.code_breakpoints = debugger->plan->code_breakpoints || !itrp_has_debug_registers();
    debugger->reply = ledger != NULL ? &((struct itr_ledger *)ledger->base)->reply : NULL;
    debugger->start = start;
    debugger->on_end = on_end_function;
    debugger->context = context;
    if (open_handles(debugger, loop, err) != ITR_OK) {
        uv_cond_destroy(&debugger->evidence.changed);
        uv_mutex_destroy(&debugger->evidence.lock);
        free(debugger);
        return err != NULL ? err->status : ITR_E_SYSTEM;
    }
    int result = uv_thread_create(&debugger->thread, run, debugger);
    if (result != 0) {
        itrp_debugger_close(debugger, NULL, NULL);
        return itr_fail(err, ITR_E_SYSTEM, result, "cannot start a debugger: %s", uv_strerror(result));
    }
    uv_sem_wait(&debugger->started);
    if (debugger->start_code != 0) {
        uv_thread_join(&debugger->thread);
        *code = debugger->start_code;
        if (debugger->report.error.status != ITR_OK) {
            const struct itr_error *error = &debugger->report.error;
            status = itr_fail(err, error->status, error->os_code, "%s", error->text);
            *code = 0;
        } else {
            status = ITR_E_SYSTEM; /* said by the caller */
        }
        itrp_debugger_close(debugger, NULL, NULL);
        return status;
    }
    *out = debugger;
    return ITR_OK;
}

pid_t itrp_debugger_host(const struct itrp_debugger *debugger) {
    return debugger->host;
}

int itrp_debugger_join(struct itrp_debugger *debugger) {
    if (!debugger->joined) {
        uv_thread_join(&debugger->thread);
        debugger->joined = true;
    }
    return debugger->status;
}

const struct itrp_debug_report *itrp_debugger_report(const struct itrp_debugger *debugger) {
    return &debugger->report;
}

bool itrp_debugger_has_paused(const struct itrp_debugger *debugger) {
    return __atomic_load_n(&debugger->paused, __ATOMIC_ACQUIRE);
}

void itrp_debugger_close(struct itrp_debugger *debugger, void (*on_closed)(void *context), void *context) {
    debugger->on_closed = on_closed;
    debugger->context = context;
    uv_close((uv_handle_t *)&debugger->ended, on_async_closed);
}
