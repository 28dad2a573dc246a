/* What the files share that write trials, their evidence, summaries and windows as JSON: values that are whole or none. */
#ifndef INITRACE_FRAMEWORK_RECORD_PARTS_H
#define INITRACE_FRAMEWORK_RECORD_PARTS_H

#include "framework/record.h"

/* Sets a key; an object that lacks something is none: it becomes NULL, and stays so. `value` is taken over. */
void itr_record_put(json_t **object, const char *key, json_t *value);
/* The same for an entry of a list. */
void itr_record_append(json_t **list, json_t *value);
/* A string value from bytes a host may have chosen; NULL when memory is out. */
json_t *itr_record_string(const char *text, size_t bytes);
/* The same for text that is fit for a terminal already: it stays as it is, so that what is read back is what was counted. */
json_t *itr_record_clean(const char *text);
/* Nanoseconds after `origin_ns`; null for "never". */
json_t *itr_record_time(uint64_t at_ns, uint64_t origin_ns);
/* What a record's times count from: load-begin, else the trial's begin. */
uint64_t itr_record_origin(const struct itr_observation *seen);

/* Adds what the debugger saw, if there was one. Takes `json` over and returns it, or NULL. */
json_t *itr_record_add_debugger(const struct itr_record *record, json_t *json);
/* The same for what the host saw at its gate. */
json_t *itr_record_add_gate(const struct itr_record *record, json_t *json);

#endif
