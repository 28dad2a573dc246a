/* JSON text from outside as values, and back: with a ceiling on its size, and with an error that tells text that is
 * wrong from memory that was refused. It knows nothing of what is in it. */
#ifndef INITRACE_FRAMEWORK_JSON_H
#define INITRACE_FRAMEWORK_JSON_H

#include "framework/error.h"

#include <jansson.h>
#include <stddef.h>

/* Reads `count` bytes; `flags` are jansson's. `name` (and the line the text begins at, from 1) is what errors call it:
 * "NAME:LINE:COLUMN: …". On success `*json` is a new reference. ITR_E_FORMAT, ITR_E_NO_MEMORY; `*json` is NULL then. */
enum itr_status itr_json_parse(const char *name, unsigned long long line, const void *bytes, size_t count,
                               size_t flags, json_t **json, struct itr_error *err) ITR_MUST_USE;

/* The same for a whole file of at most `most` bytes. Also ITR_E_NOT_FOUND, ITR_E_SYSTEM, ITR_E_LIMIT. */
enum itr_status itr_json_read(const char *path, size_t most, size_t flags, json_t **json,
                              struct itr_error *err) ITR_MUST_USE;

/* As text, for free(); NULL when memory was refused, of which jansson may make text that lacks a part. */
char *itr_json_print(const json_t *json, size_t flags);

#endif
