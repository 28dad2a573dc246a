/* From the facts of a crash text to its name: which stack crashed, where the failure is in it, signature and
 * detail. The words of signatures are those of classify.c. Which functions report failures is data. */
#include "framework/triage_parts.h"

#include "framework/match.h"
#include "framework/outcome.h"
#include "framework/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *itr_crash_kind_name(enum itr_crash_kind kind) {
    switch (kind) {
#define ITR_CRASH_CASE(id, name) \
    case ITR_CRASH_##id: return name;
        ITR_CRASH_MAP(ITR_CRASH_CASE)
#undef ITR_CRASH_CASE
    }
    return "unknown";
}

const char *itr_stack_kind_name(enum itr_stack_kind kind) {
    switch (kind) {
#define ITR_STACK_CASE(id, name) \
    case ITR_STACK_##id: return name;
        ITR_STACK_MAP(ITR_STACK_CASE)
#undef ITR_STACK_CASE
    }
    return "unknown";
}

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

/* ---- which stack ---- */

/* Messages that programs cause, not the runtime: with them the runtime hides its own frames, unless told not to,
 * so the place is the first frame that is not the runtime's. */
static bool is_programs_own(const struct itr_crash *crash) {
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

static bool is_sent_from_outside(const struct itr_crash *crash) {
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
    if (is_sent_from_outside(crash) && crash->main_goroutine >= 0) {
        return crash->main_goroutine;
    }
    if (crash->runtime_stack >= 0 && !is_programs_own(crash) &&
        place_in(crash, &stacks[crash->runtime_stack]) < stacks[crash->runtime_stack].frame_count) {
        return crash->runtime_stack;
    }
    return crash->first_goroutine >= 0    ? crash->first_goroutine
           : crash->first_thread >= 0     ? pick_thread(crash)
           : crash->listed_goroutine >= 0 ? crash->listed_goroutine
                                          : crash->runtime_stack;
}

/* ---- the signature ---- */

/* Suffixes that compilers and ABIs add, and that a rebuild may change. */
static size_t plain_length(const char *function) {
    static const char *const suffixes[] = {".abi0", ".abiinternal", ".isra.", ".constprop.", ".part.", ".cold", ".lto_priv."};
    size_t length = strlen(function);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        const char *found = strstr(function, suffixes[i]);
        if (found != NULL && found > function && (size_t)(found - function) < length) {
            length = (size_t)(found - function);
        }
    }
    return length;
}

/* "/usr/lib/libx.so.6" → "libx" */
static void module_name(char *out, size_t room, const char *module) {
    const char *name = module;
    for (const char *p = module; *p != '\0'; p++) {
        name = *p == '/' || *p == '\\' ? p + 1 : name;
    }
    size_t length = strcspn(name, ".");
    itr_escape_into(out, room, ITR_ESCAPE_TERMINAL, name, length > 0 ? length : strlen(name));
}

static void name_place(char *out, size_t room, const struct itr_frame *frame) {
    char module[64];
    char function[ITR_LOCATION_MAX];
    module_name(module, sizeof module, frame->module);
    itr_escape_into(function, sizeof function, ITR_ESCAPE_TERMINAL, frame->function, plain_length(frame->function));
    snprintf(out, room, "%s%s%s", module, module[0] != '\0' && function[0] != '\0' ? "!" : "", function);
}

/* The place of an endless recursion: of the functions that go on calling each other, the first by name, since the
 * one in which the stack ends is chance. */
static const struct itr_frame *recursion_of(const struct itr_stack *stack, size_t at) {
    const struct itr_frame *first = &stack->frames[at];
    size_t period = 1;
    while (at + period < stack->frame_count && period < 32 &&
           strcmp(stack->frames[at + period].function, stack->frames[at].function) != 0) {
        period++;
    }
    if (at + 2 * period >= stack->frame_count || period == 32) {
        return NULL;
    }
    for (size_t i = 1; i < period; i++) {
        if (strcmp(stack->frames[at + i].function, first->function) < 0) {
            first = &stack->frames[at + i];
        }
    }
    return first;
}

/* In which goroutines wait on behalf of those that call them. Which ones there are differs between versions of Go. */
static bool is_waiting(const char *function) {
    static const char *const patterns[] = {"sync.*", "internal/sync.*", "time.Sleep", "internal/poll.*", "syscall.*",
                                           "os/signal.signal_recv"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (itr_matches(patterns[i], function)) {
            return true;
        }
    }
    return itr_is_runtime(function);
}

/* The first frame of the program's own; `otherwise` if all are the runtime's. */
static size_t waiter(const struct itr_frame *frames, size_t count, size_t otherwise) {
    size_t at = 0;
    while (at < count && is_waiting(frames[at].function)) {
        at++;
    }
    return at < count ? at : otherwise;
}

/* "main.f", "main.f*" for an endless recursion, "" if it is not known. */
static void sign_place(const struct itr_crash *crash, char *out, size_t room) {
    bool waits = is_programs_own(crash) || crash->kind == ITR_CRASH_STACKS;
    size_t at = waits ? waiter(crash->frames, crash->frame_count, 0) : 0;
    out[0] = '\0';
    if (at >= crash->frame_count) {
        return;
    }
    const struct itr_frame *frame = &crash->frames[at];
    bool overflow = strstr(crash->message.text, "stack overflow") != NULL;
    const struct itr_frame *recursion =
        overflow ? recursion_of(crash->crashed, (size_t)(frame - crash->crashed->frames)) : NULL;
    name_place(out, room, recursion != NULL ? recursion : frame);
    if (recursion != NULL) {
        size_t used = strlen(out);
        snprintf(out + used, room - used, "*");
    }
}

/* A waiting main goroutine stays where it is; a running one is somewhere by chance. */
static void sign_waiting(const struct itr_crash *crash, char *out, size_t room) {
    const struct itr_stack *stack = crash->crashed;
    char place[ITR_LOCATION_MAX];
    out[0] = '\0';
    if (stack == NULL || stack->kind != ITR_STACK_GOROUTINE || stack->id != 1 || begins(stack->state, "run")) {
        return;
    }
    size_t at = waiter(stack->frames, stack->frame_count, stack->frame_count);
    if (at < stack->frame_count) {
        name_place(place, sizeof place, &stack->frames[at]);
        snprintf(out, room, "main goroutine waits at %s", place);
    }
}

static void ITR_PRINTF(2, 3) sign(struct itr_crash *crash, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(crash->signature, sizeof crash->signature, format, args);
    va_end(args);
    itr_end_cleanly(crash->signature, sizeof crash->signature);
}

static const char *quoted(const struct itr_crash *crash, char *out, size_t room) {
    out[0] = '\0';
    if (crash->message.kind != ITR_MESSAGE_NONE) {
        snprintf(out, room, " \"%s\"", crash->message.text);
    }
    return out;
}

static const char *class_of_address(const struct itr_crash *crash) {
    bool access = strcmp(crash->signal, "SIGSEGV") == 0 || crash->exception == 0xC0000005;
    if (!access || !crash->has_address) {
        return "";
    }
    /* Linux says address 0 and code SI_KERNEL where the address was none that memory can have. */
    if (crash->signal[0] != '\0' && crash->has_code && crash->code == 0x80 && crash->address == 0) {
        return itr_address_class(UINT64_MAX);
    }
    return itr_address_class(crash->address);
}

static void sign_race(struct itr_crash *crash) {
    char side[2][ITR_LOCATION_MAX + 16] = {"", ""};
    for (int i = 0; i < 2; i++) {
        const struct itr_stack *stack = crash->accesses[i] >= 0 ? &crash->stacks[crash->accesses[i]] : NULL;
        char place[ITR_LOCATION_MAX] = "unknown";
        if (stack != NULL && stack->frame_count > 0) {
            name_place(place, sizeof place, &stack->frames[0]);
        }
        snprintf(side[i], sizeof side[i], "%s at %s", stack != NULL ? stack->state : "access", place);
    }
    bool swap = strcmp(side[0], side[1]) > 0; /* which came first is chance */
    sign(crash, "race %s, %s", side[swap ? 1 : 0], side[swap ? 0 : 1]);
}

static void sign_crash(struct itr_crash *crash) {
    char place[ITR_LOCATION_MAX + 64];
    char message[ITR_MESSAGE_TEXT_MAX + 4];
    const char *class = class_of_address(crash);
    bool exception = crash->signal[0] == '\0';
    if (is_sent_from_outside(crash)) {
        sign_waiting(crash, place, sizeof place);
    } else {
        sign_place(crash, place, sizeof place);
    }
    bool waiting = is_sent_from_outside(crash);
    sign(crash, "crash %s%s%s%s%s%s", exception ? crash->shape : crash->signal,
             place[0] == '\0' ? "" : exception || waiting ? " " : " at ", place, class[0] != '\0' ? " " : "", class,
             quoted(crash, message, sizeof message));
}

static void sign_fatal(struct itr_crash *crash, const char *word) {
    char place[ITR_LOCATION_MAX];
    char message[ITR_MESSAGE_TEXT_MAX + 4];
    sign_place(crash, place, sizeof place);
    sign(crash, "%s%s%s%s", word, quoted(crash, message, sizeof message),
             place[0] != '\0' ? " at " : "", place);
}

static void ITR_PRINTF(2, 3) describe(struct itr_crash *crash, const char *format, ...) {
    size_t used = strlen(crash->detail);
    va_list args;
    if (used > 0 && used + 3 < sizeof crash->detail) {
        memcpy(crash->detail + used, "; ", 3);
        used += 2;
    }
    va_start(args, format);
    vsnprintf(crash->detail + used, sizeof crash->detail - used, format, args);
    va_end(args);
    itr_end_cleanly(crash->detail, sizeof crash->detail);
}

static void describe_all(struct itr_crash *crash) {
    if (crash->has_pc) {
        describe(crash, "pc 0x%" PRIx64, crash->pc);
    }
    if (crash->has_address) {
        const char *doing = !crash->has_exception || crash->exception != 0xC0000005 || !crash->has_code ? ""
                            : crash->code == 1                                                           ? "writing "
                            : crash->code == 8 ? "executing "
                                               : "reading ";
        describe(crash, "%saddress 0x%" PRIx64, doing, crash->address);
    }
    if (crash->has_code && crash->signal[0] != '\0') {
        describe(crash, "code %" PRId64, crash->code);
    }
    if (crash->has_thread) {
        describe(crash, "thread %" PRIu64, crash->thread);
    }
    if (crash->has_m) {
        describe(crash, "m %" PRIu64, crash->m);
    }
    if (crash->has_goroutine) {
        describe(crash, "goroutine %" PRIu64, crash->goroutine);
    }
    if (crash->in_cgo) {
        describe(crash, "in code that is not Go");
    }
}

static enum itr_crash_kind kind_of(const struct itr_crash *crash) {
    if (crash->kind == ITR_CRASH_RACE) {
        return crash->kind;
    }
    if (crash->message.kind == ITR_MESSAGE_SETUP) {
        return ITR_CRASH_SETUP;
    }
    if (crash->signal[0] != '\0' || crash->has_exception) {
        return ITR_CRASH_CRASH;
    }
    if (crash->message.kind != ITR_MESSAGE_NONE || crash->gave_up) {
        return ITR_CRASH_FATAL;
    }
    return crash->stack_count > 0 ? ITR_CRASH_STACKS : crash->message_count > 0 ? ITR_CRASH_NOTICE : ITR_CRASH_NONE;
}

void itr_triage_sign(struct itr_crash *crash) {
    crash->kind = kind_of(crash);
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
    switch (crash->kind) {
    case ITR_CRASH_NONE: break;
    case ITR_CRASH_STACKS: sign_fatal(crash, "stacks"); break;
    case ITR_CRASH_NOTICE:
        sign(crash, "notice \"%s\"", crash->messages[0].text);
        break;
    case ITR_CRASH_SETUP:
        sign(crash, "tool-error set-up \"%s\"", crash->message.text);
        break;
    case ITR_CRASH_RACE: sign_race(crash); break;
    case ITR_CRASH_FATAL: sign_fatal(crash, "fatal"); break;
    case ITR_CRASH_CRASH: sign_crash(crash); break;
    }
    describe_all(crash);
}
