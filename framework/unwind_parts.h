/* What the parts of the unwinder share: where the walk stands, and one function for each way to a caller. For
 * unwind*.c only. */
#ifndef INITRACE_FRAMEWORK_UNWIND_PARTS_H
#define INITRACE_FRAMEWORK_UNWIND_PARTS_H

#include "framework/instruction.h"
#include "framework/unwind.h"

/* General registers and RIP, in the order of framework/target.h. */
enum { ITR_UNWIND_REGISTERS = ITR_REGISTER_RIP + 1 };

/* Where a walk stands: the registers of a frame, as far as they are known. */
struct itr_unwind_cursor {
    uint64_t registers[ITR_UNWIND_REGISTERS];
    uint32_t known; /* a bit for each register */
    bool exact;     /* RIP is an instruction that has yet to run, or that faulted */
    bool guessed;
    enum itr_frame_way way;
};

struct itr_unwinder {
    const struct itr_target_process *process;
    const struct itr_go_stacks *go; /* may be NULL */
    uint64_t thread;                /* the system's id; 0: a goroutine's own walk */
    unsigned switches;              /* of stacks, made so far */
    unsigned scanned;               /* words looked at by scans so far */
    unsigned searches;              /* through the goroutines and threads, made so far */
    uint64_t g0_sp;                 /* of the last callback that was crossed, the one before it; 0: none yet */
};

enum itr_unwind_step {
    ITR_UNWIND_STEPPED,
    ITR_UNWIND_BOTTOM,  /* there is no caller */
    ITR_UNWIND_UNKNOWN, /* this way does not lead further: try the next */
};

/* Each moves the cursor to the caller and says how in its `way`; the cursor is as it was for any other answer. */
enum itr_unwind_step itr_unwind_go(struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor);
enum itr_unwind_step itr_unwind_cfi(const struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor);
enum itr_unwind_step itr_unwind_pdata(const struct itr_unwinder *unwinder, struct itr_unwind_cursor *cursor);

/* ---- the cursor ---- */

bool itr_unwind_knows(const struct itr_unwind_cursor *cursor, unsigned number);
void itr_unwind_set(struct itr_unwind_cursor *cursor, unsigned number, uint64_t value);
/* What a call does not preserve is not known in its caller; `windows`: RSI and RDI are preserved too. */
void itr_unwind_forget_scratch(struct itr_unwind_cursor *cursor, bool windows);
/* Address whose function is asked for. */
uint64_t itr_unwind_code(const struct itr_unwind_cursor *cursor);

/* ---- code (unwind_code.c) ---- */

/* Up to `room` bytes of code at `address`: the file's own where there is one, else the memory's. Returns how many. */
size_t itr_unwind_bytes(const struct itr_target_process *process, uint64_t address, uint8_t *out, size_t room);

/* Whether a call stands just before `address`; `*target`: where it leads, 0 when it is indirect. */
bool itr_unwind_is_return(const struct itr_target_process *process, uint64_t address, uint64_t *target);

/* What the code of a function has done to the stack before it reached an instruction. */
struct itr_prologue {
    int64_t bytes;     /* from the stack pointer up to the return address */
    bool bytes_known;  /* false: something was met that cannot be followed */
    uint32_t saved;    /* a bit for each register whose old value is on the stack ... */
    int64_t below[16]; /* ... so many bytes below the return address */
    int64_t lowest;    /* while it is read: below 0 where the function has dropped its own return address */
};

/* Follows the code from `entry` up to `pc`. A stack pointer that is aligned on the way is taken to have been what C
 * expects at a function's entry: check the return address. */
void itr_prologue_read(const struct itr_target_process *process, uint64_t entry, uint64_t pc,
                       struct itr_prologue *prologue);

#endif
