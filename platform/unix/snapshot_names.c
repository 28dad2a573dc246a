/* Names of what the kernel has numbers for, as far as snapshots show them: reasons, system calls, si_codes. */
#include "platform/snapshot.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

const char *itrp_snapshot_reason_name(enum itrp_snapshot_reason reason) {
    static const char *const names[] = {
#define ITRP_SNAPSHOT_REASON_NAME(id, name) name,
        ITRP_SNAPSHOT_REASON_MAP(ITRP_SNAPSHOT_REASON_NAME)
#undef ITRP_SNAPSHOT_REASON_NAME
    };
    return (unsigned)reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

/* Calls that threads wait in, and those that a runtime makes on its way up or down. */
#define CALL_MAP(X)                                                                                \
    X(read) X(write) X(open) X(openat) X(close) X(poll) X(ppoll) X(select) X(pselect6) X(lseek)      \
    X(mmap) X(munmap) X(mprotect) X(madvise) X(brk) X(rt_sigaction) X(rt_sigprocmask)              \
    X(rt_sigreturn) X(rt_sigtimedwait) X(rt_sigsuspend) X(sigaltstack) X(ioctl) X(pread64)         \
    X(pwrite64) X(readv) X(writev) X(pipe2) X(sched_yield) X(mincore) X(pause) X(nanosleep)        \
    X(clock_nanosleep) X(getpid) X(socket) X(connect) X(accept) X(accept4) X(sendto) X(recvfrom)   \
    X(sendmsg) X(recvmsg) X(clone) X(clone3) X(fork) X(vfork) X(execve) X(exit) X(exit_group)      \
    X(wait4) X(waitid) X(kill) X(tkill) X(tgkill) X(rt_tgsigqueueinfo) X(rt_sigqueueinfo) X(fcntl) \
    X(flock) X(fsync) X(futex) X(epoll_wait) X(epoll_pwait) X(epoll_ctl) X(restart_syscall)        \
    X(timer_create) X(timer_settime) X(signalfd4) X(eventfd2) X(prctl) X(arch_prctl) X(gettid)     \
    X(setitimer) X(set_robust_list) X(sched_getaffinity) X(getrandom) X(io_getevents)              \
    X(msgrcv) X(semop) X(semtimedop) X(membarrier) X(rseq)

const char *itrp_system_call_name(int64_t number) {
    switch (number) {
#define CALL_CASE(name)                                                                            \
    case SYS_##name:                                                                               \
        return #name;
        CALL_MAP(CALL_CASE)
#undef CALL_CASE
    default:
        return NULL;
    }
}

struct code {
    int signal; /* 0: of any */
    int32_t code;
    const char *name;
};

#define CODE(signal, name) {signal, name, #name}

const char *itrp_signal_code_name(int signal, int32_t code) {
    /* Those with numbers are not in every header. */
    static const struct code codes[] = {
        CODE(0, SI_USER),           CODE(0, SI_KERNEL),           CODE(0, SI_QUEUE),
        CODE(0, SI_TIMER),          CODE(0, SI_MESGQ),            CODE(0, SI_ASYNCIO),
        CODE(0, SI_SIGIO),          CODE(0, SI_TKILL),            CODE(SIGSEGV, SEGV_MAPERR),
        CODE(SIGSEGV, SEGV_ACCERR), {SIGSEGV, 3, "SEGV_BNDERR"},  {SIGSEGV, 4, "SEGV_PKUERR"},
        CODE(SIGBUS, BUS_ADRALN),   CODE(SIGBUS, BUS_ADRERR),     CODE(SIGBUS, BUS_OBJERR),
        CODE(SIGFPE, FPE_INTDIV),   CODE(SIGFPE, FPE_INTOVF),     CODE(SIGFPE, FPE_FLTDIV),
        CODE(SIGFPE, FPE_FLTOVF),   CODE(SIGFPE, FPE_FLTUND),     CODE(SIGFPE, FPE_FLTINV),
        CODE(SIGILL, ILL_ILLOPC),   CODE(SIGILL, ILL_ILLOPN),     CODE(SIGILL, ILL_ILLADR),
        CODE(SIGILL, ILL_ILLTRP),   CODE(SIGILL, ILL_PRVOPC),     CODE(SIGILL, ILL_PRVREG),
        CODE(SIGTRAP, TRAP_BRKPT),  CODE(SIGTRAP, TRAP_TRACE),    {SIGSYS, 1, "SYS_SECCOMP"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code && (codes[i].signal == 0 || codes[i].signal == signal)) {
            return codes[i].name;
        }
    }
    return NULL;
}
