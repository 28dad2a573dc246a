/* Does this match that? Go versions against ranges, text against patterns. */
#ifndef INITRACE_FRAMEWORK_MATCH_H
#define INITRACE_FRAMEWORK_MATCH_H

#include <stdbool.h>

/* Does a Go version ("go1.22.12") lie in a range (">=1.20 <1.23", "1.19")? A bare number means that minor
 * version. False for a version or range that cannot be read. */
bool itr_go_in_range(const char *version, const char *range);
/* Can the range be read? One that cannot holds no version. */
bool itr_go_range_is_sound(const char *range);

/* Does `wanted`, a version or the beginning of one ("1.26", "go1.26.10"), mean the version or folder of libraries `have`?
 * A beginning does not mean those of an arm or of a GOROOT of its own, whose names have a mark ("go1.26.10-0123"). */
bool itr_go_means(const char *wanted, const char *have);

/* Does `text` match `pattern`, in which `*` stands for any run of characters? */
bool itr_matches(const char *pattern, const char *text);

#endif
