/* Parses fire points and lengths of time. It plans and fires nothing. */
#include "framework/point.h"

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
                    "init-done, waiting), or CALL#N (pthread_create, "
                    "SetConsoleCtrlHandler, CreateThread), or a name that `initrace list CASE` shows",
                    text);
}

static enum itr_status parse_call(const char *text, const char *hash, struct itr_point *point,
                                  struct itr_error *err) {
    char name[64];
    char *end = NULL;
    size_t length = (size_t)(hash - text);
    if (length >= sizeof name) {
        return not_a_point(text, err);
    }
    memcpy(name, text, length);
    name[length] = '\0';
    int call = itr_call_of(name);
    unsigned long nth = hash[1] >= '0' && hash[1] <= '9' ? strtoul(hash + 1, &end, 10) : 0;
    if (call <= ITR_CALL_NONE || nth < 1 || nth > 1000000 || *end != '\0') {
        return not_a_point(text, err);
    }
    *point = (struct itr_point){.kind = ITR_POINT_CALL, .call = (enum itr_call)call, .nth = (uint32_t)nth};
    return ITR_OK;
}

enum itr_status itr_point_parse(const char *text, struct itr_point *point, struct itr_error *err) {
    char name[64];
    const char *hash = strchr(text, '#');
    const char *plus = strchr(text, '+');
    uint64_t offset_ns = 0;

    if (strcmp(text, "time") == 0) {
        *point = (struct itr_point){.kind = ITR_POINT_TIME, .phase = ITR_PHASE_LOAD_BEGIN};
        return ITR_OK;
    }
    if (hash != NULL) {
        return parse_call(text, hash, point, err);
    }
    size_t length = plus != NULL ? (size_t)(plus - text) : strlen(text);
    if (length >= sizeof name || (plus != NULL && !itr_duration_parse(plus + 1, &offset_ns))) {
        return not_a_point(text, err);
    }
    memcpy(name, text, length);
    name[length] = '\0';
    int phase = itr_phase_of(name);
    /* Before load-begin the shot is not armed yet, after waiting nobody is there to hear it. */
    if (phase < ITR_PHASE_LOAD_BEGIN || phase > ITR_PHASE_WAITING) {
        return not_a_point(text, err);
    }
    *point = (struct itr_point){
        .kind = ITR_POINT_PHASE, .phase = (enum itr_phase)phase, .offset_ns = offset_ns};
    return ITR_OK;
}
