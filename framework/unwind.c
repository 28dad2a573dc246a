/* Walks a stack: tries one way after the other to come from a frame to its caller, keeps the innermost and the
 * outermost frames, and sees to it that every walk ends. The ways themselves are in unwind_*.c. */
#include "framework/unwind_parts.h"

#include <string.h>

enum {
    SWITCHES_MAX = 64,
    SCAN_WORDS = 2048, /* for one frame */
    SCANNED_MAX = 1 << 16,
    FRAME_POINTER_REACH = 1 << 20,
    TRAMPOLINE_BYTES = 9,
    SIGNAL_REGISTERS = 40, /* in struct ucontext */
};

static const char *const way_names[] = {
#define ITR_FRAME_WAY_NAME(id, name) name,
    ITR_FRAME_WAY_MAP(ITR_FRAME_WAY_NAME)
#undef ITR_FRAME_WAY_NAME
};

static const char *const end_names[] = {
#define ITR_STACK_END_NAME(id, name) name,
    ITR_STACK_END_MAP(ITR_STACK_END_NAME)
#undef ITR_STACK_END_NAME
};

const char *itr_frame_way_name(enum itr_frame_way way) {
    return (unsigned)way < sizeof way_names / sizeof way_names[0] ? way_names[way] : "unknown";
}

const char *itr_stack_end_name(enum itr_stack_end end) {
    return (unsigned)end < sizeof end_names / sizeof end_names[0] ? end_names[end] : "unknown";
}

uint64_t itr_frame_code(const struct itr_frame *frame) {
    return frame->exact || frame->pc == 0 ? frame->pc : frame->pc - 1;
}

/* ---- the cursor ---- */

bool itr_unwind_knows(const struct itr_unwind_cursor *cursor, unsigned number) {
    return number < ITR_UNWIND_REGISTERS && (cursor->known & (UINT32_C(1) << number)) != 0;
}

void itr_unwind_set(struct itr_unwind_cursor *cursor, unsigned number, uint64_t value) {
    if (number < ITR_UNWIND_REGISTERS) {
        cursor->registers[number] = value;
        cursor->known |= UINT32_C(1) << number;
    }
}

#define BIT(id) (UINT32_C(1) << ITR_REGISTER_##id)

void itr_unwind_forget_scratch(struct itr_unwind_cursor *cursor, bool windows) {
    uint32_t kept = BIT(RBX) | BIT(RSP) | BIT(RBP) | BIT(R12) | BIT(R13) | BIT(R14) | BIT(R15) | BIT(RIP);
    cursor->known &= windows ? kept | BIT(RSI) | BIT(RDI) : kept;
}

uint64_t itr_unwind_code(const struct itr_unwind_cursor *cursor) {
    uint64_t pc = cursor->registers[ITR_REGISTER_RIP];
    return cursor->exact || pc == 0 ? pc : pc - 1;
}

/* ---- signals ---- */

/* What a handler returns to calls the system to undo the signal: `mov $15, %rax` or `%eax`, `syscall`. The registers
 * to go back to lie at the stack pointer then. */
static enum itr_unwind_step step_by_signal(const struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor) {
    static const uint8_t wide[] = {0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05};
    static const uint8_t narrow[] = {0xb8, 15, 0, 0, 0, 0x0f, 0x05};
    static const uint8_t order[] = {ITR_REGISTER_R8,  ITR_REGISTER_R9,  ITR_REGISTER_R10, ITR_REGISTER_R11,
                                    ITR_REGISTER_R12, ITR_REGISTER_R13, ITR_REGISTER_R14, ITR_REGISTER_R15,
                                    ITR_REGISTER_RDI, ITR_REGISTER_RSI, ITR_REGISTER_RBP, ITR_REGISTER_RBX,
                                    ITR_REGISTER_RDX, ITR_REGISTER_RAX, ITR_REGISTER_RCX, ITR_REGISTER_RSP,
                                    ITR_REGISTER_RIP};
    uint8_t code[TRAMPOLINE_BYTES];
    uint64_t pc = cursor->registers[ITR_REGISTER_RIP];
    if (unwinder->process->system != ITR_TARGET_LINUX) {
        return ITR_UNWIND_UNKNOWN;
    }
    size_t got = itr_unwind_bytes(unwinder->process, pc, code, sizeof code);
    if ((got < sizeof wide || memcmp(code, wide, sizeof wide) != 0) &&
        (got < sizeof narrow || memcmp(code, narrow, sizeof narrow) != 0)) {
        return ITR_UNWIND_UNKNOWN;
    }
    struct itr_unwind_cursor before = {.way = ITR_FRAME_SIGNAL, .exact = true, .guessed = cursor->guessed};
    for (unsigned i = 0; i < sizeof order; i++) {
        uint64_t value;
        if (!itr_target_read_u64(unwinder->process,
                                 cursor->registers[ITR_REGISTER_RSP] + SIGNAL_REGISTERS + 8u * i, &value)) {
            return ITR_UNWIND_UNKNOWN;
        }
        itr_unwind_set(&before, order[i], value);
    }
    *cursor = before;
    return ITR_UNWIND_STEPPED;
}

/* ---- without a table ---- */

static enum itr_unwind_step step_by_prologue(const struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor) {
    uint64_t code = itr_unwind_code(cursor);
    const struct itr_target_module *module = itr_target_module_at(unwinder->process, code);
    const struct itr_symbol *symbol =
        module != NULL && module->image != NULL ? itr_image_symbol(module->image, code - module->base) : NULL;
    struct itr_prologue prologue;
    uint64_t address;
    uint64_t target;
    if (symbol == NULL || symbol->kind != ITR_SYMBOL_FUNCTION) {
        return ITR_UNWIND_UNKNOWN;
    }
    uint64_t entry = module->base + symbol->rva;
    itr_prologue_read(unwinder->process, entry, cursor->registers[ITR_REGISTER_RIP], &prologue);
    uint64_t slot = cursor->registers[ITR_REGISTER_RSP] + (uint64_t)prologue.bytes;
    if (!prologue.bytes_known || prologue.bytes < 0 || !itr_target_read_u64(unwinder->process, slot, &address) ||
        !itr_unwind_is_return(unwinder->process, address, &target)) {
        return ITR_UNWIND_UNKNOWN;
    }
    struct itr_unwind_cursor caller = *cursor;
    itr_unwind_forget_scratch(&caller, unwinder->process->system == ITR_TARGET_WINDOWS);
    for (unsigned i = 0; i < ITR_REGISTER_RIP; i++) {
        uint64_t value;
        if ((prologue.saved & (UINT32_C(1) << i)) != 0 &&
            itr_target_read_u64(unwinder->process, slot - (uint64_t)prologue.below[i], &value)) {
            itr_unwind_set(&caller, i, value);
        }
    }
    itr_unwind_forget_scratch(&caller, unwinder->process->system == ITR_TARGET_WINDOWS);
    itr_unwind_set(&caller, ITR_REGISTER_RSP, slot + 8);
    itr_unwind_set(&caller, ITR_REGISTER_RIP, address);
    caller.way = ITR_FRAME_PROLOGUE;
    caller.exact = false;
    caller.guessed = cursor->guessed || target != entry;
    *cursor = caller;
    return ITR_UNWIND_STEPPED;
}

static void guess(struct itr_unwind_cursor *cursor, enum itr_frame_way way, uint64_t pc, uint64_t sp) {
    *cursor = (struct itr_unwind_cursor){.way = way, .guessed = true};
    itr_unwind_set(cursor, ITR_REGISTER_RIP, pc);
    itr_unwind_set(cursor, ITR_REGISTER_RSP, sp);
}

static bool follow_frame_pointer(const struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor) {
    uint64_t sp = cursor->registers[ITR_REGISTER_RSP];
    uint64_t bp = cursor->registers[ITR_REGISTER_RBP];
    uint64_t before;
    uint64_t address;
    uint64_t target;
    if (!itr_unwind_knows(cursor, ITR_REGISTER_RBP) || bp < sp || bp - sp > FRAME_POINTER_REACH || bp % 8 != 0 ||
        !itr_target_read_u64(unwinder->process, bp, &before) ||
        !itr_target_read_u64(unwinder->process, bp + 8, &address) ||
        !itr_unwind_is_return(unwinder->process, address, &target)) {
        return false;
    }
    guess(cursor, ITR_FRAME_FRAME_POINTER, address, bp + 16);
    itr_unwind_set(cursor, ITR_REGISTER_RBP, before);
    return true;
}

static enum itr_unwind_step step_by_guess(struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor) {
    uint64_t sp = cursor->registers[ITR_REGISTER_RSP];
    uint64_t address;
    uint64_t target;
    bool nowhere = cursor->exact && !itr_target_is_code(unwinder->process, cursor->registers[ITR_REGISTER_RIP]);
    /* Whoever called what is no code has left the way back on top of the stack. */
    if (!nowhere && follow_frame_pointer(unwinder, cursor)) {
        return ITR_UNWIND_STEPPED;
    }
    sp = sp / 8 * 8;
    for (unsigned i = 0; i < SCAN_WORDS && unwinder->scanned < SCANNED_MAX; i++, unwinder->scanned++) {
        if (!itr_target_read_u64(unwinder->process, sp + 8u * i, &address)) {
            break;
        }
        if (itr_unwind_is_return(unwinder->process, address, &target)) {
            uint64_t bp = cursor->registers[ITR_REGISTER_RBP];
            bool knows_bp = itr_unwind_knows(cursor, ITR_REGISTER_RBP) && bp > sp + 8u * i;
            guess(cursor, ITR_FRAME_SCAN, address, sp + 8u * i + 8);
            if (knows_bp) { /* it may still be the frame pointer of one further up */
                itr_unwind_set(cursor, ITR_REGISTER_RBP, bp);
            }
            return ITR_UNWIND_STEPPED;
        }
    }
    return ITR_UNWIND_UNKNOWN;
}

/* ---- the walk ---- */

static void keep(struct itr_stack *stack, const struct itr_unwind_cursor *cursor) {
    struct itr_frame frame = {.pc = cursor->registers[ITR_REGISTER_RIP],
                              .sp = cursor->registers[ITR_REGISTER_RSP],
                              .way = cursor->way,
                              .guessed = cursor->guessed,
                              .exact = cursor->exact};
    if (stack->count == ITR_STACK_FRAMES_MAX) { /* the tail moves up by one */
        memmove(&stack->frames[ITR_STACK_HEAD_MAX], &stack->frames[ITR_STACK_HEAD_MAX + 1],
                (ITR_STACK_TAIL_MAX - 1) * sizeof stack->frames[0]);
        stack->head = ITR_STACK_HEAD_MAX;
        stack->omitted++;
        stack->count--;
    }
    stack->frames[stack->count++] = frame;
}

/* Whether a step has led to where a stack can go on. */
static bool is_sound(const struct itr_unwinder *unwinder, const struct itr_unwind_cursor *before,
                     const struct itr_unwind_cursor *after) {
    bool switched = after->way == ITR_FRAME_SIGNAL || after->way == ITR_FRAME_SWITCH;
    if (!switched && after->registers[ITR_REGISTER_RSP] <= before->registers[ITR_REGISTER_RSP]) {
        return false;
    }
    return after->way == ITR_FRAME_SIGNAL || itr_target_is_code(unwinder->process, itr_unwind_code(after));
}

static enum itr_unwind_step try_way(struct itr_unwinder *unwinder, unsigned way, struct itr_unwind_cursor *cursor) {
    switch (way) {
    case 0: return step_by_signal(unwinder, cursor);
    case 1: return itr_unwind_go(unwinder, cursor);
    case 2: return itr_unwind_cfi(unwinder, cursor);
    case 3: return itr_unwind_pdata(unwinder, cursor);
    case 4: return step_by_prologue(unwinder, cursor);
    default: return step_by_guess(unwinder, cursor);
    }
}

static enum itr_unwind_step step(struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor) {
    for (unsigned way = 0; way < 6; way++) {
        struct itr_unwind_cursor next = *cursor;
        enum itr_unwind_step answer = try_way(unwinder, way, &next);
        if (answer == ITR_UNWIND_BOTTOM) {
            return answer;
        }
        if (answer == ITR_UNWIND_STEPPED && next.registers[ITR_REGISTER_RIP] == 0 && next.way != ITR_FRAME_SIGNAL) {
            return ITR_UNWIND_BOTTOM;
        }
        if (answer == ITR_UNWIND_STEPPED && is_sound(unwinder, cursor, &next)) {
            *cursor = next;
            return answer;
        }
    }
    return ITR_UNWIND_UNKNOWN;
}

/* No call of Go's returns to the beginning of a function: a saved state that stands there is to be taken as it is. */
static void settle(const struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor) {
    uint64_t pc = cursor->registers[ITR_REGISTER_RIP];
    const struct itr_target_module *module = itr_target_module_at(unwinder->process, pc);
    struct itr_go_frame frame;
    if (!cursor->exact && module != NULL && module->image != NULL &&
        itr_image_go_frame_at(module->image, pc - module->base, &frame) && frame.entry == pc - module->base) {
        cursor->exact = true;
    }
}

static void walk(struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor, struct itr_stack *stack) {
    enum itr_unwind_step answer = ITR_UNWIND_STEPPED;
    for (unsigned i = 0; i < ITR_UNWIND_FRAMES_MAX; i++) {
        settle(unwinder, cursor);
        keep(stack, cursor);
        answer = step(unwinder, cursor);
        if (answer != ITR_UNWIND_STEPPED) {
            stack->end = answer == ITR_UNWIND_BOTTOM ? ITR_STACK_END_BOTTOM : ITR_STACK_END_LOST;
            break;
        }
        bool switched = cursor->way == ITR_FRAME_SIGNAL || cursor->way == ITR_FRAME_SWITCH;
        if (switched && ++unwinder->switches > SWITCHES_MAX) {
            stack->end = ITR_STACK_END_DAMAGED;
            break;
        }
    }
    if (answer == ITR_UNWIND_STEPPED && stack->end == ITR_STACK_END_NONE) {
        stack->end = ITR_STACK_END_LIMIT;
    }
    if (stack->omitted == 0) {
        stack->head = stack->count;
    }
}

void itr_unwind_thread(const struct itr_target_process *process, const struct itr_go_stacks *go,
                       const struct itr_target_thread *thread, struct itr_stack *stack) {
    struct itr_unwinder unwinder = {.process = process, .go = go, .thread = thread->id};
    struct itr_unwind_cursor cursor = {.exact = true, .known = (UINT32_C(1) << ITR_UNWIND_REGISTERS) - 1};
    *stack = (struct itr_stack){0};
    if (thread->has_registers) {
        memcpy(cursor.registers, thread->registers, sizeof cursor.registers);
        walk(&unwinder, &cursor, stack);
    }
}

void itr_unwind_saved(const struct itr_target_process *process, const struct itr_go_stacks *go, uint64_t pc,
                      uint64_t sp, uint64_t bp, struct itr_stack *stack) {
    struct itr_unwinder unwinder = {.process = process, .go = go};
    struct itr_unwind_cursor cursor = {0};
    *stack = (struct itr_stack){0};
    itr_unwind_set(&cursor, ITR_REGISTER_RIP, pc);
    itr_unwind_set(&cursor, ITR_REGISTER_RSP, sp);
    if (bp != 0) {
        itr_unwind_set(&cursor, ITR_REGISTER_RBP, bp);
    }
    walk(&unwinder, &cursor, stack);
}
