/* Stops a debugged host as a whole at its first fatal exception, before any handler of its own sees it, when it ends by
 * itself, or when the loop asks for it; takes the snapshot, and waits until the loop has looked. It does not say what is
 * in it.
 *
 * That a process ends is told when nothing of it is left. So its way there is watched: by a breakpoint in the code of the
 * function that every end of its own making goes through. One that ends another process goes through it too: its own end
 * is not watched from then on. */
#include "platform/windows/debug_windows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* To stop the host and read what is read at once. */
#define GATHER_NS UINT64_C(8000000000)
/* Longest look at a standing host: long stacks and a minidump of gigabytes. */
#define LOOK_NS UINT64_C(120000000000)

/* Bytes of the function that must be those of the debugger's own. */
enum { SAME_BYTES = 16 };

#define ERROR_SEVERITY 0xC0000000u
#define CUSTOMER_BIT   0x20000000u

/* ---- which exceptions ---- */

/* Those that mean a fault. What compilers throw and what debuggers alone are told is handled as a rule. */
static bool is_fatal(const EXCEPTION_DEBUG_INFO *info) {
    DWORD code = info->ExceptionRecord.ExceptionCode;
    if (info->dwFirstChance == 0) {
        return true; /* nobody has handled it, or nobody was to */
    }
    if (code == EXCEPTION_BREAKPOINT || code == EXCEPTION_DATATYPE_MISALIGNMENT) {
        return true;
    }
    return (code & ERROR_SEVERITY) == ERROR_SEVERITY && (code & CUSTOMER_BIT) == 0 &&
           code != EXCEPTION_INVALID_HANDLE; /* raised under a debugger only */
}

/* ---- the debugger's own changes ---- */

static bool write_exit_byte(struct itrp_windows_debugger *debugger, uint8_t byte) {
    return itrp_windows_write_code(debugger, debugger->evidence.exit_address, byte);
}

static void hide_breakpoints(struct itrp_windows_debugger *debugger, bool hidden) {
    itrp_windows_code_lift(debugger, hidden);
    itrp_windows_births_lift(debugger, hidden);
    if (debugger->evidence.exit_is_in) {
        write_exit_byte(debugger, hidden ? debugger->evidence.exit_original : ITRP_WINDOWS_BREAKPOINT);
    }
}

/* What is due at a time is due so much later. */
static void put_off(struct itrp_windows_debugger *debugger, uint64_t stood_ns) {
    itr_patience_put_off(&debugger->hold, stood_ns);
    debugger->chaos_next_ns += stood_ns;
    debugger->code.over_until_ns += stood_ns;
    debugger->run_over_until_ns += stood_ns;
    for (size_t i = 0; i < debugger->thread_count; i++) {
        uint64_t *until_ns = &debugger->threads[i].held_until_ns;
        *until_ns += *until_ns != 0 ? stood_ns : 0;
    }
}

/* ---- standing ---- */

static bool is_killed(const struct itrp_windows_debugger *debugger) {
    return __atomic_load_n(&debugger->killed, __ATOMIC_ACQUIRE);
}

/* Shows the snapshot, NULL with the error if there is none, to the loop and waits until that is done with it. True: it is
 * the caller's again; false: the loop still has it. */
static bool show(struct itrp_windows_debugger *debugger, struct itrp_windows_snapshot *snapshot,
                 bool asked, const struct itr_error *error) {
    struct itrp_windows_evidence *evidence = &debugger->evidence;
    uint64_t deadline_ns = uv_hrtime() + LOOK_NS;
    uv_mutex_lock(&evidence->lock);
    bool useless = is_killed(debugger) || (asked && !evidence->wanted);
    evidence->wanted = false;
    evidence->refused = asked && snapshot == NULL;
    evidence->error = *error;
    evidence->snapshot = useless ? NULL : snapshot;
    evidence->released = useless || snapshot == NULL;
    uv_cond_broadcast(&evidence->changed);
    for (uint64_t now_ns = uv_hrtime(); !evidence->released && now_ns < deadline_ns;
         now_ns = uv_hrtime()) {
        uv_cond_timedwait(&evidence->changed, &evidence->lock, deadline_ns - now_ns);
    }
    bool released = evidence->released;
    evidence->loops_own = !released;
    uv_mutex_unlock(&evidence->lock);
    return released;
}

static struct itrp_windows_snapshot *take(struct itrp_windows_debugger *debugger,
                                          struct itrp_windows_snapshot_request *request,
                                          struct itr_error *err) {
    struct itrp_windows_known_thread *known = calloc(debugger->thread_count + 1, sizeof *known);
    if (known == NULL) {
        itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a snapshot");
        return NULL;
    }
    for (size_t i = 0; i < debugger->thread_count; i++) {
        known[i] = (struct itrp_windows_known_thread){.id = debugger->threads[i].id,
                                                      .role = debugger->threads[i].role};
    }
    request->process = debugger->process;
    request->id = debugger->id;
    request->ledger = debugger->ledger;
    request->known = known;
    request->known_count = debugger->thread_count;
    struct itrp_windows_snapshot *snapshot = itrp_windows_snapshot_take(request, err);
    free(known);
    return snapshot;
}

/* True if the host has stood for it. */
static bool stand(struct itrp_windows_debugger *debugger,
                  struct itrp_windows_snapshot_request *request) {
    struct itr_error error = {0};
    uint64_t since_ns = uv_hrtime();
    struct itrp_windows_snapshot *snapshot = take(debugger, request, &error);
    if (snapshot != NULL) {
        hide_breakpoints(debugger, true);
    }
    bool own = show(debugger, snapshot, request->reason == ITRP_SNAPSHOT_ASKED, &error);
    if (snapshot == NULL) {
        return false;
    }
    if (!is_killed(debugger)) {
        hide_breakpoints(debugger, false);
    }
    put_off(debugger, uv_hrtime() - since_ns);
    if (own) {
        itrp_windows_snapshot_free(snapshot);
    } else {
        itrp_windows_snapshot_let_go(snapshot);
    }
    return true;
}

static bool may_stand(const struct itrp_windows_debugger *debugger) {
    return debugger->plan->evidence && !debugger->evidence.gathered && !debugger->failed &&
           !is_killed(debugger);
}

void itrp_windows_evidence_exception(struct itrp_windows_debugger *debugger, DWORD thread,
                                     const EXCEPTION_DEBUG_INFO *info) {
    if (!may_stand(debugger) || !is_fatal(info)) {
        return;
    }
    struct itrp_windows_snapshot_request request = {
        .reason = ITRP_SNAPSHOT_FAULT,
        .about = thread,
        .exception = &info->ExceptionRecord,
        .first_chance = info->dwFirstChance != 0,
        .deadline_ns = uv_hrtime() + GATHER_NS,
    };
    debugger->evidence.gathered = stand(debugger, &request);
}

void itrp_windows_evidence_look(struct itrp_windows_debugger *debugger) {
    struct itrp_windows_evidence *evidence = &debugger->evidence;
    if (!debugger->plan->evidence || debugger->failed || is_killed(debugger)) {
        return;
    }
    uv_mutex_lock(&evidence->lock);
    bool wanted = evidence->wanted;
    struct itrp_windows_snapshot_request request = {.reason = ITRP_SNAPSHOT_ASKED,
                                                    .deadline_ns = evidence->deadline_ns};
    uv_mutex_unlock(&evidence->lock);
    if (wanted) {
        stand(debugger, &request);
    }
}

/* ---- the end ---- */

void itrp_windows_evidence_begin(struct itrp_windows_debugger *debugger) {
    struct itrp_windows_evidence *evidence = &debugger->evidence;
    uint8_t there[SAME_BYTES];
    FARPROC function = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtTerminateProcess");
    if (!debugger->plan->evidence || function == NULL) {
        return;
    }
    evidence->exit_address = (uint64_t)(uintptr_t)function;
    if (!itrp_windows_peek(debugger, evidence->exit_address, there, sizeof there) ||
        memcmp(there, (const void *)(uintptr_t)function, sizeof there) != 0) {
        return; /* another ntdll: its end is not watched */
    }
    evidence->exit_original = there[0];
    evidence->exit_is_in = evidence->exit_was_in = write_exit_byte(debugger, ITRP_WINDOWS_BREAKPOINT);
}

/* 0: all other threads, as the first step of the end. */
static bool is_itself(const struct itrp_windows_debugger *debugger, uint64_t handle) {
    HANDLE self = GetCurrentProcess();
    HANDLE copy = NULL;
    if (handle == 0 || handle == UINT64_MAX) {
        return true;
    }
    HANDLE there = (HANDLE)(uintptr_t)handle; /* NOLINT(performance-no-int-to-ptr) */
    if (!DuplicateHandle(debugger->process, there, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
        return false;
    }
    bool same = GetProcessId(copy) == debugger->id;
    CloseHandle(copy);
    return same;
}

bool itrp_windows_evidence_trap(struct itrp_windows_debugger *debugger, DWORD thread_id,
                                const EXCEPTION_RECORD *record) {
    struct itrp_windows_evidence *evidence = &debugger->evidence;
    CONTEXT context = {.ContextFlags = CONTEXT_CONTROL | CONTEXT_INTEGER};
    const struct itrp_windows_thread *thread = itrp_windows_thread_of(debugger, thread_id);
    if (!evidence->exit_was_in || thread == NULL || record->ExceptionCode != EXCEPTION_BREAKPOINT ||
        (uint64_t)(uintptr_t)record->ExceptionAddress != evidence->exit_address) {
        return false;
    }
    if (evidence->exit_is_in) { /* once: a thread that came here too is set back, and goes on */
        write_exit_byte(debugger, evidence->exit_original);
        evidence->exit_is_in = false;
    }
    if (!itrp_windows_get_context(debugger, thread, &context)) {
        return true;
    }
    context.Rip = evidence->exit_address;
    if (itrp_windows_set_context(debugger, thread, &context) && may_stand(debugger) &&
        is_itself(debugger, context.Rcx)) {
        struct itrp_windows_snapshot_request request = {
            .reason = ITRP_SNAPSHOT_EXIT,
            .about = thread_id,
            .exit_status = (uint32_t)context.Rdx,
            .deadline_ns = uv_hrtime() + GATHER_NS,
        };
        evidence->gathered = stand(debugger, &request);
    }
    return true;
}

void itrp_windows_evidence_end(struct itrp_windows_debugger *debugger) {
    uv_mutex_lock(&debugger->evidence.lock);
    debugger->evidence.refused = debugger->evidence.ended = true;
    uv_cond_broadcast(&debugger->evidence.changed);
    uv_mutex_unlock(&debugger->evidence.lock);
}

/* ---- the loop's side ---- */

const struct itrp_snapshot *itrp_windows_debugger_snapshot(struct itrp_windows_debugger *debugger) {
    uv_mutex_lock(&debugger->evidence.lock);
    const struct itrp_windows_snapshot *snapshot = debugger->evidence.snapshot;
    uv_mutex_unlock(&debugger->evidence.lock);
    return snapshot != NULL ? &snapshot->shown : NULL;
}

enum itr_status itrp_windows_debugger_stop(struct itrp_windows_debugger *debugger,
                                           uint32_t timeout_ms, struct itr_error *err) {
    struct itrp_windows_evidence *evidence = &debugger->evidence;
    uint64_t deadline_ns = uv_hrtime() + timeout_ms * UINT64_C(1000000);
    enum itr_status status = ITR_OK;
    if (!debugger->plan->evidence) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "the host's debugger was not asked for evidence");
    }
    uv_mutex_lock(&evidence->lock);
    evidence->wanted = evidence->snapshot == NULL;
    evidence->refused = evidence->ended;
    evidence->error = (struct itr_error){0};
    evidence->deadline_ns = deadline_ns;
    for (uint64_t now_ns = uv_hrtime();
         evidence->snapshot == NULL && !evidence->refused && now_ns < deadline_ns;
         now_ns = uv_hrtime()) {
        uv_cond_timedwait(&evidence->changed, &evidence->lock, deadline_ns - now_ns);
    }
    evidence->wanted = false;
    if (evidence->snapshot == NULL && evidence->error.status != ITR_OK) {
        status = itr_fail(err, evidence->error.status, evidence->error.os_code, "%s",
                          evidence->error.text);
    } else if (evidence->snapshot == NULL && evidence->refused) {
        status = itr_fail(err, ITR_E_NOT_FOUND, 0, "the host has ended");
    } else if (evidence->snapshot == NULL) {
        status = itr_fail(err, ITR_E_TIMEOUT, 0, "the host does not stop in %" PRIu32 " ms",
                          timeout_ms);
    }
    uv_mutex_unlock(&evidence->lock);
    return status;
}

void itrp_windows_debugger_go_on(struct itrp_windows_debugger *debugger) {
    struct itrp_windows_evidence *evidence = &debugger->evidence;
    uv_mutex_lock(&evidence->lock);
    struct itrp_windows_snapshot *snapshot = evidence->loops_own ? evidence->snapshot : NULL;
    evidence->snapshot = NULL;
    evidence->loops_own = false;
    evidence->released = true;
    uv_cond_broadcast(&evidence->changed);
    uv_mutex_unlock(&evidence->lock);
    itrp_windows_snapshot_free(snapshot); /* the debugger's thread waits for it no more */
}
