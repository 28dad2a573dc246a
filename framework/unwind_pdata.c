/* From a C frame of a Windows program to its caller by the exception table of its PE file (.pdata, .xdata). */
#include "framework/unwind_parts.h"


enum {
    ENTRY_BYTES = 12,
    CHAINS_MAX = 32,
    EPILOGUE_BYTES_MAX = 64,
    FLAG_CHAINED = 4,
    OP_PUSH = 0,
    OP_ALLOC_LARGE = 1,
    OP_ALLOC_SMALL = 2,
    OP_SET_FRAME = 3,
    OP_SAVE = 4,
    OP_SAVE_FAR = 5,
    OP_EPILOGUE = 6,
    OP_SAVE_VECTOR = 8,
    OP_SAVE_VECTOR_FAR = 9,
    OP_MACHINE_FRAME = 10,
};

static uint32_t number(const uint8_t *p, unsigned bytes) {
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint32_t)p[i] << (8 * i);
    }
    return value;
}

/* The entry of the function that holds `rva`. NULL: none, so a function that moves no stack. */
static const uint8_t *find_entry(const struct itr_image *image, uint64_t rva) {
    uint64_t table;
    uint64_t bytes;
    if (!itr_image_unwind_table(image, &table, &bytes)) {
        return NULL;
    }
    const uint8_t *p = itr_image_bytes_at(image, table, (size_t)bytes);
    uint64_t low = 0;
    uint64_t high = bytes / ENTRY_BYTES;
    while (low < high) { /* entries before `low` begin at or before rva */
        uint64_t middle = low + (high - low) / 2;
        if (number(p + middle * ENTRY_BYTES, 4) <= rva) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    p = low > 0 ? p + (low - 1) * ENTRY_BYTES : NULL;
    return p != NULL && rva < number(p + 4, 4) ? p : NULL;
}

/* Unwind information as it stands in the file. */
struct info {
    const uint8_t *codes; /* two bytes each */
    unsigned count;
    unsigned flags;
    unsigned frame_register;
    unsigned frame_offset;
    const uint8_t *chained; /* entry */
};

static bool info_at(const struct itr_image *image, uint64_t rva, struct info *info) {
    size_t left;
    const uint8_t *p = itr_image_rest_at(image, rva, &left);
    if (p == NULL || left < 4 || ((p[0] & 7) != 1 && (p[0] & 7) != 2)) {
        return false;
    }
    size_t codes = ((size_t)p[2] + 1) / 2 * 4;
    info->flags = p[0] >> 3;
    info->count = p[2];
    info->frame_register = p[3] & 15;
    info->frame_offset = (p[3] >> 4) * 16u;
    info->codes = p + 4;
    info->chained = NULL;
    if (left - 4 < codes || ((info->flags & FLAG_CHAINED) != 0 && left - 4 - codes < ENTRY_BYTES)) {
        return false;
    }
    if ((info->flags & FLAG_CHAINED) != 0) {
        info->chained = p + 4 + codes;
    }
    return true;
}

/* How many 16-bit places an operation takes. */
static unsigned places(unsigned op, unsigned argument) {
    switch (op) {
    case OP_ALLOC_LARGE: return argument == 0 ? 2 : 3;
    case OP_SAVE:
    case OP_SAVE_VECTOR: return 2;
    case OP_SAVE_FAR:
    case OP_SAVE_VECTOR_FAR: return 3;
    default: return 1;
    }
}

struct undoing {
    const struct itr_target_process *process;
    struct itr_unwind_cursor caller;
    uint64_t sp;
    uint64_t frame; /* what saves count from */
    bool machine_frame;
};

static bool load(struct undoing *undoing, unsigned which, uint64_t address) {
    uint64_t value;
    if (!itr_target_read_u64(undoing->process, address, &value)) {
        return false;
    }
    itr_unwind_set(&undoing->caller, which, value);
    return true;
}

static bool undo(struct undoing *undoing, const struct info *info, const uint8_t *code) {
    unsigned op = code[1] & 15;
    unsigned argument = code[1] >> 4;
    uint64_t value;
    switch (op) {
    case OP_PUSH:
        if (!load(undoing, argument, undoing->sp)) {
            return false;
        }
        undoing->sp += 8;
        return true;
    case OP_ALLOC_LARGE: undoing->sp += argument == 0 ? number(code + 2, 2) * 8u : number(code + 2, 4); return true;
    case OP_ALLOC_SMALL: undoing->sp += argument * 8u + 8u; return true;
    case OP_SET_FRAME:
        if (!itr_unwind_knows(&undoing->caller, info->frame_register)) {
            return false;
        }
        undoing->sp = undoing->caller.registers[info->frame_register] - info->frame_offset;
        return true;
    case OP_SAVE: return load(undoing, argument, undoing->frame + number(code + 2, 2) * 8u);
    case OP_SAVE_FAR: return load(undoing, argument, undoing->frame + number(code + 2, 4));
    case OP_EPILOGUE:
    case OP_SAVE_VECTOR:
    case OP_SAVE_VECTOR_FAR: return true;
    case OP_MACHINE_FRAME: /* an exception's: RIP, CS, RFLAGS, RSP, SS */
        undoing->sp += argument != 0 ? 8 : 0;
        undoing->machine_frame = true;
        if (!load(undoing, ITR_REGISTER_RIP, undoing->sp) ||
            !itr_target_read_u64(undoing->process, undoing->sp + 24, &value)) {
            return false;
        }
        undoing->sp = value;
        return true;
    default: return false;
    }
}

/* Undoes what the function has done before `offset` bytes from its beginning, the last first. */
static bool undo_codes(struct undoing *undoing, const struct info *info, uint64_t offset) {
    undoing->frame = undoing->sp;
    for (unsigned i = 0; i < info->count; i += places(info->codes[2 * i + 1] & 15, info->codes[2 * i + 1] >> 4)) {
        const uint8_t *code = info->codes + 2 * (size_t)i;
        if ((code[1] & 15) == OP_SET_FRAME && code[0] <= offset &&
            itr_unwind_knows(&undoing->caller, info->frame_register)) {
            undoing->frame = undoing->caller.registers[info->frame_register] - info->frame_offset;
        }
    }
    for (unsigned i = 0; i < info->count;) {
        const uint8_t *code = info->codes + 2 * (size_t)i;
        unsigned taken = places(code[1] & 15, code[1] >> 4);
        if (taken > info->count - i || (code[0] <= offset && !undo(undoing, info, code))) {
            return false;
        }
        i += taken;
    }
    return true;
}

/* ---- the end of a function ---- */

static bool leaves(const uint8_t *p, size_t left, uint64_t at, const uint8_t *entry) {
    struct itr_instruction one;
    if (!itr_instruction_decode(p, left, at, &one)) {
        return false;
    }
    if (one.kind == ITR_INSTRUCTION_JUMP && one.direct) {
        return one.target < number(entry, 4) || one.target >= number(entry + 4, 4);
    }
    return one.kind == ITR_INSTRUCTION_RETURN;
}

/* Whether the instruction at `rva` is among the last of a function, that give the stack back; then what is left of
 * them is carried out. The table does not say it. */
static bool run_epilogue(struct undoing *undoing, const struct itr_image *image, uint64_t rva, const uint8_t *entry) {
    size_t left;
    const uint8_t *p = itr_image_rest_at(image, rva, &left);
    const uint8_t *first = p;
    left = left < EPILOGUE_BYTES_MAX ? left : EPILOGUE_BYTES_MAX;
    if (left >= 7 && p[0] == 0x48 && p[1] == 0x81 && p[2] == 0xc4) {
        undoing->sp += number(p + 3, 4);
        p += 7;
    } else if (left >= 4 && p[0] == 0x48 && p[1] == 0x83 && p[2] == 0xc4) {
        undoing->sp += p[3];
        p += 4;
    }
    while (left - (size_t)(p - first) >= 2) {
        unsigned rex = p[0] == 0x41 ? 1 : 0;
        if (p[rex] < 0x58 || p[rex] > 0x5f) {
            break;
        }
        if (!load(undoing, (p[rex] & 7u) | rex << 3, undoing->sp)) {
            return false;
        }
        undoing->sp += 8;
        p += 1 + rex;
    }
    size_t used = (size_t)(p - first);
    return leaves(p, left - used, rva + used, entry);
}

/* ---- a frame ---- */

static bool undo_function(struct undoing *undoing, const struct itr_image *image, uint64_t rva, bool exact) {
    const uint8_t *entry = find_entry(image, rva);
    if (entry == NULL) {
        return exact; /* only the innermost function can do without an entry */
    }
    if (exact) {
        struct undoing attempt = *undoing;
        if (run_epilogue(&attempt, image, rva, entry)) {
            *undoing = attempt;
            return true;
        }
    }
    uint64_t offset = rva - number(entry, 4);
    for (unsigned i = 0; entry != NULL; i++) {
        struct info info;
        uint64_t unwind = number(entry + 8, 4);
        if (i == CHAINS_MAX) {
            return false;
        }
        if ((unwind & 1) != 0) { /* shares the information of another entry */
            entry = itr_image_bytes_at(image, unwind & ~UINT64_C(1), ENTRY_BYTES);
            if (entry == NULL) {
                return false;
            }
            continue;
        }
        if (!info_at(image, unwind, &info) || !undo_codes(undoing, &info, offset)) {
            return false;
        }
        entry = info.chained;
        offset = UINT64_MAX; /* all of the function that goes on in this one was carried out */
    }
    return true;
}

enum itr_unwind_step itr_unwind_pdata(const struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor) {
    uint64_t code = itr_unwind_code(cursor);
    const struct itr_target_module *module = itr_target_module_at(unwinder->process, code);
    struct undoing undoing = {.process = unwinder->process, .caller = *cursor,
                              .sp = cursor->registers[ITR_REGISTER_RSP]};
    uint64_t target;
    if (module == NULL || module->image == NULL || itr_image_format(module->image) != ITR_IMAGE_PE ||
        !itr_target_is_code(unwinder->process, code)) {
        return ITR_UNWIND_UNKNOWN;
    }
    uint64_t rva = cursor->registers[ITR_REGISTER_RIP] - module->base - (cursor->exact ? 0 : 1);
    if (!undo_function(&undoing, module->image, rva, cursor->exact)) {
        return ITR_UNWIND_UNKNOWN;
    }
    itr_unwind_forget_scratch(&undoing.caller, true);
    undoing.caller.exact = undoing.machine_frame;
    undoing.caller.way = undoing.machine_frame ? ITR_FRAME_SIGNAL : ITR_FRAME_PDATA;
    if (!undoing.machine_frame) {
        if (!load(&undoing, ITR_REGISTER_RIP, undoing.sp)) {
            return ITR_UNWIND_UNKNOWN;
        }
        if (undoing.caller.registers[ITR_REGISTER_RIP] == 0) {
            return ITR_UNWIND_BOTTOM;
        }
        if (find_entry(module->image, rva) == NULL &&
            !itr_unwind_is_return(unwinder->process, undoing.caller.registers[ITR_REGISTER_RIP], &target)) {
            return ITR_UNWIND_UNKNOWN;
        }
        undoing.sp += 8;
    }
    itr_unwind_set(&undoing.caller, ITR_REGISTER_RSP, undoing.sp);
    *cursor = undoing.caller;
    return ITR_UNWIND_STEPPED;
}
