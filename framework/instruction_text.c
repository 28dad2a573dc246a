/* What an instruction does, as a clause in the words of Go's assembler. It decodes nothing itself. */
#include "framework/instruction.h"
#include "framework/text.h"

#include <inttypes.h>
#include <string.h>

static const char *const registers[16] = {"AX", "CX", "DX",  "BX",  "SP",  "BP",  "SI",  "DI",
                                          "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"};

/* "runtime.initsig", "runtime.initsig+0x1c", "0x1234" where no table names it. */
static void add_name(struct itr_text *text, const struct itr_image *image, uint64_t rva) {
    const char *name;
    uint64_t offset;
    if (!itr_image_symbol_at(image, rva, &name, &offset)) {
        itr_text_printf(text, "0x%" PRIx64, rva);
        return;
    }
    itr_text_escape(text, ITR_ESCAPE_TERMINAL, name, strlen(name));
    if (offset != 0) {
        itr_text_printf(text, "+0x%" PRIx64, offset);
    }
}

static void add_operand(struct itr_text *text, const struct itr_image *image,
                        const struct itr_instruction *one) {
    bool bare = one->base == ITR_REGISTER_NONE && one->index == ITR_REGISTER_NONE;
    if (one->segment != 0) {
        itr_text_add(text, one->segment == 'f' ? "FS:" : "GS:");
    }
    if (one->rip_relative) {
        add_name(text, image, one->address);
        return;
    }
    if (one->displacement < 0) {
        itr_text_printf(text, "-0x%" PRIx64, (uint64_t)0 - (uint64_t)one->displacement);
    } else if (one->displacement > 0 || bare) {
        itr_text_printf(text, "0x%" PRIx64, (uint64_t)one->displacement);
    }
    if (one->base != ITR_REGISTER_NONE) {
        itr_text_printf(text, "(%s)", registers[one->base & 15]);
    }
    if (one->index != ITR_REGISTER_NONE) {
        itr_text_printf(text, "(%s*%u)", registers[one->index & 15], one->scale);
    }
}

/* "calls runtime.newextram", "jumps to what 0x18(AX) holds", "calls what DX points at". */
static void add_transfer(struct itr_text *text, const struct itr_image *image,
                         const struct itr_instruction *one, const char *direct, const char *verb) {
    if (one->direct) {
        itr_text_add(text, direct);
        add_name(text, image, one->target);
    } else if (one->memory) {
        itr_text_printf(text, "%swhat ", verb);
        add_operand(text, image, one);
        itr_text_add(text, " holds");
    } else {
        itr_text_printf(text, "%swhat %s points at", verb, registers[one->base & 15]);
    }
}

static void add_other(struct itr_text *text, const struct itr_image *image,
                      const struct itr_instruction *one) {
    if (!one->memory) {
        itr_text_add(text, "works on registers and the stack only");
        return;
    }
    itr_text_add(text, one->address_only ? "names the address of "
                       : one->stores     ? (one->atomic ? "atomically stores to " : "stores to ")
                                         : "reads ");
    add_operand(text, image, one);
}

bool itr_instruction_describe(const struct itr_image *image, uint64_t rva, char *out, size_t room) {
    struct itr_instruction one;
    struct itr_text text = {.ceiling = 1024};
    bool known = itr_instruction_at(image, rva, &one);
    if (room > 0) {
        out[0] = '\0';
    }
    if (!known) {
        return false;
    }
    switch (one.kind) {
    case ITR_INSTRUCTION_CALL: add_transfer(&text, image, &one, "calls ", "calls "); break;
    case ITR_INSTRUCTION_JUMP: add_transfer(&text, image, &one, "jumps to ", "jumps to "); break;
    case ITR_INSTRUCTION_BRANCH: add_transfer(&text, image, &one, "may jump to ", ""); break;
    case ITR_INSTRUCTION_RETURN: itr_text_add(&text, "returns"); break;
    case ITR_INSTRUCTION_SYSCALL: itr_text_add(&text, "enters the system (syscall)"); break;
    case ITR_INSTRUCTION_TRAP: itr_text_add(&text, "traps"); break;
    case ITR_INSTRUCTION_OTHER: add_other(&text, image, &one); break;
    }
    /* Cut between characters, as everything that goes to a terminal. */
    if (room > 0) {
        struct itr_text cut = {.ceiling = room - 1};
        if (room > 1) {
            itr_text_append(&cut, itr_text_string(&text), text.length);
            memcpy(out, itr_text_string(&cut), cut.length + 1);
        }
        itr_text_release(&cut);
    }
    itr_text_release(&text);
    return true;
}
