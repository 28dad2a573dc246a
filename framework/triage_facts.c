/* Puts the lines of a crash text together: what died and why. Whose stacks those are is triage_stacks.c's, what it says
 * in words triage_said.c's. The first report of the text is the one that is told; later ones are counted. */
#include "framework/triage_parts.h"

#include "framework/outcome.h"
#include "framework/text.h"

#include <stdio.h>
#include <string.h>

/* Other lines between a function and its place, where nothing says yet that there is a stack. */
enum { FUNCTION_AGE_MAX = 16 };

/* ---- words ---- */

static const char *keep(struct itr_facts *facts, struct itr_slice slice) {
    return itr_store_string(&facts->store, slice.data, slice.length);
}

static void copy(char *out, size_t room, struct itr_slice slice) {
    itr_escape_into(out, room, ITR_ESCAPE_TERMINAL, slice.data, slice.length);
}

static bool is_later(const struct itr_facts *facts) {
    return facts->crash.reports > 1;
}

static bool is_slice(struct itr_slice slice, const char *text) {
    return slice.length == strlen(text) && memcmp(slice.data, text, slice.length) == 0;
}

/* ---- signals and exceptions ---- */

static const char *unix_signal(uint64_t number) {
    switch (number) {
    case 4: return "SIGILL";
    case 5: return "SIGTRAP";
    case 6: return "SIGABRT";
    case 7:
    case 10: return "SIGBUS";
    case 8: return "SIGFPE";
    case 11: return "SIGSEGV";
    default: return "";
    }
}

/* What a debugger stops at without the program dying of it. */
static bool kills_nobody(const char *signal) {
    static const char *const names[] = {"SIGURG", "SIGINT", "SIGSTOP", "SIGTRAP", "SIGCHLD", "SIGPROF", "SIGUSR1",
                                        "SIGUSR2", "SIGALRM", "SIGPIPE", "SIGWINCH", "SIGCONT", "SIGTSTP"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(signal, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void take_place(struct itr_facts *facts, const struct itr_line *line) {
    struct itr_crash *crash = &facts->crash;
    if (!crash->has_pc && (line->has & ITR_HAS_PC) != 0) {
        crash->has_pc = true;
        crash->pc = line->pc;
    }
    if (!crash->has_address && (line->has & ITR_HAS_ADDRESS) != 0) {
        crash->has_address = true;
        crash->address = line->address;
    }
    if (!crash->has_code && (line->has & ITR_HAS_CODE) != 0) {
        crash->has_code = true;
        crash->code = (int64_t)line->code;
    }
    if (!crash->has_m && (line->has & ITR_HAS_M) != 0) {
        crash->has_m = true;
        crash->m = line->m;
    }
}

static void take_signal(struct itr_facts *facts, const struct itr_line *line) {
    struct itr_crash *crash = &facts->crash;
    if (is_later(facts)) {
        return;
    }
    if (crash->signal[0] == '\0' || facts->weak_signal) {
        if (line->name.length > 0) {
            snprintf(crash->signal, sizeof crash->signal, "%s", line->kind == ITR_LINE_CORE_SIGNAL ? "SIG" : "");
            size_t used = strlen(crash->signal);
            copy(crash->signal + used, sizeof crash->signal - used, line->name);
        } else {
            snprintf(crash->signal, sizeof crash->signal, "%s", unix_signal(line->number));
        }
        facts->weak_signal = line->kind == ITR_LINE_RECEIVED && kills_nobody(crash->signal);
    }
    take_place(facts, line);
}

/* Names of codes as signatures have them: "AV+INT3*". */
static void add_to_shape(struct itr_facts *facts, uint32_t code) {
    struct itr_crash *crash = &facts->crash;
    size_t used = strlen(crash->shape);
    if (facts->exceptions > 0 && code == facts->last_exception) {
        if (!facts->exception_repeats && used + 1 < sizeof crash->shape) {
            crash->shape[used] = '*';
            crash->shape[used + 1] = '\0';
        }
        facts->exception_repeats = true;
        return;
    }
    if (used + 32 < sizeof crash->shape) {
        char name[32];
        itr_exception_short_name(code, name, sizeof name);
        snprintf(crash->shape + used, sizeof crash->shape - used, "%s%s", used > 0 ? "+" : "", name);
    }
    facts->exception_repeats = false;
    facts->exceptions++;
}

static void take_exception(struct itr_facts *facts, const struct itr_line *line) {
    struct itr_crash *crash = &facts->crash;
    bool told_twice = facts->exceptions > 0 && line->exception == facts->last_exception &&
                      (line->has & ITR_HAS_PC) != 0 && line->pc == facts->last_exception_pc;
    if (is_later(facts) || told_twice) {
        return;
    }
    add_to_shape(facts, line->exception);
    facts->last_exception = line->exception;
    facts->last_exception_pc = line->pc;
    if (!crash->has_exception) {
        crash->has_exception = true;
        crash->exception = line->exception;
    }
    if (line->dialect == ITR_DIALECT_WINE && !crash->has_thread && (line->has & ITR_HAS_NUMBER) != 0) {
        crash->has_thread = true;
        crash->thread = line->number;
    }
    take_place(facts, line);
}

/* ---- the rest ---- */

static void take_thread_number(struct itr_facts *facts, const struct itr_line *line) {
    if (!is_later(facts) && !facts->crash.has_thread && (line->has & ITR_HAS_NUMBER) != 0) {
        facts->crash.has_thread = true;
        facts->crash.thread = line->number;
    }
}

static void take_received(struct itr_facts *facts, const struct itr_line *line) {
    if (facts->weak_signal) {
        facts->crash.has_thread = false;
    }
    if (facts->crash.reports == 0 || !facts->weak_signal) {
        itr_facts_report(facts);
    }
    if (line->kind == ITR_LINE_RECEIVED) {
        take_thread_number(facts, line);
    }
    facts->crash.caught = facts->crash.caught || !is_later(facts);
    take_signal(facts, line);
}

static void take_stopped(struct itr_facts *facts, const struct itr_line *line) {
    struct itr_slice bad = {"SIGSEGV", 7};
    itr_facts_report(facts);
    if (is_later(facts)) {
        return;
    }
    facts->stopped = true;
    facts->stop = (struct itr_frame){.function = keep(facts, line->name), .module = "", .file = keep(facts, line->file),
                                     .line = line->line, .has_pc = (line->has & ITR_HAS_PC) != 0, .pc = line->pc};
    if (!facts->crash.has_goroutine && (line->has & ITR_HAS_NUMBER) != 0) {
        facts->crash.has_goroutine = true;
        facts->crash.goroutine = line->number;
    }
    facts->crash.gave_up = is_slice(line->state, "unrecovered-panic") || is_slice(line->state, "runtime-fatal-throw");
    if (is_slice(line->state, "bad-access")) {
        struct itr_line signal = *line;
        signal.name = bad;
        take_signal(facts, &signal);
    }
}

static void take_register(struct itr_facts *facts, const struct itr_line *line) {
    struct itr_crash *crash = &facts->crash;
    struct itr_crash_register one = {.value = line->number};
    if (is_later(facts) || crash->register_count == ITR_REGISTERS_MAX) {
        return;
    }
    copy(one.name, sizeof one.name, line->name);
    for (char *p = one.name; *p != '\0'; p++) {
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p; /* Wine writes some in capitals */
    }
    for (size_t i = 0; i < crash->register_count; i++) {
        if (strcmp(crash->registers[i].name, one.name) == 0) {
            return; /* another thread's */
        }
    }
    crash->registers[crash->register_count++] = one;
}

/* All of a line. */
static void take_registers(struct itr_facts *facts, const struct itr_line *line) {
    struct itr_line one = *line;
    while (one.kind == ITR_LINE_REGISTER) {
        struct itr_slice rest = one.rest;
        take_register(facts, &one);
        itr_line_parse(rest.data, rest.length, &one);
    }
}

static void take_race(struct itr_facts *facts, const struct itr_line *line) {
    if (line->kind == ITR_LINE_RACE) {
        itr_stack_close(facts);
        facts->race_first = facts->race_first || (facts->crash.reports == 0 && facts->crash.message.kind == ITR_MESSAGE_NONE);
        facts->crash.reports++;
        return;
    }
    itr_stack_open(facts, line->kind == ITR_LINE_RACE_ACCESS ? ITR_STACK_ACCESS : ITR_STACK_CREATION, line->number);
    if (line->kind == ITR_LINE_RACE_ACCESS) {
        facts->stack.state = keep(facts, line->state);
        if (!is_later(facts)) {
            take_place(facts, line);
        }
    }
}

void itr_facts_test(struct itr_facts *facts, bool is_test, const char *name, size_t count) {
    const char **to = is_test ? &facts->crash.test : &facts->crash.package;
    if ((*to)[0] == '\0') {
        *to = itr_store_string(&facts->store, name, count);
    }
}

static void take_fact(struct itr_facts *facts, const struct itr_line *line, const char *text, size_t count) {
    switch (line->kind) {
    case ITR_LINE_MESSAGE: itr_facts_message(facts, line, text, count); break;
    case ITR_LINE_SIGNAL:
        itr_facts_message(facts, line, text, count);
        take_signal(facts, line);
        break;
    case ITR_LINE_SIGNAL_PANIC: {
        struct itr_line copied = *line;
        copied.message = (line->has & ITR_HAS_EXCEPTION) != 0 ? ITR_MESSAGE_EXCEPTION : ITR_MESSAGE_SIGNAL;
        itr_facts_message(facts, &copied, text, count);
        if ((line->has & ITR_HAS_EXCEPTION) != 0) {
            take_exception(facts, line);
        } else {
            take_signal(facts, line);
        }
        break;
    }
    case ITR_LINE_EXCEPTION: {
        struct itr_line copied = *line;
        copied.message = ITR_MESSAGE_EXCEPTION;
        itr_facts_message(facts, &copied, text, count);
        take_exception(facts, line);
        break;
    }
    case ITR_LINE_PC:
        if (!is_later(facts)) {
            take_place(facts, line);
        }
        break;
    case ITR_LINE_RECEIVED: take_received(facts, line); break;
    case ITR_LINE_THREAD:
        if (facts->store.stack_count == 0) { /* later ones are the others, or all once more */
            take_thread_number(facts, line);
        }
        break;
    case ITR_LINE_SWITCHING: take_thread_number(facts, line); break;
    case ITR_LINE_STOPPED: take_stopped(facts, line); break;
    case ITR_LINE_PANIC_VALUE: itr_facts_panic_value(facts, line); break;
    case ITR_LINE_CORE_SIGNAL: take_received(facts, line); break;
    case ITR_LINE_REGISTER: take_registers(facts, line); break;
    case ITR_LINE_MOREBUF:
        if (!is_later(facts) && !facts->crash.has_morebuf) {
            facts->crash.has_morebuf = true;
            facts->crash.morebuf_pc = line->pc;
        }
        break;
    case ITR_LINE_RACE:
    case ITR_LINE_RACE_ACCESS:
    case ITR_LINE_RACE_CREATED: take_race(facts, line); break;
    case ITR_LINE_TESTS: facts->test_is_next = true; break;
    case ITR_LINE_TEST: itr_facts_test(facts, true, line->name.data, line->name.length); break;
    case ITR_LINE_PACKAGE: itr_facts_test(facts, false, line->name.data, line->name.length); break;
    default: break;
    }
}

/* Lines behind which a function is one of the stack even without its place. */
static bool is_part_of_stack(enum itr_line_kind kind) {
    return kind == ITR_LINE_GOROUTINE || kind == ITR_LINE_RUNTIME_STACK || kind == ITR_LINE_LOCATION ||
           kind == ITR_LINE_ELIDED || kind == ITR_LINE_SEGMENT || kind == ITR_LINE_RACE_ACCESS ||
           kind == ITR_LINE_RACE_CREATED;
}

/* What a line means only because of the one before it. True: that was it. */
static bool take_next(struct itr_facts *facts, enum itr_line_kind kind, const char *text, size_t count) {
    bool no_fact = kind == ITR_LINE_OTHER || kind == ITR_LINE_BARE;
    if (facts->creator_is_next && (no_fact || kind == ITR_LINE_LOCATION) && itr_stack_old_creator(facts, text, count)) {
        return true;
    }
    const char *blank = memchr(text, ' ', count);
    bool timed = blank != NULL && text + count - blank > 2 && blank[1] == '(' && text[count - 1] == ')';
    if (facts->test_is_next && no_fact && timed) { /* "TestHangs (2s)" */
        itr_facts_test(facts, true, text, (size_t)(blank - text));
        return true;
    }
    return false;
}

/* Functions without arguments stand in a row, as those of C do, or gccgo's: even other output between keeps none out. */
static bool may_have_bare(const struct itr_facts *facts) {
    size_t count = facts->stack.frame_count;
    return facts->open && facts->function == NULL && (count == 0 || !facts->frames[count - 1].has_offset);
}

bool itr_facts_line(struct itr_facts *facts, const char *text, size_t count) {
    struct itr_line line;
    enum itr_line_kind kind = itr_line_parse(text, count, &line);
    if (kind == ITR_LINE_BLANK) {
        return false;
    }
    if (take_next(facts, kind, text, count)) {
        return true;
    }
    if (kind == ITR_LINE_BARE && facts->open && (facts->in_stack || may_have_bare(facts))) {
        itr_stack_settle(facts);
        facts->bare = keep(facts, line.name);
        facts->in_stack = false; /* unless a place follows */
        return true;
    }
    if (kind == ITR_LINE_OTHER || kind == ITR_LINE_BARE) {
        facts->bare = may_have_bare(facts) ? facts->bare : NULL;
        if (!facts->open && facts->function != NULL && ++facts->function_age > FUNCTION_AGE_MAX) {
            facts->function = NULL;
        }
        facts->in_stack = false;
        return false;
    }
    facts->test_is_next = false;
    itr_stack_line(facts, &line);
    take_fact(facts, &line, text, count);
    facts->bare = NULL;
    facts->in_stack = is_part_of_stack(kind);
    if (kind != ITR_LINE_FUNCTION && kind != ITR_LINE_LOCATION && kind != ITR_LINE_REGISTER) {
        facts->crash.dialects |= line.dialect;
    }
    return true;
}

void itr_facts_begin(struct itr_facts *facts, void *(*reallocate)(void *, size_t)) {
    facts->store.reallocate = reallocate;
    facts->stop_index = -1;
    facts->crash.runtime_stack = facts->crash.first_goroutine = facts->crash.main_goroutine = -1;
    facts->crash.listed_goroutine = facts->crash.first_thread = facts->crash.accesses[0] = facts->crash.accesses[1] = -1;
    facts->crash.test = facts->crash.package = "";
}

/* A failing stack without a heading is a goroutine's if the first goroutine stands at the same place. */
static void name_headless(struct itr_facts *facts) {
    struct itr_crash *crash = &facts->crash;
    if (!facts->headless || crash->has_goroutine || crash->runtime_stack < 0 || crash->first_goroutine < 0) {
        return;
    }
    const struct itr_stack *stack = &facts->store.stacks[crash->runtime_stack];
    const struct itr_stack *first = &facts->store.stacks[crash->first_goroutine];
    bool same = stack->frame_count > 0 && stack->frame_count == first->frame_count;
    for (size_t i = 0; same && i < stack->frame_count; i++) { /* equal strings are one string */
        same = stack->frames[i].function == first->frames[i].function && stack->frames[i].line == first->frames[i].line;
    }
    if (same) {
        crash->has_goroutine = true;
        crash->goroutine = first->id;
        crash->m = crash->has_m ? crash->m : facts->heading_m;
        crash->has_m = crash->has_m || facts->heading_has_m;
    }
}

void itr_facts_end(struct itr_facts *facts) {
    struct itr_crash *crash = &facts->crash;
    itr_stack_close(facts);
    if (facts->stopped && crash->first_thread < 0 && crash->first_goroutine < 0) {
        uint64_t reports = crash->reports;
        crash->reports = 1;
        itr_stack_open(facts, crash->has_goroutine ? ITR_STACK_GOROUTINE : ITR_STACK_THREAD, crash->goroutine);
        itr_stack_add(facts, &facts->stop);
        itr_stack_close(facts);
        crash->reports = reports;
    }
    itr_facts_take_back(facts);
    name_headless(facts);
    crash->stacks = facts->store.stacks;
    crash->stack_count = facts->store.stack_count;
    crash->cut = crash->cut || facts->store.cut;
    if (facts->race_first && crash->accesses[0] >= 0) {
        crash->kind = ITR_CRASH_RACE; /* whatever the process died of later */
        crash->message = (struct itr_crash_message){.kind = ITR_MESSAGE_NONE};
        crash->printed[0] = '\0';
    }
    itr_triage_sign(crash);
    crash->reports += crash->reports == 0 && crash->kind != ITR_CRASH_NONE ? 1 : 0;
}

void itr_facts_release(struct itr_facts *facts) {
    itr_store_release(&facts->store);
}
