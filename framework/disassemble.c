/* Lines of code around a PC. What an instruction does is instruction*.c's to say. */
#include "framework/disassemble.h"

#include "framework/instruction.h"

#include <inttypes.h>
#include <string.h>

enum {
    FUNCTION_BYTES_MAX = 1 << 16, /* of a function, looked at to find where its instructions begin */
    CLAUSE_BYTES = 256,
    BYTES_COLUMN = 34, /* wide enough for eleven bytes */
};

/* A place in a process's code, and the same place in its module's file. */
struct code {
    const struct itr_target_process *process;
    const struct itr_target_module *module; /* NULL: code of no file */
};

/* The bytes at `address` as they are in memory; where that cannot be read (a core file without it), the file's. */
static size_t bytes_at(const struct code *code, uint64_t address, uint8_t out[ITR_INSTRUCTION_BYTES_MAX],
                       bool *changed) {
    size_t in_file = 0;
    const uint8_t *file = NULL;
    *changed = false;
    if (code->module != NULL && code->module->image != NULL) {
        file = itr_image_rest_at(code->module->image, address - code->module->base, &in_file);
        in_file = in_file < ITR_INSTRUCTION_BYTES_MAX ? in_file : ITR_INSTRUCTION_BYTES_MAX;
    }
    size_t got = 0;
    if (code->process->read != NULL) {
        got = code->process->read(code->process->context, address, out, ITR_INSTRUCTION_BYTES_MAX);
        got = got <= ITR_INSTRUCTION_BYTES_MAX ? got : 0;
    }
    if (got == 0 && file != NULL) {
        memcpy(out, file, in_file);
        return in_file;
    }
    struct itr_instruction one;
    if (file != NULL && itr_instruction_decode(out, got, address, &one)) {
        *changed = one.length <= in_file && memcmp(out, file, one.length) != 0;
    }
    return got;
}

static void add_bytes(struct itr_text *out, const uint8_t *bytes, size_t count) {
    size_t column = 0;
    for (size_t i = 0; i < count; i++, column += 3) {
        itr_text_printf(out, "%02x ", bytes[i]);
    }
    for (; column < BYTES_COLUMN; column++) {
        itr_text_add(out, " ");
    }
}

/* The address that the operand names, where the registers tell. */
static void add_address(struct itr_text *out, const struct itr_instruction *one, const uint64_t *registers) {
    uint64_t address = (uint64_t)one->displacement;
    if (!one->memory || one->rip_relative) {
        return;
    }
    if (one->segment == 'f') {
        address += registers[ITR_REGISTER_FS_BASE];
    } else if (one->segment == 'g') {
        address += registers[ITR_REGISTER_GS_BASE];
    }
    for (unsigned part = 0; part < 2; part++) {
        unsigned number = part == 0 ? one->base : one->index;
        if (number != ITR_REGISTER_NONE) {
            address += registers[number & 15] * (part == 0 ? 1 : one->scale);
        }
    }
    itr_text_printf(out, " [0x%" PRIx64 "]", address);
}

/* A clause on an instruction that is not in any file. */
static void add_plain(struct itr_text *out, const struct itr_instruction *one) {
    static const char *const clauses[] = {"works on registers and memory", "calls", "returns", "jumps", "may jump",
                                          "enters the system (syscall)", "traps"};
    itr_text_add(out, clauses[one->kind]);
    if (one->direct) {
        itr_text_printf(out, ": 0x%" PRIx64, one->target);
    }
}

/* One line; returns the instruction's length, 0 at the end of what is code. */
static size_t add_line(const struct code *code, uint64_t address, uint64_t pc, const uint64_t *registers,
                       struct itr_text *out) {
    uint8_t bytes[ITR_INSTRUCTION_BYTES_MAX];
    char clause[CLAUSE_BYTES];
    char place[CLAUSE_BYTES];
    struct itr_instruction one;
    bool changed;
    size_t count = bytes_at(code, address, bytes, &changed);
    bool known = itr_instruction_decode(bytes, count, address, &one);
    if (count == 0) {
        return 0;
    }
    itr_target_describe(code->process, address, address, place, sizeof place);
    itr_text_printf(out, "%s%c 0x%" PRIx64 " %s: ", address == pc ? "=>" : "  ", changed ? '!' : ' ', address, place);
    if (!known) {
        add_bytes(out, bytes, count);
        itr_text_add(out, "no instruction\n");
        return 0;
    }
    add_bytes(out, bytes, one.length);
    if (!changed && code->module != NULL && code->module->image != NULL &&
        itr_instruction_describe(code->module->image, address - code->module->base, clause, sizeof clause)) {
        itr_text_add(out, clause); /* escaped by whoever wrote it */
    } else {
        add_plain(out, &one);
    }
    if (address == pc && registers != NULL) {
        add_address(out, &one, registers);
    }
    itr_text_add(out, "\n");
    return one.length;
}

/* Where to begin so that `before` instructions come before `pc`: found from the function's beginning on, as
 * instructions cannot be read backwards. */
static uint64_t begin_of(const struct code *code, uint64_t pc, unsigned before) {
    uint64_t last[ITR_DISASSEMBLE_MAX];
    unsigned count = 0;
    const struct itr_symbol *symbol =
        code->module != NULL && code->module->image != NULL && pc >= code->module->base
            ? itr_image_symbol(code->module->image, pc - code->module->base)
            : NULL;
    if (symbol == NULL || before == 0 || pc - code->module->base - symbol->rva > FUNCTION_BYTES_MAX) {
        return pc;
    }
    uint64_t rva = symbol->rva;
    while (rva < pc - code->module->base) {
        struct itr_instruction one;
        if (!itr_instruction_at(code->module->image, rva, &one)) {
            return pc;
        }
        last[count++ % before] = code->module->base + rva;
        rva += one.length;
    }
    if (rva != pc - code->module->base) {
        return pc; /* not at an instruction's beginning */
    }
    return count == 0 ? pc : count < before ? last[0] : last[count % before];
}

bool itr_disassemble(const struct itr_target_process *process, uint64_t pc, const uint64_t *registers,
                     unsigned before, unsigned after, struct itr_text *out) {
    struct code code = {.process = process, .module = itr_target_module_at(process, pc)};
    uint8_t bytes[ITR_INSTRUCTION_BYTES_MAX];
    bool changed;
    before = before < ITR_DISASSEMBLE_MAX ? before : ITR_DISASSEMBLE_MAX;
    after = after < ITR_DISASSEMBLE_MAX ? after : ITR_DISASSEMBLE_MAX;
    if (bytes_at(&code, pc, bytes, &changed) == 0) {
        return false;
    }
    uint64_t at = begin_of(&code, pc, before);
    while (at < pc || after > 0) {
        size_t length = add_line(&code, at, pc, registers, out);
        if (length == 0) {
            break;
        }
        after -= at >= pc;
        at += length;
    }
    return true;
}
