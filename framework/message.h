/* What language runtimes and Wine print on early failures, as a table: finds the first such line in
 * captured bytes and makes it fit for a signature. It decides no outcome. */
#ifndef INITRACE_FRAMEWORK_MESSAGE_H
#define INITRACE_FRAMEWORK_MESSAGE_H

#include "framework/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kind, name: what a line says. */
/* clang-format off */
#define ITR_MESSAGE_MAP(X)                                                                         \
    X(NONE, "none")                                                                                \
    X(FATAL, "fatal")         /* the runtime gives up by itself */                                 \
    X(PANIC, "panic")         /* a language-level panic that nobody recovered */                   \
    X(SIGNAL, "signal")       /* a signal that the runtime reports */                              \
    X(EXCEPTION, "exception") /* a Windows exception, reported by the runtime or by Wine */        \
    X(NOTICE, "notice")       /* the runtime remarks on something and may go on */                 \
    X(SETUP, "setup")         /* the machine is at fault, not the runtime: no finding */           \
    X(NOISE, "noise")         /* Wine's own chatter: no finding */
/* clang-format on */

enum itr_message_kind {
#define ITR_MESSAGE_ENUM(id, name) ITR_MESSAGE_##id,
    ITR_MESSAGE_MAP(ITR_MESSAGE_ENUM)
#undef ITR_MESSAGE_ENUM
};

enum { ITR_MESSAGE_TEXT_MAX = 160 };

struct itr_message {
    enum itr_message_kind kind;
    const char *printed_by; /* function or program that prints it; static storage; "" when none */
    uint64_t offset;        /* of the line's first byte in the bytes that were given */
    size_t line_bytes;      /* length of the line without its end */
    /* The line for a signature: numbers and addresses replaced by `#`, escaped for a terminal, cut
     * to fit. The same failure gives the same text on every run and machine. */
    char text[ITR_MESSAGE_TEXT_MAX];
};

const char *itr_message_kind_name(enum itr_message_kind kind);

/* Kind of the line that begins at `line`; `count` bytes may go beyond its end. NONE for ordinary
 * text. `printed_by` may be NULL. Costs a table look-up for nearly every line. */
enum itr_message_kind itr_message_kind_of(const void *line, size_t count, const char **printed_by);

/* Finds the first line of `bytes` that a runtime or Wine printed about a failure; NOISE is passed
 * over. Returns true and fills `message`, or false with `message->kind` NONE. SETUP lines are found
 * like others: the caller looks at the kind. */
bool itr_message_of(const void *bytes, size_t count, struct itr_message *message);

/* Fills `out` (NUL-terminated) with the line as in `text` above. */
void itr_message_normalise(char *out, size_t room, const void *line, size_t count);

#endif
