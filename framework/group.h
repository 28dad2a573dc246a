/* The groups that cases are listed under: a fixed list, with a title for each. */
#ifndef INITRACE_FRAMEWORK_GROUP_H
#define INITRACE_FRAMEWORK_GROUP_H

/* code, name in case files, title */
#define ITR_GROUPS(X)                                                                              \
    X(EVENTS_INIT, "events-init", "Console control events during initialisation")                  \
    X(EVENTS_LIFE, "events-life", "Console control events around the library's life")              \
    X(SIGNALS_INIT, "signals-init", "Signals during initialisation")                               \
    X(SIGNALS_LIFE, "signals-life", "Signals around the library's life")                           \
    X(HANGS, "hangs", "Hanging and dying programs")                                                \
    X(TRACEBACKS, "tracebacks", "Stack growth and tracebacks")                                     \
    X(TRACER, "tracer", "Execution tracer")                                                        \
    X(RACE_CHAOS, "race-chaos", "Race detector and scheduler chaos")                               \
    X(EXECUTABLES, "executables", "Executables")

enum itr_group {
    ITR_GROUP_NONE,
#define ITR_GROUP_CODE(code, name, title) ITR_GROUP_##code,
    ITR_GROUPS(ITR_GROUP_CODE)
#undef ITR_GROUP_CODE
    ITR_GROUP_COUNT
};

/* All group names in one sentence's part, for messages. */
#define ITR_GROUP_WORD(code, name, title) " " name
#define ITR_GROUP_NAMES "one of" ITR_GROUPS(ITR_GROUP_WORD)

/* -1 if there is no such group. */
int itr_group_of(const char *name);
/* "none" and "Other cases" for what is in no group. */
const char *itr_group_name(int group);
const char *itr_group_title(int group);

#endif
