/* Breakpoints in the code of a debugged host, for threads without debug registers that trip: puts them in, takes them
 * out, tells whose a trap is, and steps a thread over one while all others stand. Where they have to be follows from
 * the debugger's state; what reaching one means is debug_trap.c's.
 *
 * A thread that executes one is told with its program counter behind it, and set back before anything else is done.
 * Whatever cannot be done at that moment, because another one is being stepped over its breakpoint or this one is
 * suspended, is left undone: set back, it comes to the breakpoint again. So each arrival counts once. */
#include "platform/windows/debug_windows.h"

#include <string.h>

#define PUSH_FLAGS 0x9C

/* A thread that is not over its breakpoint by then waits for something, perhaps for one of the others. */
#define STEP_OVER_NS UINT64_C(1000000000)

enum { INSTRUCTION_MAX = 15 };

/* ---- in and out ---- */

static struct itrp_windows_breakpoint *find(struct itrp_windows_code *code, uint64_t address) {
    for (uint32_t i = 0; i < code->in_count; i++) {
        if (code->in[i].address == address) {
            return &code->in[i];
        }
    }
    return NULL;
}

bool itrp_windows_code_is_in(struct itrp_windows_debugger *debugger, uint64_t address) {
    return find(&debugger->code, address) != NULL;
}

bool itrp_windows_write_code(const struct itrp_windows_debugger *debugger, uint64_t address, uint8_t byte) {
    void *to = (void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
    SIZE_T done = 0;
    if (!WriteProcessMemory(debugger->process, to, &byte, 1, &done) || done != 1) {
        return false;
    }
    FlushInstructionCache(debugger->process, to, 1);
    return true;
}

static bool write_byte(struct itrp_windows_debugger *debugger, uint64_t address, uint8_t byte) {
    if (itrp_windows_write_code(debugger, address, byte)) {
        return true;
    }
    itrp_windows_debug_fail(debugger, GetLastError(), "write a breakpoint into the host's code");
    return false;
}

static void put_in(struct itrp_windows_debugger *debugger, uint64_t address) {
    struct itrp_windows_code *code = &debugger->code;
    struct itrp_windows_breakpoint *breakpoint = &code->in[code->in_count];
    breakpoint->address = address;
    if (!itrp_windows_peek(debugger, address, &breakpoint->original, 1)) {
        itrp_windows_debug_fail(debugger, GetLastError(), "read the host's code");
    } else if (write_byte(debugger, address, ITRP_WINDOWS_BREAKPOINT)) {
        code->in_count++;
    }
}

static void take_out(struct itrp_windows_debugger *debugger,
                     struct itrp_windows_breakpoint *breakpoint) {
    struct itrp_windows_code *code = &debugger->code;
    write_byte(debugger, breakpoint->address, breakpoint->original);
    if (breakpoint->original != ITRP_WINDOWS_BREAKPOINT) {
        code->past[code->past_count++ % ITRP_WINDOWS_BREAKPOINTS_PAST] = breakpoint->address;
    }
    *breakpoint = code->in[--code->in_count];
}

/* Threads may have come to it before it was taken out, and are told afterwards, each as the next that is told of it:
 * of those taken out only the last ones can matter. */
static bool was_in(const struct itrp_windows_code *code, uint64_t address) {
    for (uint32_t i = 0; i < ITRP_WINDOWS_BREAKPOINTS_PAST; i++) {
        if (code->past[i] == address) {
            return true;
        }
    }
    return false;
}

/* ---- where they have to be ---- */

struct places {
    uint64_t addresses[ITRP_WINDOWS_BREAKPOINTS_MAX];
    uint32_t count;
};

static bool has(const struct places *places, uint64_t address) {
    for (uint32_t i = 0; i < places->count; i++) {
        if (places->addresses[i] == address) {
            return true;
        }
    }
    return false;
}

static void add(struct places *places, const struct itrp_windows_debugger *debugger,
                uint64_t address) {
    bool lifted = address == debugger->code.over_address;
    bool gone = debugger->code.library_gone && itrp_windows_in_debugged_library(debugger, address);
    if (address == 0 || lifted || gone || has(places, address)) {
        return;
    }
    if (places->count == ITRP_WINDOWS_BREAKPOINTS_MAX) {
        ITR_BUG("more breakpoints than a point and one traced thread have");
    }
    places->addresses[places->count++] = address;
}

static void find_places(const struct itrp_windows_debugger *debugger, struct places *places) {
    if (!debugger->point_done) {
        add(places, debugger, itrp_windows_point_address(debugger));
    }
    for (size_t i = 0; i < debugger->thread_count; i++) {
        const struct itrp_windows_thread *thread = &debugger->threads[i];
        add(places, debugger, thread->return_to);
        for (uint32_t k = 0; k < thread->place_count; k++) {
            add(places, debugger, thread->places[k]);
        }
    }
}

void itrp_windows_code_update(struct itrp_windows_debugger *debugger) {
    struct itrp_windows_code *code = &debugger->code;
    struct places places = {.count = 0};
    find_places(debugger, &places);
    for (uint32_t i = code->in_count; i-- > 0;) {
        if (!has(&places, code->in[i].address)) {
            take_out(debugger, &code->in[i]);
        }
    }
    for (uint32_t i = 0; i < places.count; i++) {
        if (find(code, places.addresses[i]) == NULL) {
            put_in(debugger, places.addresses[i]);
        }
    }
}

void itrp_windows_code_library_gone(struct itrp_windows_debugger *debugger) {
    struct itrp_windows_code *code = &debugger->code;
    code->library_gone = true;
    for (uint32_t i = code->in_count; i-- > 0;) {
        if (itrp_windows_in_debugged_library(debugger, code->in[i].address)) {
            code->in[i] = code->in[--code->in_count];
        }
    }
}

void itrp_windows_code_lift(struct itrp_windows_debugger *debugger, bool lifted) {
    for (uint32_t i = 0; i < debugger->code.in_count; i++) {
        const struct itrp_windows_breakpoint *breakpoint = &debugger->code.in[i];
        write_byte(debugger, breakpoint->address, lifted ? breakpoint->original : ITRP_WINDOWS_BREAKPOINT);
    }
}

void itrp_windows_code_hide(const struct itrp_windows_debugger *debugger, uint64_t address,
                            void *bytes, size_t count) {
    for (uint32_t i = 0; i < debugger->code.in_count; i++) {
        const struct itrp_windows_breakpoint *breakpoint = &debugger->code.in[i];
        if (breakpoint->address - address < count) {
            ((uint8_t *)bytes)[breakpoint->address - address] = breakpoint->original;
        }
    }
}

/* ---- over ---- */

static void stop(struct itrp_windows_thread *thread) {
    thread->stopped = thread->stopped || SuspendThread(thread->handle) != (DWORD)-1;
}

bool itrp_windows_code_step_over(struct itrp_windows_debugger *debugger,
                                 struct itrp_windows_thread *thread, CONTEXT *context) {
    struct itrp_windows_code *code = &debugger->code;
    const struct itrp_windows_breakpoint *breakpoint = find(code, context->Rip);
    if (breakpoint == NULL || breakpoint->original == ITRP_WINDOWS_BREAKPOINT) {
        return false;
    }
    code->over_thread = thread->id;
    code->over_address = thread->over = context->Rip;
    code->over_until_ns = uv_hrtime() + STEP_OVER_NS;
    for (size_t i = 0; i < debugger->thread_count; i++) {
        if (debugger->threads[i].id != thread->id) {
            stop(&debugger->threads[i]);
        }
    }
    itrp_windows_code_update(debugger);
    context->EFlags |= ITRP_WINDOWS_TRAP_FLAG;
    return true;
}

/* The breakpoint is put back, if it is still wanted, and the others go on. */
static void end_step_over(struct itrp_windows_debugger *debugger) {
    debugger->code.over_thread = 0;
    debugger->code.over_address = 0;
    itrp_windows_code_update(debugger);
    for (size_t i = 0; i < debugger->thread_count; i++) {
        struct itrp_windows_thread *thread = &debugger->threads[i];
        if (thread->stopped) {
            ResumeThread(thread->handle);
        }
        thread->stopped = false;
    }
}

void itrp_windows_code_birth(struct itrp_windows_debugger *debugger,
                             struct itrp_windows_thread *thread) {
    if (debugger->code.over_thread != 0) {
        stop(thread);
    }
}

void itrp_windows_code_ended(struct itrp_windows_debugger *debugger, DWORD id) {
    if (debugger->code.over_thread == id) {
        end_step_over(debugger);
    }
}

/* One that has not gone on yet comes to the breakpoint again, and `over` tells that this was counted; one that waits
 * inside the instruction traps when it is through. */
uint64_t itrp_windows_code_look(struct itrp_windows_debugger *debugger, uint64_t now_ns) {
    const struct itrp_windows_code *code = &debugger->code;
    if (code->over_thread == 0) {
        return UINT64_MAX;
    }
    if (now_ns < code->over_until_ns) {
        return code->over_until_ns;
    }
    end_step_over(debugger);
    return UINT64_MAX;
}

/* A repeated string instruction traps after each round. */
static bool is_repeated(const struct itrp_windows_debugger *debugger, uint64_t address) {
    uint8_t bytes[INSTRUCTION_MAX] = {0};
    itrp_windows_peek(debugger, address, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        switch (bytes[i]) {
        case 0xF2:
        case 0xF3: return true;
        case 0x26: /* other prefixes */
        case 0x2E:
        case 0x36:
        case 0x3E:
        case 0x64:
        case 0x65:
        case 0x66:
        case 0x67: continue;
        default: return false;
        }
    }
    return false;
}

/* The flags that were just pushed have the trap flag set, which would come back with them. */
static void clean_pushed_flags(struct itrp_windows_debugger *debugger, const CONTEXT *context,
                               uint64_t instruction) {
    uint8_t byte = 0;
    uint16_t flags = 0;
    void *at = (void *)(uintptr_t)context->Rsp; /* NOLINT(performance-no-int-to-ptr) */
    SIZE_T done = 0;
    if (itrp_windows_peek(debugger, instruction, &byte, 1) && byte == PUSH_FLAGS &&
        itrp_windows_peek(debugger, context->Rsp, &flags, sizeof flags)) {
        flags = (uint16_t)(flags & ~ITRP_WINDOWS_TRAP_FLAG);
        WriteProcessMemory(debugger->process, at, &flags, sizeof flags, &done);
    }
}

/* The flag as it has to be when the thread goes on from here: set where the trace steps it. */
static void reset_trap_flag(const struct itrp_windows_thread *thread, CONTEXT *context) {
    context->EFlags &= ~ITRP_WINDOWS_TRAP_FLAG;
    context->EFlags |= thread->stepping ? ITRP_WINDOWS_TRAP_FLAG : 0;
}

/* The thread that was stepped over a breakpoint has trapped. False if it is not through yet. */
static bool is_over(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread) {
    CONTEXT context = {.ContextFlags = CONTEXT_CONTROL};
    uint64_t address = thread->over;
    if (!itrp_windows_get_context(debugger, thread, &context)) {
        return true;
    }
    bool over = context.Rip != address || !is_repeated(debugger, address);
    if (over) {
        clean_pushed_flags(debugger, &context, address);
        reset_trap_flag(thread, &context);
        thread->over = 0;
        itrp_windows_code_ended(debugger, thread->id);
    } else {
        context.EFlags |= ITRP_WINDOWS_TRAP_FLAG;
    }
    itrp_windows_set_context(debugger, thread, &context);
    return over;
}

/* Its instruction faulted, and the host's handlers come next. Under Wine 8 they do not get the registers that are set
 * here: the trap flag comes back when they let the thread go on. */
static void give_up(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread) {
    CONTEXT context = {.ContextFlags = CONTEXT_CONTROL};
    thread->over = 0;
    thread->flag_left = debugger->is_wine && !thread->stepping;
    itrp_windows_code_ended(debugger, thread->id);
    if (itrp_windows_get_context(debugger, thread, &context)) {
        reset_trap_flag(thread, &context);
        itrp_windows_set_context(debugger, thread, &context);
    }
}

/* ---- whose trap? ---- */

/* The thread goes on from `address`, as if it had not trapped. */
static enum itrp_windows_whose set_back(struct itrp_windows_debugger *debugger,
                                        const struct itrp_windows_thread *thread,
                                        uint64_t address) {
    CONTEXT context = {.ContextFlags = CONTEXT_CONTROL};
    if (itrp_windows_get_context(debugger, thread, &context)) {
        context.Rip = address;
        reset_trap_flag(thread, &context);
        itrp_windows_set_context(debugger, thread, &context);
    }
    return ITRP_WINDOWS_TRAP_DONE;
}

static enum itrp_windows_whose step_over_again(struct itrp_windows_debugger *debugger,
                                               struct itrp_windows_thread *thread) {
    CONTEXT context = {.ContextFlags = CONTEXT_CONTROL};
    if (itrp_windows_get_context(debugger, thread, &context)) {
        context.Rip = thread->over;
        itrp_windows_code_step_over(debugger, thread, &context);
        itrp_windows_set_context(debugger, thread, &context);
    }
    return ITRP_WINDOWS_TRAP_DONE;
}

static bool is_suspended(const struct itrp_windows_debugger *debugger,
                         const struct itrp_windows_thread *thread) {
    return thread->frozen || thread->held_until_ns != 0 || thread->id == debugger->held_thread;
}

static enum itrp_windows_whose of_breakpoint(struct itrp_windows_debugger *debugger,
                                             struct itrp_windows_thread *thread, uint64_t address) {
    const struct itrp_windows_code *code = &debugger->code;
    if (thread->over != address && thread->over != 0) {
        give_up(debugger, thread);
    }
    if (find(&debugger->code, address) == NULL) {
        thread->over = 0;
        return was_in(code, address) ? set_back(debugger, thread, address)
                                     : ITRP_WINDOWS_TRAP_HOSTS;
    }
    if (code->over_thread != 0 || is_suspended(debugger, thread)) {
        return set_back(debugger, thread, address);
    }
    return thread->over == address ? step_over_again(debugger, thread) : ITRP_WINDOWS_TRAP_STANDS;
}

static enum itrp_windows_whose of_step(struct itrp_windows_debugger *debugger,
                                       struct itrp_windows_thread *thread, uint64_t address) {
    if (thread->over != 0) {
        bool over = is_over(debugger, thread);
        if (!over || !thread->stepping) {
            return ITRP_WINDOWS_TRAP_DONE;
        }
    } else if (thread->flag_left && !thread->stepping) {
        thread->flag_left = false;
        return set_back(debugger, thread, address);
    } else if (!thread->stepping) {
        return ITRP_WINDOWS_TRAP_HOSTS;
    }
    /* A step that ends before a breakpoint tells nothing: the breakpoint does. */
    bool before_one =
        itrp_windows_code_is_in(debugger, address) || address == debugger->code.over_address;
    return before_one ? set_back(debugger, thread, address) : ITRP_WINDOWS_TRAP_STANDS;
}

enum itrp_windows_whose itrp_windows_code_whose(struct itrp_windows_debugger *debugger,
                                                struct itrp_windows_thread *thread, DWORD exception,
                                                uint64_t address) {
    switch (exception) {
    case EXCEPTION_SINGLE_STEP: return of_step(debugger, thread, address);
    case EXCEPTION_BREAKPOINT: return of_breakpoint(debugger, thread, address);
    default:
        if (thread->over != 0) {
            give_up(debugger, thread);
        }
        return ITRP_WINDOWS_TRAP_HOSTS;
    }
}
