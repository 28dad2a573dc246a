/* Where a crash text's failure is: which of its stacks crashed, and below which frames of it the failure stands. Which
 * functions report failures is data. What it is called is triage_sign.c's. */
#include "framework/triage_parts.h"

#include "framework/match.h"

#include <string.h>

/* ---- functions ---- */

/* By which runtimes and C libraries report a failure, and those that stand between them and its place. */
static const char *const reporting[] = {
    "panic",                  "runtime.throw*",         "runtime.fatal*",        "runtime.gopanic*",
    "runtime.goPanic*",       "runtime.panic*",         "runtime.sigpanic*",     "runtime.startpanic*",
    "runtime.dopanic*",       "runtime.printpanics*",   "runtime.dieFromSignal", "runtime.raise*",
    "runtime.crash*",         "runtime.abort*",         "runtime.badsignal*",    "runtime.sighandler*",
    "runtime.sigtramp*",      "runtime.sigfwd*",        "runtime.sigNotOnStack", "runtime.noSignalStack",
    "runtime.badmorestack*",  "runtime.morestack*",     "runtime.newstack*",     "runtime.badsystemstack*",
    "runtime.systemstack*",   "runtime.winthrow*",      "runtime.exceptionhandler*", "runtime.exceptiontramp*",
    "runtime.sehhandler*",    "runtime.lastcontinue*",  "runtime.firstcontinue*", "runtime.sigreturn*",
    "runtime.exit*",          "runtime.adjustSignalStack*",
    "runtime.asmcgocall*",    "runtime.cgocall",       "runtime.call32",        "runtime.goexit*",
    "runtime.onM*",           "non-Go function",
    "runtime.tgkill",         "runtime.dopanic*",       "runtime.wrongthing",    "runtime.debugcrash",
    "runtime.stackcheck",     "runtime.unexpected*",    "runtime.checkdead*",    "runtime.sigsend*",
    "raise",                  "__GI_raise",             "gsignal",               "abort",
    "__GI_abort",             "pthread_kill*",          "__pthread_kill*",       "__GI___pthread_kill*",
    "__libc_message*",        "malloc_printerr*",       "__fortify_fail*",       "__stack_chk_fail*",
    "__assert_fail*",         "__restore_rt",           "<signal handler called>", "tgkill",
    "__GI_tgkill",            "internal/runtime/*.fatal", "internal/runtime/maps.fatal*", "sync.fatal*",
    "sync.throw*",            "internal/sync.fatal*",   "internal/sync.throw*",  "syscall.throw*",
    "runtime.cgoSigtramp*",   "syscall.Syscall*",       "syscall.syscall*",      "syscall.(*Proc).Call",
    "syscall.(*LazyProc).Call", "golang.org/x/sys/windows.(*Proc).Call", "golang.org/x/sys/windows.(*LazyProc).Call",
};

bool itr_is_reporting(const char *function) {
    for (size_t i = 0; i < sizeof reporting / sizeof reporting[0]; i++) {
        if (reporting[i][0] == function[0] && itr_matches(reporting[i], function)) {
            return true;
        }
    }
    return false;
}

/* Those of them that send the thread its own signal: a fault in any other is the failure. */
static bool is_raising(const char *function) {
    static const char *const patterns[] = {
        "runtime.throw*", "runtime.fatal*", "runtime.dopanic*",   "runtime.dieFromSignal", "runtime.raise*",
        "runtime.crash*", "runtime.abort*", "runtime.tgkill",     "runtime.winthrow*",     "runtime.exit*",
        "raise",          "__GI_raise",     "gsignal",            "abort",                 "__GI_abort",
        "pthread_kill*",  "__pthread_kill*", "__GI___pthread_kill*", "tgkill",             "__GI_tgkill",
        "__libc_message*", "malloc_printerr*", "__fortify_fail*", "__stack_chk_fail*",     "__assert_fail*",
        "__restore_rt",   "<signal handler called>",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (itr_matches(patterns[i], function)) {
            return true;
        }
    }
    return false;
}

static bool is_raising_of_libc(const char *function) {
    return is_raising(function) && strncmp(function, "runtime.", 8) != 0;
}

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

bool itr_is_runtime(const char *function) {
    return begins(function, "runtime.") || begins(function, "internal/runtime/") || begins(function, "runtime/internal/") ||
           begins(function, "runtime/cgo.") || begins(function, "internal/abi.");
}

/* Which is the last call of panic() in the stack: the failure that began it all is below. */
static size_t below_panics(const struct itr_stack *stack) {
    size_t below = 0;
    for (size_t i = 0; i < stack->frame_count; i++) {
        const char *name = stack->frames[i].function;
        if (strcmp(name, "panic") == 0 || strcmp(name, "runtime.gopanic") == 0 || begins(name, "runtime.sigpanic")) {
            below = i + 1;
        }
    }
    return below;
}

/* A handler's frames stand above the place that the signal came to; where they do more than report, the failure is
 * the handler's own. */
static size_t below_handler(const struct itr_stack *stack) {
    size_t below = 0;
    for (size_t i = 0; i < stack->frame_count && i < 32; i++) {
        const char *name = stack->frames[i].function;
        if (strcmp(name, "<signal handler called>") == 0 || strcmp(name, "__restore_rt") == 0) {
            below = i + 1;
        } else if (name[0] != '\0' && !itr_is_reporting(name)) {
            break;
        }
    }
    return below;
}

/* Where the runtime failed once more while it told of a failure, the first one is below. */
static size_t below_telling(const struct itr_stack *stack) {
    size_t below = 0;
    for (size_t i = 0; i < stack->frame_count; i++) {
        const char *name = stack->frames[i].function;
        if (begins(name, "runtime.dopanic") || begins(name, "runtime.fatalthrow")) {
            below = i + 1;
        }
    }
    return below;
}

/* A debugger stops a thread at its fault, before any handler of the program runs. */
static bool is_caught_fault(const struct itr_crash *crash, const struct itr_stack *stack) {
    static const char *const faults[] = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE"};
    bool fault = false;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        fault = fault || strcmp(crash->signal, faults[i]) == 0;
    }
    return fault && crash->caught && stack->kind == ITR_STACK_THREAD && stack->frame_count > 0 &&
           stack->frames[0].function[0] != '\0' && !is_raising(stack->frames[0].function);
}

/* Not by a last frame of which there is only a PC. */
static bool tells_place(const struct itr_stack *stack, size_t at) {
    return at + 1 < stack->frame_count ||
           (at < stack->frame_count && (stack->frames[at].function[0] != '\0' || stack->frames[at].module[0] != '\0'));
}

/* A debugger's stack may be cut short: of nothing but reporting functions, those that the C library has not. */
static size_t place_in_rest(const struct itr_stack *stack) {
    size_t at = 0;
    while (at < stack->frame_count && is_raising_of_libc(stack->frames[at].function)) {
        at++;
    }
    return stack->kind == ITR_STACK_THREAD ? at : stack->frame_count;
}

/* Index of the first frame that is the failure's place, `frame_count` if there is none. */
static size_t place_in(const struct itr_crash *crash, const struct itr_stack *stack) {
    if (is_caught_fault(crash, stack)) {
        return 0;
    }
    bool told = crash->message.kind == ITR_MESSAGE_PANIC || crash->kind == ITR_CRASH_STACKS;
    size_t at = told ? below_panics(stack) : below_handler(stack);
    size_t telling = below_telling(stack);
    at = telling > at ? telling : at;
    while (at < stack->frame_count && itr_is_reporting(stack->frames[at].function)) {
        at++;
    }
    return at;
}

bool itr_gives_up(const struct itr_crash *crash) {
    if (crash->frame_count == 0 || crash->frames[0].function[0] == '\0' || itr_is_reporting(crash->frames[0].function)) {
        return false;
    }
    const char *function = crash->crashed->frames[0].function;
    return is_raising(function) || strcmp(function, "panic") == 0 || strcmp(function, "runtime.gopanic") == 0;
}

/* ---- the program's own ---- */

/* In which goroutines wait or touch memory on behalf of those that call them. Which ones there are differs between
 * versions of Go. */
static bool is_on_behalf(const char *function) {
    static const char *const patterns[] = {"sync.*", "internal/sync.*", "sync/atomic.*", "internal/race.*", "time.Sleep",
                                           "internal/poll.*", "syscall.*", "os/signal.signal_recv"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (itr_matches(patterns[i], function)) {
            return true;
        }
    }
    return itr_is_runtime(function);
}

size_t itr_own_frame(const struct itr_frame *frames, size_t count, size_t otherwise) {
    size_t at = 0;
    while (at < count && is_on_behalf(frames[at].function)) {
        at++;
    }
    return at < count ? at : otherwise;
}

const struct itr_frame *itr_race_place(const struct itr_crash *crash, int side) {
    const struct itr_stack *stack = crash->accesses[side] >= 0 ? &crash->stacks[crash->accesses[side]] : NULL;
    return stack != NULL && stack->frame_count > 0 ? &stack->frames[itr_own_frame(stack->frames, stack->frame_count, 0)] : NULL;
}

/* ---- which stack ---- */

bool itr_is_programs_own(const struct itr_crash *crash) {
    static const char *const texts[] = {
        "fatal error: concurrent map*", "fatal error: all goroutines are asleep*", "fatal error: sync: *",
        "fatal error: stack overflow",  "fatal error: no goroutines*",             "fatal error: fault",
        "unexpected fault address*",
    };
    if (crash->message.kind == ITR_MESSAGE_PANIC) {
        return true;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (itr_matches(texts[i], crash->message.text)) {
            return true;
        }
    }
    return false;
}

bool itr_is_sent_from_outside(const struct itr_crash *crash) {
    static const char *const names[] = {"SIGQUIT", "SIGTERM", "SIGINT", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(crash->signal, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The thread that a debugger says it was, if its stack is there; else the first one. */
static int pick_thread(const struct itr_crash *crash) {
    for (size_t i = 0; i < crash->stack_count; i++) {
        if (crash->stacks[i].kind == ITR_STACK_THREAD && crash->has_thread && crash->stacks[i].id == crash->thread) {
            return (int)i;
        }
    }
    return crash->first_thread;
}

/* The test that did not end, where `go test` ended it; -1 if it is not there. */
static int pick_hung_test(const struct itr_crash *crash) {
    for (size_t i = 0; begins(crash->message.text, "panic: test timed out") && i < crash->stack_count; i++) {
        if (strcmp(crash->stacks[i].created_by.function, "testing.(*T).Run") == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int pick_stack(const struct itr_crash *crash) {
    const struct itr_stack *stacks = crash->stacks;
    int hung = pick_hung_test(crash);
    if (hung >= 0) {
        return hung;
    }
    if (crash->kind == ITR_CRASH_RACE) {
        return crash->accesses[0];
    }
    if (itr_is_sent_from_outside(crash) && crash->main_goroutine >= 0) {
        return crash->main_goroutine;
    }
    if (crash->runtime_stack >= 0 && !itr_is_programs_own(crash) &&
        place_in(crash, &stacks[crash->runtime_stack]) < stacks[crash->runtime_stack].frame_count) {
        return crash->runtime_stack;
    }
    /* Where the runtime reported the failure itself, threads that somebody's debugger listed afterwards say nothing of it. */
    bool listed_later = crash->runtime_stack >= 0 && !crash->caught;
    return crash->first_goroutine >= 0                  ? crash->first_goroutine
           : crash->first_thread >= 0 && !listed_later  ? pick_thread(crash)
           : crash->listed_goroutine >= 0 ? crash->listed_goroutine
                                          : crash->runtime_stack;
}

void itr_triage_locate(struct itr_crash *crash) {
    int index = pick_stack(crash);
    if (index >= 0) {
        crash->crashed = &crash->stacks[index];
        size_t at = place_in(crash, crash->crashed);
        at = tells_place(crash->crashed, at) ? at : place_in_rest(crash->crashed);
        crash->frames = crash->crashed->frames + at;
        crash->frame_count = crash->crashed->frame_count - at;
    }
    if (!crash->has_pc && crash->caught && crash->crashed != NULL && crash->crashed->kind == ITR_STACK_THREAD &&
        crash->crashed->frame_count > 0) {
        crash->has_pc = crash->crashed->frames[0].has_pc;
        crash->pc = crash->crashed->frames[0].pc;
    }
}
