/* Takes x86-64 instructions apart: prefixes, opcode, operand, immediate. It writes no sentences
 * (instruction_text.c does). */
#include "framework/instruction.h"

#include <string.h>

enum {
    MAP_ONE = 0, /* one-byte opcodes */
    MAP_0F = 1,
    MAP_0F38 = 2,
    MAP_0F3A = 3,
};

/* What is known while an instruction is read. */
struct reader {
    const uint8_t *bytes;
    size_t count; /* at most ITR_INSTRUCTION_BYTES_MAX */
    size_t at;
    bool cut;
    bool operand16; /* 66 */
    bool address32; /* 67 */
    bool lock;
    uint8_t repeat; /* F2, F3 or 0 */
    uint8_t rex;
    bool vex; /* VEX or EVEX */
    bool evex;
    bool vector_index; /* the SIB's index is a vector */
    unsigned map;
    uint8_t opcode;
    bool has_modrm;
    uint8_t modrm;
};

static uint8_t next_byte(struct reader *in) {
    if (in->at >= in->count) {
        in->cut = true;
        return 0;
    }
    return in->bytes[in->at++];
}

/* A signed number of 0, 1, 2, 4 or 8 bytes, lowest first. */
static int64_t next_number(struct reader *in, unsigned width) {
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint64_t)next_byte(in) << 8 * i;
    }
    if (width > 0 && width < 8 && (value >> (8 * width - 1)) != 0) {
        value |= UINT64_MAX << 8 * width;
    }
    return (int64_t)value;
}

/* A set of byte values as 256 bits. */
static bool in_set(const uint32_t set[8], uint8_t value) {
    return (set[value >> 5] >> (value & 31) & 1) != 0;
}

static bool one_is_invalid(uint8_t opcode) {
    static const uint32_t invalid[8] = {
        [0] = 1u << 0x06 | 1u << 0x07 | 1u << 0x0e | 1u << 0x16 | 1u << 0x17 | 1u << 0x1e |
              1u << 0x1f,
        [1] = 1u << 0x07 | 1u << 0x0f | 1u << 0x17 | 1u << 0x1f,
        [3] = 1u << 0x00 | 1u << 0x01,
        [4] = 1u << 0x02 | 1u << 0x1a,
        [6] = 1u << 0x0e | 1u << 0x14 | 1u << 0x15 | 1u << 0x16,
        [7] = 1u << 0x0a,
    };
    return in_set(invalid, opcode);
}

static bool one_has_modrm(uint8_t opcode) {
    if (opcode < 0x40) {
        return (opcode & 7) < 4;
    }
    return opcode == 0x63 || opcode == 0x69 || opcode == 0x6b ||
           (opcode >= 0x80 && opcode <= 0x8f) || opcode == 0xc0 || opcode == 0xc1 ||
           opcode == 0xc6 || opcode == 0xc7 || (opcode >= 0xd0 && opcode <= 0xd3) ||
           (opcode >= 0xd8 && opcode <= 0xdf) || opcode == 0xf6 || opcode == 0xf7 || opcode >= 0xfe;
}

static bool two_has_modrm(uint8_t opcode) {
    static const uint32_t none[8] = {
        [0] = 1u << 0x05 | 1u << 0x06 | 1u << 0x07 | 1u << 0x08 | 1u << 0x09 | 1u << 0x0b |
              1u << 0x0e,
        [1] = 0x00ff0000u,
        [3] = 1u << 0x17,
        [4] = 0x0000ffffu,
        [5] = 1u << 0x00 | 1u << 0x01 | 1u << 0x02 | 1u << 0x08 | 1u << 0x09 | 1u << 0x0a,
        [6] = 0x0000ff00u,
    };
    return !in_set(none, opcode);
}

static bool two_is_invalid(uint8_t opcode) {
    return opcode == 0x04 || opcode == 0x0a || opcode == 0x0c || (opcode >= 0x24 && opcode <= 0x27);
}

/* Bytes of the immediate (or relative target) that follows the operand. */
static unsigned one_immediate(const struct reader *in) {
    uint8_t opcode = in->opcode;
    unsigned full = in->operand16 && (in->rex & 8) == 0 ? 2 : 4;
    if (opcode < 0x40) {
        return (opcode & 7) == 4 ? 1 : (opcode & 7) == 5 ? full : 0;
    }
    if ((opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xb0 && opcode <= 0xb7) ||
        (opcode >= 0xe0 && opcode <= 0xe7)) {
        return 1;
    }
    if (opcode >= 0xb8 && opcode <= 0xbf) {
        return (in->rex & 8) != 0 ? 8 : full;
    }
    switch (opcode) {
    case 0x6a:
    case 0x6b:
    case 0x80:
    case 0x83:
    case 0xa8:
    case 0xc0:
    case 0xc1:
    case 0xc6:
    case 0xcd:
    case 0xeb: return 1;
    case 0xc2:
    case 0xca: return 2;
    case 0xc8: return 3;
    case 0x68:
    case 0x69:
    case 0x81:
    case 0xa9:
    case 0xc7: return full;
    case 0xe8:
    case 0xe9: return 4;
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa3: return in->address32 ? 4 : 8;
    case 0xf6: return (in->modrm & 0x30) == 0 ? 1 : 0;
    case 0xf7: return (in->modrm & 0x30) == 0 ? full : 0;
    default: return 0;
    }
}

static unsigned immediate_bytes(const struct reader *in) {
    if (in->map == MAP_ONE) {
        return one_immediate(in);
    }
    if (in->map != MAP_0F) {
        return in->map == MAP_0F3A ? 1 : 0;
    }
    if (!in->vex && in->opcode >= 0x80 && in->opcode <= 0x8f) {
        return 4;
    }
    switch (in->opcode) {
    case 0x70:
    case 0x71:
    case 0x72:
    case 0x73:
    case 0xc2:
    case 0xc4:
    case 0xc5:
    case 0xc6: return 1;
    case 0x0f:
    case 0xa4:
    case 0xac:
    case 0xba: return in->vex ? 0 : 1;
    default: return 0;
    }
}

/* C4, C5 or 62 was read: the rest of that prefix, and the opcode. False: not valid. */
static bool read_vector_prefix(struct reader *in, uint8_t first) {
    uint8_t a = next_byte(in);
    uint8_t b;
    if (in->lock || in->repeat != 0 || in->operand16 || in->rex != 0) {
        return false;
    }
    in->vex = true;
    in->map = MAP_0F;
    b = a;
    if (first != 0xc5) {
        in->map = first == 0xc4 ? a & 0x1f : a & 7;
        in->rex = (uint8_t)((~a >> 5) & 3); /* X and B, the ones of interest */
        b = next_byte(in);
    }
    if (first == 0x62) {
        in->evex = true;
        next_byte(in);
        if (in->map == 5 || in->map == 6) {
            in->map = MAP_0F38; /* no immediates there either */
        }
    }
    in->operand16 = (b & 3) == 1;
    in->repeat = (b & 3) == 2 ? 0xf3 : (b & 3) == 3 ? 0xf2 : 0;
    in->opcode = next_byte(in);
    in->has_modrm = in->map != MAP_0F || in->opcode != 0x77;
    return in->map >= MAP_0F && in->map <= MAP_0F3A;
}

static bool read_opcode(struct reader *in) {
    uint8_t byte = next_byte(in);
    if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) {
        return read_vector_prefix(in, byte);
    }
    in->opcode = byte;
    if (byte != 0x0f) {
        in->has_modrm = one_has_modrm(byte);
        return !one_is_invalid(byte);
    }
    in->map = MAP_0F;
    in->opcode = next_byte(in);
    if (in->opcode == 0x38 || in->opcode == 0x3a) {
        in->map = in->opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
        in->opcode = next_byte(in);
        in->has_modrm = true;
        return true;
    }
    in->has_modrm = two_has_modrm(in->opcode);
    return !two_is_invalid(in->opcode);
}

static void read_prefixes(struct reader *in, struct itr_instruction *out) {
    while (in->at < in->count) {
        uint8_t byte = in->bytes[in->at];
        if ((byte & 0xf0) == 0x40) {
            in->rex = byte; /* counts only when nothing but the opcode follows */
            in->at++;
            continue;
        }
        switch (byte) {
        case 0x66: in->operand16 = true; break;
        case 0x67: in->address32 = true; break;
        case 0xf0: in->lock = true; break;
        case 0xf2:
        case 0xf3: in->repeat = byte; break;
        case 0x64: out->segment = 'f'; break;
        case 0x65: out->segment = 'g'; break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e: break;
        default: return;
        }
        in->rex = 0;
        in->at++;
    }
}

/* The rest of the operand after its ModRM byte. `*relative`: to the instruction's end. */
static void read_operand(struct reader *in, struct itr_instruction *out, bool *relative) {
    unsigned mode = in->modrm >> 6;
    uint8_t low = in->modrm & 7;
    uint8_t high_base = (in->rex & 1) != 0 ? 8 : 0;
    unsigned width = mode == 1 ? 1 : mode == 2 ? 4 : 0;
    if (mode == 3) {
        out->base = low | high_base;
        return;
    }
    out->memory = true;
    if (low == 4) {
        uint8_t sib = next_byte(in);
        uint8_t index = (uint8_t)((sib >> 3 & 7) | ((in->rex & 2) != 0 ? 8 : 0));
        if (index != 4 && !in->vector_index) {
            out->index = index;
            out->scale = (uint8_t)(1u << (sib >> 6));
        }
        if ((sib & 7) == 5 && mode == 0) {
            width = 4;
        } else {
            out->base = (sib & 7) | high_base;
        }
    } else if (low == 5 && mode == 0) {
        *relative = true;
        width = 4;
    } else {
        out->base = low | high_base;
    }
    out->displacement = next_number(in, width);
}

/* ---- what it does ---- */

static bool one_stores(const struct reader *in) {
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

static bool two_stores(const struct reader *in) {
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

static bool higher_stores(const struct reader *in) {
    uint8_t opcode = in->opcode;
    if (in->map == MAP_0F38) {
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

static bool names_only(const struct reader *in) {
    if (in->map == MAP_ONE) {
        return in->opcode == 0x8d;
    }
    return in->map == MAP_0F && !in->vex &&
           (in->opcode == 0x0d || (in->opcode >= 0x18 && in->opcode <= 0x1f));
}

static enum itr_instruction_kind kind_of(const struct reader *in) {
    uint8_t opcode = in->opcode;
    unsigned digit = in->modrm >> 3 & 7;
    if (in->vex || in->map > MAP_0F) {
        return ITR_INSTRUCTION_OTHER;
    }
    if (in->map == MAP_0F) {
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

/* Bytes that are stored without a ModRM byte: MOVS, STOS and INS through RDI, MOV to an address. */
static void without_modrm(const struct reader *in, int64_t number, struct itr_instruction *out) {
    if (in->map != MAP_ONE) {
        return;
    }
    switch (in->opcode) {
    case 0x6c:
    case 0x6d:
    case 0xa4:
    case 0xa5:
    case 0xaa:
    case 0xab:
        out->memory = true;
        out->stores = true;
        out->base = 7;
        out->segment = 0; /* a prefix is for the source */
        break;
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa3:
        out->memory = true;
        out->stores = in->opcode >= 0xa2;
        out->displacement = number;
        break;
    default: break;
    }
}

static void finish(const struct reader *in, uint64_t rva, int64_t number, bool relative,
                   struct itr_instruction *out) {
    uint64_t end = rva + in->at;
    out->length = (uint8_t)in->at;
    out->kind = kind_of(in);
    if (relative) {
        out->rip_relative = true;
        out->address = end + (uint64_t)out->displacement;
    }
    if (!in->has_modrm) {
        without_modrm(in, number, out);
        out->direct = out->kind == ITR_INSTRUCTION_CALL || out->kind == ITR_INSTRUCTION_JUMP ||
                      out->kind == ITR_INSTRUCTION_BRANCH;
        out->target = out->direct ? end + (uint64_t)number : 0;
        return;
    }
    if (!out->memory) {
        if (out->kind != ITR_INSTRUCTION_CALL && out->kind != ITR_INSTRUCTION_JUMP) {
            out->base = ITR_REGISTER_NONE;
        }
        return;
    }
    out->address_only = names_only(in);
    out->stores = in->map == MAP_ONE  ? one_stores(in)
                  : in->map == MAP_0F ? two_stores(in)
                                      : higher_stores(in);
    out->atomic = in->lock || (in->map == MAP_ONE && (in->opcode == 0x86 || in->opcode == 0x87));
}

static bool gathers(const struct reader *in) {
    return in->vex && in->map == MAP_0F38 &&
           ((in->opcode >= 0x90 && in->opcode <= 0x93) ||
            (in->evex && ((in->opcode >= 0xa0 && in->opcode <= 0xa3) || in->opcode == 0xc6 ||
                          in->opcode == 0xc7)));
}

bool itr_instruction_decode(const uint8_t *bytes, size_t count, uint64_t rva,
                            struct itr_instruction *out) {
    struct itr_instruction found = {.base = ITR_REGISTER_NONE, .index = ITR_REGISTER_NONE};
    struct reader in = {.bytes = bytes, .count = count};
    bool relative = false;
    unsigned width;
    int64_t number;

    if (in.count > ITR_INSTRUCTION_BYTES_MAX) {
        in.count = ITR_INSTRUCTION_BYTES_MAX;
    }
    read_prefixes(&in, &found);
    if (!read_opcode(&in)) {
        return false;
    }
    if (in.has_modrm) {
        in.modrm = next_byte(&in);
        in.vector_index = gathers(&in);
        if (in.map == MAP_0F && !in.vex && in.opcode >= 0x20 && in.opcode <= 0x23) {
            in.modrm |= 0xc0; /* control and debug registers: never memory */
        }
        read_operand(&in, &found, &relative);
    }
    width = immediate_bytes(&in);
    number = next_number(&in, width);
    if (in.cut) {
        return false;
    }
    finish(&in, rva, number, relative, &found);
    *out = found;
    return true;
}

bool itr_instruction_at(const struct itr_image *image, uint64_t rva, struct itr_instruction *out) {
    const struct itr_section *section = itr_image_section_at(image, rva);
    uint64_t room;
    size_t count;
    const uint8_t *bytes;
    if (section == NULL || !section->executable) {
        return false;
    }
    room = section->rva + section->bytes - rva;
    count = room < ITR_INSTRUCTION_BYTES_MAX ? (size_t)room : ITR_INSTRUCTION_BYTES_MAX;
    for (bytes = NULL; count > 0; count--) {
        bytes = itr_image_bytes_at(image, rva, count);
        if (bytes != NULL) {
            break;
        }
    }
    return bytes != NULL && itr_instruction_decode(bytes, count, rva, out);
}
