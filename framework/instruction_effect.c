/* What an x86-64 instruction does by its opcode: whether it stores to its operand, only names it, or leads elsewhere. It
 * reads no bytes. */
#include "framework/instruction_parts.h"

static bool one_stores(const struct itr_instruction_reader *in) {
    uint8_t opcode = in->opcode;
    unsigned digit = in->modrm >> 3 & 7;
    if (opcode < 0x40) {
        return (opcode & 6) == 0 && opcode < 0x38;
    }
    switch (opcode) {
    case 0x80:
    case 0x81:
    case 0x83: return digit != 7;
    case 0x86:
    case 0x87:
    case 0x88:
    case 0x89:
    case 0x8c:
    case 0x8f:
    case 0xc0:
    case 0xc1:
    case 0xc6:
    case 0xc7:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return true;
    case 0xd9: return digit == 2 || digit == 3 || digit >= 6;
    case 0xdb: return (digit >= 1 && digit <= 3) || digit == 7;
    case 0xdd: return (digit >= 1 && digit <= 3) || digit >= 6;
    case 0xdf: return (digit >= 1 && digit <= 3) || digit >= 6;
    case 0xf6:
    case 0xf7: return digit == 2 || digit == 3;
    case 0xfe:
    case 0xff: return digit <= 1;
    default: return false;
    }
}

static bool two_stores(const struct itr_instruction_reader *in) {
    unsigned digit = in->modrm >> 3 & 7;
    switch (in->opcode) {
    case 0x00: return digit <= 1;
    case 0x01: return digit <= 1 || digit == 4;
    case 0x11:
    case 0x13:
    case 0x17:
    case 0x29:
    case 0x2b:
    case 0x7f:
    case 0xd6:
    case 0xe7: return true;
    case 0x7e: return in->repeat != 0xf3;
    case 0xa4:
    case 0xa5:
    case 0xab:
    case 0xac:
    case 0xad:
    case 0xb0:
    case 0xb1:
    case 0xb3:
    case 0xbb:
    case 0xc0:
    case 0xc1:
    case 0xc3: return !in->vex;
    case 0xae: return digit == 0 || digit == 3 || digit == 4 || (digit == 6 && in->repeat == 0);
    case 0xba: return digit >= 5;
    case 0xc7: return digit == 1 || digit == 3 || digit == 4 || digit == 5;
    case 0x91: return true; /* SETNO, KMOV */
    default: return !in->vex && in->opcode >= 0x90 && in->opcode <= 0x9f;
    }
}

static bool higher_stores(const struct itr_instruction_reader *in) {
    uint8_t opcode = in->opcode;
    if (in->map == ITR_OPCODES_0F38) {
        if (!in->vex) {
            return (opcode == 0xf1 && in->repeat != 0xf2) || opcode == 0xf9 || opcode == 0xfb;
        }
        return opcode == 0x2e || opcode == 0x2f || opcode == 0x8e ||
               (in->evex &&
                (opcode == 0x63 || opcode == 0x8a || opcode == 0x8b ||
                 (opcode >= 0xa0 && opcode <= 0xa3) ||
                 (in->repeat == 0xf3 && opcode >= 0x10 && opcode <= 0x35 && (opcode & 0xf) <= 5)));
    }
    return (opcode >= 0x14 && opcode <= 0x17) ||
           (in->vex && (opcode == 0x19 || opcode == 0x1b || opcode == 0x1d || opcode == 0x39 ||
                        opcode == 0x3b));
}

bool itr_instruction_stores(const struct itr_instruction_reader *in) {
    return in->map == ITR_OPCODES_ONE  ? one_stores(in)
           : in->map == ITR_OPCODES_0F ? two_stores(in)
                                       : higher_stores(in);
}

bool itr_instruction_names_only(const struct itr_instruction_reader *in) {
    if (in->map == ITR_OPCODES_ONE) {
        return in->opcode == 0x8d;
    }
    return in->map == ITR_OPCODES_0F && !in->vex &&
           (in->opcode == 0x0d || (in->opcode >= 0x18 && in->opcode <= 0x1f));
}

enum itr_instruction_kind itr_instruction_kind(const struct itr_instruction_reader *in) {
    uint8_t opcode = in->opcode;
    unsigned digit = in->modrm >> 3 & 7;
    if (in->vex || in->map > ITR_OPCODES_0F) {
        return ITR_INSTRUCTION_OTHER;
    }
    if (in->map == ITR_OPCODES_0F) {
        if (opcode >= 0x80 && opcode <= 0x8f) {
            return ITR_INSTRUCTION_BRANCH;
        }
        return opcode == 0x05 || opcode == 0x34                     ? ITR_INSTRUCTION_SYSCALL
               : opcode == 0x0b || opcode == 0xb9 || opcode == 0xff ? ITR_INSTRUCTION_TRAP
                                                                    : ITR_INSTRUCTION_OTHER;
    }
    if ((opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xe0 && opcode <= 0xe3)) {
        return ITR_INSTRUCTION_BRANCH;
    }
    switch (opcode) {
    case 0xe8: return ITR_INSTRUCTION_CALL;
    case 0xe9:
    case 0xeb: return ITR_INSTRUCTION_JUMP;
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcf: return ITR_INSTRUCTION_RETURN;
    case 0xcc:
    case 0xcd:
    case 0xf1:
    case 0xf4: return ITR_INSTRUCTION_TRAP;
    case 0xff:
        return digit == 2 || digit == 3   ? ITR_INSTRUCTION_CALL
               : digit == 4 || digit == 5 ? ITR_INSTRUCTION_JUMP
                                          : ITR_INSTRUCTION_OTHER;
    default: return ITR_INSTRUCTION_OTHER;
    }
}
