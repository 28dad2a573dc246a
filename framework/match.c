/* Two small languages of case files: Go version ranges, and patterns with `*`. No regular expressions. */
#include "framework/match.h"

#include <stdlib.h>
#include <string.h>

static bool read_number(const char **at, long *number) {
    char *end = NULL;
    if (**at < '0' || **at > '9') { /* strtol would take " 1" and "-1" */
        return false;
    }
    *number = strtol(*at, &end, 10);
    *at = end;
    return true;
}

/* MAJOR.MINOR or MAJOR.MINOR.PATCH; a patch number that is not given is -1. */
static bool read_version(const char **at, long version[3]) {
    version[2] = -1;
    if (!read_number(at, &version[0]) || *(*at)++ != '.' || !read_number(at, &version[1])) {
        return false;
    }
    if (**at != '.') {
        return true;
    }
    ++*at;
    return read_number(at, &version[2]);
}

/* One condition of a range, "<", "<=", ">", ">=", "=" or nothing before a version; spaces after both. */
struct condition {
    bool less;
    bool greater;
    bool equal;
    long bound[3];
};

static bool read_condition(const char **at, struct condition *condition) {
    condition->less = **at == '<';
    condition->greater = **at == '>';
    *at += condition->less || condition->greater ? 1 : 0;
    condition->equal = **at == '=';
    *at += condition->equal ? 1 : 0;
    *at += strspn(*at, " ");
    if (!read_version(at, condition->bound)) {
        return false;
    }
    *at += strspn(*at, " ");
    return true;
}

/* -1, 0, 1; a bound without a patch number compares the minor version only. */
static int compare_version(const long have[3], const long bound[3]) {
    for (int i = 0; i < 3; i++) {
        long mine = have[i] < 0 ? 0 : have[i];
        if (bound[i] < 0) {
            return 0;
        }
        if (mine != bound[i]) {
            return mine < bound[i] ? -1 : 1;
        }
    }
    return 0;
}

bool itr_go_range_is_sound(const char *range) {
    struct condition condition;
    bool sound = *range != '\0';
    while (sound && *range != '\0') {
        sound = read_condition(&range, &condition);
    }
    return sound;
}

bool itr_go_in_range(const char *version, const char *range) {
    long have[3];
    struct condition one;
    const char *at = strncmp(version, "go", 2) == 0 ? version + 2 : version;
    if (!read_version(&at, have) || !itr_go_range_is_sound(range)) {
        return false;
    }
    while (*range != '\0' && read_condition(&range, &one)) {
        int order = compare_version(have, one.bound);
        bool holds = one.less      ? order < 0 || (one.equal && order == 0)
                     : one.greater ? order > 0 || (one.equal && order == 0)
                                   : order == 0;
        if (!holds) {
            return false;
        }
    }
    return true;
}

bool itr_go_means(const char *wanted, const char *have) {
    size_t skip = strncmp(wanted, "go", 2) == 0 || strncmp(have, "go", 2) != 0 ? 0 : 2;
    size_t length = strlen(wanted);
    bool begins = length > 0 && strncmp(have + skip, wanted, length) == 0;
    const char *rest = have + skip + (begins ? length : 0);
    return begins && (*rest == '\0' || (*rest == '.' && strchr(have, '-') == NULL));
}

/* A version as numbers to be compared one after the other. */
enum { MAJOR, MINOR, STAGE, PATCH, PARTS };
enum stage { TREE, BETA, CANDIDATE, RELEASE };

static bool read_stage(const char **at, long parts[PARTS]) {
    static const struct {
        const char *word;
        enum stage stage;
    } stages[] = {{"beta", BETA}, {"rc", CANDIDATE}, {".", RELEASE}};
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        size_t length = strlen(stages[i].word);
        if (strncmp(*at, stages[i].word, length) == 0) {
            *at += length;
            parts[STAGE] = stages[i].stage;
            return read_number(at, &parts[PATCH]);
        }
    }
    parts[STAGE] = parts[MAJOR] > 1 || parts[MINOR] >= 21 ? TREE : RELEASE; /* from then on a first release is called .0 */
    parts[PATCH] = 0;
    return true;
}

static bool read_order(const char *text, long parts[PARTS]) {
    const char *at = strncmp(text, "go", 2) == 0 ? text + 2 : text;
    return read_number(&at, &parts[MAJOR]) && *at++ == '.' && read_number(&at, &parts[MINOR]) && read_stage(&at, parts) &&
           (*at == '\0' || *at == '-');
}

int itr_go_order(const char *a, const char *b) {
    long x[PARTS];
    long y[PARTS];
    bool reads_a = read_order(a, x);
    bool reads_b = read_order(b, y);
    if (reads_a != reads_b) {
        return reads_a ? -1 : 1;
    }
    for (size_t i = 0; reads_a && i < PARTS; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return strcmp(a, b);
}

bool itr_matches(const char *pattern, const char *text) {
    const char *star = NULL;
    const char *resume = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}
