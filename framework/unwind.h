/* The stack of a stopped thread or goroutine, frame by frame, through Go and C code, the frames that a signal
 * leaves, and Go's switches between stacks. It reads the process through framework/target.h only, changes nothing
 * and allocates nothing.
 *
 * How a frame's caller is found, the certain ways first:
 * - Go code: the size of the frame at that instruction, from Go's own table (pclntab, Go 1.18 and later);
 * - C code: .eh_frame (ELF, where it has the usual search table) or the exception table (PE);
 * - a signal's frame: the registers that the kernel saved;
 * - Go's switches between a goroutine's stack and its thread's own: asmcgocall keeps where it came from in its frame;
 *   cgocallback's frame on the thread's stack is where m.g0.sched.sp points; systemstack and morestack came from
 *   curg.sched; below mcall the thread's own stack goes on at g0.sched. The last three need the goroutines;
 * - code that no table covers: what the instructions of its beginning pushed. Certain if the return address that is
 *   found so stands behind a call of this very function;
 * guesses:
 * - the same without such a call; the frame pointer; the first word further up the stack that stands behind a call.
 * What is found by way of a guess is a guess too, until a switch of stacks gives a fresh start. */
#ifndef INITRACE_FRAMEWORK_UNWIND_H
#define INITRACE_FRAMEWORK_UNWIND_H

#include "framework/target.h"

enum {
    ITR_STACK_HEAD_MAX = 192, /* the innermost frames, which are kept */
    ITR_STACK_TAIL_MAX = 64,  /* and the outermost ones */
    ITR_STACK_FRAMES_MAX = ITR_STACK_HEAD_MAX + ITR_STACK_TAIL_MAX,
    ITR_UNWIND_FRAMES_MAX = 16384, /* the walk ends here */
};

/* How a frame was found. */
#define ITR_FRAME_WAY_MAP(X)                                                                       \
    X(START, "start")                 /* the registers, or a goroutine's saved state */            \
    X(GO, "go")                       /* Go's table of frame sizes */                              \
    X(CFI, "cfi")                     /* .eh_frame */                                              \
    X(PDATA, "pdata")                 /* the exception table of a PE file */                       \
    X(SIGNAL, "signal")               /* registers that the kernel saved for a signal's handler */ \
    X(SWITCH, "switch")               /* on the other side of a switch of stacks */                \
    X(PROLOGUE, "prologue")           /* what the function's first instructions pushed */          \
    X(FRAME_POINTER, "frame-pointer") /* RBP */                                                    \
    X(SCAN, "scan")                   /* a word on the stack that looks like a return address */

enum itr_frame_way {
#define ITR_FRAME_WAY_ENUM(id, name) ITR_FRAME_##id,
    ITR_FRAME_WAY_MAP(ITR_FRAME_WAY_ENUM)
#undef ITR_FRAME_WAY_ENUM
};

/* Why a walk ended. */
#define ITR_STACK_END_MAP(X)                                                                       \
    X(NONE, "no registers")                                                                        \
    X(BOTTOM, "bottom")  /* the outermost frame */                                                 \
    X(LOST, "lost")      /* no way further */                                                      \
    X(DAMAGED, "damaged") /* a frame that cannot be: the stack does not grow, or runs in circles */ \
    X(LIMIT, "limit")    /* ITR_UNWIND_FRAMES_MAX */

enum itr_stack_end {
#define ITR_STACK_END_ENUM(id, name) ITR_STACK_END_##id,
    ITR_STACK_END_MAP(ITR_STACK_END_ENUM)
#undef ITR_STACK_END_ENUM
};

struct itr_frame {
    uint64_t pc;
    uint64_t sp; /* the stack pointer when the frame's function runs (its caller has returned to it) */
    enum itr_frame_way way;
    bool guessed;
    bool exact; /* `pc` is the instruction itself, not the one behind a call */
};

/* `{0}` is an empty stack. */
struct itr_stack {
    struct itr_frame frames[ITR_STACK_FRAMES_MAX]; /* innermost first */
    uint32_t count;
    uint32_t head;    /* after so many frames of them ... */
    uint32_t omitted; /* ... so many are left out */
    enum itr_stack_end end;
};

/* Where a stack of Go's begins and ends, and where its owner goes on. */
struct itr_go_stack {
    uint64_t g; /* address of runtime.g */
    uint64_t low;
    uint64_t high;
    uint64_t sched_sp;
    uint64_t sched_pc;
    uint64_t sched_bp;
    uint64_t m; /* address of the runtime.m that runs it; 0: none */
};

/* A thread of Go's (runtime.m). */
struct itr_go_thread {
    uint64_t m; /* address */
    int64_t id;
    uint64_t thread; /* the system's id; 0: not known (Go below 1.22 on Windows) */
    uint64_t current; /* address of its goroutine's runtime.g; 0: none */
    struct itr_go_stack g0;
};

/* What the unwinder wants to know of Go's own state. */
struct itr_go_stacks {
    const struct itr_go_stack *goroutines;
    size_t goroutine_count;
    const struct itr_go_thread *threads;
    size_t thread_count;
};

const char *itr_frame_way_name(enum itr_frame_way way);
const char *itr_stack_end_name(enum itr_stack_end end);

/* The stack of a thread. `go` may be NULL: stacks then end, or are guessed, where only it could tell. */
void itr_unwind_thread(const struct itr_target_process *process, const struct itr_go_stacks *go,
                       const struct itr_target_thread *thread, struct itr_stack *stack);

/* The stack of a goroutine that does not run, from its saved state. */
void itr_unwind_saved(const struct itr_target_process *process, const struct itr_go_stacks *go, uint64_t pc,
                      uint64_t sp, uint64_t bp, struct itr_stack *stack);

/* The address whose symbol and line are meant by a frame: its pc, or the byte before where that is a return
 * address. */
uint64_t itr_frame_code(const struct itr_frame *frame);

#endif
