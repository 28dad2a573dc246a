/* Takes x86-64 instructions apart: prefixes, opcode, operand, immediate. Whether one stores and where it leads to is in
 * instruction_effect.c, sentences in instruction_text.c. */
#include "framework/instruction_parts.h"

#include <string.h>

static uint8_t next_byte(struct itr_instruction_reader *in) {
    if (in->at >= in->count) {
        in->cut = true;
        return 0;
    }
    return in->bytes[in->at++];
}

/* A signed number of 0, 1, 2, 4 or 8 bytes, lowest first. */
static int64_t next_number(struct itr_instruction_reader *in, unsigned width) {
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
static unsigned one_immediate(const struct itr_instruction_reader *in) {
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

static unsigned immediate_bytes(const struct itr_instruction_reader *in) {
    if (in->map == ITR_OPCODES_ONE) {
        return one_immediate(in);
    }
    if (in->map != ITR_OPCODES_0F) {
        return in->map == ITR_OPCODES_0F3A ? 1 : 0;
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
static bool read_vector_prefix(struct itr_instruction_reader *in, uint8_t first) {
    uint8_t a = next_byte(in);
    uint8_t b;
    if (in->lock || in->repeat != 0 || in->operand16 || in->rex != 0) {
        return false;
    }
    in->vex = true;
    in->map = ITR_OPCODES_0F;
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
            in->map = ITR_OPCODES_0F38; /* no immediates there either */
        }
    }
    in->operand16 = (b & 3) == 1;
    in->repeat = (b & 3) == 2 ? 0xf3 : (b & 3) == 3 ? 0xf2 : 0;
    in->opcode = next_byte(in);
    in->has_modrm = in->map != ITR_OPCODES_0F || in->opcode != 0x77;
    return in->map >= ITR_OPCODES_0F && in->map <= ITR_OPCODES_0F3A;
}

static bool read_opcode(struct itr_instruction_reader *in) {
    uint8_t byte = next_byte(in);
    if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) {
        return read_vector_prefix(in, byte);
    }
    in->opcode = byte;
    if (byte != 0x0f) {
        in->has_modrm = one_has_modrm(byte);
        return !one_is_invalid(byte);
    }
    in->map = ITR_OPCODES_0F;
    in->opcode = next_byte(in);
    if (in->opcode == 0x38 || in->opcode == 0x3a) {
        in->map = in->opcode == 0x38 ? ITR_OPCODES_0F38 : ITR_OPCODES_0F3A;
        in->opcode = next_byte(in);
        in->has_modrm = true;
        return true;
    }
    in->has_modrm = two_has_modrm(in->opcode);
    return !two_is_invalid(in->opcode);
}

static void read_prefixes(struct itr_instruction_reader *in, struct itr_instruction *out) {
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
static void read_operand(struct itr_instruction_reader *in, struct itr_instruction *out, bool *relative) {
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

/* ---- all of it ---- */

/* Bytes that are stored without a ModRM byte: MOVS, STOS and INS through RDI, MOV to an address. */
static void without_modrm(const struct itr_instruction_reader *in, int64_t number, struct itr_instruction *out) {
    if (in->map != ITR_OPCODES_ONE) {
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

static void finish(const struct itr_instruction_reader *in, uint64_t rva, int64_t number, bool relative,
                   struct itr_instruction *out) {
    uint64_t end = rva + in->at;
    out->length = (uint8_t)in->at;
    out->kind = itr_instruction_kind(in);
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
    out->address_only = itr_instruction_names_only(in);
    out->stores = itr_instruction_stores(in);
    out->atomic = in->lock || (in->map == ITR_OPCODES_ONE && (in->opcode == 0x86 || in->opcode == 0x87));
}

static bool gathers(const struct itr_instruction_reader *in) {
    return in->vex && in->map == ITR_OPCODES_0F38 &&
           ((in->opcode >= 0x90 && in->opcode <= 0x93) ||
            (in->evex && ((in->opcode >= 0xa0 && in->opcode <= 0xa3) || in->opcode == 0xc6 ||
                          in->opcode == 0xc7)));
}

bool itr_instruction_decode(const uint8_t *bytes, size_t count, uint64_t rva,
                            struct itr_instruction *out) {
    struct itr_instruction found = {.base = ITR_REGISTER_NONE, .index = ITR_REGISTER_NONE};
    struct itr_instruction_reader in = {.bytes = bytes, .count = count};
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
        if (in.map == ITR_OPCODES_0F && !in.vex && in.opcode >= 0x20 && in.opcode <= 0x23) {
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
