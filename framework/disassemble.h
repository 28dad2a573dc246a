/* The instructions at a PC as text for people: address, bytes, and in a clause what each does (framework/instruction.h
 * says how far that goes; it is no disassembler's listing). */
#ifndef INITRACE_FRAMEWORK_DISASSEMBLE_H
#define INITRACE_FRAMEWORK_DISASSEMBLE_H

#include "framework/target.h"
#include "framework/text.h"

enum { ITR_DISASSEMBLE_MAX = 64 }; /* instructions */

/* Appends a line for each of `before` instructions before `pc` and `after` from it on, the one at `pc` marked "=>".
 * Where its function's beginning is not known there are none before it. `registers`, where not NULL, are those of the
 * thread that stands at `pc`: the address that its instruction names is given then. Bytes that differ from the file's
 * (a breakpoint, a gate, damage) are marked with '!'. False when no code can be read at `pc`: nothing is appended. */
bool itr_disassemble(const struct itr_target_process *process, uint64_t pc, const uint64_t *registers,
                     unsigned before, unsigned after, struct itr_text *out);

#endif
