/* What the files of the Windows runner side share among themselves: text conversion, errors with
 * the system's own words, the job that ends with its handle, starting processes, keeping one, and
 * the search for CtrlRoutine. */
#ifndef INITRACE_PLATFORM_WINDOWS_RUNNER_WINDOWS_H
#define INITRACE_PLATFORM_WINDOWS_RUNNER_WINDOWS_H

#include "framework/error.h"
#include "platform/platform.h"

#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>
#include <windows.h>

/* UTF-8 to UTF-16; NULL if it is not UTF-8 or memory is out. The caller frees with free(). */
wchar_t *itrp_windows_wide(const char *text);

/* itr_fail() with ": the system's text for os_code" put behind the text. */
enum itr_status itrp_windows_fail(struct itr_error *err, enum itr_status status, DWORD os_code,
                                  const char *format, ...) ITR_PRINTF(4, 5);

/* True under Wine: its ntdll exports wine_get_version. */
bool itrp_windows_is_wine(void);

/* A job whose processes end with its last handle; NULL on failure. */
HANDLE itrp_windows_make_job(void);
/* From now on the runner's own job ends nobody: each host's does, which is as much for those that are not kept. More than
 * once is fine. False, with the system's last error, where nothing has changed. */
bool itrp_windows_guard_let_go(void);

/* ---- launch.c ---- */

/* What CreateProcess is called with. All is the caller's. */
struct itrp_windows_launch {
    wchar_t *program;
    wchar_t *directory;
    wchar_t *command_line;
    wchar_t *environment;
    HANDLE *streams; /* standard input, output, error, all among `inherited`; NULL: none */
    HANDLE *inherited; /* exactly these */
    DWORD inherited_count;
    HANDLE *job; /* that it is in from its first instruction on, beside the runner's; NULL: none */
    bool own_console;
    bool debugged; /* by the calling thread */
};

/* 0, and the two handles are the caller's; or the system's error. */
DWORD itrp_windows_launch(const struct itrp_windows_launch *launch, PROCESS_INFORMATION *created);

/* Lives only around one launch: a process started at the same time by another thread names its own list and gets none of
 * these. NULL: the system's last error says why. */
HANDLE itrp_windows_inheritable_copy(HANDLE handle);

/* ---- keep.c ---- */

/* Lets a host live on that stands, after its job's other handles are closed, and starts a process that reads its output.
 * After a failure it ends as before. That process begins with itrp_help_if_asked(). */
enum itr_status itrp_windows_keep(HANDLE process, HANDLE job, const struct itrp_keep *keep,
                                  struct itr_error *err) ITR_MUST_USE;

/* ---- command_line.c ---- */

/* The program and its arguments as one line that the C runtimes take apart again. The caller
 * frees. */
enum itr_status itrp_windows_make_command_line(wchar_t **out, const struct itrp_process_spec *spec,
                                               struct itr_error *err) ITR_MUST_USE;

/* The runner's own environment, what the spec adds or replaces, and INITRACE_LEDGER for `ledger` if
 * that is not NULL. The caller frees. */
enum itr_status itrp_windows_make_environment(wchar_t **out, const struct itrp_process_spec *spec,
                                              HANDLE ledger, struct itr_error *err) ITR_MUST_USE;

/* ---- ctrl_routine.c ---- */

/* In the short-lived child of itrp_windows_find_ctrl_routine() does that child's work and exits;
 * does nothing in any other process. */
void itrp_windows_answer_ctrl_routine(void);

/* Address of kernelbase's CtrlRoutine where kernelbase does not export it: the function on whose
 * thread a console event arrives, seen in a child of this program with a console of its own. It
 * holds for every process until the machine restarts. 0 if it cannot be found; takes at most some
 * seconds. The program must call itrp_guard_enter() first in its main(). */
uint64_t itrp_windows_find_ctrl_routine(void);

#endif
