/* Status codes and the one error value that every fallible function fills. It prints nothing. */
#ifndef INITRACE_FRAMEWORK_ERROR_H
#define INITRACE_FRAMEWORK_ERROR_H

#include <stdint.h>

#define ITR_MUST_USE __attribute__((warn_unused_result))
/* C99's formats on every system: GCC's plain `printf` would mean the C library of Windows. */
#ifdef __clang__
#define ITR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define ITR_PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#endif

/* Code, short name, meaning: did the tool do its work? Says nothing about the host. */
#define ITR_STATUS_MAP(X)                                                                          \
    X(OK, "ok", "done")                                                                            \
    X(E_USAGE, "usage", "the command line or a case file asks for something that cannot be")       \
    X(E_FORMAT, "format", "a file does not have the form that was expected")                       \
    X(E_NOT_FOUND, "not-found", "a named thing is not there")                                      \
    X(E_UNSUPPORTED, "unsupported", "this machine cannot do it")                                   \
    X(E_SYSTEM, "system", "the operating system refused")                                          \
    X(E_LIMIT, "limit", "a ceiling was reached")                                                   \
    X(E_TIMEOUT, "timeout", "a deadline passed")                                                   \
    X(E_NO_MEMORY, "no-memory", "out of memory")

enum itr_status {
#define ITR_STATUS_ENUM(code, name, text) ITR_##code,
    ITR_STATUS_MAP(ITR_STATUS_ENUM)
#undef ITR_STATUS_ENUM
};

/* `{0}` is "no error". Functions leave it untouched on success. `text` is one line, without a
 * newline, fit for a terminal: what, where, what was expected. `os_code` is errno or GetLastError(),
 * 0 when no system call failed. */
struct itr_error {
    enum itr_status status;
    int64_t os_code;
    char text[512];
};

const char *itr_status_name(enum itr_status status);

/* Fills `err` (may be NULL) and returns `status`, so that `return itr_fail(…)` is one line. */
enum itr_status itr_fail(struct itr_error *err, enum itr_status status, int64_t os_code,
                         const char *format, ...) ITR_PRINTF(4, 5);

/* Puts "context: " before the text that `err` has. Returns its status. */
enum itr_status itr_fail_context(struct itr_error *err, const char *format, ...) ITR_PRINTF(2, 3);

/* A defect of initrace itself: one line on stderr, then abort, in every build. */
#define ITR_BUG(...) itr_bug(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void itr_bug(const char *file, int line, const char *format, ...) ITR_PRINTF(3, 4);

#endif
