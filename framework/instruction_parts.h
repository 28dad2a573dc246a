/* What the parts of the instruction reader share: how far it came, and what an opcode means. For instruction*.c only. */
#ifndef INITRACE_FRAMEWORK_INSTRUCTION_PARTS_H
#define INITRACE_FRAMEWORK_INSTRUCTION_PARTS_H

#include "framework/instruction.h"

/* Where the opcode was looked up. */
enum {
    ITR_OPCODES_ONE = 0, /* one-byte opcodes */
    ITR_OPCODES_0F = 1,
    ITR_OPCODES_0F38 = 2,
    ITR_OPCODES_0F3A = 3,
};

/* What is known while an instruction is read. */
struct itr_instruction_reader {
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

/* Of an instruction with a memory operand: whether that is written to. */
bool itr_instruction_stores(const struct itr_instruction_reader *in);
/* Whether the operand is named and not touched: LEA, prefetches, long NOPs. */
bool itr_instruction_names_only(const struct itr_instruction_reader *in);
enum itr_instruction_kind itr_instruction_kind(const struct itr_instruction_reader *in);

#endif
