/* From a C frame to its caller by the rules of .eh_frame. Finding the rules is in unwind_table.c. */
#include "framework/unwind_cfi.h"

#include "framework/unwind_parts.h"

enum { VALUES_MAX = 32, STEPS_MAX = 256 };

/* DWARF's numbers of the registers as ours. */
static const uint8_t numbers[ITR_CFI_COLUMNS] = {
    ITR_REGISTER_RAX, ITR_REGISTER_RDX, ITR_REGISTER_RCX, ITR_REGISTER_RBX, ITR_REGISTER_RSI, ITR_REGISTER_RDI,
    ITR_REGISTER_RBP, ITR_REGISTER_RSP, ITR_REGISTER_R8,  ITR_REGISTER_R9,  ITR_REGISTER_R10, ITR_REGISTER_R11,
    ITR_REGISTER_R12, ITR_REGISTER_R13, ITR_REGISTER_R14, ITR_REGISTER_R15, ITR_REGISTER_RIP,
};

static bool register_value(const struct itr_unwind_cursor *cursor, uint64_t column, uint64_t *value) {
    if (column >= ITR_CFI_COLUMNS || !itr_unwind_knows(cursor, numbers[column])) {
        return false;
    }
    *value = cursor->registers[numbers[column]];
    return true;
}

/* ---- expressions ---- */

struct evaluation {
    const struct itr_unwinder *unwinder;
    const struct itr_unwind_cursor *cursor;
    uint64_t values[VALUES_MAX];
    unsigned count;
    bool failed;
};

static void push(struct evaluation *e, uint64_t value) {
    if (e->count == VALUES_MAX) {
        e->failed = true;
        return;
    }
    e->values[e->count++] = value;
}

static uint64_t pop(struct evaluation *e) {
    if (e->count == 0) {
        e->failed = true;
        return 0;
    }
    return e->values[--e->count];
}

static void push_copy(struct evaluation *e, unsigned below) {
    if (below >= e->count) {
        e->failed = true;
        return;
    }
    push(e, e->values[e->count - 1 - below]);
}

static void push_register(struct evaluation *e, uint64_t column, int64_t offset) {
    uint64_t value = 0;
    e->failed = e->failed || !register_value(e->cursor, column, &value);
    push(e, value + (uint64_t)offset);
}

static void push_memory(struct evaluation *e, unsigned bytes) {
    uint8_t memory[8] = {0};
    uint64_t address = pop(e);
    struct itr_cfi_reader reader = {.p = memory, .left = sizeof memory};
    e->failed = e->failed || bytes == 0 || bytes > 8 ||
                !itr_target_read(e->unwinder->process, address, memory, bytes);
    push(e, e->failed ? 0 : itr_cfi_number(&reader, bytes));
}

static uint64_t shifted(uint64_t value, uint64_t by, unsigned op) {
    if (by >= 64) {
        return op == 0x26 && (value >> 63) != 0 ? UINT64_MAX : 0;
    }
    return op == 0x24 ? value << by : op == 0x25 ? value >> by : (uint64_t)((int64_t)value >> by);
}

/* Operations on the two topmost values. */
static void binary(struct evaluation *e, unsigned op) {
    uint64_t b = pop(e);
    uint64_t a = pop(e);
    switch (op) {
    case 0x1a: push(e, a & b); break;
    case 0x1c: push(e, a - b); break;
    case 0x1e: push(e, a * b); break;
    case 0x21: push(e, a | b); break;
    case 0x22: push(e, a + b); break;
    case 0x27: push(e, a ^ b); break;
    case 0x29: push(e, a == b); break;
    case 0x2a: push(e, (int64_t)a >= (int64_t)b); break;
    case 0x2b: push(e, (int64_t)a > (int64_t)b); break;
    case 0x2c: push(e, (int64_t)a <= (int64_t)b); break;
    case 0x2d: push(e, (int64_t)a < (int64_t)b); break;
    case 0x2e: push(e, a != b); break;
    default: push(e, shifted(a, b, op)); break;
    }
}

static void push_constant(struct evaluation *e, unsigned op, struct itr_cfi_reader *reader) {
    static const uint8_t widths[] = {1, 1, 2, 2, 4, 4, 8, 8};
    if (op == 0x03) {
        push(e, itr_cfi_number(reader, 8));
    } else if (op == 0x10) {
        push(e, itr_cfi_uleb(reader));
    } else if (op == 0x11) {
        push(e, (uint64_t)itr_cfi_sleb(reader));
    } else {
        unsigned width = widths[op - 0x08];
        uint64_t value = itr_cfi_number(reader, width);
        unsigned shift = 64 - 8 * width;
        push(e, (op & 1) != 0 && shift > 0 ? (uint64_t)((int64_t)(value << shift) >> shift) : value);
    }
}

static void jump(struct evaluation *e, bool always, struct itr_cfi_reader *reader, const struct itr_cfi_reader *all) {
    int64_t by = (int16_t)itr_cfi_number(reader, 2);
    if (!always && pop(e) == 0) {
        return;
    }
    int64_t at = reader->p - all->p + by;
    if (at < 0 || (uint64_t)at > all->left) {
        e->failed = true;
        return;
    }
    reader->p = all->p + at;
    reader->left = all->left - (size_t)at;
}

static void operate(struct evaluation *e, struct itr_cfi_reader *reader, const struct itr_cfi_reader *all) {
    unsigned op = (unsigned)itr_cfi_number(reader, 1);
    uint64_t value;
    if (op >= 0x30 && op <= 0x4f) {
        push(e, op - 0x30);
    } else if (op >= 0x70 && op <= 0x8f) {
        push_register(e, op - 0x70, itr_cfi_sleb(reader));
    } else if (op == 0x92) {
        uint64_t column = itr_cfi_uleb(reader);
        push_register(e, column, itr_cfi_sleb(reader));
    } else if (op == 0x03 || (op >= 0x08 && op <= 0x11)) {
        push_constant(e, op, reader);
    } else if ((op >= 0x24 && op <= 0x27) || (op >= 0x29 && op <= 0x2e) || op == 0x1a || op == 0x1c || op == 0x1e ||
               op == 0x21 || op == 0x22) {
        binary(e, op);
    } else {
        switch (op) {
        case 0x06: push_memory(e, 8); break;
        case 0x94: push_memory(e, (unsigned)itr_cfi_number(reader, 1)); break;
        case 0x12: push_copy(e, 0); break;
        case 0x13: (void)pop(e); break;
        case 0x14: push_copy(e, 1); break;
        case 0x15: push_copy(e, (unsigned)itr_cfi_number(reader, 1)); break;
        case 0x1f: push(e, 0 - pop(e)); break;
        case 0x20: push(e, ~pop(e)); break;
        case 0x23:
            value = pop(e);
            push(e, value + itr_cfi_uleb(reader));
            break;
        case 0x28: jump(e, false, reader, all); break;
        case 0x2f: jump(e, true, reader, all); break;
        case 0x96: break;
        default: e->failed = true; break;
        }
    }
}

/* `first`, where not NULL, is on the stack when the expression begins. */
static bool evaluate(const struct itr_unwinder *unwinder, const struct itr_unwind_cursor *cursor,
                     const struct itr_cfi_rule *rule, const uint64_t *first, uint64_t *result) {
    struct evaluation e = {.unwinder = unwinder, .cursor = cursor};
    struct itr_cfi_reader all = {.p = rule->expression, .left = rule->bytes};
    struct itr_cfi_reader reader = all;
    if (first != NULL) {
        push(&e, *first);
    }
    for (unsigned i = 0; reader.left > 0 && !e.failed && !reader.broken; i++) {
        if (i == STEPS_MAX) {
            return false;
        }
        operate(&e, &reader, &all);
    }
    *result = pop(&e);
    return !e.failed && !reader.broken;
}

/* ---- a frame ---- */

static bool find_cfa(const struct itr_unwinder *unwinder, const struct itr_unwind_cursor *cursor,
                     const struct itr_cfi_row *row, uint64_t *cfa) {
    if (row->cfa.kind == ITR_CFI_EXPRESSION) {
        return evaluate(unwinder, cursor, &row->cfa, NULL, cfa);
    }
    if (!register_value(cursor, (uint64_t)row->cfa.value, cfa)) {
        return false;
    }
    *cfa += (uint64_t)row->offset;
    return true;
}

/* What a column held in the caller; false: that is not known. */
static bool caller_value(const struct itr_unwinder *unwinder, const struct itr_unwind_cursor *cursor,
                         const struct itr_cfi_rule *rule, uint64_t column, uint64_t cfa, uint64_t *value) {
    uint64_t address;
    switch (rule->kind) {
    case ITR_CFI_UNSPECIFIED: /* RBX, RBP, R12 to R15 are preserved */
        return (column == 3 || column == 6 || (column >= 12 && column <= 15)) &&
               register_value(cursor, column, value);
    case ITR_CFI_SAME: return register_value(cursor, column, value);
    case ITR_CFI_OFFSET: return itr_target_read_u64(unwinder->process, cfa + (uint64_t)rule->value, value);
    case ITR_CFI_VALUE_OFFSET: *value = cfa + (uint64_t)rule->value; return true;
    case ITR_CFI_REGISTER: return register_value(cursor, (uint64_t)rule->value, value);
    case ITR_CFI_EXPRESSION:
        return evaluate(unwinder, cursor, rule, &cfa, &address) &&
               itr_target_read_u64(unwinder->process, address, value);
    case ITR_CFI_VALUE_EXPRESSION: return evaluate(unwinder, cursor, rule, &cfa, value);
    default: return false;
    }
}

enum itr_unwind_step itr_unwind_cfi(const struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor) {
    uint64_t code = itr_unwind_code(cursor);
    const struct itr_target_module *module = itr_target_module_at(unwinder->process, code);
    struct itr_cfi_row row;
    uint64_t cfa;
    if (module == NULL || module->image == NULL || !itr_cfi_row_at(module->image, code - module->base, &row) ||
        !find_cfa(unwinder, cursor, &row, &cfa)) {
        return ITR_UNWIND_UNKNOWN;
    }
    if (row.columns[row.return_column].kind == ITR_CFI_UNDEFINED) {
        return ITR_UNWIND_BOTTOM;
    }
    struct itr_unwind_cursor caller = {.guessed = cursor->guessed, .way = ITR_FRAME_CFI, .exact = row.signal};
    itr_unwind_set(&caller, ITR_REGISTER_RSP, cfa);
    for (unsigned column = 0; column < ITR_CFI_COLUMNS; column++) {
        const struct itr_cfi_rule *rule = &row.columns[column];
        bool stack_pointer = numbers[column] == ITR_REGISTER_RSP;
        uint64_t value;
        if ((!stack_pointer || rule->kind != ITR_CFI_UNSPECIFIED) &&
            caller_value(unwinder, cursor, rule, column, cfa, &value)) {
            itr_unwind_set(&caller, numbers[column], value);
        }
    }
    if (row.return_column != ITR_CFI_COLUMNS - 1 && itr_unwind_knows(&caller, numbers[row.return_column])) {
        itr_unwind_set(&caller, ITR_REGISTER_RIP, caller.registers[numbers[row.return_column]]);
    }
    if (!itr_unwind_knows(&caller, ITR_REGISTER_RIP)) {
        return ITR_UNWIND_UNKNOWN;
    }
    if (row.signal) {
        caller.way = ITR_FRAME_SIGNAL;
    }
    *cursor = caller;
    return ITR_UNWIND_STEPPED;
}
