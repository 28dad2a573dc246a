/* What the files of the Windows debugger share among themselves, and process.c's way in: one debugger a
 * host, on a thread of its own that starts the host and gets all its events.
 *
 * Debug registers: 0 has the point, 1 and 2 the watches, 3 where a traced thread comes back to the library;
 * until it comes there first, all of 1 to 3 that are free. Where threads have none that trip, or the plan says so,
 * breakpoints in the code stand for the point and the traced thread's places (report.code_breakpoints). */
#ifndef INITRACE_PLATFORM_WINDOWS_DEBUG_WINDOWS_H
#define INITRACE_PLATFORM_WINDOWS_DEBUG_WINDOWS_H

#include "framework/look.h"
#include "framework/random.h"
#include "framework/walk.h"
#include "platform/platform.h"
#include "platform/windows/snapshot_windows.h"

#include <windows.h>

/* ---- debug.c: what process.c sees ---- */

struct itrp_windows_debugger;

/* Starts the host for the debugger: called on the debugger's own thread, as the debug API wants. The
 * handle stays the one's who gave the function. */
typedef enum itr_status (*itrp_windows_launch_fn)(void *context, HANDLE *process, DWORD *id,
                                                  struct itr_error *err);

/* Returns when the host was started, or was not. On success `*out` is to be given to itrp_windows_debugger_free(). Of the
 * plan and the ledger it has copies of its own: its thread may outlive them. */
enum itr_status itrp_windows_debugger_start(struct itrp_windows_debugger **out,
                                            const struct itrp_process_spec *spec,
                                            itrp_windows_launch_fn launch, void *context,
                                            struct itr_error *err) ITR_MUST_USE;
/* The debugger's thread, until it is joined: it ends when the host has ended. Borrowed. */
HANDLE itrp_windows_debugger_thread(const struct itrp_windows_debugger *debugger);
const struct itrp_debug_report *itrp_windows_debugger_report(
    const struct itrp_windows_debugger *debugger);
/* The caller is about to end the host: what ends with it has not ended by itself. Any thread. */
void itrp_windows_debugger_killed(struct itrp_windows_debugger *debugger);
/* Waits for the debugger's thread at most `timeout_ms`; the host must have been ended before. False: it is left to itself,
 * and the debugger is not the caller's any more. More than once is fine after true. */
bool itrp_windows_debugger_join(struct itrp_windows_debugger *debugger,
                                uint32_t timeout_ms) ITR_MUST_USE;
/* debug_evidence.c, from the loop's thread: as itrp_process_snapshot(), _stop(), _go_on(). */
const struct itrp_snapshot *itrp_windows_debugger_snapshot(struct itrp_windows_debugger *debugger);
enum itr_status itrp_windows_debugger_stop(struct itrp_windows_debugger *debugger,
                                           uint32_t timeout_ms, struct itr_error *err) ITR_MUST_USE;
void itrp_windows_debugger_go_on(struct itrp_windows_debugger *debugger);
/* Joined first, or not started. NULL is fine. */
void itrp_windows_debugger_free(struct itrp_windows_debugger *debugger);

/* ---- shared by the debugger's own files ---- */

/* In EFLAGS: a trap after the next instruction. */
#define ITRP_WINDOWS_TRAP_FLAG 0x100u
/* The instruction that stands in the place of another one's first byte. */
#define ITRP_WINDOWS_BREAKPOINT 0xCC

enum {
    ITRP_WINDOWS_PLACES_MAX = 3,
    ITRP_WINDOWS_MODULES_MAX = 128,
    ITRP_WINDOWS_BREAKPOINTS_MAX = 8,    /* in the code at the same time */
    ITRP_WINDOWS_BIRTHS_MAX = 8,         /* breakpoints of debug_births.c */
    ITRP_WINDOWS_BREAKPOINTS_PAST = 256, /* of those taken out again that are remembered */
};

/* A thread of the host, while it lives. */
struct itrp_windows_thread {
    HANDLE handle; /* the debug API's */
    DWORD id;
    enum itr_role role;
    uint32_t entry; /* in report.threads, ITRP_DEBUG_THREADS_MAX: not recorded */
    bool has_point; /* what its debug registers hold */
    bool has_watches;
    bool stepping;         /* its trap flag is set */
    bool inside;           /* stepping: it was in the library at its last step */
    uint64_t return_to;    /* stepping goes on there, 0: nowhere */
    uint64_t return_stack; /* with the stack pointer above this */
    uint64_t
        places[ITRP_WINDOWS_PLACES_MAX]; /* stepping begins where it comes first; the best first */
    uint32_t place_count;
    uint64_t start;         /* where it begins; 0: not known, or stepped over */
    bool frozen;            /* while another one is stepped */
    uint64_t held_until_ns; /* by chaos; 0: not held */
    uint64_t over; /* its trap flag is set to step it over the breakpoint there, which was counted; 0: none */
    bool stopped;  /* while another one is stepped over its breakpoint */
    bool flag_left; /* Wine: its trap flag may come back once */
};

struct itrp_windows_breakpoint {
    uint64_t address;
    uint8_t original; /* what it stands in the place of */
};

/* Breakpoints in the code. */
struct itrp_windows_code {
    struct itrp_windows_breakpoint in[ITRP_WINDOWS_BREAKPOINTS_MAX];
    uint32_t in_count;
    uint64_t past[ITRP_WINDOWS_BREAKPOINTS_PAST];
    uint32_t past_count;
    DWORD over_thread; /* it is stepped over one, and all others stand; 0: none is */
    uint64_t over_address;
    uint64_t over_until_ns; /* the others stand no longer than that */
    bool library_gone;      /* unmapped again */
};

/* Snapshots of the host. */
struct itrp_windows_evidence {
    uv_mutex_t lock; /* of all down to `snapshot` */
    uv_cond_t changed;
    bool wanted;          /* somebody waits for the host to be stopped, */
    uint64_t deadline_ns; /* until then */
    bool refused;         /* and it could not be: `error`; or it has ended */
    bool ended;
    bool released;        /* the loop is done with the snapshot */
    bool loops_own;       /* it was not in time: the loop frees it */
    struct itr_error error;
    struct itrp_windows_snapshot *snapshot; /* NULL: the host does not stand for one */
    bool gathered;         /* of a fault or an end: once a host */
    uint64_t exit_address; /* of the function that ends a process */
    uint8_t exit_original; /* its first byte, */
    bool exit_is_in;       /* while a breakpoint stands there */
    bool exit_was_in;
};

struct itrp_windows_debugger {
    const struct itrp_debug_plan *plan; /* `own_plan` */
    struct itrp_debug_plan own_plan;
    struct itr_shot_request own_shot;
    char *own_library;
    struct itr_ledger *ledger;    /* a view of its own; NULL: none */
    struct itr_shot_reply *reply; /* the shot's, in the ledger; NULL: no ledger or no shot */
    struct itrp_debug_report report;
    bool is_wine;

    /* the start, handed over between the two threads */
    itrp_windows_launch_fn launch;
    void *launch_context;
    struct itr_error *launch_error;
    enum itr_status launch_status;
    HANDLE launched; /* event */
    struct itrp_windows_call *call; /* the debugger's thread; NULL: not started, or joined */

    /* the host */
    HANDLE process;       /* the debugger's own, closed with it */
    HANDLE event_process; /* the debug API's */
    DWORD id;
    bool exited;
    bool killed;          /* by the caller; atomic */
    bool failed;          /* the debugger's own failure: the host is being ended */
    bool detached;        /* paused for a person's own debugger */
    bool seen_breakpoint; /* the loader's own one */
    uint64_t
        modules[ITRP_WINDOWS_MODULES_MAX]; /* where they are mapped; further ones are not known */
    size_t module_count;
    BY_HANDLE_FILE_INFORMATION library;
    bool library_known;
    uint64_t library_bytes;
    struct itr_walk walk; /* of the traced thread, once its trace has begun */
    DWORD run_over_thread;     /* it runs free to where it will be stepped on; 0: none does */
    uint64_t run_over_until_ns; /* by then it should have come there */
    uint64_t library_entry;    /* address of its entry function, 0: it has none */
    uint64_t library_callback; /* and of the first function the loader calls before that one */
    bool has_init;             /* the library's first thread was born */
    struct itrp_windows_thread *threads;
    size_t thread_count;
    size_t thread_room;

    /* point and shot */
    bool point_done;
    LPTHREAD_START_ROUTINE ctrl_routine;
    DWORD control;
    DWORD event_thread; /* 0: not started */
    DWORD held_thread;  /* 0: none */
    struct itr_patience hold;

    struct itrp_windows_code code;
    struct itrp_windows_evidence evidence;

    /* watches */
    uint64_t watched[ITRP_DEBUG_WATCHES_MAX]; /* addresses */
    uint64_t values[ITRP_DEBUG_WATCHES_MAX];  /* last ones seen */

    /* trace */
    uint32_t *trace;
    size_t trace_room;
    bool trace_done;
    DWORD stepped_alone; /* the thread for which all others are frozen, 0: none */

    /* chaos */
    struct itr_random random;
    uint64_t chaos_next_ns;
    DWORD_PTR processors;
    bool one_processor;
    uint64_t births[ITRP_WINDOWS_BIRTHS_MAX]; /* where breakpoints stand, see debug_births.c */
    uint32_t birth_count;
};

/* The debugger cannot go on: notes why, unless the host has ended meanwhile, and ends the host. */
void itrp_windows_debug_fail(struct itrp_windows_debugger *debugger, DWORD os_code,
                             const char *what);
/* The same without an error of the system's. */
void itrp_windows_debug_refuse(struct itrp_windows_debugger *debugger, enum itr_status status,
                               const char *what);

/* ---- debug_threads.c: the host's threads and their debug registers ---- */

struct itrp_windows_thread *itrp_windows_thread_of(struct itrp_windows_debugger *debugger,
                                                   DWORD id);
/* A thread was born; `start` is where it begins. NULL when the debugger failed. */
struct itrp_windows_thread *itrp_windows_thread_born(struct itrp_windows_debugger *debugger,
                                                     DWORD id, HANDLE handle, const void *start);
void itrp_windows_thread_ended(struct itrp_windows_debugger *debugger, DWORD id);
/* True if the thread whose end was just told ended because the whole process does, as far as that can be
 * seen yet. */
bool itrp_windows_ends_with_all(const struct itrp_windows_debugger *debugger, DWORD id);
/* The library is mapped: arms all threads that live. */
void itrp_windows_arm(struct itrp_windows_debugger *debugger);
/* Where the thread is to be stopped has changed: puts it into the debug registers of `context`, which is written by
 * the caller, or into the code. */
void itrp_windows_fill_traps(struct itrp_windows_debugger *debugger,
                             const struct itrp_windows_thread *thread, CONTEXT *context);
/* The same for a thread whose context is not at hand; false as itrp_windows_set_context(). */
bool itrp_windows_set_traps(struct itrp_windows_debugger *debugger,
                            const struct itrp_windows_thread *thread);
/* GetThreadContext and SetThreadContext; false, and the debugger's failure, if it cannot be done with a
 * thread that still lives. */
bool itrp_windows_get_context(struct itrp_windows_debugger *debugger,
                              const struct itrp_windows_thread *thread, CONTEXT *context);
bool itrp_windows_set_context(struct itrp_windows_debugger *debugger,
                              const struct itrp_windows_thread *thread, const CONTEXT *context);
uint64_t itrp_windows_point_address(const struct itrp_windows_debugger *debugger);
bool itrp_windows_in_debugged_library(const struct itrp_windows_debugger *debugger,
                                      uint64_t address);
/* Reads bytes of the host, as they are without breakpoints in the code; false if they are not there. */
bool itrp_windows_peek(const struct itrp_windows_debugger *debugger, uint64_t address, void *to,
                       size_t bytes);

/* ---- debug_modules.c: what is mapped where ---- */

/* Finds the file the plan names, before the host runs. */
void itrp_windows_identify_library(struct itrp_windows_debugger *debugger);
/* A module was mapped from `file`, which is closed here; arms everything if it is the library. */
void itrp_windows_module_mapped(struct itrp_windows_debugger *debugger, const void *base,
                                HANDLE file);
void itrp_windows_module_unmapped(struct itrp_windows_debugger *debugger, const void *base);
/* Base of the module that `address` is in, 0: none. */
uint64_t itrp_windows_module_of(const struct itrp_windows_debugger *debugger, uint64_t address);
/* True if a module's header says that what is at `address` is executed. */
bool itrp_windows_is_code(const struct itrp_windows_debugger *debugger, uint64_t address);

/* ---- debug_code.c: breakpoints in the code ---- */

enum itrp_windows_whose {
    ITRP_WINDOWS_TRAP_HOSTS,
    ITRP_WINDOWS_TRAP_STANDS, /* the debugger's: the thread stands before an instruction that was to be reached */
    ITRP_WINDOWS_TRAP_DONE,   /* the debugger's, and nothing is left to be done but to go on */
};

/* Puts in what the point and the traced thread's places want now, and takes out what they do not. */
void itrp_windows_code_update(struct itrp_windows_debugger *debugger);
/* The library was unmapped, with all that was put into it. */
void itrp_windows_code_library_gone(struct itrp_windows_debugger *debugger);
/* Puts into bytes read at `address` what the host itself has there. */
void itrp_windows_code_hide(const struct itrp_windows_debugger *debugger, uint64_t address,
                            void *bytes, size_t count);
/* Writes a byte of the host's code; false, with the system's last error, if that cannot be. */
bool itrp_windows_write_code(const struct itrp_windows_debugger *debugger, uint64_t address, uint8_t byte);
/* Takes all of them out while nobody runs, or puts them in again. */
void itrp_windows_code_lift(struct itrp_windows_debugger *debugger, bool lifted);
bool itrp_windows_code_is_in(struct itrp_windows_debugger *debugger, uint64_t address);
/* Whose an exception of the thread is; the host's come here too, they end what was begun. */
enum itrp_windows_whose itrp_windows_code_whose(struct itrp_windows_debugger *debugger,
                                                struct itrp_windows_thread *thread, DWORD exception,
                                                uint64_t address);
/* The thread stands before a breakpoint that stays in: stops all others, takes it out, and puts into `context`, which
 * is written by the caller, that the thread traps after one instruction. False if there is none, or the instruction
 * is a breakpoint of the host's own. */
bool itrp_windows_code_step_over(struct itrp_windows_debugger *debugger,
                                 struct itrp_windows_thread *thread, CONTEXT *context);
/* A thread was born, perhaps while all but one stand. */
void itrp_windows_code_birth(struct itrp_windows_debugger *debugger,
                             struct itrp_windows_thread *thread);
/* A thread ended, perhaps the one that was stepped. */
void itrp_windows_code_ended(struct itrp_windows_debugger *debugger, DWORD id);
/* Lets the others go on when a step takes too long. When to look next; UINT64_MAX: never. */
uint64_t itrp_windows_code_look(struct itrp_windows_debugger *debugger, uint64_t now_ns);

/* ---- debug_trap.c: exceptions ---- */

/* Returns how the exception is to be continued; DBG_CONTINUE for the debugger's own. */
DWORD itrp_windows_on_exception(struct itrp_windows_debugger *debugger, DWORD thread,
                                const EXCEPTION_DEBUG_INFO *info);

/* ---- debug_shot.c: the hit, its event, the hold, the pause ---- */

/* Finds what the shot needs, before the host runs. */
void itrp_windows_prepare_shot(struct itrp_windows_debugger *debugger);
/* `thread` reached the point for the last time that counts. */
void itrp_windows_hit(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread);
/* The event's own thread, if it is this one, has come to the handlers: the time of a hold counts from here. */
void itrp_windows_event_begun(struct itrp_windows_debugger *debugger, DWORD id);
/* A thread with this id ended: perhaps the event's own. */
void itrp_windows_event_ended(struct itrp_windows_debugger *debugger, DWORD id, DWORD exit_code);
/* Lets the held thread go on when its time is over. */
void itrp_windows_check_hold(struct itrp_windows_debugger *debugger, uint64_t now_ns);
/* The hit thread goes on with the debug event that is continued now. */
void itrp_windows_note_release(struct itrp_windows_debugger *debugger);

/* ---- debug_trace.c ---- */

/* Steps a thread on that was let run and has not come to where it should. When to look next; UINT64_MAX: never. */
uint64_t itrp_windows_trace_look(struct itrp_windows_debugger *debugger, uint64_t now_ns);

/* The thread is to be traced. */
void itrp_windows_trace_begin(struct itrp_windows_debugger *debugger,
                              struct itrp_windows_thread *thread);
/* A thread was born, perhaps while all but one are frozen. */
void itrp_windows_trace_birth(struct itrp_windows_debugger *debugger,
                              struct itrp_windows_thread *thread);
/* Lets the frozen threads go on. */
void itrp_windows_trace_thaw(struct itrp_windows_debugger *debugger);
/* True if a trap at `address` is the trace's. */
bool itrp_windows_is_traced(const struct itrp_windows_thread *thread, uint64_t address);
/* A thread that is traced stands before an instruction: keeps it, and puts into its context, which is written
 * by the caller, how it goes on. */
void itrp_windows_trace_step(struct itrp_windows_debugger *debugger,
                             struct itrp_windows_thread *thread, CONTEXT *context);

/* ---- debug_evidence.c ---- */

/* The host is about to run its first instruction: from now on its end is watched. */
void itrp_windows_evidence_begin(struct itrp_windows_debugger *debugger);
/* An exception of the host's is about to be passed on to it: looks at the host first if it is fatal. */
void itrp_windows_evidence_exception(struct itrp_windows_debugger *debugger, DWORD thread,
                                     const EXCEPTION_DEBUG_INFO *info);
/* True if an exception is the trap of a thread that ends the process: it can go on. */
bool itrp_windows_evidence_trap(struct itrp_windows_debugger *debugger, DWORD thread,
                                const EXCEPTION_RECORD *record);
/* Looks at the host if somebody has asked for that; no debug event may be open. */
void itrp_windows_evidence_look(struct itrp_windows_debugger *debugger);
/* There will be no more events: nobody need wait any more. */
void itrp_windows_evidence_end(struct itrp_windows_debugger *debugger);

/* ---- debug_births.c ---- */

void itrp_windows_births_watch(struct itrp_windows_debugger *debugger);
/* Takes the breakpoints out while nobody runs, or puts them in again. */
void itrp_windows_births_lift(const struct itrp_windows_debugger *debugger, bool lifted);
/* True if the exception was one of them; the thread goes on behind it. */
bool itrp_windows_births_trap(struct itrp_windows_debugger *debugger, DWORD thread_id,
                              const EXCEPTION_RECORD *record);

/* ---- debug_chaos.c ---- */

void itrp_windows_chaos_begin(struct itrp_windows_debugger *debugger);
void itrp_windows_chaos_birth(struct itrp_windows_debugger *debugger,
                              struct itrp_windows_thread *thread);
/* The thread has just made another one, or let one go. */
void itrp_windows_chaos_made(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread);
/* Does what is due; returns when it wants to be called again, UINT64_MAX: never. */
uint64_t itrp_windows_chaos_turn(struct itrp_windows_debugger *debugger, uint64_t now_ns);

#endif
