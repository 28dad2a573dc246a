/* The answer about a crash text as text for people, and as a rule for Go's watchflakes. */
#include "framework/report_triage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RED "\033[1;31m"
#define YELLOW "\033[33m"
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

enum { CRASHED_FRAMES = 12, OTHER_FRAMES = 4, OTHER_STACKS = 24, FUNCTION_COLUMN = 46 };

struct page {
    struct itr_text *out;
    bool colour;
};

static void add(const struct page *page, const char *text) {
    itr_text_escape(page->out, ITR_ESCAPE_TERMINAL, text, strlen(text));
}

static void paint(const struct page *page, const char *colour) {
    if (page->colour) {
        itr_text_add(page->out, colour);
    }
}

static void painted(const struct page *page, const char *colour, const char *text) {
    paint(page, colour);
    add(page, text);
    paint(page, PLAIN);
}

/* ---- frames ---- */

static void frame_text(const struct page *page, const struct itr_frame *frame, const char *indent, bool important) {
    itr_text_add(page->out, indent);
    size_t before = page->out->length;
    const char *function = frame->function[0] != '\0' ? frame->function : frame->module[0] != '\0' ? frame->module : "?";
    painted(page, important ? BOLD : "", function);
    size_t width = page->out->length - before;
    if (frame->file[0] != '\0' || frame->has_pc) {
        itr_text_printf(page->out, "%*s", width < FUNCTION_COLUMN ? (int)(FUNCTION_COLUMN - width) : 1, "");
        paint(page, DIM);
        if (frame->file[0] != '\0') {
            add(page, frame->file);
            itr_text_printf(page->out, ":%" PRIu32, frame->line);
        } else {
            itr_text_printf(page->out, "0x%" PRIx64, frame->pc);
        }
        paint(page, PLAIN);
    }
    itr_text_add(page->out, "\n");
}

static void frames_text(const struct page *page, const struct itr_frame *frames, size_t count, size_t most,
                        const char *indent, bool first_important) {
    for (size_t i = 0; i < count && i < most; i++) {
        frame_text(page, &frames[i], indent, first_important && i == 0);
    }
    if (count > most) {
        itr_text_printf(page->out, "%s… %zu more\n", indent, count - most);
    }
}

/* "goroutine 7 [chan receive, 3 to 9 minutes, locked to thread]" */
static void heading(const struct page *page, const struct itr_stack *stack) {
    const char *separator = " [";
    if (stack->count > 1) {
        itr_text_printf(page->out, "%" PRIu64 " × %s", stack->count, itr_stack_kind_name(stack->kind));
    } else if (stack->kind == ITR_STACK_RUNTIME) {
        itr_text_add(page->out, "runtime stack");
    } else {
        bool raced = stack->kind == ITR_STACK_ACCESS || stack->kind == ITR_STACK_CREATION;
        itr_text_printf(page->out, "%s %" PRIu64 "%s", raced ? "goroutine" : itr_stack_kind_name(stack->kind), stack->id,
                        stack->kind == ITR_STACK_CREATION ? ", created" : "");
    }
    if (stack->state[0] != '\0') {
        itr_text_add(page->out, separator);
        add(page, stack->state);
        separator = ", ";
    }
    if (stack->wait_max > 0) {
        itr_text_add(page->out, separator);
        separator = ", ";
        if (stack->wait_min != stack->wait_max) {
            itr_text_printf(page->out, "%" PRIu64 " to ", stack->wait_min);
        }
        itr_text_printf(page->out, "%" PRIu64 " minute%s", stack->wait_max, stack->wait_max == 1 ? "" : "s");
    }
    if (stack->locked > 0) {
        itr_text_printf(page->out, stack->locked == stack->count ? "%slocked to thread" : "%ssome locked to thread",
                        separator);
        separator = ", ";
    }
    itr_text_add(page->out, separator[0] == ',' ? "]" : "");
    if (stack->created_by.function[0] != '\0') {
        itr_text_add(page->out, ", created by ");
        add(page, stack->created_by.function);
    }
    itr_text_add(page->out, "\n");
}

/* "1 goroutine", "2 goroutines"; nothing for none */
static void counted(struct itr_text *out, uint64_t count, const char *what) {
    if (count > 0) {
        itr_text_printf(out, "%" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
    }
}

static void others_text(const struct page *page, const struct itr_crash *crash) {
    size_t shown = 0;
    size_t left = 0;
    for (size_t i = 0; i < crash->stack_count; i++) {
        const struct itr_stack *stack = &crash->stacks[i];
        if (stack == crash->crashed) {
            continue;
        }
        if (shown++ >= OTHER_STACKS) {
            left++;
            continue;
        }
        itr_text_add(page->out, "  ");
        heading(page, stack);
        frames_text(page, stack->frames, stack->frame_count, OTHER_FRAMES, "      ", false);
    }
    if (left > 0) {
        itr_text_printf(page->out, "  … %zu more different stacks\n", left);
    }
}

/* ---- the page ---- */

static void known_text(const struct page *page, const struct itr_known_failure *known) {
    itr_text_add(page->out, "  known: ");
    painted(page, YELLOW, known->summary);
    itr_text_printf(page->out, " (%s)\n", known->name);
    for (size_t i = 0; i < known->threads.count; i++) {
        itr_text_add(page->out, "         ");
        add(page, known->threads.items[i]);
        itr_text_add(page->out, "\n");
    }
    if (known->note != NULL) {
        itr_text_add(page->out, "         ");
        add(page, known->note);
        itr_text_add(page->out, "\n");
    }
}

static void notes_text(const struct page *page, const struct itr_crash *crash) {
    for (size_t i = 0; i < crash->message_count; i++) {
        const struct itr_crash_message *message = &crash->messages[i];
        if (strcmp(message->text, crash->message.text) != 0 || message->count > 1) {
            itr_text_add(page->out, "  said: ");
            add(page, message->text);
            itr_text_printf(page->out, message->count > 1 ? " (%" PRIu64 " times)\n" : "\n", message->count);
        }
    }
    if (crash->recovered) {
        itr_text_add(page->out, "  the panic was recovered and raised again\n");
    }
    if (crash->reports > 1) {
        itr_text_printf(page->out, "  the first of %" PRIu64 " reports in this text\n", crash->reports);
    }
    if (crash->hard_bytes > 0) {
        itr_text_printf(page->out, "  %" PRIu64 " of %" PRIu64 " bytes are no text, the first at byte %" PRIu64 "\n",
                        crash->hard_bytes, crash->bytes, crash->hard_offset);
    }
    if (crash->cut) {
        itr_text_add(page->out, "  there was more than is told here: a limit was reached\n");
    }
}

void itr_triage_text(struct itr_text *out, const struct itr_crash *crash, const struct itr_known_failure *known,
                     bool colour) {
    struct page page = {.out = out, .colour = colour};
    if (crash->kind == ITR_CRASH_NONE) {
        itr_text_printf(out, "nothing that is known as a crash text in %" PRIu64 " bytes\n", crash->bytes);
        return;
    }
    itr_text_add(out, "signature: ");
    painted(&page, RED, crash->signature);
    itr_text_add(out, "\n");
    if (crash->printed[0] != '\0') {
        itr_text_printf(out, "  %s\n", crash->printed); /* escaped already */
    }
    if (crash->detail[0] != '\0') {
        itr_text_printf(out, "  %s\n", crash->detail);
    }
    if (crash->test[0] != '\0' || crash->package[0] != '\0') {
        itr_text_add(out, "  in ");
        add(&page, crash->package);
        itr_text_add(out, crash->package[0] != '\0' && crash->test[0] != '\0' ? " " : "");
        add(&page, crash->test);
        itr_text_add(out, "\n");
    }
    if (known != NULL) {
        known_text(&page, known);
    }
    notes_text(&page, crash);
    if (crash->crashed != NULL) {
        itr_text_add(out, "\nwhere: ");
        heading(&page, crash->crashed);
        bool all = crash->frame_count == 0; /* report: better than none */
        frames_text(&page, all ? crash->crashed->frames : crash->frames, all ? crash->crashed->frame_count : crash->frame_count,
                    CRASHED_FRAMES, "    ", !all);
    }
    if (crash->stack_count > 1) {
        itr_text_add(out, "\n");
        counted(out, crash->goroutines, "goroutine");
        itr_text_add(out, crash->goroutines > 0 && crash->threads > 0 ? " and " : "");
        counted(out, crash->threads, "thread");
        itr_text_printf(out, "%s%zu different stacks:\n", crash->goroutines + crash->threads > 0 ? ", " : "",
                        crash->stack_count);
        others_text(&page, crash);
    }
}

void itr_known_text(struct itr_text *out, const struct itr_known_failure *known) {
    struct page page = {.out = out};
    itr_text_printf(out, "%-28s ", known->name);
    add(&page, known->summary);
    for (size_t i = 0; i < known->threads.count; i++) {
        itr_text_add(out, i == 0 ? ", " : " ");
        add(&page, known->threads.items[i]);
    }
    itr_text_add(out, "\n");
}

/* ---- watchflakes ---- */

static bool is_hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* As a regular expression in back quotes. `#` of a message stands for any number, an escape for any bytes. */
static void add_expression(struct itr_text *out, const char *text, size_t count, bool message) {
    for (size_t i = 0; i < count; i++) {
        char c = text[i];
        if (c == '\\' && count - i >= 4 && text[i + 1] == 'x' && is_hex_digit(text[i + 2]) && is_hex_digit(text[i + 3])) {
            itr_text_add(out, ".+");
            i += 3;
        } else if (c == '#' && message) {
            itr_text_add(out, "[0-9a-fA-Fx#]+");
        } else if (c == '`') {
            itr_text_add(out, "\\x60");
        } else if (c == '\t') {
            itr_text_add(out, "\\t");
        } else {
            itr_text_printf(out, strchr("\\.+*?()|[]{}^$", c) != NULL ? "\\%c" : "%c", c);
        }
    }
}

static void add_literal(struct itr_text *out, const char *text) {
    for (; *text != '\0'; text++) {
        itr_text_printf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
}

/* Without bytes that no terminal should see: a rule has no way to write them. */
static bool is_plain(const char *text) {
    char escaped[512];
    itr_escape_into(escaped, sizeof escaped, ITR_ESCAPE_TERMINAL, text, strlen(text));
    return strcmp(escaped, text) == 0;
}

struct rule {
    struct itr_text *out;
    bool any;
};

static void begin_condition(struct rule *rule) {
    itr_text_add(rule->out, rule->any ? " && " : " ");
    rule->any = true;
}

static void require_field(struct rule *rule, const char *field, const char *value) {
    if (value[0] != '\0' && is_plain(value)) {
        begin_condition(rule);
        itr_text_printf(rule->out, "%s == \"", field);
        add_literal(rule->out, value);
        itr_text_add(rule->out, "\"");
    }
}

static void require_function(struct rule *rule, const char *function) {
    char safe[ITR_LOCATION_MAX];
    if (function[0] == '\0' || function[0] == '<') {
        return;
    }
    itr_escape_into(safe, sizeof safe, ITR_ESCAPE_TERMINAL, function, strlen(function));
    begin_condition(rule);
    itr_text_add(rule->out, "`");
    add_expression(rule->out, safe, strlen(safe), false);
    itr_text_add(rule->out, "`");
}

static void require_message(struct rule *rule, const struct itr_crash *crash) {
    const char *text = crash->message.text;
    bool old = strncmp(crash->printed, "throw: ", 7) == 0;
    size_t count = strlen(text);
    size_t skip = old ? strlen("fatal error: ") : 0;
    begin_condition(rule);
    itr_text_add(rule->out, "`");
    itr_text_add(rule->out, old ? "throw: " : "");
    add_expression(rule->out, text + skip, count - skip, true);
    itr_text_add(rule->out, "`");
}

/* The function that the signature names, as the stack has it. */
static const char *place_of(const struct itr_crash *crash) {
    for (size_t i = 0; i < crash->frame_count; i++) {
        const char *function = crash->frames[i].function;
        const char *found = strstr(crash->signature, function);
        if (function[0] != '\0' && found != NULL) {
            return function;
        }
    }
    return "";
}

bool itr_triage_watchflakes(struct itr_text *out, const struct itr_crash *crash) {
    struct rule rule = {.out = out};
    if (crash->kind == ITR_CRASH_NONE || crash->kind == ITR_CRASH_NOTICE) {
        return false;
    }
    itr_text_add(out, "#!watchflakes\npost <-");
    require_field(&rule, "goos", crash->has_exception ? "windows" : "");
    require_field(&rule, "pkg", crash->package);
    require_field(&rule, "test", crash->test);
    if (crash->kind == ITR_CRASH_RACE) {
        begin_condition(&rule);
        itr_text_add(out, "`WARNING: DATA RACE`");
        const struct itr_frame *sides[2] = {itr_race_place(crash, 0), itr_race_place(crash, 1)};
        bool once = sides[0] != NULL && sides[1] != NULL && strcmp(sides[0]->function, sides[1]->function) == 0;
        for (int i = 0; i < (once ? 1 : 2); i++) {
            if (sides[i] != NULL) {
                require_function(&rule, sides[i]->function);
            }
        }
    } else {
        if (crash->message.kind != ITR_MESSAGE_NONE) {
            require_message(&rule, crash);
        } else if (crash->signal[0] != '\0') {
            require_function(&rule, crash->signal);
        }
        require_function(&rule, place_of(crash));
    }
    itr_text_add(out, "\n");
    return rule.any;
}
