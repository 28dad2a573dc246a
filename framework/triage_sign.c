/* From the facts of a crash text and the place of its failure to its name: signature and detail. The words of signatures
 * are those of classify.c. */
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

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
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

/* "main.f", "main.f*" for an endless recursion, "" if it is not known. */
static void sign_place(const struct itr_crash *crash, char *out, size_t room) {
    bool waits = itr_is_programs_own(crash) || crash->kind == ITR_CRASH_STACKS;
    size_t at = waits ? itr_own_frame(crash->frames, crash->frame_count, 0) : 0;
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
    size_t at = itr_own_frame(stack->frames, stack->frame_count, stack->frame_count);
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
        const struct itr_frame *frame = itr_race_place(crash, i);
        char place[ITR_LOCATION_MAX] = "unknown";
        if (frame != NULL) {
            name_place(place, sizeof place, frame);
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
    if (itr_is_sent_from_outside(crash)) {
        sign_waiting(crash, place, sizeof place);
    } else {
        sign_place(crash, place, sizeof place);
    }
    bool waiting = itr_is_sent_from_outside(crash);
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
    itr_triage_locate(crash);
    if (crash->kind == ITR_CRASH_STACKS && itr_gives_up(crash)) {
        crash->gave_up = true;
        crash->kind = ITR_CRASH_FATAL;
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
