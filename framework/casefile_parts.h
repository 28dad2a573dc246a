/* What the files that read a case share, one for each kind of thing in it. For casefile*.c only.
 *
 * What the readers fill in is its owner's to release, also on failure. */
#ifndef INITRACE_FRAMEWORK_CASEFILE_PARTS_H
#define INITRACE_FRAMEWORK_CASEFILE_PARTS_H

#include "framework/casefile_values.h"

/* The next step, if all went well so far. */
#define ITR_STEP(call)                                                                             \
    if (status == ITR_OK) {                                                                        \
        status = (call);                                                                           \
    }

/* Keys of a variant, for lists of keys. */
#define ITR_VARIANT_KEYS                                                                           \
    "host", "library", "function", "event", "delivery", "target", "at", "hold", "handler", "flags", \
        "env", "expect"

/* Reads the keys of a variant that the object has, and notes them in `sets`. */
enum itr_status itr_variant_read(const struct itr_reader *reader, const json_t *object, struct itr_variant *v) ITR_MUST_USE;
/* A copy without a name that sets nothing by itself. `*to` is overwritten. */
enum itr_status itr_variant_copy(const struct itr_reader *reader, const struct itr_variant *from,
                                 struct itr_variant *to) ITR_MUST_USE;
void itr_variant_release(struct itr_variant *v);

/* Is it a fire point, or the name of one of the case's? Points are read before. */
enum itr_status itr_point_check(const struct itr_reader *reader, const struct itr_case *c, const char *key,
                                const char *at) ITR_MUST_USE;
/* linux, windows; `on_linux` and `on_windows` stay as they are without the key. */
enum itr_status itr_systems_read(const struct itr_reader *reader, const json_t *object, const char *key, bool *on_linux,
                                 bool *on_windows) ITR_MUST_USE;

/* Axes, what is left out of their combinations, what those must end in. Base, points and systems are read before. */
enum itr_status itr_axes_read(const struct itr_reader *reader, const json_t *root, struct itr_case *c) ITR_MUST_USE;
void itr_axes_release(struct itr_case *c);
/* An object AXIS → VALUE or [VALUE, …] below that key; any combination without it. Axes are read before. */
enum itr_status itr_where_read(const struct itr_reader *reader, const struct itr_case *c, const json_t *object,
                               const char *key, struct itr_axes_where *where) ITR_MUST_USE;

#endif
