/* What a crash text says in words: its messages, and by which of them a report begins. Signals, exceptions and stacks are
 * not its business. */
#include "framework/triage_parts.h"

#include "framework/outcome.h"
#include "framework/text.h"

#include <stdio.h>
#include <string.h>

static bool is_later(const struct itr_facts *facts) {
    return facts->crash.reports > 1;
}

/* ---- reports ---- */

/* Heads by which a report begins, when stacks have come already. */
static bool begins_report(const char *text, size_t count, const struct itr_line *line) {
    return line->kind == ITR_LINE_SIGNAL || line->kind == ITR_LINE_EXCEPTION || itr_begins(text, count, "fatal error: ") ||
           itr_begins(text, count, "panic: ") || itr_begins(text, count, "throw: ") || itr_begins(text, count, "fatal: ") ||
           itr_served_panic(text, count) > 0;
}

static struct itr_found found(const struct itr_crash *crash) {
    return (struct itr_found){.any = true,
                              .runtime_stack = crash->runtime_stack,
                              .first_goroutine = crash->first_goroutine,
                              .main_goroutine = crash->main_goroutine,
                              .first_thread = crash->first_thread,
                              .has_goroutine = crash->has_goroutine,
                              .goroutine = crash->goroutine,
                              .has_m = crash->has_m,
                              .m = crash->m};
}

static void set_found(struct itr_crash *crash, const struct itr_found *from) {
    crash->runtime_stack = from->runtime_stack;
    crash->first_goroutine = from->first_goroutine;
    crash->main_goroutine = from->main_goroutine;
    crash->first_thread = from->first_thread;
    crash->has_goroutine = from->has_goroutine;
    crash->goroutine = from->goroutine;
    crash->has_m = from->has_m;
    crash->m = from->m;
}

/* Stacks that came before the first head are the end of something else, unless none follow. */
static void begin_anew(struct itr_facts *facts) {
    const struct itr_found nothing = {
        .runtime_stack = -1, .first_goroutine = -1, .main_goroutine = -1, .first_thread = -1};
    itr_stack_close(facts);
    facts->before = found(&facts->crash);
    set_found(&facts->crash, &nothing);
}

void itr_facts_take_back(struct itr_facts *facts) {
    const struct itr_crash *crash = &facts->crash;
    if (facts->before.any && crash->runtime_stack < 0 && crash->first_goroutine < 0 && crash->first_thread < 0) {
        set_found(&facts->crash, &facts->before);
    }
}

void itr_facts_report(struct itr_facts *facts) {
    if (facts->crash.reports == 0) {
        bool told = facts->crash.message.kind != ITR_MESSAGE_NONE; /* the stacks are what it told of */
        if (!told && (facts->store.stack_count > 0 || facts->open)) {
            begin_anew(facts);
        }
        facts->crash.reports = 1;
    } else if (facts->store.stack_count > 0 || facts->open) {
        itr_stack_close(facts);
        facts->crash.reports++;
        /* Later ones begin anew only behind stacks of theirs. */
    }
}

/* ---- messages ---- */

static size_t without(const char *text, size_t count, const char *suffix) {
    size_t length = strlen(suffix);
    return count >= length && memcmp(text + count - length, suffix, length) == 0 ? count - length : count;
}

static void count_message(struct itr_crash *crash, const struct itr_crash_message *message) {
    for (size_t i = 0; i < crash->message_count; i++) {
        if (strcmp(crash->messages[i].text, message->text) == 0) {
            crash->messages[i].count++;
            return;
        }
    }
    if (crash->message_count < ITR_MESSAGES_MAX) {
        crash->messages[crash->message_count++] = *message;
    } else {
        crash->cut = true;
    }
}

/* What today's runtime says for what Go 1.0 said, and the program itself where a server said it. */
static void normalise(char *out, size_t room, const char *text, size_t count) {
    char said[ITR_MESSAGE_TEXT_MAX + 32];
    const char *word = itr_begins(text, count, "throw: ") ? "fatal error: " : "panic: ";
    size_t skip = itr_begins(text, count, "throw: ") ? 7 : itr_served_panic(text, count);
    if (skip == 0) {
        itr_message_normalise(out, room, text, count);
        return;
    }
    size_t kept = count - skip < 160 ? count - skip : 160;
    int length = snprintf(said, sizeof said, "%s%.*s", word, (int)kept, text + skip);
    itr_message_normalise(out, room, said, (size_t)length);
}

void itr_facts_message(struct itr_facts *facts, const struct itr_line *line, const char *text, size_t count) {
    struct itr_crash *crash = &facts->crash;
    struct itr_crash_message message = {.kind = line->message, .count = 1};
    size_t kept = without(text, without(text, count, " [recovered]"), " [recovered, repanicked]");
    itr_stack_settle(facts);
    if (begins_report(text, count, line)) {
        itr_facts_report(facts);
    }
    if (line->message == ITR_MESSAGE_PANIC && !is_later(facts)) {
        crash->recovered = crash->recovered || kept < count;
        crash->panics++;
    }
    normalise(message.text, sizeof message.text, text, kept);
    if (itr_begins(text, count, "signal arrived during ") && !is_later(facts)) {
        crash->in_cgo = true;
    }
    count_message(crash, &message);
    if (crash->message.kind == ITR_MESSAGE_NONE && message.kind != ITR_MESSAGE_NOTICE) {
        crash->message = message;
        itr_escape_into(crash->printed, sizeof crash->printed, ITR_ESCAPE_TERMINAL, text, kept);
    }
}

void itr_facts_panic_value(struct itr_facts *facts, const struct itr_line *line) {
    char said[ITR_MESSAGE_TEXT_MAX + 32];
    struct itr_line panic = {.kind = ITR_LINE_MESSAGE, .message = ITR_MESSAGE_PANIC};
    size_t kept = line->name.length < ITR_MESSAGE_TEXT_MAX ? line->name.length : ITR_MESSAGE_TEXT_MAX;
    memcpy(said, "panic: ", 7);
    memcpy(said + 7, line->name.data, kept);
    itr_facts_message(facts, &panic, said, kept + 7);
}
