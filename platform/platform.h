/* The runner's side of the operating system: shared memory, processes and their whole trees, what a
 * process is doing, names of the system's numbers. One header, two folders of equally named files;
 * the build picks the folder. Loop, threads, timers, files and pipes are libuv's.
 *
 * The core asks `itrp_capabilities()`, never which system it runs on. */
#ifndef INITRACE_PLATFORM_PLATFORM_H
#define INITRACE_PLATFORM_PLATFORM_H

#include "framework/error.h"
#include "framework/event.h"
#include "platform/debug.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* ---- what this system is and can do ---- */

struct itrp_capabilities {
    bool signals;        /* unix signals can be sent and handled */
    bool console_events; /* GenerateConsoleCtrlEvent reaches a process in a console of its own */
    bool ctrl_routine;   /* kernelbase!CtrlRoutine was found */
    bool core_files;     /* the kernel writes a core file into the host's working directory */
    bool exact_points;   /* a debugger back-end is there */
    bool gates;          /* a host can fire at a symbol by itself: a jump that it writes into the library */
    bool snapshots;      /* hosts can be stopped for evidence (snapshot.h) */
    bool keeps;          /* hosts can be left to a person (itrp_process_keep()) */
    bool quick_steps;    /* and steps tens of thousands of instructions a second, not a few thousand */
    uint64_t ctrl_routine_address; /* for struct itr_ledger_request, 0 where it is exported */
};

/* Found once, at the first call; borrowed, lives as long as the process. */
const struct itrp_capabilities *itrp_capabilities(void);

/* "linux", "windows" or "wine". */
const char *itrp_system_name(void);
/* The family that case files name: "linux" or "windows". */
const char *itrp_system_family(void);
/* One line: C library and its version ("glibc 2.36", "msvcrt; wine-8.0"). */
const char *itrp_c_library(void);
/* ".so" or ".dll"; "" or ".exe". */
const char *itrp_library_suffix(void);
const char *itrp_program_suffix(void);
/* True if an event can be sent with a delivery here. */
bool itrp_can_send(enum itr_event event, enum itr_delivery delivery);
/* The delivery used when neither case nor command line names one. */
enum itr_delivery itrp_default_delivery(enum itr_event event);

/* Call before anything else in main(), before the command line is read. In a process that the runner started as a helper
 * of its own does that helper's work and exits (Windows: the reader of a kept host's output, itrp_process_keep()); does
 * nothing in any other. */
void itrp_help_if_asked(void);

/* ---- guard: nothing outlives the runner ---- */

/* Call early in main(), before any thread. After it, whatever happens to this program, SIGKILL and
 * TerminateProcess included, every process started with itrp_process_start() ends with its tree.
 * unix: forks; the original process stays behind as the guard of the worker that returns from here,
 * passes signals sent to it on to the worker, and exits as the worker does. Windows: a job object that
 * ends with its last handle. */
enum itr_status itrp_guard_enter(struct itr_error *err) ITR_MUST_USE;

/* ---- shared memory for the ledger ---- */

struct itrp_memory {
    void *base; /* NULL: not open */
    size_t bytes;
    intptr_t handle; /* descriptor or HANDLE, not inherited unless given to a process */
};

enum itr_status itrp_memory_create(struct itrp_memory *memory, size_t bytes,
                                   struct itr_error *err) ITR_MUST_USE;
void itrp_memory_close(struct itrp_memory *memory);

/* ---- processes ---- */

/* How a process ended, in one closed form. */
struct itrp_exit {
    bool signaled;      /* unix: ended by `signal` */
    int signal;         /* the system's number */
    bool core_dumped;   /* unix: the kernel says it wrote a core */
    uint32_t code;      /* else the exit code, 32 bits on Windows */
};

struct itrp_process_spec {
    const char *program;            /* absolute path, UTF-8 */
    const char *const *arguments;   /* after argv[0], NULL-terminated, may be NULL */
    const char *const *environment; /* "K=V" added to or replacing the runner's own, NULL-terminated, may be NULL */
    const char *directory;          /* working directory */
    uv_file output;                 /* write ends for standard output and error: inherited, not closed; */
    uv_file error;                  /* standard input is the null device */
    const struct itrp_memory *ledger; /* inherited; INITRACE_LEDGER names it to the host. May be NULL */
    uint64_t nonce;                 /* marks the tree in its environment, so that strays are told apart */
    bool own_console;               /* Windows: in a new console, hidden where possible */
    uint64_t core_limit_bytes;      /* unix: RLIMIT_CORE */
    const struct itrp_debug_plan *debug; /* NULL: the host runs free; else under a debugger (debug.h), which
                                            writes what became of the shot into the ledger */
    const char *record_to; /* NULL: nothing is recorded. Else a recorder (rr) is started, and starts the host and
                              records it into this folder, which must not be there yet: the process, its id and its
                              exit are the recorder's, which ends as its host did. Not with `debug` */
};

struct itrp_process;
typedef void (*itrp_exit_fn)(struct itrp_process *process, void *context);

/* Starts a process, in a process group (unix) or job object (Windows) of its own, with all signal
 * dispositions and the mask at their defaults, no other descriptor or handle inherited, killed if the
 * runner ends. `on_exit` is called once, from uv_run() of `loop`, when the main process has ended and
 * was reaped. On success `*out` must be given to itrp_process_close(). */
enum itr_status itrp_process_start(struct itrp_process **out, uv_loop_t *loop,
                                   const struct itrp_process_spec *spec, itrp_exit_fn on_exit,
                                   void *context, struct itr_error *err) ITR_MUST_USE;
uint32_t itrp_process_id(const struct itrp_process *process);

/* Ends the process and its tree, in a way that cannot be ignored; the exit still comes through
 * on_exit. Harmless after the exit. */
void itrp_process_kill(struct itrp_process *process);

/* Of a recorded process: ends what is recorded and lets the recorder go on, for as long as the caller waits, since a
 * recorder that is killed leaves no complete recording. False: it had nothing to end, and was killed itself. Where
 * nothing is recorded: as itrp_process_kill(), true. */
bool itrp_process_end_recorded(struct itrp_process *process);

/* Valid once on_exit was called. */
const struct itrp_exit *itrp_process_exit(const struct itrp_process *process);

/* After on_exit: ends what the process left behind (children that stayed, also in sessions of their
 * own) and waits for their end, at most `timeout_ms`. `*strays` is how many there were.
 * ITR_E_TIMEOUT if some could not be ended in time. */
enum itr_status itrp_process_end_tree(struct itrp_process *process, uint32_t timeout_ms,
                                      uint32_t *strays, struct itr_error *err) ITR_MUST_USE;

/* Releases the object; its loop handles are closed in a later turn of the loop. NULL is fine. Ends the
 * process first if it still runs. */
void itrp_process_close(struct itrp_process *process);

/* What a living process is doing, from outside and without stopping it. The thorough look tells more and
 * costs both sides: on Linux it reads /proc entries, which the kernel must take down again at the process's
 * end; without it one system call is made. */
struct itrp_activity {
    uint64_t cpu_ns; /* processor time of all threads since its start, taken after everything else here */
    bool thorough;   /* the rest was looked at */
    bool asleep;     /* no thread is running or ready to run (unix); false where this cannot be known */
    bool ready;      /* unix: a thread is running, or would if it were given a processor */
    bool pending;    /* unix: a signal is pending for the process or a thread */
};
/* Of a recorded process it is that of the recorder and all its descendants together, and `asleep` cannot be known: a
 * recorder lets one thread of its host run at a time, and holds others back. */
enum itr_status itrp_process_activity(const struct itrp_process *process, bool thorough,
                                      struct itrp_activity *activity, struct itr_error *err) ITR_MUST_USE;

/* ---- a host that is left to a person ---- */

/* What becomes of its output: read on, so that it neither waits for a reader nor dies for want of one, and written to
 * files of at most `limit_bytes`; further bytes are thrown away. */
struct itrp_keep {
    uv_os_fd_t output; /* read ends of its own pipes; still the caller's */
    uv_os_fd_t error;
    const char *output_path;
    const char *error_path;
    uint64_t limit_bytes;
};

/* Lets a host that stands still (itrp_process_snapshot()) go on and gives it up: whatever becomes of the runner, and of
 * the itrp_process, it is not ended, nor told of. The one exception to what itrp_guard_enter() promises, for this host
 * with its tree. From the loop's thread; itrp_process_close() must follow. After a failure the host stands as before.
 * ITR_E_UNSUPPORTED for one that is debugged or recorded, or does not stand; ITR_E_LIMIT.
 * A process of the runner's reads the pipes until nobody has them open any more.
 * unix: its name is "initrace-output". What the host's children leave behind when they die is not its tree.
 * Windows: it is this program once more, its command line begins with that name. The host's tree ends with the host, as
 * its job does, whose last handle is the host's own from then on. A job that the runner itself was started in is not the
 * runner's to open. */
enum itr_status itrp_process_keep(struct itrp_process *process, const struct itrp_keep *keep,
                                  struct itr_error *err) ITR_MUST_USE;
/* How a person ends such a host, its tree too; the process id to follow: "kill -s KILL -- -". Static. */
const char *itrp_end_command(void);
/* What a person must know of this and the commands to attach, one line; NULL: nothing. Static. */
const char *itrp_attach_note(void);

/* ---- other people's tools, at a host that stands stopped ---- */

/* How debuggers are told to attach, the process id to follow: "gdb -p". NULL-terminated, static. */
const char *const *itrp_attach_commands(void);
/* True if gdb is there, can share a terminal with the runner and may attach to a host. One line in `text`: where
 * it is, or why not. Windows: never, a debugger has a window of its own there. */
bool itrp_can_attach_gdb(char *text, size_t room);

/* ---- recordings, made with rr (Linux) ---- */

/* True if processes can be recorded here: a trivial one was, at the first call. False with one line in `why`.
 * Windows: never. */
bool itrp_can_record(char *why, size_t room);
/* True if the recorder came to its own end: else the recording is cut, and the exit of the recorder says nothing of its
 * host. */
bool itrp_recording_is_complete(const char *folder);
/* Makes a recording independent of all files outside of its folder. Ended after `timeout_ms`. */
enum itr_status itrp_recording_pack(const char *folder, uint32_t timeout_ms, struct itr_error *err) ITR_MUST_USE;
/* Removes the folder and all that is in it. Nothing happens where there is none. */
void itrp_recording_remove(const char *folder);

/* ---- names of the system's numbers ---- */

/* "SIGSEGV", "SIG42"; static or thread-local storage. */
const char *itrp_signal_name(int signal);
#endif
