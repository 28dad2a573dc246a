/* The goroutines of a stopped process, read from its memory: the lists runtime.allgs and runtime.allm of every Go
 * library in it. No code of the process runs, no lock is taken: a list that was being changed may be read half-way,
 * and what cannot be is left out.
 *
 * Where the runtime keeps what is read from the library's DWARF, else from a table of the versions whose layout was
 * checked. For any other version nothing is read: ITR_E_UNSUPPORTED says so. */
#ifndef INITRACE_FRAMEWORK_GOROUTINES_H
#define INITRACE_FRAMEWORK_GOROUTINES_H

#include "framework/unwind.h"

enum {
    ITR_GOROUTINES_MAX = 2048,      /* kept ones; further ones are counted */
    ITR_GOROUTINES_LISTED_MAX = 1 << 17,
    ITR_GO_THREADS_MAX = 1024,
    ITR_WAIT_REASON_MAX = 64,
};

enum itr_goroutine_status {
    ITR_GOROUTINE_IDLE = 0,
    ITR_GOROUTINE_RUNNABLE = 1,
    ITR_GOROUTINE_RUNNING = 2,
    ITR_GOROUTINE_SYSCALL = 3,
    ITR_GOROUTINE_WAITING = 4,
    ITR_GOROUTINE_DEAD = 6,
    ITR_GOROUTINE_COPYSTACK = 8,
    ITR_GOROUTINE_PREEMPTED = 9,
    ITR_GOROUTINE_LEAKED = 10, /* Go 1.26 and later */
    ITR_GOROUTINE_DEAD_EXTRA = 11,
};

struct itr_goroutine {
    uint64_t address; /* of its runtime.g */
    uint64_t id;
    uint32_t status; /* enum itr_goroutine_status, or a number of another version's */
    bool scanned;    /* the collector holds it */
    uint8_t wait_code;
    char wait_reason[ITR_WAIT_REASON_MAX]; /* in the runtime's words, escaped for a terminal; "" when it does not wait */
    uint64_t created_at; /* the go statement's return address; 0: by the runtime itself */
    uint64_t parent;     /* id of the creator; 0: not known (Go below 1.21) */
    uint64_t entry;      /* the function it began with */
    uint64_t saved_pc;   /* where it goes on: its state when it last gave up its thread, or entered a system call or C */
    uint64_t saved_sp;
    uint64_t saved_bp;   /* 0: not known */
    bool has_thread;     /* a thread runs it or is in a system call or C code for it */
    int64_t m;           /* that thread's number in Go */
    uint64_t thread;     /* and in the system; 0: not known */
    bool locked;         /* to a thread */
    int64_t locked_m;
    const struct itr_target_module *module; /* whose runtime it belongs to; borrowed from the process */
    struct itr_stack *stack;                /* NULL: it runs where that cannot be seen; owned by the list */
    size_t stack_index;                     /* in the list's `stacks` */
};

/* `{0}` is an empty list; itr_goroutines_release(). */
struct itr_goroutines {
    struct itr_goroutine *items; /* living ones, as in runtime.allgs */
    size_t count;
    size_t dead;   /* kept by the runtime for reuse */
    size_t unread; /* listed, but could not be read */
    size_t more;   /* living ones beyond ITR_GOROUTINES_MAX, and all beyond ITR_GOROUTINES_LISTED_MAX */
    size_t libraries;
    bool from_table; /* a layout was taken from the table, not from DWARF */
    struct itr_go_stacks stacks; /* for the unwinder: of all living and dead ones that were read; owned by the list */
};

/* Reads all of them, with their stacks. ITR_OK with none where there is no Go library, or its lists are still empty.
 * ITR_E_UNSUPPORTED: a Go library whose layout is not known, or whose lists cannot be found (stripped); ITR_E_FORMAT:
 * one whose memory does not hold together; ITR_E_NO_MEMORY. What was read of other libraries is kept with any of
 * them. */
ITR_MUST_USE enum itr_status itr_goroutines_read(struct itr_goroutines *list, const struct itr_target_process *process,
                                                 struct itr_error *err);
void itr_goroutines_release(struct itr_goroutines *list);

/* "waiting", "running", …; "status N" goes into `out` for a number that is not known. Returns `out`. */
const char *itr_goroutine_status_name(uint32_t status, char *out, size_t room);

/* ---- the layout (goroutines_layout.c) ---- */

/* Structure and member of what is read; needed: without it nothing is. */
#define ITR_GO_LAYOUT_MAP(X)                                                                       \
    X(stack_lo, "runtime.stack", "lo", true)                                                       \
    X(stack_hi, "runtime.stack", "hi", true)                                                       \
    X(gobuf_sp, "runtime.gobuf", "sp", true)                                                       \
    X(gobuf_pc, "runtime.gobuf", "pc", true)                                                       \
    X(gobuf_bp, "runtime.gobuf", "bp", true)                                                       \
    X(g_stack, "runtime.g", "stack", true)                                                         \
    X(g_m, "runtime.g", "m", true)                                                                 \
    X(g_sched, "runtime.g", "sched", true)                                                         \
    X(g_syscallsp, "runtime.g", "syscallsp", true)                                                 \
    X(g_syscallpc, "runtime.g", "syscallpc", true)                                                 \
    X(g_status, "runtime.g", "atomicstatus", true)                                                 \
    X(g_id, "runtime.g", "goid", true)                                                             \
    X(g_wait_reason, "runtime.g", "waitreason", true)                                              \
    X(g_locked_m, "runtime.g", "lockedm", true)                                                    \
    X(g_created_at, "runtime.g", "gopc", true)                                                     \
    X(g_entry, "runtime.g", "startpc", true)                                                       \
    X(g_parent, "runtime.g", "parentGoid", false)                                                  \
    X(m_g0, "runtime.m", "g0", true)                                                               \
    X(m_thread, "runtime.m", "procid", true)                                                       \
    X(m_current, "runtime.m", "curg", true)                                                        \
    X(m_id, "runtime.m", "id", true)                                                               \
    X(m_next, "runtime.m", "alllink", true)

struct itr_go_layout {
#define ITR_GO_LAYOUT_FIELD(field, structure, member, needed) uint32_t field;
    ITR_GO_LAYOUT_MAP(ITR_GO_LAYOUT_FIELD)
#undef ITR_GO_LAYOUT_FIELD
    uint32_t g_bytes; /* as much of a runtime.g as is read */
    bool has_parent;
    bool from_table;
};

/* How the runtime of a library lays its structures out. ITR_E_UNSUPPORTED: neither DWARF nor the table knows. */
ITR_MUST_USE enum itr_status itr_go_layout_of(const struct itr_image *image, struct itr_go_layout *layout,
                                              struct itr_error *err);

#endif
