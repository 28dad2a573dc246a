/* The closed sets that case files, ledger and records share: events, deliveries, targets, phases
 * and hooked functions, each with the one spelling it has everywhere. Numbers are part of the
 * ledger's format: append, never reorder. It knows no operating system's numbers. */
#ifndef INITRACE_FRAMEWORK_EVENT_H
#define INITRACE_FRAMEWORK_EVENT_H

#include <stdint.h>

/* Events a host can be sent. */
#define ITR_EVENT_MAP(X)                                                                           \
    X(NONE, "none")                                                                                \
    X(SIGHUP, "SIGHUP")                                                                            \
    X(SIGINT, "SIGINT")                                                                            \
    X(SIGQUIT, "SIGQUIT")                                                                          \
    X(SIGILL, "SIGILL")                                                                            \
    X(SIGTRAP, "SIGTRAP")                                                                          \
    X(SIGABRT, "SIGABRT")                                                                          \
    X(SIGBUS, "SIGBUS")                                                                            \
    X(SIGFPE, "SIGFPE")                                                                            \
    X(SIGUSR1, "SIGUSR1")                                                                          \
    X(SIGSEGV, "SIGSEGV")                                                                          \
    X(SIGUSR2, "SIGUSR2")                                                                          \
    X(SIGPIPE, "SIGPIPE")                                                                          \
    X(SIGALRM, "SIGALRM")                                                                          \
    X(SIGTERM, "SIGTERM")                                                                          \
    X(SIGCHLD, "SIGCHLD")                                                                          \
    X(SIGCONT, "SIGCONT")                                                                          \
    X(SIGTSTP, "SIGTSTP")                                                                          \
    X(SIGTTIN, "SIGTTIN")                                                                          \
    X(SIGTTOU, "SIGTTOU")                                                                          \
    X(SIGURG, "SIGURG")                                                                            \
    X(SIGXCPU, "SIGXCPU")                                                                          \
    X(SIGXFSZ, "SIGXFSZ")                                                                          \
    X(SIGVTALRM, "SIGVTALRM")                                                                      \
    X(SIGPROF, "SIGPROF")                                                                          \
    X(SIGWINCH, "SIGWINCH")                                                                        \
    X(SIGIO, "SIGIO")                                                                              \
    X(SIGPWR, "SIGPWR")                                                                            \
    X(SIGSYS, "SIGSYS")                                                                            \
    X(CTRL_C, "CTRL_C")                                                                            \
    X(CTRL_BREAK, "CTRL_BREAK")                                                                    \
    X(CTRL_CLOSE, "CTRL_CLOSE")                                                                    \
    X(CTRL_LOGOFF, "CTRL_LOGOFF")                                                                  \
    X(CTRL_SHUTDOWN, "CTRL_SHUTDOWN")

/* How an event is sent; decides the si_code a signal handler sees.
 *   kill          process-directed, SI_USER                               (unix)
 *   tgkill        to one thread, SI_TKILL                                  (unix)
 *   sigqueue      to one thread with rt_tgsigqueueinfo, SI_QUEUE           (unix)
 *   timer         a POSIX timer's own expiry, to one thread, SI_TIMER      (unix)
 *   console       GenerateConsoleCtrlEvent in a console of the host's own  (windows)
 *   ctrl-routine  a thread of the host started at kernelbase!CtrlRoutine   (windows) */
#define ITR_DELIVERY_MAP(X)                                                                        \
    X(NONE, "none")                                                                                \
    X(KILL, "kill")                                                                                \
    X(TGKILL, "tgkill")                                                                            \
    X(SIGQUEUE, "sigqueue")                                                                        \
    X(TIMER, "timer")                                                                              \
    X(CONSOLE, "console")                                                                          \
    X(CTRL_ROUTINE, "ctrl-routine")

/* Which thread a thread-directed delivery aims at. `caller` is the thread inside the hooked call (for
 * `call` points) or at the exact point; `init` is the runtime's first thread: the first one beside the main
 * thread that made a hooked call, or the first one the library started. */
#define ITR_TARGET_MAP(X)                                                                          \
    X(PROCESS, "process")                                                                          \
    X(MAIN, "main")                                                                                \
    X(CALLER, "caller")                                                                            \
    X(INIT, "init")

/* What the host has reached, in order. `init-done`: the first call into the library returned. */
#define ITR_PHASE_MAP(X)                                                                           \
    X(HOST_STARTED, "host-started")                                                                \
    X(HANDLERS_READY, "handlers-ready")                                                            \
    X(LOAD_BEGIN, "load-begin")                                                                    \
    X(LOAD_RETURNED, "load-returned")                                                              \
    X(CALL_BEGIN, "call-begin")                                                                    \
    X(INIT_DONE, "init-done")                                                                      \
    X(WAITING, "waiting")                                                                          \
    X(FINISHED, "finished")

/* Functions whose calls by the library can be counted and fired in; `when` is the moment inside
 * the call at which the shot goes off. */
#define ITR_CALL_MAP(X)                                                                            \
    X(NONE, "none", "")                                                                            \
    X(PTHREAD_CREATE, "pthread_create", "before the real call")                                    \
    X(SET_CONSOLE_CTRL_HANDLER, "SetConsoleCtrlHandler", "after the real call")                    \
    X(CREATE_THREAD, "CreateThread", "before the real call")

/* Threads by the part they play in the load. `init` is the first thread that the library starts (Go: the
 * runtime's first); `any` stands for all threads. */
#define ITR_ROLE_MAP(X)                                                                            \
    X(ANY, "any")                                                                                  \
    X(MAIN, "main")                                                                                \
    X(INIT, "init")

enum itr_event {
#define ITR_EVENT_ENUM(id, name) ITR_EVENT_##id,
    ITR_EVENT_MAP(ITR_EVENT_ENUM)
#undef ITR_EVENT_ENUM
        ITR_EVENT_COUNT
};

enum itr_delivery {
#define ITR_DELIVERY_ENUM(id, name) ITR_DELIVERY_##id,
    ITR_DELIVERY_MAP(ITR_DELIVERY_ENUM)
#undef ITR_DELIVERY_ENUM
        ITR_DELIVERY_COUNT
};

enum itr_target {
#define ITR_TARGET_ENUM(id, name) ITR_TARGET_##id,
    ITR_TARGET_MAP(ITR_TARGET_ENUM)
#undef ITR_TARGET_ENUM
        ITR_TARGET_COUNT
};

enum itr_phase {
#define ITR_PHASE_ENUM(id, name) ITR_PHASE_##id,
    ITR_PHASE_MAP(ITR_PHASE_ENUM)
#undef ITR_PHASE_ENUM
        ITR_PHASE_COUNT
};

enum itr_call {
#define ITR_CALL_ENUM(id, name, when) ITR_CALL_##id,
    ITR_CALL_MAP(ITR_CALL_ENUM)
#undef ITR_CALL_ENUM
        ITR_CALL_COUNT
};

enum itr_role {
#define ITR_ROLE_ENUM(id, name) ITR_ROLE_##id,
    ITR_ROLE_MAP(ITR_ROLE_ENUM)
#undef ITR_ROLE_ENUM
        ITR_ROLE_COUNT
};

/* Where a shot goes off. Numbers are part of the ledger's format. */
enum itr_where {
    ITR_WHERE_NONE,
    ITR_WHERE_PHASE, /* `offset_ns` after the phase was marked; kind `time` is load-begin + offset */
    ITR_WHERE_CALL,  /* inside the library's Nth call of a function */
    ITR_WHERE_POINT, /* at an exact instruction: fired by the runner's debugger, not by the host */
    ITR_WHERE_GATE,  /* at an exact instruction, the first time: fired by the host, which wrote a jump there */
};

/* Spelling of a value; "unknown" for one outside its set. Static storage. */
const char *itr_event_name(uint32_t event);
const char *itr_delivery_name(uint32_t delivery);
const char *itr_target_name(uint32_t target);
const char *itr_phase_name(uint32_t phase);
const char *itr_call_name(uint32_t call);
const char *itr_role_name(uint32_t role);

/* Value of a spelling; -1 for one outside the set. */
int itr_event_of(const char *name);
int itr_delivery_of(const char *name);
int itr_target_of(const char *name);
int itr_phase_of(const char *name);
int itr_call_of(const char *name);
int itr_role_of(const char *name);

#endif
