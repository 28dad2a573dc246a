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

/* <0, 0, >0: which Go is older, by number: "go1.9" < "go1.19.8" < "go1.22beta1" < "go1.22rc2" < "go1.22.0" < "go1.22.12". Names of
 * folders of libraries are taken too ("go1.26.10-0123"), and come behind the release itself. From 1.21 on a version without a patch
 * number is the tree before its first beta ("go1.28-0123" of a tip). What is no version comes last, by its text. 0 only for the same
 * text. */
int itr_go_order(const char *a, const char *b);

/* Does `text` match `pattern`, in which `*` stands for any run of characters? */
bool itr_matches(const char *pattern, const char *text);

#endif
