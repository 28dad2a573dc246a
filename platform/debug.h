/* Running a host under a debugger: exact fire points, watched variables, traces of the instructions a
 * thread runs, perturbed scheduling. One plan goes in with the start of the process (struct
 * itrp_process_spec), one report comes out after its end; in between the back-end acts by itself, on a
 * thread of its own, so that the caller's loop only keeps the deadline (itrp_process_kill()).
 *
 * Linux: ptrace. Windows: the debug API. A place in the code is watched for in one of two ways:
 * - by per-thread debug registers, armed in each thread at its birth; the host's code is not written to;
 * - where the machine has none (paravirtual guests do not pass them on: writing them works and nothing ever
 *   trips), by a breakpoint instruction in the code, one at a time, seen by all threads. A thread that reaches it
 *   without being the one that counts is stepped over it while every other thread stands still, so that no thread
 *   ever passes the place unseen. Variables cannot be watched then.
 *
 * Caveats. A debugged host is slower where threads are born, and under Windows the event itself takes
 * another path (DBG_CONTROL_C reaches the debugger first): debugged trials are counted apart. A write that
 * the kernel makes on the host's behalf does not trip a watch. Processes that the host forks run free. */
#ifndef INITRACE_PLATFORM_DEBUG_H
#define INITRACE_PLATFORM_DEBUG_H

#include "framework/error.h"
#include "framework/event.h"
#include "framework/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITRP_DEBUG_WATCHES_MAX = 2,
    ITRP_DEBUG_WRITES_MAX = 256,
    ITRP_DEBUG_FAULTS_MAX = 8,
    ITRP_DEBUG_RUNS_MAX = 16,
    ITRP_DEBUG_THREADS_MAX = 64, /* recorded ones; more may live */
    ITRP_DEBUG_STEPS_MAX = 16 * 1024 * 1024,
};

/* An instruction of the library and who must reach it how often. The point is hit just before that
 * instruction is executed for the `occurrence`th time by a thread of that role (ITR_ROLE_ANY: by all
 * threads together). */
struct itrp_debug_point {
    uint64_t rva;        /* from the library's base, as framework/image.h has it */
    uint32_t occurrence; /* from 1 */
    enum itr_role role;
};

/* A variable whose writes are recorded, in every thread. */
struct itrp_debug_watch {
    uint64_t address; /* rva in the library, or absolute */
    uint8_t bytes;    /* 1, 2, 4 or 8, aligned to its size */
    bool absolute;
};

enum itrp_debug_pause {
    ITRP_DEBUG_NO_PAUSE,
    ITRP_DEBUG_PAUSE_BEFORE, /* at the hit, the event not sent */
    ITRP_DEBUG_PAUSE_AFTER,  /* at the hit, the event sent (and pending, where it has not run yet) */
};

/* What the debugger is to do with one host. Borrowed, with all it points to, until itrp_process_close(). */
struct itrp_debug_plan {
    const char *library;          /* path as the host loads it; the point counts from its mapping on, before
                                     its constructors run. NULL or "": nothing can be armed */
    bool has_point;
    struct itrp_debug_point point;
    /* What to fire at the hit; NULL: nothing, the hit is only reported. Of the shot: event, delivery,
     * target, hold_ns.
     * Linux: `delivery` decides the si_code the handler sees (kill SI_USER, tgkill SI_TKILL, sigqueue
     * SI_QUEUE, timer SI_TIMER; si_pid and si_uid are the host's own, as if it had sent it itself).
     * target process: as kill() would choose with no thread stopped; main, init: that thread; caller: the
     * thread that hit the point. An event for the hit thread is taken by it before the instruction runs.
     * Windows: a thread of the host's is started at CtrlRoutine (`ctrl_routine`), whatever the target.
     * While an event for somebody else is under way the hit thread is held: until its taker is through (Linux:
     * returned from the handler; Windows: the event's thread ended), at most hold_ns. hold_ns 0: not held.
     * hold_ns counts from the moment at which the event has come to its taker, with half a second for the way there
     * (Windows: only CTRL_C and CTRL_BREAK say when their thread has come to the handlers; Linux: only a signal
     * that its taker does not block). Windows: where this program itself comes late to look, for want of a processor, that
     * time does not count, up to ten times hold_ns. */
    const struct itr_shot_request *shot;
    uint64_t ctrl_routine; /* Windows: address of kernelbase's CtrlRoutine; 0: look its export up */
    struct itrp_debug_watch watches[ITRP_DEBUG_WATCHES_MAX];
    uint32_t watch_count;
    /* The point is a breakpoint instruction in the code also where there are debug registers. Not together with
     * watches. Without debug registers it is always one. */
    bool code_breakpoints;
    /* Steps the first thread of `trace_role` from its birth (main: from the library's mapping) and records
     * each instruction it executes in the library; until the host's ledger says init-done, the thread ends, or
     * `trace_steps_max` instructions were stepped (0: ITRP_DEBUG_STEPS_MAX). Windows: what the library calls
     * elsewhere runs unstepped, with what it calls back, so do functions that have shown nothing new the last time
     * (framework/walk.h), and all other threads stand still while one is stepped. */
    bool trace;
    enum itr_role trace_role; /* ITR_ROLE_INIT or ITR_ROLE_MAIN */
    uint64_t trace_steps_max;
    /* Perturbs the scheduling, every choice drawn from `chaos_seed`: holds threads at their birth, their
     * creators, and any thread at random moments, for random times up to `chaos_hold_ns`; random priorities;
     * now and then all on one processor. */
    bool chaos;
    uint64_t chaos_seed;
    uint64_t chaos_hold_ns; /* longest single hold; 0: 2 ms, on Windows 64 ms */
    /* At the hit the host is left stopped as a whole, with no debugger attached, so that a person's own can
     * attach; the report's `paused` is set then, and the caller ends the process when it is done. */
    enum itrp_debug_pause pause;
    /* The host is stopped as a whole before the first signal that means a fault, or will end it, is delivered (Windows:
     * at its first fatal exception, before any handler of its own), or else when it ends by itself (exit), and stands
     * until itrp_process_go_on(): platform/snapshot.h. Also then itrp_process_stop() can stop it. Not together with
     * `pause`. */
    bool evidence;
};

struct itrp_debug_write {
    uint64_t time_ns;
    uint64_t pc; /* of the instruction after the one that wrote */
    uint64_t old_value;
    uint64_t new_value;
    uint32_t watch;
    uint32_t thread;
    enum itr_role role;
};

/* A signal that means a fault (Linux: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, however
 * sent, and any that ends the process) or a first-chance exception (Windows), as the debugger saw it before
 * the host did. The event of the shot itself is not among them. */
struct itrp_debug_fault {
    uint64_t time_ns;
    uint64_t pc;
    uint64_t address;     /* si_addr, ExceptionInformation[1] of an access violation; else 0 */
    uint64_t module_base; /* of the module that `pc` is in; 0: none, or not known */
    uint32_t code;        /* signal number, exception code */
    int32_t si_code;      /* unix */
    uint32_t access;      /* Windows: 0 read, 1 write, 8 execute */
    uint32_t thread;
    enum itr_role role;
};

/* The same fault again and again, none in between: one code at one instruction in one thread. */
struct itrp_debug_fault_run {
    uint64_t first_ns;
    uint64_t last_ns;
    uint64_t pc;
    uint64_t module_base;
    uint32_t code;
    uint32_t thread;
    uint32_t count;
};

struct itrp_debug_thread {
    uint64_t born_ns;
    uint64_t ended_ns; /* 0: it lived to the end */
    uint32_t id;
    enum itr_role role; /* ITR_ROLE_ANY: neither main nor init */
};

struct itrp_debug_report {
    struct itr_error error; /* the debugger's own failure; status ITR_OK: none */
    bool code_breakpoints;  /* how the point was watched for: by an instruction in the code, not by registers */
    bool library_mapped;
    uint64_t library_base;
    bool armed;           /* the point's register was set in every thread that it should be in */
    uint32_t hits;        /* times the point was reached up to and with the one that fired */
    uint64_t hit_ns;      /* 0: not hit */
    uint32_t hit_thread;
    enum itr_role hit_role;
    uint64_t released_ns; /* the hit thread went on */
    bool hold_expired;    /* because hold_ns was over, the event not through */
    uint64_t taken_ns;    /* Linux: the event was handed to a thread; 0: to none */
    uint32_t taken_thread;
    enum itr_role taken_role;
    bool paused;          /* set while the host still runs: read it with itrp_process_is_paused() */
    uint32_t thread_count; /* all; the first ones are in threads[] */
    struct itrp_debug_thread threads[ITRP_DEBUG_THREADS_MAX];
    uint32_t fault_count;
    struct itrp_debug_fault faults[ITRP_DEBUG_FAULTS_MAX];
    struct itrp_debug_fault last_fault;
    uint32_t run_count; /* all runs of faults; the first ones are in runs[] (framework/cascade.h) */
    struct itrp_debug_fault_run runs[ITRP_DEBUG_RUNS_MAX];
    uint32_t write_count;
    struct itrp_debug_write writes[ITRP_DEBUG_WRITES_MAX];
    /* The trace: rvas of the instructions that the thread executed in the library, in order, each as often as
     * it was executed. Owned by the process object. */
    const uint32_t *trace;
    uint64_t trace_count;
    uint64_t trace_steps; /* all instructions stepped, in whatever module */
    bool trace_cut;       /* stopped at trace_steps_max, not at the init's end */
    uint32_t chaos_holds; /* how many holds were made */
};

/* True if hosts can be run under a debugger here: tried with a process of its own at the first call, which takes
 * some milliseconds, and remembered. False with one line in `why` (may be NULL). Any thread. */
bool itrp_can_debug(char *why, size_t room);

/* True if threads have debug registers that trip: tried with a thread of its own at the first call, and
 * remembered. Without them points are breakpoints in the code and a plan with watches fails with
 * ITR_E_UNSUPPORTED. Any thread. */
bool itrp_has_debug_registers(void);

struct itrp_process;

/* The report of a process that was started with a debug plan, NULL for one that was not. Valid once on_exit
 * was called, until itrp_process_close(); hit and library once itrp_process_is_paused() said true. */
const struct itrp_debug_report *itrp_process_debug_report(const struct itrp_process *process);

/* True once the host stands stopped at its point and no debugger is attached (plan.pause). */
bool itrp_process_is_paused(const struct itrp_process *process);

#endif
