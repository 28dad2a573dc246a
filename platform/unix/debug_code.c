/* Breakpoints as instructions in the code, for machines whose debug registers do not work: one at a time, seen by
 * all threads, and how a thread is brought over it without another one passing unseen. What it means that a place
 * was reached is not decided here.
 *
 * Over it: every other thread is stopped, the original byte is put back, the one thread makes a single step, the
 * breakpoint is put in again, all go on. Anything else lets another thread through in the meantime, or makes a
 * thread meet a trap that nobody expects. */
#include "platform/unix/debug_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

#define BREAKPOINT 0xCC
#define PUSH_FLAGS 0x9C
#define TRAP_FLAG  UINT64_C(0x100)
/* Longest wait for all others to stand (one that waits in vfork() does not, and runs no code either), and for the
 * step (a system call may block). */
#define OVER_NS UINT64_C(100000000)

static const uint8_t syscall_instruction[2] = {0x0F, 0x05};

/* ---- the byte ---- */

void itrp_debug_code_open(struct itrp_debugger *debugger) {
    char path[64];
    debugger->code_memory = -1;
    if (!debugger->report.code_breakpoints) {
        return;
    }
    if (debugger->plan->watch_count > 0) {
        itrp_debug_fail(debugger, ITR_E_UNSUPPORTED, 0,
                        "variables cannot be watched: the debug registers of this machine do not "
                        "work, or were not wanted");
        return;
    }
    /* Not process_vm_writev(): that one respects that code is not to be written. */
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)debugger->host);
    debugger->code_memory = open(path, O_RDWR | O_CLOEXEC);
    if (debugger->code_memory < 0 && errno != ENOENT && errno != ESRCH) {
        itrp_debug_fail(debugger, ITR_E_UNSUPPORTED, errno,
                        "%s: %s: no breakpoint can be put into the code", path, strerror(errno));
    }
}

void itrp_debug_code_close(struct itrp_debugger *debugger) {
    if (debugger->code_memory >= 0) {
        close(debugger->code_memory);
        debugger->code_memory = -1;
    }
    debugger->code_place = NULL;
    debugger->code_place_count = 0;
    debugger->code_away = 0;
    debugger->over = 0;
}

static void put_byte(struct itrp_debugger *debugger, uint64_t address, uint8_t byte) {
    errno = 0; /* of a host that is gone nothing is written, and that is no error */
    if (pwrite(debugger->code_memory, &byte, 1, (off_t)address) == 1 || errno == 0 || errno == ESRCH) {
        return;
    }
    itrp_debug_fail(debugger, ITR_E_SYSTEM, errno, "no breakpoint can be put into the code: %s",
                    strerror(errno));
}

static void put_in(struct itrp_debugger *debugger) {
    if (debugger->code_place != NULL && debugger->code_away == 0) {
        put_byte(debugger, debugger->code_place->address, BREAKPOINT);
    }
}

static void take_out(struct itrp_debugger *debugger) {
    if (debugger->code_place != NULL) {
        put_byte(debugger, debugger->code_place->address, debugger->code_place->byte);
    }
}

void itrp_debug_code_hide(struct itrp_debugger *debugger, bool hidden) {
    if (debugger->code_memory >= 0 && hidden) {
        take_out(debugger);
    } else if (debugger->code_memory >= 0) {
        put_in(debugger);
    }
}

/* Every place a breakpoint was ever at: a thread may have met it and not been heard yet. */
static struct itrp_debug_code_place *place_at(struct itrp_debugger *debugger, uint64_t address) {
    for (size_t i = 0; i < debugger->code_place_count; i++) {
        if (debugger->code_places[i].address == address) {
            return &debugger->code_places[i];
        }
    }
    return NULL;
}

static struct itrp_debug_code_place *new_place(struct itrp_debugger *debugger, uint64_t address) {
    struct itrp_debug_code_place place = {.address = address};
    if (debugger->code_place_count == ITRP_DEBUG_CODE_PLACES_MAX) {
        itrp_debug_fail(debugger, ITR_E_LIMIT, 0, "more than %d places for breakpoints",
                        ITRP_DEBUG_CODE_PLACES_MAX);
        return NULL;
    }
    errno = 0;
    if (pread(debugger->code_memory, &place.byte, 1, (off_t)address) != 1) {
        if (errno != 0 && errno != ESRCH) {
            itrp_debug_fail(debugger, ITR_E_SYSTEM, errno, "the host's code cannot be read: %s",
                            strerror(errno));
        }
        return NULL;
    }
    debugger->code_places[debugger->code_place_count] = place;
    return &debugger->code_places[debugger->code_place_count++];
}

void itrp_debug_break_changed(struct itrp_debugger *debugger) {
    debugger->generation++;
    if (debugger->code_memory < 0) {
        return;
    }
    uint64_t address = itrp_debug_break_address(debugger);
    if (debugger->code_place != NULL && debugger->code_place->address == address) {
        return;
    }
    take_out(debugger);
    debugger->code_place = NULL;
    if (address != 0) {
        struct itrp_debug_code_place *place = place_at(debugger, address);
        debugger->code_place = place != NULL ? place : new_place(debugger, address);
        put_in(debugger);
    }
}

/* ---- over it ---- */

static bool others_stand(const struct itrp_debugger *debugger) {
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        const struct itrp_debug_tracee *other = &debugger->tracees[i];
        if (other->id != debugger->over && !other->stopped) {
            return false;
        }
    }
    return true;
}

static void begin_over(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee) {
    debugger->over = tracee->id;
    debugger->over_steps = false;
    debugger->over_until_ns = itrp_debug_now_ns() + OVER_NS;
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        if (debugger->tracees[i].id != tracee->id && !debugger->tracees[i].stopped) {
            itrp_debug_interrupt(&debugger->tracees[i]);
        }
    }
}

/* Lets everybody go on who stands for no other reason. */
static void end_over(struct itrp_debugger *debugger) {
    pid_t stepped = debugger->over;
    debugger->over = 0;
    put_in(debugger);
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        struct itrp_debug_tracee *other = &debugger->tracees[i];
        if (other->stopped && other->id != stepped && other->id != debugger->held &&
            other->id != debugger->mapper && other->held_until_ns == 0) {
            itrp_debug_resume(debugger, other, other->signal);
        }
    }
}

/* All others stand: the one thread makes its step. A system call is begun instead, since it need not return. */
static void step_over(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    uint8_t code[2] = {0};
    take_out(debugger);
    bool calls = pread(debugger->code_memory, code, sizeof code,
                       (off_t)debugger->code_place->address) == sizeof code &&
                 memcmp(code, syscall_instruction, sizeof code) == 0;
    debugger->over_steps = true;
    debugger->over_until_ns = itrp_debug_now_ns() + OVER_NS;
    tracee->stopped = false;
    tracee->goes_over = true;
    itrp_debug_ptrace(debugger, calls ? PTRACE_SYSCALL : PTRACE_SINGLESTEP, tracee, 0, 0);
}

void itrp_debug_code_look(struct itrp_debugger *debugger) {
    if (debugger->over == 0) {
        return;
    }
    struct itrp_debug_tracee *tracee = itrp_debug_tracee(debugger, debugger->over);
    bool late = itrp_debug_now_ns() >= debugger->over_until_ns;
    if (tracee == NULL || (debugger->over_steps && late)) {
        end_over(debugger);
    } else if (!debugger->over_steps && (late || others_stand(debugger))) {
        step_over(debugger, tracee);
    }
}

uint64_t itrp_debug_code_next_ns(const struct itrp_debugger *debugger) {
    return debugger->over != 0 ? debugger->over_until_ns : 0;
}

/* The flags that were just pushed have the step's trap flag set, which would come back with them. */
static void clean_pushed_flags(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee) {
    uint64_t stack = 0;
    uint64_t flags = 0;
    if (debugger->code_place != NULL && debugger->code_place->byte == PUSH_FLAGS &&
        itrp_debug_peek_user(debugger, tracee, offsetof(struct user_regs_struct, rsp), &stack) &&
        itrp_debug_read(debugger, stack, &flags, sizeof flags)) {
        flags &= ~TRAP_FLAG;
        (void)!pwrite(debugger->code_memory, &flags, sizeof flags, (off_t)stack);
    }
}

static bool is_fault(const siginfo_t *info) {
    return info->si_code > 0 && (info->si_signo == SIGSEGV || info->si_signo == SIGBUS ||
                                 info->si_signo == SIGFPE || info->si_signo == SIGILL);
}

/* True if the instruction was executed, or has made the fault that is told of: what comes to the place next is
 * another arrival. Whatever else stopped the thread may have come before its step, or after it and be told first; or
 * the breakpoint was put back after too long a wait, and met again. A repeated string instruction stays where it is
 * until it is through. */
static bool was_executed(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, int signal) {
    siginfo_t info = {0};
    uint64_t pc = 0;
    if (!itrp_debug_peek_pc(debugger, tracee, &pc) ||
        (signal != 0 && !itrp_debug_signal_info(debugger, tracee, &info))) {
        return false;
    }
    bool again = signal == SIGTRAP && info.si_code == SI_KERNEL && pc == tracee->counted_at + 1;
    return (pc != tracee->counted_at && !again) || is_fault(&info);
}

void itrp_debug_code_stopped(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, int signal) {
    if (!tracee->goes_over) {
        return;
    }
    tracee->goes_over = false;
    if (signal == ITRP_DEBUG_SYSCALL_STOP || was_executed(debugger, tracee, signal)) {
        tracee->counted_stack = 0;
        clean_pushed_flags(debugger, tracee);
    }
    if (debugger->over == tracee->id) {
        end_over(debugger);
    }
}

/* ---- hits ---- */

bool itrp_debug_code_trapped(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    struct user_regs_struct registers;
    if (debugger->code_memory < 0 ||
        !itrp_debug_ptrace(debugger, PTRACE_GETREGS, tracee, 0, (uint64_t)(uintptr_t)&registers)) {
        return false;
    }
    uint64_t address = registers.rip - 1;
    struct itrp_debug_code_place *place = place_at(debugger, address);
    if (place == NULL) {
        return false;
    }
    /* One of the host's own at the point counts, and goes to the host; a held thread comes to it once more. */
    if (place->byte == BREAKPOINT &&
        (place != debugger->code_place || !itrp_debug_reached(debugger, tracee, address))) {
        return false;
    }
    if (!itrp_debug_ptrace(debugger, PTRACE_POKEUSER, tracee,
                           offsetof(struct user_regs_struct, rip), address)) {
        return true;
    }
    if (place->byte == BREAKPOINT) {
        return true;
    }
    /* Gone meanwhile, or about to be gone over by another thread: it comes to the place again. */
    if (place != debugger->code_place || debugger->code_away > 0 || debugger->over != 0) {
        itrp_debug_resume(debugger, tracee, 0);
        return true;
    }
    /* A signal that came before its step has made it leave and come back: it is the same hit. */
    bool counted = tracee->counted_stack == registers.rsp;
    bool stays = !counted && itrp_debug_reached(debugger, tracee, address);
    bool again = debugger->code_place == place;
    tracee->counted_stack = again ? registers.rsp : 0;
    tracee->counted_at = address;
    if (stays) {
        return true;
    }
    if (again) {
        begin_over(debugger, tracee);
    } else {
        itrp_debug_resume(debugger, tracee, 0);
    }
    return true;
}

/* ---- processes that the host makes ---- */

/* True for a vforked one, until it becomes another program or ends. Kernels without kcmp() show it by what was just
 * written into the one and can be read in the other. */
static bool shares_memory(const struct itrp_debugger *debugger, pid_t child) {
    uint8_t byte = BREAKPOINT;
    long same = syscall(SYS_kcmp, debugger->host, child, KCMP_VM, 0, 0);
    if (same >= 0) {
        return same == 0;
    }
    return debugger->code_place != NULL &&
           pread(debugger->code_memory, &byte, 1, (off_t)debugger->code_place->address) == 1 && byte != BREAKPOINT;
}

void itrp_debug_code_child(struct itrp_debugger *debugger, pid_t child) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)child);
    int memory = debugger->code_memory >= 0 ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (memory < 0) {
        return;
    }
    /* Its copy may be of a time when the breakpoint was at another place than now. */
    for (size_t i = 0; i < debugger->code_place_count; i++) {
        const struct itrp_debug_code_place *place = &debugger->code_places[i];
        (void)!pwrite(memory, &place->byte, 1, (off_t)place->address);
    }
    close(memory);
    debugger->code_away += shares_memory(debugger, child);
}

void itrp_debug_code_vfork_done(struct itrp_debugger *debugger) {
    if (debugger->code_away > 0 && --debugger->code_away == 0) {
        put_in(debugger);
    }
}
