/* Reads, copies and releases variants: the keys of a case file that say what is run. It does not know which of
 * them are combined. */
#include "framework/casefile_parts.h"

#include "framework/ledger.h"

#include <stdlib.h>

static const struct itr_flag handler_flags[] = {
    {"onstack", ITR_HANDLER_ONSTACK},
    {"restart", ITR_HANDLER_RESTART},
    {"nodefer", ITR_HANDLER_NODEFER},
    {"resethand", ITR_HANDLER_RESETHAND},
    {"ignore", ITR_HANDLER_IGNORE},
    {"block", ITR_HANDLER_BLOCK},
    {"altstack", ITR_HANDLER_ALTSTACK},
    {NULL, 0},
};
static const struct itr_flag host_flags[] = {
    {"record-exceptions", ITR_HOST_RECORD_EXCEPTIONS},
    {"no-handlers", ITR_HOST_NO_HANDLERS},
    {"handlers-after-load", ITR_HOST_HANDLERS_AFTER_LOAD},
    {"own-console", ITR_HOST_OWN_CONSOLE},
    {NULL, 0},
};

static void note_keys(const json_t *object, struct itr_variant *v) {
    static const char *const keys[] = {ITR_VARIANT_KEYS}; /* in the order of the bits */
    v->sets = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        v->sets |= json_object_get(object, keys[i]) != NULL ? 1u << i : 0;
    }
}

enum itr_status itr_variant_read(const struct itr_reader *reader, const json_t *object, struct itr_variant *v) {
    int expect = (int)v->expect;
    enum itr_status status = ITR_OK;
    note_keys(object, v);
    ITR_STEP(itr_read_string(reader, object, "host", false, &v->host))
    ITR_STEP(itr_read_string(reader, object, "library", true, &v->library))
    ITR_STEP(itr_read_string(reader, object, "function", true, &v->function))
    ITR_STEP(itr_read_word(reader, object, "event", itr_event_of,
                           "an event such as \"SIGPIPE\" or \"CTRL_C\", or null", true, &v->event))
    ITR_STEP(itr_read_word(reader, object, "delivery", itr_delivery_of,
                           "kill, tgkill, sigqueue, timer, console or ctrl-routine", false, &v->delivery))
    ITR_STEP(itr_read_word(reader, object, "target", itr_target_of, "process, main, caller or init", false,
                           &v->target))
    ITR_STEP(itr_read_string(reader, object, "at", false, &v->at))
    ITR_STEP(itr_read_duration(reader, object, "hold", &v->hold_ns))
    ITR_STEP(itr_read_flags(reader, object, "handler", handler_flags,
                            "a list of onstack, restart, nodefer, resethand, ignore, block, altstack", &v->handler_flags))
    ITR_STEP(itr_read_flags(reader, object, "flags", host_flags,
                            "a list of record-exceptions, no-handlers, handlers-after-load, own-console",
                            &v->host_flags))
    ITR_STEP(itr_read_environment(reader, object, "env", &v->environment))
    ITR_STEP(itr_read_word(reader, object, "expect", itr_outcome_of, "an outcome such as \"delivered\"",
                           false, &expect))
    v->expect = (enum itr_outcome)expect;
    return status;
}

void itr_variant_release(struct itr_variant *v) {
    free(v->name);
    free(v->host);
    free(v->library);
    free(v->function);
    free(v->at);
    itr_strings_release(&v->environment);
    *v = (struct itr_variant){0};
}

enum itr_status itr_variant_copy(const struct itr_reader *reader, const struct itr_variant *from,
                                 struct itr_variant *to) {
    enum itr_status status = ITR_OK;
    *to = *from;
    to->name = to->host = to->library = to->function = to->at = NULL;
    to->sets = 0;
    to->environment = (struct itr_strings){0};
    ITR_STEP(itr_string_set(reader, &to->host, from->host))
    ITR_STEP(itr_string_set(reader, &to->library, from->library))
    ITR_STEP(itr_string_set(reader, &to->function, from->function))
    ITR_STEP(itr_string_set(reader, &to->at, from->at))
    for (size_t i = 0; i < from->environment.count; i++) {
        ITR_STEP(itr_strings_add(reader, &to->environment, from->environment.items[i]))
    }
    return status;
}
