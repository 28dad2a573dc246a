/* Fills and names error values; aborts on defects of our own. It decides nothing. */
#include "framework/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *itr_status_name(enum itr_status status) {
    switch (status) {
#define ITR_STATUS_CASE(code, name, text)                                                          \
    case ITR_##code:                                                                               \
        return name;
        ITR_STATUS_MAP(ITR_STATUS_CASE)
#undef ITR_STATUS_CASE
    }
    return "unknown";
}

enum itr_status itr_fail(struct itr_error *err, enum itr_status status, int64_t os_code,
                         const char *format, ...) {
    if (err != NULL) {
        va_list args;
        err->status = status;
        err->os_code = os_code;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}

enum itr_status itr_fail_context(struct itr_error *err, const char *format, ...) {
    char before[sizeof err->text];
    char joined[2 * sizeof err->text + 3];
    va_list args;

    if (err == NULL) {
        return ITR_E_SYSTEM;
    }
    va_start(args, format);
    vsnprintf(before, sizeof before, format, args);
    va_end(args);
    snprintf(joined, sizeof joined, "%s: %s", before, err->text);
    memcpy(err->text, joined, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = '\0';
    return err->status;
}

void itr_bug(const char *file, int line, const char *format, ...) {
    va_list args;
    fprintf(stderr, "initrace: defect at %s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}
