/* What one x86-64 instruction does, as far as a sentence about a race needs it: its length, whether it
 * calls, returns, jumps or enters the system, and what memory it stores to. It is no disassembler: it
 * names no mnemonics and does not refuse every encoding that a processor would refuse. */
#ifndef INITRACE_FRAMEWORK_INSTRUCTION_H
#define INITRACE_FRAMEWORK_INSTRUCTION_H

#include "framework/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITR_INSTRUCTION_BYTES_MAX = 15,
    ITR_REGISTER_NONE = 0xff,
};

enum itr_instruction_kind {
    ITR_INSTRUCTION_OTHER,
    ITR_INSTRUCTION_CALL,
    ITR_INSTRUCTION_RETURN,
    ITR_INSTRUCTION_JUMP,   /* always taken */
    ITR_INSTRUCTION_BRANCH, /* on a condition */
    ITR_INSTRUCTION_SYSCALL,
    ITR_INSTRUCTION_TRAP, /* INT3, INT n, UD2 and their like, HLT */
};

struct itr_instruction {
    uint8_t length; /* bytes, 1 … 15 */
    enum itr_instruction_kind kind;
    bool direct;       /* a call, jump or branch whose target is in it: `target` */
    uint64_t target;   /* rva */
    bool memory;       /* it has a memory operand, or (strings of bytes) writes through RDI */
    bool address_only; /* LEA, a long NOP, a prefetch: the operand is named but not touched */
    bool stores; /* it writes to that operand; pushes and calls write to the stack only: false */
    bool atomic; /* LOCK, or XCHG with memory */
    bool rip_relative; /* the operand is at `address` */
    uint64_t address;  /* rva */
    char segment;      /* 'f', 'g' for FS and GS; 0 */
    /* Otherwise the operand is base + index * scale + displacement; registers 0 … 15 in the order of
     * their encoding (AX CX DX BX SP BP SI DI R8 …) or ITR_REGISTER_NONE. An indirect call or jump
     * through a register has it as `base` and no memory. Vectors as an index: ITR_REGISTER_NONE. */
    uint8_t base;
    uint8_t index;
    uint8_t scale;
    int64_t displacement;
};

/* Reads the instruction at `bytes`, of which `count` may be looked at; `rva` is where it stands. False
 * when there is none (cut off, too long, not valid in 64-bit mode); `*out` is then untouched. */
bool itr_instruction_decode(const uint8_t *bytes, size_t count, uint64_t rva,
                            struct itr_instruction *out);

/* The same for a library's own bytes. False also when they are not in the file, or not code. */
bool itr_instruction_at(const struct itr_image *image, uint64_t rva, struct itr_instruction *out);

/* One clause for people: "calls runtime.newextram", "stores to runtime.signalsOK", "atomically stores
 * to 0xc0(CX)", "enters the system (syscall)", "returns". Always NUL-terminated when `room` > 0, cut at
 * `room`; names are escaped for a terminal. False, with "" in `out`, where there is no instruction. */
bool itr_instruction_describe(const struct itr_image *image, uint64_t rva, char *out, size_t room);

#endif
