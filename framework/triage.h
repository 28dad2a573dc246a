/* Reads crash texts as people paste them: a stream of any bytes in, one answer out. Memory is bounded whatever
 * the input. It knows no files, prints nothing and runs nothing. */
#ifndef INITRACE_FRAMEWORK_TRIAGE_H
#define INITRACE_FRAMEWORK_TRIAGE_H

#include "framework/classify.h"
#include "framework/error.h"
#include "framework/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITR_TRIAGE_LINE_MAX = 16 * 1024, /* longer lines are cut */
    ITR_FRAMES_MAX = 128,            /* of one stack */
    ITR_STACKS_MAX = 2048,           /* different ones */
    ITR_MESSAGES_MAX = 16,           /* different ones */
    ITR_REGISTERS_MAX = 48,
    ITR_SHAPE_MAX = 64,
};

/* What the text is about. The words are those of outcomes where there is such an outcome. */
#define ITR_CRASH_MAP(X)                                                                           \
    X(NONE, "none")       /* nothing was recognised */                                             \
    X(STACKS, "stacks")   /* stacks only: nothing says why */                                      \
    X(NOTICE, "notice")   /* a remark of the runtime only */                                       \
    X(SETUP, "tool-error") /* the machine's set-up is at fault */                                  \
    X(RACE, "race")       /* a report of the race detector */                                      \
    X(FATAL, "fatal")     /* the runtime gave up, or a panic */                                    \
    X(CRASH, "crash")     /* a signal or an exception */

enum itr_crash_kind {
#define ITR_CRASH_ENUM(id, name) ITR_CRASH_##id,
    ITR_CRASH_MAP(ITR_CRASH_ENUM)
#undef ITR_CRASH_ENUM
};

/* One call. Strings of all these values are raw bytes of the text (escape them), "" when not known, and live
 * as long as the reader. */
struct itr_frame {
    const char *function;
    const char *module; /* of a debugger's frame */
    const char *file;
    uint32_t line; /* 0: not known */
    bool has_pc;
    bool has_offset;
    uint64_t pc;
    uint64_t offset; /* of the PC in the function */
};

#define ITR_STACK_MAP(X)                                                                           \
    X(GOROUTINE, "goroutine")                                                                      \
    X(RUNTIME, "runtime")        /* the runtime's own stack, g0 or gsignal */                      \
    X(THREAD, "thread")          /* a debugger's */                                                \
    X(ACCESS, "access")          /* one side of a race */                                          \
    X(CREATION, "creation")      /* where a goroutine of a race was made */

enum itr_stack_kind {
#define ITR_STACK_ENUM(id, name) ITR_STACK_##id,
    ITR_STACK_MAP(ITR_STACK_ENUM)
#undef ITR_STACK_ENUM
};

/* Goroutines (or threads) that stand at the same place in the same state and were made at the same place. */
struct itr_stack {
    enum itr_stack_kind kind;
    uint64_t id; /* of the first one */
    uint64_t count;
    const char *state; /* "chan receive"; "read" or "write" of an access */
    uint64_t wait_min; /* minutes */
    uint64_t wait_max;
    uint64_t locked; /* so many were locked to their thread */
    struct itr_frame created_by;
    bool elided;      /* the text left frames out, or there were more than ITR_FRAMES_MAX */
    bool unavailable; /* the text says that there is no stack to be had */
    struct itr_frame *frames;
    size_t frame_count;
};

struct itr_crash_message {
    enum itr_message_kind kind;
    uint64_t count;
    char text[ITR_MESSAGE_TEXT_MAX]; /* as in a signature, see message.h */
};

struct itr_crash_register {
    char name[8];
    uint64_t value;
};

/* The answer. */
struct itr_crash {
    enum itr_crash_kind kind;
    unsigned dialects; /* enum itr_dialect */

    /* why: the first message that is more than a remark, then all of them */
    struct itr_crash_message message; /* kind NONE: there was none */
    char printed[512];                /* the same as printed, escaped for a terminal, cut */
    struct itr_crash_message messages[ITR_MESSAGES_MAX];
    size_t message_count;
    bool recovered;  /* a panic that was recovered and raised again */
    uint32_t panics; /* one in the other */

    /* what died */
    char signal[16]; /* "SIGSEGV"; "" for none */
    bool has_exception;
    uint32_t exception;         /* Windows: code of the first */
    char shape[ITR_SHAPE_MAX];  /* "AV+INT3*"; "" for none */
    bool has_code, has_pc, has_address, has_thread, has_m, has_goroutine;
    int64_t code; /* sigcode; of an access violation: 0 read, 1 write, 8 execute */
    uint64_t pc, address;
    uint64_t thread; /* as the debugger or Wine numbers it */
    uint64_t m, goroutine;
    bool caught;      /* a debugger stopped at the signal, or a core shows it: frame 0 is where it came */
    bool gave_up;     /* the text does not say why, but it stopped where a runtime or C library gives up */
    bool in_cgo;      /* it came while C code ran */
    bool has_morebuf; /* old runtimes: where the stack was to grow */
    uint64_t morebuf_pc;
    struct itr_crash_register registers[ITR_REGISTERS_MAX];
    size_t register_count;

    /* where */
    const struct itr_stack *stacks; /* in the order of their first appearance */
    size_t stack_count;
    const struct itr_stack *crashed; /* one of them; NULL: none */
    const struct itr_frame *frames;  /* of `crashed`, below the runtime's own reporting functions */
    size_t frame_count;
    uint64_t goroutines; /* all, merged or not */
    uint64_t threads;

    const char *test; /* of go test; "" */
    const char *package;

    /* what it is called */
    char signature[ITR_SIGNATURE_MAX];
    char detail[ITR_DETAIL_MAX];

    /* what was read: all the above is of the first report */
    uint64_t reports;
    uint64_t bytes, lines; /* lines that were looked at one by one */
    uint64_t hard_bytes;   /* bytes that no text has */
    uint64_t hard_offset;  /* of the first */
    uint64_t long_lines;   /* that were cut */
    bool cut;              /* a ceiling was reached: some stacks or strings are missing */

    /* for itr_triage_sign(): indices into `stacks`, -1 for none */
    int runtime_stack, first_goroutine, main_goroutine, listed_goroutine, first_thread, accesses[2];
};

struct itr_triage;

/* A reader; `reallocate` NULL is realloc(). NULL: out of memory. */
struct itr_triage *itr_triage_new(void *(*reallocate)(void *, size_t));
/* Takes the next bytes; pieces may be of any size. */
void itr_triage_feed(struct itr_triage *triage, const void *bytes, size_t count);
/* Ends the text. The answer is borrowed from the reader. */
enum itr_status itr_triage_answer(struct itr_triage *triage, const struct itr_crash **crash,
                                  struct itr_error *err) ITR_MUST_USE;
void itr_triage_free(struct itr_triage *triage);

const char *itr_crash_kind_name(enum itr_crash_kind kind);
const char *itr_stack_kind_name(enum itr_stack_kind kind);

/* True for a function by which a runtime reports a failure (throw, gopanic, sigpanic, …): never the place of it. */
bool itr_is_reporting(const char *function);
/* Where the program was at the first (0) or second (1) access of a race: not in the runtime, which touches maps and
 * slices for it. NULL: not known. */
const struct itr_frame *itr_race_place(const struct itr_crash *crash, int side);
/* True for a function of the runtime itself. */
bool itr_is_runtime(const char *function);

#endif
