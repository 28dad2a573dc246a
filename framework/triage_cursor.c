/* The cursor over one line, with which all recognisers of lines read words and numbers. It knows nothing of what the
 * words mean. */
#include "framework/triage_parts.h"

#include <string.h>

bool itr_begins(const char *text, size_t count, const char *what) {
    size_t length = strlen(what);
    return count >= length && memcmp(text, what, length) == 0;
}

bool itr_skip(struct itr_cursor *at, const char *literal) {
    size_t length = strlen(literal);
    if ((size_t)(at->end - at->p) < length || memcmp(at->p, literal, length) != 0) {
        return false;
    }
    at->p += length;
    return true;
}

bool itr_skip_number(struct itr_cursor *at, uint64_t *value) {
    const char *start = at->p;
    *value = 0;
    while (at->p < at->end && *at->p >= '0' && *at->p <= '9') {
        uint64_t digit = (uint64_t)(*at->p++ - '0');
        *value = *value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *value * 10 + digit;
    }
    return at->p > start;
}

bool itr_skip_digits(struct itr_cursor *at, uint64_t *value) {
    const char *start = at->p;
    *value = 0;
    for (; at->p < at->end; at->p++) {
        char c = *at->p;
        uint64_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint64_t)(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            digit = (uint64_t)(c - 'A' + 10);
        } else {
            break;
        }
        *value = *value << 4 | digit;
    }
    return at->p > start;
}

bool itr_skip_hex(struct itr_cursor *at, uint64_t *value) {
    struct itr_cursor copy = *at;
    if (!itr_skip(&copy, "0x") || !itr_skip_digits(&copy, value)) {
        return false;
    }
    *at = copy;
    return true;
}

bool itr_skip_value(struct itr_cursor *at, uint64_t *value) {
    struct itr_cursor copy = *at;
    if (itr_skip_hex(at, value)) {
        return true;
    }
    bool word = !itr_skip_number(&copy, value) ||
                (copy.p < copy.end && ((*copy.p >= 'a' && *copy.p <= 'z') || (*copy.p >= 'A' && *copy.p <= 'Z')));
    at->p = word ? at->p : copy.p;
    return !word;
}

void itr_skip_blanks(struct itr_cursor *at) {
    while (at->p < at->end && (*at->p == ' ' || *at->p == '\t')) {
        at->p++;
    }
}

const char *itr_find_in(const char *text, size_t count, const char *what) {
    size_t length = strlen(what);
    const char *end = text + count;
    for (const char *p = text; (size_t)(end - p) >= length; p++) {
        p = memchr(p, what[0], (size_t)(end - p) - length + 1);
        if (p == NULL) {
            return NULL;
        }
        if (memcmp(p, what, length) == 0) {
            return p;
        }
    }
    return NULL;
}

bool itr_find_hex(const char *text, size_t count, const char *key, uint64_t *value) {
    const char *found = itr_find_in(text, count, key);
    if (found == NULL) {
        return false;
    }
    struct itr_cursor at = {found + strlen(key), text + count};
    return itr_skip_hex(&at, value);
}

bool itr_find_value(const char *text, size_t count, const char *key, uint64_t *value) {
    const char *found = itr_find_in(text, count, key);
    if (found == NULL) {
        return false;
    }
    struct itr_cursor at = {found + strlen(key), text + count};
    return itr_skip_value(&at, value);
}
