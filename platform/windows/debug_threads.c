/* The threads of a debugged host and where each is to be stopped: what their debug registers hold, or else that
 * debug_code.c has to look. It decides neither what a trap means nor when a thread is held. */
#include "platform/windows/debug_windows.h"

#include <stdlib.h>

enum {
    LIVING_MAX = 4096, /* threads that live at the same time */
    REGISTER_POINT = 0,
    REGISTER_WATCH = 1,
    REGISTER_RETURN = 3,
    KIND_EXECUTE = 0,
    KIND_WRITE = 1,
};

/* ---- what is where in the host ---- */

uint64_t itrp_windows_point_address(const struct itrp_windows_debugger *debugger) {
    return debugger->plan->has_point && debugger->report.library_mapped
               ? debugger->report.library_base + debugger->plan->point.rva
               : 0;
}

bool itrp_windows_in_debugged_library(const struct itrp_windows_debugger *debugger,
                                      uint64_t address) {
    return debugger->report.library_mapped &&
           address - debugger->report.library_base < debugger->library_bytes;
}

bool itrp_windows_peek(const struct itrp_windows_debugger *debugger, uint64_t address, void *to,
                       size_t bytes) {
    SIZE_T done = 0;
    if (!ReadProcessMemory(debugger->process, (const void *)(uintptr_t)address, to, bytes, &done) ||
        done != bytes) {
        return false;
    }
    itrp_windows_code_hide(debugger, address, to, bytes);
    return true;
}

/* ---- contexts ---- */

static bool lives(const struct itrp_windows_thread *thread) {
    return WaitForSingleObject(thread->handle, 0) == WAIT_TIMEOUT;
}

bool itrp_windows_get_context(struct itrp_windows_debugger *debugger,
                              const struct itrp_windows_thread *thread, CONTEXT *context) {
    if (GetThreadContext(thread->handle, context)) {
        return true;
    }
    DWORD error = GetLastError();
    if (lives(thread)) {
        itrp_windows_debug_fail(debugger, error, "read a thread's registers");
    }
    return false;
}

bool itrp_windows_set_context(struct itrp_windows_debugger *debugger,
                              const struct itrp_windows_thread *thread, const CONTEXT *context) {
    if (SetThreadContext(thread->handle, context)) {
        return true;
    }
    DWORD error = GetLastError();
    if (lives(thread)) {
        itrp_windows_debug_fail(debugger, error, "write a thread's registers");
    }
    return false;
}

/* Debug register 7: enabled for the thread, what trips it, and how many bytes are looked at (1, 2, 8, 4 as
 * 0, 1, 2, 3). */
static uint64_t control_bits(uint32_t number, uint64_t kind, uint32_t bytes) {
    uint64_t length = bytes == 8 ? 2 : bytes - 1u;
    return UINT64_C(1) << 2 * number | kind << (16 + 4 * number) | length << (18 + 4 * number);
}

static void fill_registers(const struct itrp_windows_debugger *debugger,
                           const struct itrp_windows_thread *thread, CONTEXT *context) {
    DWORD64 *registers[] = {&context->Dr0, &context->Dr1, &context->Dr2, &context->Dr3};
    uint32_t free = REGISTER_RETURN;
    context->ContextFlags |= CONTEXT_DEBUG_REGISTERS;
    context->Dr0 = context->Dr1 = context->Dr2 = context->Dr3 = 0;
    context->Dr6 = 0;
    context->Dr7 = 0;
    if (thread->has_point) {
        context->Dr0 = itrp_windows_point_address(debugger);
        context->Dr7 |= control_bits(REGISTER_POINT, KIND_EXECUTE, 1);
    }
    for (uint32_t i = 0; thread->has_watches && i < debugger->plan->watch_count; i++) {
        *registers[REGISTER_WATCH + i] = debugger->watched[i];
        context->Dr7 |=
            control_bits(REGISTER_WATCH + i, KIND_WRITE, debugger->plan->watches[i].bytes);
    }
    if (thread->return_to != 0) {
        context->Dr3 = thread->return_to;
        context->Dr7 |= control_bits(REGISTER_RETURN, KIND_EXECUTE, 1);
    }
    for (uint32_t i = 0; i < thread->place_count && free >= REGISTER_WATCH && *registers[free] == 0;
         i++) {
        *registers[free] = thread->places[i];
        context->Dr7 |= control_bits(free, KIND_EXECUTE, 1);
        free--;
    }
}

void itrp_windows_fill_traps(struct itrp_windows_debugger *debugger,
                             const struct itrp_windows_thread *thread, CONTEXT *context) {
    if (debugger->report.code_breakpoints) {
        itrp_windows_code_update(debugger);
    } else {
        fill_registers(debugger, thread, context);
    }
}

bool itrp_windows_set_traps(struct itrp_windows_debugger *debugger,
                            const struct itrp_windows_thread *thread) {
    CONTEXT context = {0};
    itrp_windows_fill_traps(debugger, thread, &context);
    return context.ContextFlags == 0 || itrp_windows_set_context(debugger, thread, &context);
}

/* ---- arming ---- */

static bool plays(const struct itrp_windows_thread *thread, enum itr_role role) {
    return role == ITR_ROLE_ANY || thread->role == role;
}

/* Of a breakpoint in the code, which is there for all of them, a thread knows nothing. */
static void arm_thread(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread) {
    const struct itrp_debug_plan *plan = debugger->plan;
    if (debugger->report.code_breakpoints) {
        return;
    }
    thread->has_point = plan->has_point && !debugger->point_done && plays(thread, plan->point.role);
    thread->has_watches = plan->watch_count > 0;
    if ((thread->has_point || thread->has_watches) && itrp_windows_set_traps(debugger, thread) &&
        thread->has_point) {
        debugger->report.armed = true;
    }
}

static void find_watches(struct itrp_windows_debugger *debugger) {
    for (uint32_t i = 0; i < debugger->plan->watch_count; i++) {
        const struct itrp_debug_watch *watch = &debugger->plan->watches[i];
        debugger->watched[i] =
            watch->address + (watch->absolute ? 0 : debugger->report.library_base);
        itrp_windows_peek(debugger, debugger->watched[i], &debugger->values[i], watch->bytes);
    }
}

static void arm_code(struct itrp_windows_debugger *debugger) {
    uint64_t address = itrp_windows_point_address(debugger);
    if (!debugger->report.code_breakpoints || address == 0) {
        return;
    }
    if (!itrp_windows_is_code(debugger, address)) {
        itrp_windows_debug_refuse(debugger, ITR_E_NOT_FOUND,
                                  "the point is not in the code of the library");
        return;
    }
    itrp_windows_code_update(debugger);
    debugger->report.armed = itrp_windows_code_is_in(debugger, address);
}

void itrp_windows_arm(struct itrp_windows_debugger *debugger) {
    find_watches(debugger);
    arm_code(debugger);
    for (size_t i = 0; i < debugger->thread_count; i++) {
        struct itrp_windows_thread *thread = &debugger->threads[i];
        arm_thread(debugger, thread);
        if (debugger->plan->trace && debugger->plan->trace_role == ITR_ROLE_MAIN &&
            thread->role == ITR_ROLE_MAIN) {
            itrp_windows_trace_begin(debugger, thread);
        }
    }
}

/* ---- births and ends ---- */

struct itrp_windows_thread *itrp_windows_thread_of(struct itrp_windows_debugger *debugger,
                                                   DWORD id) {
    for (size_t i = 0; i < debugger->thread_count; i++) {
        if (debugger->threads[i].id == id) {
            return &debugger->threads[i];
        }
    }
    return NULL;
}

/* The loader and the thread pool start threads of their own, at functions of ntdll's. */
static bool is_of_system(const struct itrp_windows_debugger *debugger, const void *start) {
    return itrp_windows_module_of(debugger, (uint64_t)(uintptr_t)start) ==
           (uint64_t)(uintptr_t)GetModuleHandleW(L"ntdll.dll");
}

static enum itr_role role_of(struct itrp_windows_debugger *debugger, DWORD id, const void *start) {
    if (debugger->report.thread_count == 0) {
        return ITR_ROLE_MAIN;
    }
    if (!debugger->report.library_mapped || debugger->has_init || id == debugger->event_thread ||
        is_of_system(debugger, start)) {
        return ITR_ROLE_ANY;
    }
    debugger->has_init = true;
    return ITR_ROLE_INIT;
}

static bool make_room(struct itrp_windows_debugger *debugger) {
    if (debugger->thread_count < debugger->thread_room) {
        return true;
    }
    size_t room = 2 * debugger->thread_room + 16;
    struct itrp_windows_thread *threads = NULL;
    if (room <= 2 * LIVING_MAX) {
        threads = realloc(debugger->threads, room * sizeof *threads);
    }
    if (threads == NULL) {
        itrp_windows_debug_refuse(debugger, ITR_E_LIMIT, "the host has too many threads");
        return false;
    }
    debugger->threads = threads;
    debugger->thread_room = room;
    return true;
}

static uint32_t record(struct itrp_debug_report *report, DWORD id, enum itr_role role) {
    uint32_t entry = report->thread_count++;
    if (entry >= ITRP_DEBUG_THREADS_MAX) {
        return ITRP_DEBUG_THREADS_MAX;
    }
    report->threads[entry] =
        (struct itrp_debug_thread){.born_ns = uv_hrtime(), .id = id, .role = role};
    return entry;
}

struct itrp_windows_thread *itrp_windows_thread_born(struct itrp_windows_debugger *debugger,
                                                     DWORD id, HANDLE handle, const void *start) {
    if (!make_room(debugger)) {
        return NULL;
    }
    struct itrp_windows_thread *thread = &debugger->threads[debugger->thread_count++];
    enum itr_role role = role_of(debugger, id, start);
    *thread = (struct itrp_windows_thread){
        .handle = handle, .id = id, .role = role, .entry = record(&debugger->report, id, role)};
    if (!debugger->report.library_mapped) {
        return thread;
    }
    itrp_windows_code_birth(debugger, thread);
    arm_thread(debugger, thread);
    itrp_windows_trace_birth(debugger, thread);
    if (debugger->plan->trace && debugger->plan->trace_role == role && role == ITR_ROLE_INIT) {
        thread->start = (uint64_t)(uintptr_t)start;
        itrp_windows_trace_begin(debugger, thread);
    }
    itrp_windows_chaos_birth(debugger, thread);
    return thread;
}

/* Nobody tells: a process that ends takes its threads one after the other, the one that ended it last, and only
 * the last one's end is the process's. Two others that are gone already, or the main one, give it away. */
bool itrp_windows_ends_with_all(const struct itrp_windows_debugger *debugger, DWORD id) {
    DWORD code = STILL_ACTIVE;
    size_t gone = 0;
    size_t others = 0;
    if (debugger->exited || __atomic_load_n(&debugger->killed, __ATOMIC_ACQUIRE) ||
        (GetExitCodeProcess(debugger->process, &code) && code != STILL_ACTIVE)) {
        return true;
    }
    for (size_t i = 0; i < debugger->thread_count; i++) {
        const struct itrp_windows_thread *thread = &debugger->threads[i];
        bool ended = thread->id != id && !lives(thread);
        others += thread->id != id;
        gone += ended;
        if (ended && thread->role == ITR_ROLE_MAIN) {
            return true;
        }
    }
    return gone >= 2 && gone + 1 >= others;
}

void itrp_windows_thread_ended(struct itrp_windows_debugger *debugger, DWORD id) {
    struct itrp_windows_thread *thread = itrp_windows_thread_of(debugger, id);
    if (thread == NULL) {
        return;
    }
    if (thread->entry < ITRP_DEBUG_THREADS_MAX && !itrp_windows_ends_with_all(debugger, id)) {
        debugger->report.threads[thread->entry].ended_ns = uv_hrtime();
    }
    if (id == debugger->stepped_alone) {
        itrp_windows_trace_thaw(debugger);
    }
    itrp_windows_code_ended(debugger, id);
    if (debugger->is_wine) {
        CloseHandle(thread->handle); /* Windows does it when the event is continued, Wine never */
    }
    *thread = debugger->threads[--debugger->thread_count];
}
