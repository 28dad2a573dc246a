/* What an instruction does, as a clause in the words of Go's assembler. It decodes nothing itself. */
#include "framework/instruction.h"
#include "framework/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CLAUSE_BYTES_MAX = 1024 };

/* A clause as it grows, without memory that could be refused. What does not fit is cut off. */
struct clause {
    char bytes[CLAUSE_BYTES_MAX + 1];
    size_t length;
};

static const char *const registers[16] = {"AX", "CX", "DX",  "BX",  "SP",  "BP",  "SI",  "DI",
                                          "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"};

static void ITR_PRINTF(2, 3) add(struct clause *clause, const char *format, ...) {
    size_t room = sizeof clause->bytes - clause->length;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(clause->bytes + clause->length, room, format, args);
    va_end(args);
    clause->length += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
}

/* "runtime.initsig", "runtime.initsig+0x1c", "0x1234" where no table names it. */
static void add_name(struct clause *clause, const struct itr_image *image, uint64_t rva) {
    const char *name;
    uint64_t offset;
    if (!itr_image_symbol_at(image, rva, &name, &offset)) {
        add(clause, "0x%" PRIx64, rva);
        return;
    }
    itr_escape_into(clause->bytes + clause->length, sizeof clause->bytes - clause->length, ITR_ESCAPE_TERMINAL, name,
                    strlen(name));
    clause->length += strlen(clause->bytes + clause->length);
    if (offset != 0) {
        add(clause, "+0x%" PRIx64, offset);
    }
}

static void add_operand(struct clause *clause, const struct itr_image *image,
                        const struct itr_instruction *one) {
    bool bare = one->base == ITR_REGISTER_NONE && one->index == ITR_REGISTER_NONE;
    if (one->segment != 0) {
        add(clause, "%s", one->segment == 'f' ? "FS:" : "GS:");
    }
    if (one->rip_relative) {
        add_name(clause, image, one->address);
        return;
    }
    if (one->displacement < 0) {
        add(clause, "-0x%" PRIx64, (uint64_t)0 - (uint64_t)one->displacement);
    } else if (one->displacement > 0 || bare) {
        add(clause, "0x%" PRIx64, (uint64_t)one->displacement);
    }
    if (one->base != ITR_REGISTER_NONE) {
        add(clause, "(%s)", registers[one->base & 15]);
    }
    if (one->index != ITR_REGISTER_NONE) {
        add(clause, "(%s*%u)", registers[one->index & 15], one->scale);
    }
}

/* "calls runtime.newextram", "jumps to what 0x18(AX) holds", "calls what DX points at". */
static void add_transfer(struct clause *clause, const struct itr_image *image,
                         const struct itr_instruction *one, const char *direct, const char *verb) {
    if (one->direct) {
        add(clause, "%s", direct);
        add_name(clause, image, one->target);
    } else if (one->memory) {
        add(clause, "%swhat ", verb);
        add_operand(clause, image, one);
        add(clause, " holds");
    } else {
        add(clause, "%swhat %s points at", verb, registers[one->base & 15]);
    }
}

static void add_other(struct clause *clause, const struct itr_image *image,
                      const struct itr_instruction *one) {
    if (!one->memory) {
        add(clause, "works on registers and the stack only");
        return;
    }
    add(clause, "%s", one->address_only ? "names the address of "
                       : one->stores     ? (one->atomic ? "atomically stores to " : "stores to ")
                                         : "reads ");
    add_operand(clause, image, one);
}

/* Copies what fits, cut between characters, as everything that goes to a terminal. */
static void cut_into(char *out, size_t room, const struct clause *clause) {
    size_t length = 0;
    while (length < clause->length) {
        size_t step = itr_utf8_length(clause->bytes + length, clause->length - length, NULL);
        if (step == 0 || step > room - 1 - length) {
            break;
        }
        length += step;
    }
    memcpy(out, clause->bytes, length);
    out[length] = '\0';
}

bool itr_instruction_describe(const struct itr_image *image, uint64_t rva, char *out, size_t room) {
    struct itr_instruction one;
    struct clause clause = {.length = 0};
    bool known = itr_instruction_at(image, rva, &one);
    if (room > 0) {
        out[0] = '\0';
    }
    if (!known) {
        return false;
    }
    switch (one.kind) {
    case ITR_INSTRUCTION_CALL: add_transfer(&clause, image, &one, "calls ", "calls "); break;
    case ITR_INSTRUCTION_JUMP: add_transfer(&clause, image, &one, "jumps to ", "jumps to "); break;
    case ITR_INSTRUCTION_BRANCH: add_transfer(&clause, image, &one, "may jump to ", ""); break;
    case ITR_INSTRUCTION_RETURN: add(&clause, "returns"); break;
    case ITR_INSTRUCTION_SYSCALL: add(&clause, "enters the system (syscall)"); break;
    case ITR_INSTRUCTION_TRAP: add(&clause, "traps"); break;
    case ITR_INSTRUCTION_OTHER: add_other(&clause, image, &one); break;
    }
    if (room > 0) {
        cut_into(out, room, &clause);
    }
    return true;
}
