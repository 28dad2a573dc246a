/* Parses fire points and lengths of time. It plans and fires nothing. */
#include "framework/point.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool itr_duration_parse(const char *text, uint64_t *ns) {
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    char *end = NULL;
    if (*text < '0' || *text > '9') { /* strtod would take "inf", "-1", " 1", "0x1" */
        return false;
    }
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        return false;
    }
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0 && value < 9e18 / units[i].ns) {
            *ns = (uint64_t)(value * units[i].ns + 0.5);
            return true;
        }
    }
    return false;
}

static enum itr_status not_a_point(const char *text, struct itr_error *err) {
    return itr_fail(err, ITR_E_USAGE, 0,
                    "fire point \"%s\": expected time, PHASE[+TIME] (load-begin, load-returned, call-begin, "
                    "init-done, waiting), CALL#N (pthread_create, SetConsoleCtrlHandler, CreateThread), "
                    "SYMBOL[+OFFSET][#N][@any|@main|@init], or a name that `initrace list CASE` shows",
                    text);
}

static bool number(const char *text, int base, uint64_t most, uint64_t *out) {
    char *end = NULL;
    if (!isxdigit((unsigned char)*text)) {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, base);
    *out = value;
    return *end == '\0' && errno == 0 && value <= most;
}

/* Cuts `@init` and the like from the end of `text`; another @ is a part of the name. */
static void cut_role(char *text, enum itr_role *role) {
    char *at = strrchr(text, '@');
    int value = at != NULL ? itr_role_of(at + 1) : -1;
    *role = value >= 0 ? (enum itr_role)value : ITR_ROLE_ANY;
    if (value >= 0) {
        *at = '\0';
    }
}

/* Cuts `#3` from the end; `*nth` is 0 where there is none. */
static bool cut_occurrence(char *text, uint32_t *nth) {
    char *hash = strrchr(text, '#');
    uint64_t value = 0;
    *nth = 0;
    if (hash == NULL) {
        return true;
    }
    if (!number(hash + 1, 10, 1000000, &value) || value == 0) {
        return false;
    }
    *hash = '\0';
    *nth = (uint32_t)value;
    return true;
}

/* Cuts `+0x1c` or `+28` from the end. */
static bool cut_offset(char *text, uint64_t *offset) {
    char *plus = strrchr(text, '+');
    *offset = 0;
    if (plus == NULL) {
        return true;
    }
    bool hex = plus[1] == '0' && (plus[2] == 'x' || plus[2] == 'X');
    if (!number(plus + (hex ? 3 : 1), hex ? 16 : 10, UINT32_MAX, offset)) {
        return false;
    }
    *plus = '\0';
    return true;
}

/* Printable, without spaces; nothing at all only where an offset from the library's base follows. */
static bool is_symbol(const char *text, bool has_offset) {
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '#') {
            return false;
        }
    }
    return text[0] != '\0' || has_offset;
}

/* A bare word is more often a name mistyped than a symbol; FOO@any says that it is one. */
static bool is_bare_word(const char *text) {
    return strpbrk(text, "._/:|*+#@(") == NULL;
}

static bool parse_phase(const char *text, struct itr_point *point, bool *is_phase) {
    char name[ITR_POINT_SYMBOL_ROOM];
    uint64_t offset_ns = 0;
    snprintf(name, sizeof name, "%s", text);
    char *plus = strchr(name, '+');
    if (plus != NULL) {
        *plus = '\0';
    }
    int phase = itr_phase_of(name);
    *is_phase = phase >= 0;
    /* Before load-begin the shot is not armed yet, after waiting nobody is there to hear it. */
    if (phase < ITR_PHASE_LOAD_BEGIN || phase > ITR_PHASE_WAITING ||
        (plus != NULL && !itr_duration_parse(plus + 1, &offset_ns))) {
        return false;
    }
    *point = (struct itr_point){.kind = ITR_POINT_PHASE, .phase = (enum itr_phase)phase, .offset_ns = offset_ns};
    return true;
}

enum itr_status itr_point_parse(const char *text, struct itr_point *point, struct itr_error *err) {
    char name[ITR_POINT_SYMBOL_ROOM];
    struct itr_point symbol = {.kind = ITR_POINT_SYMBOL};
    bool is_phase = false;

    if (strcmp(text, "time") == 0) {
        *point = (struct itr_point){.kind = ITR_POINT_TIME, .phase = ITR_PHASE_LOAD_BEGIN};
        return ITR_OK;
    }
    if (strlen(text) >= sizeof name) {
        return not_a_point(text, err);
    }
    if (parse_phase(text, point, &is_phase)) {
        return ITR_OK;
    }
    memcpy(name, text, strlen(text) + 1);
    cut_role(name, &symbol.role);
    if (is_phase || !cut_occurrence(name, &symbol.nth)) {
        return not_a_point(text, err);
    }
    int call = itr_call_of(name);
    if (call > ITR_CALL_NONE && symbol.nth > 0 && symbol.role == ITR_ROLE_ANY) {
        *point = (struct itr_point){.kind = ITR_POINT_CALL, .call = (enum itr_call)call, .nth = symbol.nth};
        return ITR_OK;
    }
    bool has_offset = strrchr(name, '+') != NULL;
    if (is_bare_word(text) || call >= 0 || !cut_offset(name, &symbol.offset) || !is_symbol(name, has_offset) ||
        strcmp(name, "time") == 0 || itr_phase_of(name) >= 0) {
        return not_a_point(text, err);
    }
    memcpy(symbol.symbol, name, strlen(name) + 1);
    symbol.nth = symbol.nth == 0 ? 1 : symbol.nth;
    *point = symbol;
    return ITR_OK;
}
