/* From a Go frame to its caller: by Go's own table of frame sizes, and across the places where Go changes stacks.
 * Those are told by the names of the runtime's assembly functions, which all versions since 1.19 share, and every
 * change is checked: the return address on the other side must stand behind a call of that very function. */
#include "framework/unwind_parts.h"

#include <string.h>

enum {
    MCALL_SLOTS_MAX = 4,     /* words that mcall puts on the thread's stack */
    SYSTEM_FRAME_MAX = 1 << 20,
    SEARCHES_MAX = 256, /* more than any sound stack needs */
};

/* A cursor's Go function. */
struct place {
    const struct itr_target_module *module;
    struct itr_go_frame frame;
    uint64_t entry; /* address */
};

static bool find_place(const struct itr_unwinder *unwinder, uint64_t address, struct place *place) {
    place->module = itr_target_module_at(unwinder->process, address);
    if (place->module == NULL || place->module->image == NULL ||
        !itr_image_go_frame_at(place->module->image, address - place->module->base, &place->frame)) {
        return false;
    }
    place->entry = place->module->base + place->frame.entry;
    return true;
}

static bool is_named(const struct place *place, const char *name) {
    size_t count = strlen(name);
    return strncmp(place->frame.name, name, count) == 0 &&
           (place->frame.name[count] == '\0' || strcmp(place->frame.name + count, ".abi0") == 0);
}

/* The word at `slot`, if it is a return address behind a call of the function at `entry`, or one of which it cannot
 * be told what it calls. */
static bool returns_from(const struct itr_unwinder *unwinder, uint64_t slot, uint64_t entry, uint64_t *address) {
    uint64_t target;
    return itr_target_read_u64(unwinder->process, slot, address) &&
           itr_unwind_is_return(unwinder->process, *address, &target) && (target == entry || target == 0);
}

/* ---- what is known of goroutines and threads ---- */

static const struct itr_go_stack *goroutine_at(const struct itr_unwinder *unwinder, uint64_t sp) {
    for (size_t i = 0; unwinder->go != NULL && i < unwinder->go->goroutine_count; i++) {
        const struct itr_go_stack *one = &unwinder->go->goroutines[i];
        if (sp >= one->low && sp < one->high) {
            return one;
        }
    }
    return NULL;
}

static const struct itr_go_stack *goroutine_of(const struct itr_unwinder *unwinder, uint64_t g) {
    for (size_t i = 0; unwinder->go != NULL && i < unwinder->go->goroutine_count; i++) {
        if (unwinder->go->goroutines[i].g == g) {
            return &unwinder->go->goroutines[i];
        }
    }
    return NULL;
}

/* The runtime.m of the thread that is walked: by the system's id, by the goroutine whose stack is in use, by its own
 * stack. */
static const struct itr_go_thread *thread_of(struct itr_unwinder *unwinder, uint64_t sp) {
    if (++unwinder->searches > SEARCHES_MAX) {
        return NULL;
    }
    const struct itr_go_stack *goroutine = goroutine_at(unwinder, sp);
    const struct itr_go_thread *found = NULL;
    for (size_t i = 0; unwinder->go != NULL && i < unwinder->go->thread_count; i++) {
        const struct itr_go_thread *one = &unwinder->go->threads[i];
        if (unwinder->thread != 0 && one->thread == unwinder->thread) {
            return one;
        }
        if ((goroutine != NULL && goroutine->m == one->m) || (sp >= one->g0.low && sp < one->g0.high)) {
            found = one;
        }
    }
    return found;
}

/* ---- ordinary frames ---- */

/* What of the caller's registers the frame has kept. Code of the compiler keeps RBP, at the top of every frame;
 * what people wrote is looked at. `sp` is the frame's, `slot` where its return address is. */
static void restore_registers(const struct itr_unwinder *unwinder, const struct place *place,
                              const struct itr_unwind_cursor *cursor, uint64_t slot, struct itr_unwind_cursor *caller) {
    struct itr_prologue prologue;
    uint64_t value;
    if (!place->frame.assembly) {
        if (place->frame.bytes >= 8 && itr_target_read_u64(unwinder->process, slot - 8, &value)) {
            itr_unwind_set(caller, ITR_REGISTER_RBP, value);
        } else if (place->frame.bytes == 0 && itr_unwind_knows(cursor, ITR_REGISTER_RBP)) {
            itr_unwind_set(caller, ITR_REGISTER_RBP, cursor->registers[ITR_REGISTER_RBP]);
        }
        return;
    }
    itr_prologue_read(unwinder->process, place->entry, cursor->registers[ITR_REGISTER_RIP], &prologue);
    for (unsigned i = 0; i < ITR_REGISTER_RIP; i++) {
        if ((prologue.saved & (UINT32_C(1) << i)) != 0 && i != ITR_REGISTER_RSP &&
            itr_target_read_u64(unwinder->process, slot - (uint64_t)prologue.below[i], &value)) {
            itr_unwind_set(caller, i, value);
        }
    }
}

/* Functions that a signal's handler makes the interrupted code call: it has not called them itself. */
static bool is_injected(const struct place *place) {
    return is_named(place, "runtime.sigpanic") || is_named(place, "runtime.asyncPreempt") ||
           strncmp(place->frame.name, "runtime.debugCallV", 18) == 0;
}

/* To the caller of a frame whose stack pointer is `sp`. */
static enum itr_unwind_step ordinary(const struct itr_unwinder *unwinder, const struct place *place, uint64_t sp,
                                     struct itr_unwind_cursor *cursor, enum itr_frame_way way) {
    uint64_t slot = sp + place->frame.bytes;
    uint64_t address;
    uint64_t target;
    if (is_named(place, "runtime.goexit")) {
        return ITR_UNWIND_BOTTOM;
    }
    bool readable = itr_target_read_u64(unwinder->process, slot, &address);
    if (place->frame.top && (!readable || !itr_unwind_is_return(unwinder->process, address, &target))) {
        return ITR_UNWIND_BOTTOM;
    }
    if (readable && address == 0) {
        return ITR_UNWIND_BOTTOM;
    }
    if (!readable || !itr_target_is_code(unwinder->process, address)) {
        return ITR_UNWIND_UNKNOWN;
    }
    struct itr_unwind_cursor caller = {.guessed = cursor->guessed && way != ITR_FRAME_SWITCH, .way = way};
    itr_unwind_set(&caller, ITR_REGISTER_RIP, address);
    itr_unwind_set(&caller, ITR_REGISTER_RSP, slot + 8);
    restore_registers(unwinder, place, cursor, slot, &caller);
    caller.exact = is_injected(place);
    *cursor = caller;
    return ITR_UNWIND_STEPPED;
}

/* Assembly that sets the stack pointer by itself (the entries from Windows, rt0_go): Go's table does not follow that,
 * its code tells. */
static enum itr_unwind_step follow_code(const struct itr_unwinder *unwinder, const struct place *place,
                                        struct itr_unwind_cursor *cursor) {
    struct itr_prologue prologue;
    struct place at = *place;
    uint64_t sp = cursor->registers[ITR_REGISTER_RSP];
    uint64_t address;
    uint64_t target;
    itr_prologue_read(unwinder->process, place->entry, cursor->registers[ITR_REGISTER_RIP], &prologue);
    if (!prologue.bytes_known || prologue.bytes < 0 ||
        !itr_target_read_u64(unwinder->process, sp + (uint64_t)prologue.bytes, &address) ||
        !itr_unwind_is_return(unwinder->process, address, &target)) {
        return ITR_UNWIND_UNKNOWN;
    }
    at.frame.bytes = (uint64_t)prologue.bytes;
    return ordinary(unwinder, &at, sp, cursor, ITR_FRAME_GO);
}

/* ---- from the thread's stack to a goroutine's ---- */

/* asmcgocall keeps the goroutine and how deep it was in its stack, or no goroutine and where it was on this very
 * stack; at two places before Go 1.20, at others since. */
static enum itr_unwind_step leave_asmcgocall(const struct itr_unwinder *unwinder, const struct place *place,
                                             struct itr_unwind_cursor *cursor) {
    static const struct {
        uint64_t g, depth;
    } layouts[] = {{8, 0}, {48, 40}};
    uint64_t sp = cursor->registers[ITR_REGISTER_RSP];
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        uint64_t g;
        uint64_t depth;
        uint64_t low = sp;
        uint64_t high = sp + SYSTEM_FRAME_MAX;
        if (!itr_target_read_u64(unwinder->process, sp + layouts[i].g, &g) ||
            !itr_target_read_u64(unwinder->process, sp + layouts[i].depth, &depth) ||
            (g != 0 && (!itr_target_read_u64(unwinder->process, g, &low) ||
                        !itr_target_read_u64(unwinder->process, g + 8, &high)))) {
            continue;
        }
        uint64_t before = g != 0 ? high - depth : depth;
        /* It has pushed RBP, or (before Go 1.21) nothing. */
        for (uint64_t pushed = 0; pushed <= 8 && before >= low && before < high; pushed += 8) {
            uint64_t address;
            if (returns_from(unwinder, before + pushed, place->entry, &address)) {
                struct place at = *place;
                at.frame.bytes = pushed;
                at.frame.assembly = false; /* RBP at the top, or not touched */
                return ordinary(unwinder, &at, before, cursor, ITR_FRAME_SWITCH);
            }
        }
    }
    return ITR_UNWIND_UNKNOWN;
}

/* systemstack has left its frame on the goroutine's stack as it was; morestack comes from the function that wanted
 * more stack. */
static enum itr_unwind_step leave_thread_stack(struct itr_unwinder *unwinder, const struct place *place,
                                               bool morestack, struct itr_unwind_cursor *cursor) {
    const struct itr_go_thread *thread = thread_of(unwinder, cursor->registers[ITR_REGISTER_RSP]);
    const struct itr_go_stack *current = thread != NULL ? goroutine_of(unwinder, thread->current) : NULL;
    uint64_t address;
    if (current == NULL || current->sched_sp < current->low || current->sched_sp >= current->high) {
        return ITR_UNWIND_UNKNOWN;
    }
    if (!morestack) {
        return returns_from(unwinder, current->sched_sp + place->frame.bytes, place->entry, &address)
                   ? ordinary(unwinder, place, current->sched_sp, cursor, ITR_FRAME_SWITCH)
                   : ITR_UNWIND_UNKNOWN;
    }
    struct itr_unwind_cursor caller = {.way = ITR_FRAME_SWITCH};
    itr_unwind_set(&caller, ITR_REGISTER_RIP, current->sched_pc);
    itr_unwind_set(&caller, ITR_REGISTER_RSP, current->sched_sp);
    itr_unwind_set(&caller, ITR_REGISTER_RBP, current->sched_bp);
    *cursor = caller;
    return ITR_UNWIND_STEPPED;
}

/* ---- from a goroutine's stack to the thread's ---- */

/* cgocallback in the module of `place`, in its middle, where it calls into Go. */
static bool find_callback(const struct itr_unwinder *unwinder, const struct place *place, struct place *callback) {
    struct itr_symbol symbol;
    return unwinder->searches <= SEARCHES_MAX && itr_image_lookup(place->module->image, "runtime.cgocallback", &symbol) && symbol.bytes > 0 &&
           find_place(unwinder, place->module->base + symbol.rva + symbol.bytes / 2, callback);
}

/* The caller of cgocallback, whose frame on the thread's stack is at `sp`. */
static enum itr_unwind_step leave_callback_at(struct itr_unwinder *unwinder, const struct place *callback, uint64_t sp,
                                              struct itr_unwind_cursor *cursor) {
    uint64_t address;
    uint64_t before;
    if (!returns_from(unwinder, sp + callback->frame.bytes, callback->entry, &address) ||
        !itr_target_read_u64(unwinder->process, sp, &before)) {
        return ITR_UNWIND_UNKNOWN;
    }
    struct place at = *callback;
    at.frame.assembly = false; /* its frame is the assembler's own, with RBP at the top */
    unwinder->g0_sp = before;
    return ordinary(unwinder, &at, sp, cursor, ITR_FRAME_SWITCH);
}

static enum itr_unwind_step leave_callback(struct itr_unwinder *unwinder, const struct place *place,
                                           struct itr_unwind_cursor *cursor) {
    uint64_t sp = cursor->registers[ITR_REGISTER_RSP];
    uint64_t address;
    if (unwinder->thread == 0 || returns_from(unwinder, sp + place->frame.bytes, place->entry, &address)) {
        return ordinary(unwinder, place, sp, cursor, ITR_FRAME_GO); /* it has not switched, or nobody asks */
    }
    if (unwinder->g0_sp == 0) {
        const struct itr_go_thread *thread = thread_of(unwinder, sp);
        unwinder->g0_sp = thread != NULL ? thread->g0.sched_sp : 0;
    }
    enum itr_unwind_step step = leave_callback_at(unwinder, place, unwinder->g0_sp, cursor);
    return step != ITR_UNWIND_UNKNOWN ? step : ordinary(unwinder, place, sp, cursor, ITR_FRAME_GO);
}

/* mcall has given up its goroutine: below it the thread's own stack goes on, with the callback that the thread runs
 * in, or with the code that began the thread. */
static enum itr_unwind_step leave_mcall(struct itr_unwinder *unwinder, const struct place *place,
                                        struct itr_unwind_cursor *cursor) {
    uint64_t sp = cursor->registers[ITR_REGISTER_RSP];
    const struct itr_go_thread *thread = thread_of(unwinder, sp);
    struct place callback;
    bool has_callback = find_callback(unwinder, place, &callback);
    if (thread != NULL && thread->g0.sched_sp > sp && thread->g0.sched_sp - sp <= MCALL_SLOTS_MAX * 8) {
        if (has_callback && leave_callback_at(unwinder, &callback, thread->g0.sched_sp, cursor) != ITR_UNWIND_UNKNOWN) {
            return ITR_UNWIND_STEPPED;
        }
        if (itr_target_is_code(unwinder->process, thread->g0.sched_pc)) {
            struct itr_unwind_cursor caller = {.way = ITR_FRAME_SWITCH};
            itr_unwind_set(&caller, ITR_REGISTER_RIP, thread->g0.sched_pc);
            itr_unwind_set(&caller, ITR_REGISTER_RSP, thread->g0.sched_sp);
            *cursor = caller;
            return ITR_UNWIND_STEPPED;
        }
        return ITR_UNWIND_UNKNOWN;
    }
    for (unsigned slots = 1; has_callback && slots <= MCALL_SLOTS_MAX; slots++) {
        if (leave_callback_at(unwinder, &callback, sp + slots * 8, cursor) == ITR_UNWIND_STEPPED) {
            return ITR_UNWIND_STEPPED;
        }
    }
    return ITR_UNWIND_UNKNOWN;
}

enum itr_unwind_step itr_unwind_go(struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor) {
    struct place place;
    if (!find_place(unwinder, itr_unwind_code(cursor), &place)) {
        return ITR_UNWIND_UNKNOWN;
    }
    if (is_named(&place, "runtime.cgocallback")) {
        return leave_callback(unwinder, &place, cursor);
    }
    if (!cursor->exact && is_named(&place, "runtime.asmcgocall")) {
        return leave_asmcgocall(unwinder, &place, cursor);
    }
    if (!cursor->exact && is_named(&place, "runtime.systemstack")) {
        return leave_thread_stack(unwinder, &place, false, cursor);
    }
    if (!cursor->exact && is_named(&place, "runtime.morestack")) {
        return leave_thread_stack(unwinder, &place, true, cursor);
    }
    if (!cursor->exact && is_named(&place, "runtime.mcall")) {
        return leave_mcall(unwinder, &place, cursor);
    }
    if (place.frame.assembly && place.frame.moves_stack &&
        follow_code(unwinder, &place, cursor) == ITR_UNWIND_STEPPED) {
        return ITR_UNWIND_STEPPED;
    }
    return ordinary(unwinder, &place, cursor->registers[ITR_REGISTER_RSP], cursor, ITR_FRAME_GO);
}
