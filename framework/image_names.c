/* Finds an image's symbols by name: alternatives, prefixes and Go's `.abi0` twins. It reads no
 * file. */
#include "framework/image_parts.h"

#include <string.h>

static const char twin[] = ".abi0";
enum { TWIN_BYTES = sizeof twin - 1 };

/* How an alternative is compared with names. */
enum match { MATCH_EXACT, MATCH_WITH_TWIN, MATCH_WITHOUT_TWIN, MATCH_PREFIX, MATCH_COUNT };

static bool name_matches(enum match match, const char *name, const char *wanted, size_t count) {
    switch (match) {
    case MATCH_EXACT: return strncmp(name, wanted, count) == 0 && name[count] == '\0';
    case MATCH_WITH_TWIN:
        return strncmp(name, wanted, count) == 0 && strcmp(name + count, twin) == 0;
    case MATCH_WITHOUT_TWIN:
        return count > TWIN_BYTES && memcmp(wanted + count - TWIN_BYTES, twin, TWIN_BYTES) == 0 &&
               strncmp(name, wanted, count - TWIN_BYTES) == 0 && name[count - TWIN_BYTES] == '\0';
    case MATCH_PREFIX:
        return count > 0 && wanted[count - 1] == '*' && strncmp(name, wanted, count - 1) == 0;
    default: return false;
    }
}

/* Calls `each` for every symbol of that kind which matches; `*again` turns false when that is
 * enough. */
static size_t match_kind(const struct itr_image *image, enum match match, enum itr_symbol_kind kind,
                         const char *wanted, size_t count,
                         bool (*each)(void *, const struct itr_symbol *), void *context,
                         bool *again) {
    size_t calls = 0;

    for (size_t i = 0; i < image->symbol_count && *again; i++) {
        const struct itr_symbol *symbol = &image->symbols[i];
        if (symbol->kind == kind && name_matches(match, symbol->name, wanted, count)) {
            calls++;
            *again = each(context, symbol);
        }
    }
    return calls;
}

size_t itr_image_lookup_all(const struct itr_image *image, const char *pattern,
                            bool (*each)(void *context, const struct itr_symbol *symbol),
                            void *context) {
    while (*pattern != '\0') {
        size_t count = strcspn(pattern, "|");
        for (int match = MATCH_EXACT; match < MATCH_COUNT && count > 0; match++) {
            bool again = true;
            size_t calls = match_kind(image, (enum match)match, ITR_SYMBOL_FUNCTION, pattern, count,
                                      each, context, &again);
            calls += match_kind(image, (enum match)match, ITR_SYMBOL_DATA, pattern, count, each,
                                context, &again);
            if (calls > 0) {
                return calls;
            }
        }
        pattern += count + (pattern[count] == '|');
    }
    return 0;
}

/* Whether of two symbols of one name the first one is meant: the one of the better table, then the
 * one that is no wrapper or file-local twin. */
static bool is_rather_meant(const struct itr_symbol *one, const struct itr_symbol *other) {
    if (one->kind != other->kind || strcmp(one->name, other->name) != 0) {
        return false;
    }
    if (one->source != other->source) {
        return one->source < other->source;
    }
    return one->global && !other->global;
}

/* Keeps the first match, or another of its name that is rather meant. */
static bool choose(void *context, const struct itr_symbol *symbol) {
    const struct itr_symbol **best = context;

    if (*best == NULL || is_rather_meant(symbol, *best)) {
        *best = symbol;
    }
    return true;
}

bool itr_image_lookup(const struct itr_image *image, const char *pattern,
                      struct itr_symbol *symbol) {
    const struct itr_symbol *best = NULL;

    if (itr_image_lookup_all(image, pattern, choose, &best) == 0) {
        return false;
    }
    *symbol = *best;
    return true;
}
