/* The ledger: one shared-memory block between runner and host. The runner writes the request before
 * the host starts; the host writes the reply, with plain stores and no system call, as things
 * happen. Fixed layout, versioned. This header is all a host sees of the framework.
 *
 * A host finds the block through the environment variable INITRACE_LEDGER, whose value the platform
 * layer makes and reads ("fd:3" on unix, "handle:0x1a4" on Windows).
 *
 * Times are CLOCK_MONOTONIC (unix) or QueryPerformanceCounter (Windows) in nanoseconds, as uv_hrtime()
 * gives them; 0 means "not reached". */
#ifndef INITRACE_FRAMEWORK_LEDGER_H
#define INITRACE_FRAMEWORK_LEDGER_H

#include "framework/error.h"
#include "framework/event.h"

#include <stdbool.h>
#include <stdint.h>

#define ITR_LEDGER_VARIABLE "INITRACE_LEDGER"
#define ITR_LEDGER_MAGIC UINT64_C(0x31474c4543415249) /* "IRACELG1" */
#define ITR_LEDGER_VERSION 5u
#define ITR_LEDGER_BYTES 8192u

enum {
    ITR_SHOTS_MAX = 8,
    ITR_HANDLED_MAX = 16,
    ITR_EXCEPTIONS_MAX = 8,
    ITR_LIBRARY_MAX = 1024,
    ITR_FUNCTION_MAX = 128,
    ITR_HOST_ERROR_MAX = 256,
    ITR_CHECK_NAME_MAX = 48,
    ITR_CHECK_TEXT_MAX = 176,
};

/* A gate is a jump of so many bytes in the library's code. Threads that come by while it is taken away see all of it or
 * nothing: it lies within one aligned word that a processor stores at once. Whoever asks for one sees to that. */
enum { ITR_GATE_BYTES = 5, ITR_GATE_WORD_BYTES = 16 };

/* request.flags */
enum {
    ITR_HOST_RECORD_EXCEPTIONS = 1u << 0, /* first-chance vectored record (Windows) */
    ITR_HOST_NO_HANDLERS = 1u << 1,       /* install no handler for the events */
    ITR_HOST_HANDLERS_AFTER_LOAD = 1u << 2,
    ITR_HOST_OWN_CONSOLE = 1u << 3, /* make a console of the host's own before anything else (Windows) */
    ITR_HOST_RECORD_ACTIONS = 1u << 4, /* ask for every signal's handler around the load (unix): it disturbs */
};

/* When the host asks for them. */
#define ITR_ACTIONS_MAP(X)                                                                         \
    X(BEFORE_LOAD, "before-load")                                                                  \
    X(AFTER_LOAD, "after-load")                                                                    \
    X(AFTER_INIT, "after-init")

enum itr_actions_moment {
#define ITR_ACTIONS_ENUM(id, name) ITR_ACTIONS_##id,
    ITR_ACTIONS_MAP(ITR_ACTIONS_ENUM)
#undef ITR_ACTIONS_ENUM
        ITR_ACTIONS_COUNT
};

enum { ITR_SIGNALS_MAX = 65 }; /* 1 … 64 */

/* reply.scheduling: how the system runs the host's threads. */
#define ITR_SCHEDULING_MAP(X)                                                                      \
    X(DEFAULT, "default")                                                                          \
    X(BATCH, "batch")           /* unix, at a call: a woken thread does not displace its waker */  \
    X(REFUSED, "batch-refused") /* that was asked for, and refused: it is the default */

enum itr_scheduling {
#define ITR_SCHEDULING_ENUM(id, name) ITR_SCHEDULING_##id,
    ITR_SCHEDULING_MAP(ITR_SCHEDULING_ENUM)
#undef ITR_SCHEDULING_ENUM
        ITR_SCHEDULING_COUNT
};

/* request.handler_flags: how a signal handler is installed (unix); SA_SIGINFO is always set. */
enum {
    ITR_HANDLER_ONSTACK = 1u << 0,
    ITR_HANDLER_RESTART = 1u << 1,
    ITR_HANDLER_NODEFER = 1u << 2,
    ITR_HANDLER_RESETHAND = 1u << 3,
    ITR_HANDLER_IGNORE = 1u << 4,   /* SIG_IGN instead of a handler */
    ITR_HANDLER_BLOCK = 1u << 5,    /* the main thread, and who inherits from it, blocks the event until the call is over */
    ITR_HANDLER_ALTSTACK = 1u << 6, /* the main thread has a signal stack of the host's; what is handled there must be on it */
};

struct itr_shot_request {
    uint32_t event;     /* enum itr_event */
    uint32_t delivery;  /* enum itr_delivery */
    uint32_t target;    /* enum itr_target */
    uint32_t where;     /* enum itr_where */
    uint32_t phase;     /* enum itr_phase, for ITR_WHERE_PHASE */
    uint32_t call;      /* enum itr_call, for ITR_WHERE_CALL */
    uint32_t nth;       /* from 1: which of the library's calls */
    uint32_t role;      /* enum itr_role, for ITR_WHERE_GATE: who must come there */
    uint64_t offset_ns; /* after the phase */
    uint64_t hold_ns;   /* at a call or a gate: longest time the thread there is held for the event's effect */
    uint64_t rva;       /* in the library, for ITR_WHERE_GATE */
};

struct itr_ledger_request {
    uint32_t flags;
    uint32_t handler_flags;
    uint32_t handler_count;               /* events the host installs its handler for */
    uint32_t handlers[ITR_SHOTS_MAX];     /* enum itr_event */
    uint32_t shot_count;
    uint64_t ctrl_routine;                /* address of kernelbase!CtrlRoutine where it is not exported; 0: look it up */
    char library[ITR_LIBRARY_MAX];        /* absolute path, UTF-8; empty: load nothing */
    char function[ITR_FUNCTION_MAX];      /* called once after the load; empty: call nothing */
    struct itr_shot_request shots[ITR_SHOTS_MAX];
};

struct itr_shot_reply {
    uint64_t requested_ns;      /* when the shot was meant to go off */
    uint64_t fired_ns;          /* just before the call that sends the event */
    uint64_t sent_ns;           /* that call returned */
    uint64_t thread_started_ns; /* the event's own thread exists (Windows, ctrl-routine) */
    uint64_t thread_ended_ns;   /* it ended */
    uint64_t released_ns;       /* a held calling thread went on */
    int32_t send_error;         /* errno or GetLastError() of the sending call, 0: sent */
    uint32_t sender_thread;     /* thread id that sent it */
    uint32_t target_thread;     /* thread id it was aimed at, 0: the process */
    uint32_t event_thread;      /* thread id of the event's own thread (Windows) */
    uint32_t event_thread_exit; /* its exit code, valid when thread_ended_ns is set */
    uint32_t gate_written;      /* 1: the gate's jump was written into the library */
    uint64_t gate_ns;           /* a thread came to the gate, whoever it was; 0: none did */
    uint32_t gate_thread;       /* its id */
    uint32_t gate_role;         /* enum itr_role of it, as far as the host knows */
};

/* One entry of the host's own handler. */
struct itr_handled {
    uint64_t entered_ns;
    uint32_t event;  /* enum itr_event */
    uint32_t thread; /* thread id the handler ran on */
    int32_t si_code; /* unix: siginfo_t.si_code as the handler saw it */
    uint32_t reserved;
};

/* One first-chance exception (Windows), as EXCEPTION_RECORD has it. */
struct itr_exception {
    uint64_t time_ns;
    uint64_t pc;
    uint64_t address;     /* ExceptionInformation[1] of an access violation, else 0 */
    uint64_t module_base; /* AllocationBase of the page the PC is in, 0 if none */
    uint32_t code;
    uint32_t flags;
    uint32_t thread;
    uint32_t access; /* ExceptionInformation[0]: 0 read, 1 write, 8 execute */
};

/* What the kernel does on a signal. */
struct itr_action {
    uint64_t handler; /* 0: the default, 1: ignored */
    uint64_t flags;   /* SA_… */
};

/* What a host that holds what it sees against what it was promised found. Of the broken promises, the first is told. */
struct itr_checks {
    uint64_t broken_ns; /* name and text of the first one are there; 0: they are not (yet) */
    uint32_t made;      /* promises looked at, the broken ones too */
    uint32_t broken;
    char name[ITR_CHECK_NAME_MAX]; /* which promise: a-z, 0-9 and '-' */
    char text[ITR_CHECK_TEXT_MAX]; /* what was seen instead */
};

struct itr_ledger_reply {
    uint64_t phase_ns[ITR_PHASE_COUNT];
    uint32_t process; /* process id, as the host sees it */
    uint32_t main_thread;
    uint32_t calls_counted; /* calls of the hooked function by the library so far */
    uint32_t init_thread;   /* first thread beside the main one that made such a call, 0: none yet */
    uint32_t scheduling;    /* enum itr_scheduling */
    uint32_t handled_count; /* all entries of the host's handlers; the first ones are in handled[] */
    struct itr_handled handled[ITR_HANDLED_MAX];
    struct itr_shot_reply shots[ITR_SHOTS_MAX];
    uint64_t library_base; /* where the library is mapped; 0 until the load returned */
    uint64_t host_base;    /* where the host program is mapped */
    uint64_t call_result;  /* what the first call into the library returned */
    uint32_t exception_count; /* all recorded exceptions; the first ones are in exceptions[] */
    uint32_t host_failed;  /* the host could not do what the request says; host_error tells */
    int64_t host_error_code;
    char host_error[ITR_HOST_ERROR_MAX];
    struct itr_exception exceptions[ITR_EXCEPTIONS_MAX];
    struct itr_exception last_exception;
    struct itr_checks checks;
    uint64_t actions_ns[ITR_ACTIONS_COUNT]; /* unix: when all of actions[] of that moment was there; 0: it is not */
    struct itr_action actions[ITR_ACTIONS_COUNT][ITR_SIGNALS_MAX]; /* by signal number */
};

struct itr_ledger {
    uint64_t magic;
    uint32_t version;
    uint32_t bytes;
    uint64_t nonce; /* differs from trial to trial */
    struct itr_ledger_request request;
    uint64_t guard_before_reply; /* nonce ^ a constant; a host never writes it */
    struct itr_ledger_reply reply;
    uint64_t guard_after_reply;
};

_Static_assert(sizeof(struct itr_ledger) <= ITR_LEDGER_BYTES, "the ledger outgrew its block");
_Static_assert(sizeof(struct itr_shot_request) == 56, "ledger layout is fixed");
_Static_assert(sizeof(struct itr_shot_reply) == 88, "ledger layout is fixed");
_Static_assert(sizeof(struct itr_handled) == 24, "ledger layout is fixed");
_Static_assert(sizeof(struct itr_exception) == 48, "ledger layout is fixed");
_Static_assert(sizeof(struct itr_action) == 16, "ledger layout is fixed");
_Static_assert(sizeof(struct itr_checks) == 240, "ledger layout is fixed");

/* Makes the whole block new for a trial: request in, reply zeroed, guards set from `nonce`.
 * `block` has ITR_LEDGER_BYTES bytes. */
void itr_ledger_prepare(void *block, const struct itr_ledger_request *request, uint64_t nonce);

/* Copies the reply out of `block` and checks the whole block against what itr_ledger_prepare() wrote
 * and against what a host could have written between `begin_ns` and `end_ns`. Returns true and fills
 * `reply` when it is sound. Returns false with one line in `why` (`why_bytes` long) when something
 * wrote where it must not or what cannot be; `reply` then holds the raw values: show, never trust.
 * Safe against a host that writes at the same time: it decides on its own copy only. */
ITR_MUST_USE bool itr_ledger_read(const void *block, const struct itr_ledger_request *request,
                                  uint64_t nonce, uint64_t begin_ns, uint64_t end_ns,
                                  struct itr_ledger_reply *reply, char *why, unsigned why_bytes);

#endif
