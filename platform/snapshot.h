/* A host that stands still for its evidence: threads with registers and what each waits for, memory, mappings,
 * descriptors, signals. It is stopped by its debugger (struct itrp_debug_plan's `evidence`) or, where it ran free, by
 * attaching to it once it hangs. Nothing of the host's code is run, and nothing here says what it means.
 *
 * Linux: ptrace and /proc. Windows: threads that are suspended, ReadProcessMemory, VirtualQueryEx. An exception stands
 * there for the signal; masks, system calls and states are not told of, and what is called a descriptor is a handle.
 *
 * Caveats. Threads are stopped one after the other, so that for some microseconds some go on that others wait for.
 * A thread that the kernel does not let stop (in an uninterruptible wait) is there without registers. A system call
 * that was interrupted by the stop is begun anew by the kernel, but for the few that end with EINTR then. Windows: what
 * the system does not answer in time is missing, and said to be cut. An end that another process makes is not seen before it
 * is over. Under Wine the memory of Wine's own Unix side is in no mapping. */
#ifndef INITRACE_PLATFORM_SNAPSHOT_H
#define INITRACE_PLATFORM_SNAPSHOT_H

#include "framework/error.h"
#include "framework/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITRP_SNAPSHOT_THREADS_MAX = 1024,
    ITRP_SNAPSHOT_MAPPINGS_MAX = 65536,
    ITRP_SNAPSHOT_DESCRIPTORS_MAX = 1024,
    ITRP_SNAPSHOT_NAME_MAX = 64,
    ITRP_SNAPSHOT_TARGET_MAX = 256,
    ITRP_SNAPSHOT_FLOATING_BYTES = 512, /* of FXSAVE */
};

/* What the host was stopped for. */
#define ITRP_SNAPSHOT_REASON_MAP(X)                                                                \
    X(ASKED, "asked") /* somebody asked for it: it hangs */                                        \
    X(FAULT, "fault") /* the first signal or exception that means a fault, not yet delivered */    \
    X(EXIT, "exit")   /* it ends by itself, its memory still there */

enum itrp_snapshot_reason {
#define ITRP_SNAPSHOT_REASON_ENUM(id, name) ITRP_SNAPSHOT_##id,
    ITRP_SNAPSHOT_REASON_MAP(ITRP_SNAPSHOT_REASON_ENUM)
#undef ITRP_SNAPSHOT_REASON_ENUM
};

/* What a thread raised (Windows). */
struct itrp_snapshot_exception {
    bool first_chance;
    uint32_t code;
    uint32_t flags;
    uint32_t access; /* of an access violation: 0 read, 1 write, 8 execute */
    uint64_t pc;
    uint64_t address; /* of an access violation; else 0 */
};

/* What a thread's entry in the target has not. Masks: bit n-1 stands for signal n. */
struct itrp_snapshot_thread {
    char name[ITRP_SNAPSHOT_NAME_MAX];
    /* As it was before anything stopped it: */
    char state;                                  /* letter of /proc ('R', 'S', 'D'); 0: not known */
    char wait_channel[ITRP_SNAPSHOT_NAME_MAX];   /* kernel function it sleeps in; "": none, or not told */
    /* As it stands: */
    bool in_system_call;
    int64_t system_call; /* its number */
    uint64_t arguments[6];
    bool has_masks;
    uint64_t blocked;
    uint64_t pending; /* for this thread alone */
    bool has_signal;  /* it is stopped before a signal's delivery */
    int32_t signal;
    int32_t signal_code;     /* si_code */
    int32_t signal_errno;    /* si_errno */
    uint64_t signal_address; /* si_addr, where the kernel raised it */
    uint32_t signal_sender;  /* si_pid, where a process sent it */
    /* Windows: */
    uint64_t start;     /* address of the function that it began with; 0: not known */
    bool has_exception; /* it has raised one that nobody has handled yet */
    struct itrp_snapshot_exception exception;
    bool has_floating;
    uint64_t call_or_fault;  /* Linux: orig_rax; for core files */
    uint64_t segments[6];    /* cs, ss, ds, es, fs, gs */
    uint8_t floating[ITRP_SNAPSHOT_FLOATING_BYTES];
};

struct itrp_snapshot_mapping {
    uint64_t begin;
    uint64_t end;
    uint64_t offset; /* in the file */
    bool readable;
    bool writable;
    bool executable;
    bool shared;
    bool is_file;     /* `path` is a file's */
    const char *path; /* also "[heap]", "[stack]", "[vdso]"; "" for memory without a name */
};

struct itrp_snapshot_descriptor {
    uint32_t number;
    char target[ITRP_SNAPSHOT_TARGET_MAX]; /* a path, "pipe:[12]", "socket:[34]" */
};

/* Everything is the snapshot's own and ends with it. */
struct itrp_snapshot {
    enum itrp_snapshot_reason reason;
    uint64_t time_ns;
    /* Memory, modules without images, threads. The one that the reason is about is marked at_fault. */
    struct itr_target_process target;
    const struct itrp_snapshot_thread *threads; /* of target.threads, in their order */
    const struct itrp_snapshot_mapping *mappings; /* by address */
    size_t mapping_count;
    const struct itrp_snapshot_descriptor *descriptors;
    size_t descriptor_count;
    /* Of the process, bit n-1 for signal n: */
    bool has_signals;
    uint64_t pending;
    uint64_t ignored;
    uint64_t caught;
    uint32_t handle_count; /* Windows: all open handles; 0: not known */
    uint32_t exit_status; /* for ITRP_SNAPSHOT_EXIT: the code that it ends with */
    bool threads_cut;     /* there were more than are told of */
    bool mappings_cut;
    bool descriptors_cut;
    uint32_t not_stopped; /* threads that could not be stopped in time: they have no registers */
};

struct itrp_process;

/* The snapshot of a host that stands still for it, NULL while there is none. Call it from the loop's thread; memory is
 * read with snapshot->target.read, from any thread. Good until itrp_process_go_on(), or the process's close. */
const struct itrp_snapshot *itrp_process_snapshot(struct itrp_process *process);

/* Stops a host that runs, with or without a debugger, at most `timeout_ms` long; itrp_process_snapshot() has the result
 * then. From the loop's thread. ITR_E_UNSUPPORTED where it cannot be done; ITR_E_NOT_FOUND for a host that has ended,
 * or ends just now; ITR_E_TIMEOUT. Not for a recorded host. */
enum itr_status itrp_process_stop(struct itrp_process *process, uint32_t timeout_ms, struct itr_error *err) ITR_MUST_USE;

/* Lets the host go on as if nothing had been, and ends the snapshot. Harmless where there is none. */
void itrp_process_go_on(struct itrp_process *process);

/* ---- core files ---- */

struct itrp_core_result {
    uint64_t bytes;           /* of the file, as it is on disk */
    uint64_t memory_bytes;    /* memory in it */
    uint64_t left_out_bytes;  /* readable memory that is not in it, for the limit's sake */
    uint32_t left_out_ranges;
};

/* Writes memory, registers and mappings to `path` as a core file of at most `limit_bytes`, what matters most first: the
 * stacks, the modules' data, then the rest from the smallest mapping on. File-backed memory that nobody writes to is
 * left to the files. Linux: ELF, for gdb and `dlv core`. Windows: a minidump, at most 4 GiB, for its debuggers.
 * ITR_E_LIMIT if not even the registers fit, ITR_E_SYSTEM; no file is left then. */
enum itr_status itrp_snapshot_write_core(const struct itrp_snapshot *snapshot, const char *path, uint64_t limit_bytes,
                                         struct itrp_core_result *result, struct itr_error *err) ITR_MUST_USE;

/* "core", "host.dmp": what its tools expect the file to be called. Static. */
const char *itrp_core_file_name(void);

/* ---- names of the system's numbers ---- */

/* "asked", "fault", "exit". */
const char *itrp_snapshot_reason_name(enum itrp_snapshot_reason reason);
/* "futex"; NULL for a call that is not in the table of those that threads are found in. Static. */
const char *itrp_system_call_name(int64_t number);
/* "SEGV_MAPERR", "SI_TKILL"; NULL where there is no name. Static. */
const char *itrp_signal_code_name(int signal, int32_t code);

#endif
