/* What can be told from machine code about a stack: whether an address stands behind a call, what a function's
 * first instructions pushed. It walks nothing. */
#include "framework/unwind_parts.h"

#include <string.h>

enum {
    CALL_BYTES_MIN = 2,
    CALL_BYTES_MAX = 8,
    WORD = 8,
    PROLOGUE_BYTES_MAX = 512, /* functions without a table are short */
    STACK_BYTES_MAX = 1 << 20,
};

size_t itr_unwind_bytes(const struct itr_target_process *process, uint64_t address, uint8_t *out, size_t room) {
    const struct itr_target_module *module = itr_target_module_at(process, address);
    if (module != NULL && module->image != NULL) {
        size_t count;
        const uint8_t *bytes = itr_image_rest_at(module->image, address - module->base, &count);
        if (bytes != NULL) {
            count = count < room ? count : room;
            memcpy(out, bytes, count);
            return count;
        }
    }
    if (process->read == NULL) {
        return 0;
    }
    size_t got = process->read(process->context, address, out, room);
    return got <= room ? got : 0;
}

bool itr_unwind_is_return(const struct itr_target_process *process, uint64_t address, uint64_t *target) {
    uint8_t code[CALL_BYTES_MAX];
    if (address < CALL_BYTES_MAX || !itr_target_is_code(process, address - 1) ||
        itr_unwind_bytes(process, address - CALL_BYTES_MAX, code, sizeof code) != sizeof code) {
        return false;
    }
    for (unsigned length = CALL_BYTES_MIN; length <= CALL_BYTES_MAX; length++) {
        struct itr_instruction one;
        if (itr_instruction_decode(code + CALL_BYTES_MAX - length, length, address - length, &one) &&
            one.length == length && one.kind == ITR_INSTRUCTION_CALL) {
            *target = one.direct ? one.target : 0;
            return true;
        }
    }
    return false;
}

/* ---- the beginning of a function ---- */

static int32_t signed32(const uint8_t *p) {
    return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

/* The displacement of a ModRM operand that is based on RSP alone; `p` is the ModRM byte of `left` bytes. False for
 * any other operand. */
static bool rsp_operand(const uint8_t *p, size_t left, int64_t *displacement) {
    unsigned mode = left > 0 ? p[0] >> 6 : 3;
    if (mode == 3 || left < 2 || (p[0] & 7) != 4 || p[1] != 0x24 || (mode == 1 && left < 3) ||
        (mode == 2 && left < 6)) {
        return false;
    }
    *displacement = mode == 0 ? 0 : mode == 1 ? (int8_t)p[2] : signed32(p + 2);
    return true;
}

static void save(struct itr_prologue *prologue, unsigned number, int64_t below) {
    if ((prologue->saved & (UINT32_C(1) << number)) == 0) {
        prologue->saved |= UINT32_C(1) << number;
        prologue->below[number] = below;
    }
}

static void move(struct itr_prologue *prologue, int64_t down) {
    int64_t bytes = prologue->bytes + down;
    if (bytes < -WORD || bytes > STACK_BYTES_MAX) {
        prologue->bytes_known = false;
        return;
    }
    prologue->bytes = bytes;
    prologue->lowest = bytes < prologue->lowest ? bytes : prologue->lowest;
}

/* AND of the stack pointer with -16: at the entry of a function it is 8 more than a multiple of that. */
static void align(struct itr_prologue *prologue, int32_t mask) {
    if (mask != -16) {
        prologue->bytes_known = false;
        return;
    }
    move(prologue, (WORD - prologue->bytes) & 15);
}

/* SUB and ADD of a number, LEA, pushes and pops: whatever moves the stack pointer in code that people and compilers
 * write. False for any other instruction. `rex` is the prefix or 0, `p` the opcode of `left` bytes. */
static bool moves_stack(struct itr_prologue *prologue, unsigned rex, const uint8_t *p, size_t left, bool saving) {
    unsigned number = (p[0] & 7u) | (rex & 1) << 3;
    int64_t displacement;
    if (p[0] >= 0x50 && p[0] <= 0x57) {
        move(prologue, 8);
        if (saving && number != ITR_REGISTER_RSP) {
            save(prologue, number, prologue->bytes);
        }
        return true;
    }
    if (p[0] == 0x9c || p[0] == 0x6a || p[0] == 0x68) { /* PUSHF, PUSH of a number */
        move(prologue, 8);
        return true;
    }
    if ((p[0] >= 0x58 && p[0] <= 0x5f) || p[0] == 0x9d) {
        move(prologue, -8);
        return true;
    }
    if ((rex & 8) == 0 || left < 2) {
        return false;
    }
    if ((p[0] == 0x83 && left >= 3) || (p[0] == 0x81 && left >= 6)) {
        int32_t value = p[0] == 0x83 ? (int8_t)p[2] : signed32(p + 2);
        if (p[1] == 0xec || p[1] == 0xc4) {
            move(prologue, p[1] == 0xec ? value : -(int64_t)value);
            return true;
        }
        if (p[1] == 0xe4) {
            align(prologue, value);
            return true;
        }
    }
    if (p[0] == 0x8d && (p[1] & 0x38) == 0x20 && (rex & 4) == 0 && rsp_operand(p + 1, left - 1, &displacement)) {
        move(prologue, -displacement);
        return true;
    }
    if ((p[0] == 0x89 && (p[1] & 0xc7) == 0xc4) || (p[0] == 0x8b && (p[1] & 0xf8) == 0xe0 && (rex & 4) == 0)) {
        prologue->bytes_known = false; /* MOV to RSP */
        return true;
    }
    return false;
}

/* Stores of registers to the stack, and what else stands between them. False: the function's own work has begun. */
static bool is_saving(struct itr_prologue *prologue, unsigned rex, const uint8_t *p, size_t left) {
    int64_t displacement;
    if (p[0] == 0xfc || (left >= 3 && p[0] == 0x0f && p[1] == 0x1e && p[2] == 0xfa)) { /* CLD, ENDBR64 */
        return true;
    }
    if (left >= 2 && p[0] == 0x0f && (p[1] == 0x11 || p[1] == 0x29)) { /* a vector to memory */
        return true;
    }
    if ((rex & 8) == 0 || left < 2) {
        return false;
    }
    if (p[0] == 0x89 && (rex & 1) == 0 && rsp_operand(p + 1, left - 1, &displacement)) {
        int64_t below = prologue->bytes - displacement;
        if (below > 0) {
            save(prologue, (p[1] >> 3 & 7u) | (rex & 4) << 1, below);
        }
        return true;
    }
    /* MOV RSP to RBP, LEA of the stack to RBP */
    return (p[0] == 0x89 && p[1] == 0xe5) || (p[0] == 0x8b && p[1] == 0xec) ||
           (p[0] == 0x8d && (p[1] & 0x38) == 0x28 && (rex & 4) == 0 && rsp_operand(p + 1, left - 1, &displacement));
}

/* Whether a calculation leaves alone what a function must give back: its result goes to RAX, RCX, RDX, R8 to R11, or to
 * memory. False where that is not known. */
static bool spares_callers(unsigned rex, const uint8_t *p, size_t left) {
    static const uint8_t to_register[] = {0x03, 0x0b, 0x23, 0x2b, 0x33, 0x3b, 0x63, 0x8b, 0x8d};
    static const uint8_t to_operand[] = {0x01, 0x09, 0x21, 0x29, 0x31, 0x39, 0x81, 0x83, 0x85, 0x89, 0xc1, 0xc7, 0xd1, 0xf7};
    unsigned number;
    if (p[0] >= 0xb8 && p[0] <= 0xbf) {
        number = (p[0] & 7u) | (rex & 1) << 3;
    } else if (left >= 2 && memchr(to_register, p[0], sizeof to_register) != NULL) {
        number = (p[1] >> 3 & 7u) | (rex & 4) << 1;
    } else if (left >= 2 && memchr(to_operand, p[0], sizeof to_operand) != NULL) {
        if (p[1] >> 6 != 3) {
            return true;
        }
        number = (p[1] & 7u) | (rex & 1) << 3;
    } else {
        return false;
    }
    return number <= ITR_REGISTER_RDX || (number >= ITR_REGISTER_R8 && number <= ITR_REGISTER_R11);
}

static void read_code(const struct itr_target_process *process, uint64_t entry, uint64_t pc,
                      struct itr_prologue *prologue) {
    uint8_t code[PROLOGUE_BYTES_MAX + ITR_INSTRUCTION_BYTES_MAX];
    size_t wanted = pc - entry < PROLOGUE_BYTES_MAX ? (size_t)(pc - entry) : PROLOGUE_BYTES_MAX;
    size_t count = itr_unwind_bytes(process, entry, code, wanted + ITR_INSTRUCTION_BYTES_MAX);
    bool saving = true;
    *prologue = (struct itr_prologue){.bytes_known = pc >= entry && pc - entry <= PROLOGUE_BYTES_MAX};
    size_t at = 0;
    while (at < wanted) {
        struct itr_instruction one;
        if (!itr_instruction_decode(code + at, count > at ? count - at : 0, entry + at, &one) ||
            at + one.length > wanted) {
            prologue->bytes_known = false;
            return;
        }
        const uint8_t *p = code + at;
        size_t left = one.length;
        while (left > 1 && (p[0] == 0xf3 || p[0] == 0x66)) {
            p++;
            left--;
        }
        unsigned rex = (p[0] & 0xf0) == 0x40 ? p[0] : 0;
        p += rex != 0;
        left -= rex != 0;
        if (one.kind == ITR_INSTRUCTION_RETURN || one.kind == ITR_INSTRUCTION_JUMP || left == 0) {
            prologue->bytes_known = false; /* what comes behind is reached in another way */
            return;
        }
        if (!moves_stack(prologue, rex, p, left, saving)) {
            saving = saving && one.kind == ITR_INSTRUCTION_OTHER &&
                     (is_saving(prologue, rex, p, left) || spares_callers(rex, p, left));
        }
        at += one.length;
    }
}

void itr_prologue_read(const struct itr_target_process *process, uint64_t entry, uint64_t pc,
                       struct itr_prologue *prologue) {
    read_code(process, entry, pc, prologue);
    prologue->bytes -= prologue->lowest;
    for (unsigned i = 0; i < 16; i++) {
        prologue->below[i] -= prologue->lowest;
    }
}
