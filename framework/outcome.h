/* What became of a trial, and the names of Windows' exception codes. Sets and spellings only. */
#ifndef INITRACE_FRAMEWORK_OUTCOME_H
#define INITRACE_FRAMEWORK_OUTCOME_H

#include <stddef.h>
#include <stdint.h>

/* Gravest first: a trial has the first of these that holds. `tool-error` comes before all because
 * then nothing is known of the host. A trial without shots ends as `passed` when the host looked at promises of
 * its own and all were kept, as `not-fired` when it looked at none. */
#define ITR_OUTCOME_MAP(X)                                                                         \
    X(TOOL_ERROR, "tool-error")                                                                    \
    X(LEDGER_DAMAGED, "ledger-damaged")                                                            \
    X(GARBAGE, "garbage")                                                                          \
    X(CRASH, "crash")                                                                              \
    X(FATAL, "fatal")                                                                              \
    X(HANG, "hang")                                                                                \
    X(CHECK_FAILED, "check-failed")                                                                \
    X(WRONG_EXIT, "wrong-exit")                                                                    \
    X(LOST, "lost")                                                                                \
    X(NOT_FIRED, "not-fired")                                                                      \
    X(PASSED, "passed")                                                                            \
    X(DELIVERED, "delivered")

enum itr_outcome {
#define ITR_OUTCOME_ENUM(id, name) ITR_OUTCOME_##id,
    ITR_OUTCOME_MAP(ITR_OUTCOME_ENUM)
#undef ITR_OUTCOME_ENUM
        ITR_OUTCOME_COUNT
};

const char *itr_outcome_name(uint32_t outcome);
/* -1 for a word outside the set. */
int itr_outcome_of(const char *name);

/* Short name of a Windows exception or NTSTATUS code ("ACCESS_VIOLATION"), NULL for one without. Names
 * are those of winnt.h without their prefix. */
const char *itr_exception_name(uint32_t code);

/* The same as signatures have it: "AV", "INT3", else as above, else the number. */
void itr_exception_short_name(uint32_t code, char *out, size_t room);

/* What an address that was accessed belongs to: "null-page", "non-canonical-or-kernel", "elsewhere". */
const char *itr_address_class(uint64_t address);

#endif
