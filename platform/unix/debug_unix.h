/* What the files of the Linux debugger share among themselves. Everything here belongs to the thread that traces
 * the host, but for what struct itrp_debugger marks otherwise. Private to platform/unix. */
#ifndef INITRACE_PLATFORM_UNIX_DEBUG_UNIX_H
#define INITRACE_PLATFORM_UNIX_DEBUG_UNIX_H

#include "framework/ledger.h"
#include "framework/random.h"
#include "platform/debug.h"
#include "platform/unix/process_unix.h"
#include "platform/unix/snapshot_unix.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* A thread of the host's. */
struct itrp_debug_tracee {
    pid_t id;
    enum itr_role role;
    uint32_t record; /* its place in the report's threads; may lie beyond them */
    bool born;       /* its first stop was seen */
    bool stopped;    /* and not told to go on */
    bool entering;   /* goes on to the first instruction of the event's handler */
    int signal;      /* delivered when it goes on */
    bool in_group_stop; /* it stood with its whole group already: there it stays when the debugger goes on */
    /* debug_code.c */
    uint64_t counted_stack; /* its stack pointer at a hit that it has not got over yet; 0: none */
    uint64_t counted_at;    /* and where that was */
    bool goes_over;         /* it makes its step over the breakpoint */
    /* debug_registers.c: what its debug registers hold */
    uint32_t generation;
    uint64_t addresses[1 + ITRP_DEBUG_WATCHES_MAX];
    uint64_t control;
    /* debug_chaos.c */
    bool hold_wanted;       /* at its next stop */
    uint64_t held_until_ns; /* 0: not held */
};

/* How far the search for the library is. */
enum itrp_debug_stage {
    ITRP_DEBUG_STAGE_IDLE,   /* nothing is looked for */
    ITRP_DEBUG_STAGE_ENTRY,  /* on the way to the program's first instruction */
    ITRP_DEBUG_STAGE_LOADER, /* the dynamic linker's reports are watched */
    ITRP_DEBUG_STAGE_MAPPED, /* the library is there */
};

enum { ITRP_DEBUG_CODE_PLACES_MAX = 4 }; /* the entry, the dynamic linker's report, the point */

struct itrp_debug_code_place {
    uint64_t address;
    uint8_t byte; /* what is there without a breakpoint */
};

struct itrp_debugger {
    /* Shared with the loop's thread: written before the thread starts or read after it was joined, */
    const struct itrp_debug_plan *plan;
    struct itr_ledger_reply *reply; /* NULL: no ledger */
    const struct itrp_unix_start *start; /* until `started` */
    uv_thread_t thread;
    uv_sem_t started;
    uv_async_t ended;
    void (*on_end)(void *context);
    void (*on_closed)(void *context);
    void *context;
    bool joined;
    int start_code; /* errno of the start, 0: the host runs, or the report's error says why not */
    bool reaped;
    int status; /* how the host ended */
    pid_t host;
    struct itrp_debug_report report;
    bool paused; /* and this one by atomic access. */
    struct itrp_debug_evidence {
        uv_mutex_t lock; /* of the rest */
        uv_cond_t changed;
        bool wanted;   /* somebody waits for the host to be stopped */
        bool refused;  /* and it could not be, or ends */
        bool released; /* the loop is done with the snapshot */
        struct itr_error error;
        struct itrp_unix_snapshot *snapshot; /* NULL: the host does not stand for one */
    } evidence;

    pid_t self; /* the tracing thread */
    struct itrp_debug_tracee *tracees;
    size_t tracee_count;
    size_t tracee_room;
    pid_t init; /* 0: not born yet */

    /* debug_library.c */
    enum itrp_debug_stage stage;
    uint64_t entry;
    uint64_t program_headers;
    uint64_t program_header_count;
    uint64_t loader_state; /* address of the dynamic linker's struct r_debug */
    uint64_t loader_break; /* the function that it calls when that has changed */
    uint64_t library_bytes;
    pid_t mapper; /* stopped until every other thread's registers are set; 0: none */

    /* debug_registers.c */
    uint32_t generation; /* raised with every change of what the registers are to hold */
    uint64_t point_address;
    uint64_t watch_addresses[ITRP_DEBUG_WATCHES_MAX];
    uint64_t watch_values[ITRP_DEBUG_WATCHES_MAX];

    /* debug_code.c */
    int code_memory; /* the host's memory as a file; -1: breakpoints are not in the code */
    struct itrp_debug_code_place code_places[ITRP_DEBUG_CODE_PLACES_MAX];
    size_t code_place_count;
    struct itrp_debug_code_place *code_place; /* where one is now; NULL: nowhere */
    uint32_t code_away;     /* children that share the host's memory for a while: it is taken out */
    pid_t over;             /* the thread that is being brought over it while all others stand; 0: none */
    bool over_steps;        /* and it makes its step now */
    uint64_t over_until_ns; /* longest wait for others to stand, or for the step */

    /* debug_shot.c */
    bool point_done;
    int shot_signal; /* sent and not taken yet; 0: none */
    pid_t held;      /* stopped at the point; 0: nobody */
    uint64_t held_until_ns;
    uint32_t late_stops; /* handled since then */
    pid_t taker;          /* in the event's handler while somebody is held; 0: nobody */
    uint64_t taker_stack; /* its stack pointer when it returns from the handler */

    /* debug_pause.c */
    pid_t pauser; /* the thread that reached the point, while all others are being stopped */

    /* debug_evidence.c */
    bool gathering;     /* threads are being stopped, or stand, for evidence */
    bool gathered;      /* of a fault or an end: once a host */
    pid_t gathered_for; /* the thread that it is about; 0: none */
    enum itrp_snapshot_reason gathering_reason;
    struct itrp_unix_snapshot *gathering_snapshot;
    uint64_t gather_until_ns; /* longest wait for the others to stand */
    uint32_t exit_status;

    /* debug_trace.c */
    bool tracing;
    uint32_t *trace;
    uint64_t trace_room;

    /* debug_chaos.c */
    struct itr_random random;
    uint64_t next_interrupt_ns; /* 0: none */
    uint32_t interrupts;

    /* debug_clock.c */
    timer_t timer;
    bool has_timer;
    uint64_t timer_ns; /* what it is set to; 0: not running */

    /* debug_faults.c */
    uint32_t modules_asked;
    struct itrp_debug_fault last_signal; /* that might end the host */
    bool last_signal_counted;
};

/* ---- debug.c ---- */

/* Records the debugger's own failure, the first one only, and ends the host. */
void itrp_debug_fail(struct itrp_debugger *debugger, enum itr_status status, int64_t os_code, const char *format,
                     ...) ITR_PRINTF(4, 5);

/* ---- debug_stops.c ---- */

/* A thread, perhaps a new one, is in a stop of ptrace's. */
void itrp_debug_stopped(struct itrp_debugger *debugger, pid_t thread, int status);
/* A thread was reaped. */
void itrp_debug_ended(struct itrp_debugger *debugger, pid_t thread, int status);

/* ---- debug_tracees.c ---- */

uint64_t itrp_debug_now_ns(void);
/* ptrace() on a stopped thread. False if the thread is gone, which is normal; any other failure is recorded. */
bool itrp_debug_ptrace(struct itrp_debugger *debugger, int request, const struct itrp_debug_tracee *tracee,
                       uint64_t address, uint64_t data);
/* One of `struct user`'s words; false if the thread is gone. */
bool itrp_debug_peek_user(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, size_t offset,
                          uint64_t *value);
bool itrp_debug_peek_pc(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, uint64_t *pc);
bool itrp_debug_signal_info(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, siginfo_t *info);
/* The host's memory; false if any of it is not there. */
bool itrp_debug_read(const struct itrp_debugger *debugger, uint64_t address, void *bytes, size_t count);
/* A mask in /proc/PID/task/`thread`/status, as "SigBlk"; false if it cannot be read. */
bool itrp_debug_signal_mask(const struct itrp_debugger *debugger, pid_t thread, const char *name, uint64_t *mask);

/* Valid until the next thread is added or removed. NULL if there is none. */
struct itrp_debug_tracee *itrp_debug_tracee(struct itrp_debugger *debugger, pid_t id);
/* The same, added if it is new; NULL if it is none of the host's threads, or memory is out. */
struct itrp_debug_tracee *itrp_debug_tracee_add(struct itrp_debugger *debugger, pid_t id);
void itrp_debug_tracee_remove(struct itrp_debugger *debugger, pid_t id);
/* Lets a stopped thread go on in the way that fits what it is in. `signal` 0: none. */
void itrp_debug_resume(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, int signal);
/* Stops a running thread soon. */
void itrp_debug_interrupt(const struct itrp_debug_tracee *tracee);

/* ---- debug_clock.c: waking the tracing thread from its wait ---- */

/* Makes waitpid() of the tracing thread fail with EINTR at `time_ns` and again and again after it, until it is
 * called with another time. 0: never. */
void itrp_debug_wake_at(struct itrp_debugger *debugger, uint64_t time_ns);
/* The thread's own signals: all blocked but the one that wakes it. */
void itrp_debug_clock_open(struct itrp_debugger *debugger);
void itrp_debug_clock_close(struct itrp_debugger *debugger);
/* From another thread: the wait fails once, now. Only after the clock was opened. */
void itrp_debug_clock_wake(const struct itrp_debugger *debugger);

/* ---- debug_library.c: where the library is ---- */

/* At the stop of the exec. */
void itrp_debug_library_begin(struct itrp_debugger *debugger);
/* The breakpoint of the stage was reached. */
void itrp_debug_library_reached(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);
/* For a host that is only watched for evidence, in which nothing was looked for: true if the library is mapped now. */
bool itrp_debug_library_seen(struct itrp_debugger *debugger);
/* Lets the mapping thread go on once every thread is armed. */
void itrp_debug_library_look(struct itrp_debugger *debugger);

/* ---- debug_registers.c ---- */

/* Where the stage wants to stop threads; 0: nowhere. */
uint64_t itrp_debug_break_address(const struct itrp_debugger *debugger);
/* The thread has reached that place. True if it stays stopped. */
bool itrp_debug_reached(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, uint64_t address);

/* Gives a stopped thread the registers that its role should have now. */
void itrp_debug_registers_sync(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);
void itrp_debug_registers_clear(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);
/* True if the thread must be stopped for registers that it should have and has not. */
bool itrp_debug_registers_missing(const struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee);
/* The library is mapped: addresses of point and watches, and the values that those have. */
void itrp_debug_registers_arm(struct itrp_debugger *debugger);
/* A debug exception of the thread's. True if it stays stopped. */
bool itrp_debug_registers_hit(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);

#define ITRP_DEBUG_SYSCALL_STOP (SIGTRAP | 0x80)

/* ---- debug_code.c: where debug registers do not work ---- */

/* After the exec, and before the host ends or becomes another program. */
void itrp_debug_code_open(struct itrp_debugger *debugger);
void itrp_debug_code_close(struct itrp_debugger *debugger);
/* itrp_debug_break_address() may have changed, or who is to have it in its registers. */
void itrp_debug_break_changed(struct itrp_debugger *debugger);
/* A breakpoint instruction was executed. False if it is the host's own. */
bool itrp_debug_code_trapped(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);
/* Any stop, before anything else is done about it. `signal` is ITRP_DEBUG_SYSCALL_STOP, or that of a stop before its
 * delivery, else 0. */
void itrp_debug_code_stopped(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, int signal);
/* Goes on with bringing a thread over the breakpoint. */
void itrp_debug_code_look(struct itrp_debugger *debugger);
/* When it must be called at the latest; 0: never. */
uint64_t itrp_debug_code_next_ns(const struct itrp_debugger *debugger);
/* Takes the breakpoint out of the code while nobody runs, and puts it in again. */
void itrp_debug_code_hide(struct itrp_debugger *debugger, bool hidden);
/* A process that the host made, stopped at its birth, is about to be let go: without the breakpoint. */
void itrp_debug_code_child(struct itrp_debugger *debugger, pid_t child);
/* A vforked one is the host's memory's no more. */
void itrp_debug_code_vfork_done(struct itrp_debugger *debugger);

/* ---- debug_shot.c ---- */

/* The point's instruction is next. True if the thread stays stopped. */
bool itrp_debug_point_reached(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);
/* True if the signal, about to be delivered, is the shot's: it is made to look as its delivery says. */
bool itrp_debug_shot_taken(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, siginfo_t *info);
/* The thread is at the first instruction of the event's handler. */
void itrp_debug_shot_entered(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);
/* The thread is about to make a system call: the held one is released if this one is through with the event. */
void itrp_debug_shot_syscall(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);
/* Somebody is held and need not be any more. */
void itrp_debug_release(struct itrp_debugger *debugger, bool expired);
/* The thread is gone: it takes nothing any more and is not held. */
void itrp_debug_shot_forget(struct itrp_debugger *debugger, pid_t thread);

/* ---- debug_pause.c ---- */

/* Stops all threads beside this one, which is at the point. */
void itrp_debug_pause_begin(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee);
/* Leaves the host once all are stopped. */
void itrp_debug_pause_look(struct itrp_debugger *debugger);

/* ---- debug_evidence.c ---- */

/* A signal is about to be delivered. True if the host is being stopped for evidence first: the signal is kept. */
bool itrp_debug_evidence_signal(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, const siginfo_t *info);
/* A thread is ending. True if the host as a whole is, and is being stopped for evidence first. */
bool itrp_debug_evidence_exit(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);
/* Takes the snapshot once all stand, and lets them go on once it was looked at. */
void itrp_debug_evidence_look(struct itrp_debugger *debugger);
/* When it must be called at the latest; 0: never. */
uint64_t itrp_debug_evidence_next_ns(const struct itrp_debugger *debugger);
/* The host has ended: nobody need wait any more. */
void itrp_debug_evidence_end(struct itrp_debugger *debugger);

/* ---- debug_trace.c ---- */

bool itrp_debug_is_traced(const struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee);
/* A step was made; `pc` is the next instruction. */
void itrp_debug_trace_step(struct itrp_debugger *debugger, uint64_t pc);

/* ---- debug_chaos.c ---- */

void itrp_debug_chaos_begin(struct itrp_debugger *debugger);
/* A stop at which a hold may begin: `creator` of a thread, or the born one itself. True if it stays stopped. */
bool itrp_debug_chaos_birth(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, bool creator);
/* The stop after an interrupt; true if the thread stays stopped. */
bool itrp_debug_chaos_stopped(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee);
/* Ends holds that are over, makes interrupts that are due. */
void itrp_debug_chaos_look(struct itrp_debugger *debugger, uint64_t now_ns);
/* When the next of those is; 0: never. */
uint64_t itrp_debug_chaos_next_ns(const struct itrp_debugger *debugger);

/* ---- debug_faults.c ---- */

/* A signal of the host's own, about to be delivered. */
void itrp_debug_fault_seen(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee,
                           const siginfo_t *info);
/* The host has ended by this signal: if it was not counted as a fault yet, it is one now. */
void itrp_debug_fault_ended(struct itrp_debugger *debugger, int signal);

#endif
