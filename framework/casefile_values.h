/* What the reader of case files shares between its own files: where it is, and a function for each kind of
 * value. For casefile*.c only.
 *
 * The itr_read_… functions leave `*out` as it is when the object has no such key, refuse a value of another
 * kind with a sentence that names file, key and what was expected, and own nothing: what they fill in is
 * its owner's to release, also on failure. */
#ifndef INITRACE_FRAMEWORK_CASEFILE_VALUES_H
#define INITRACE_FRAMEWORK_CASEFILE_VALUES_H

#include "framework/casefile.h"

#include <jansson.h>

/* Where we are, for messages. */
struct itr_reader {
    const char *file;
    const char *where; /* "controls.no-event" or "" */
    struct itr_error *err;
};

/* A word that stands for a bit; a list of them ends with a NULL name. */
struct itr_flag {
    const char *name;
    uint32_t bit;
};

/* Both always fail. `key` "" means the object itself. */
enum itr_status itr_bad_value(const struct itr_reader *reader, const char *key, const char *expected);
enum itr_status itr_out_of_memory(const struct itr_reader *reader);

/* Copies a string (NULL stays NULL); `*out` is released first, since a control starts as a copy of its
 * case. */
enum itr_status itr_string_set(const struct itr_reader *reader, char **out, const char *text) ITR_MUST_USE;
enum itr_status itr_strings_add(const struct itr_reader *reader, struct itr_strings *strings,
                                const char *text) ITR_MUST_USE;
void itr_strings_release(struct itr_strings *strings);

/* Refuses keys outside `known` (NULL-terminated), and what is no object. */
enum itr_status itr_read_keys(const struct itr_reader *reader, const json_t *object,
                              const char *const *known) ITR_MUST_USE;

/* A string that is not empty; null, where that is allowed, gives NULL. */
enum itr_status itr_read_string(const struct itr_reader *reader, const json_t *object, const char *key,
                                bool nullable, char **out) ITR_MUST_USE;
/* A word of a closed set: `of` gives its value or -1; null, where that is allowed, gives 0. */
enum itr_status itr_read_word(const struct itr_reader *reader, const json_t *object, const char *key,
                              int (*of)(const char *), const char *expected, bool nullable,
                              int *out) ITR_MUST_USE;
/* A length of time such as "60ms", in nanoseconds. */
enum itr_status itr_read_duration(const struct itr_reader *reader, const json_t *object, const char *key,
                                  uint64_t *out) ITR_MUST_USE;
/* A list of strings. */
enum itr_status itr_read_strings(const struct itr_reader *reader, const json_t *object, const char *key,
                                 struct itr_strings *out) ITR_MUST_USE;
/* A list of words, each one bit of `*out`. */
enum itr_status itr_read_flags(const struct itr_reader *reader, const json_t *object, const char *key,
                               const struct itr_flag *flags, const char *expected,
                               uint32_t *out) ITR_MUST_USE;
/* An object of strings, as "K=V". */
enum itr_status itr_read_environment(const struct itr_reader *reader, const json_t *object, const char *key,
                                     struct itr_strings *out) ITR_MUST_USE;

#endif
