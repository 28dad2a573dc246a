/* What Windows, or Wine, is and can do; names of exceptions; text conversion and the system's
 * error texts for the other files. It starts nothing but, once and only where CtrlRoutine is not
 * exported, the search for it (ctrl_routine.c). */
#include "platform/platform.h"
#include "platform/windows/runner_windows.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef const char *(CDECL *wine_version_fn)(void);
typedef LONG(NTAPI *get_version_fn)(OSVERSIONINFOW *version);

static FARPROC ntdll_export(const char *name) {
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), name);
}

bool itrp_windows_is_wine(void) {
    return ntdll_export("wine_get_version") != NULL;
}

wchar_t *itrp_windows_wide(const char *text) {
    int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *wide = length > 0 ? malloc((size_t)length * sizeof *wide) : NULL;
    if (wide != NULL) {
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, length);
    }
    return wide;
}

/* The system's text in English where it has it, without its newline and full stop. */
static void describe(DWORD os_code, char *text, size_t bytes) {
    DWORD length = FormatMessageA(
        FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK,
        NULL, os_code, MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US), text, (DWORD)bytes, NULL);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '.')) {
        length--;
    }
    text[length] = '\0';
}

enum itr_status itrp_windows_fail(struct itr_error *err, enum itr_status status, DWORD os_code,
                                  const char *format, ...) {
    char what[256];
    char why[160] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    describe(os_code, why, sizeof why);
    return itr_fail(err, status, os_code, "%s: error %lu%s%s%s", what, os_code, why[0] ? " (" : "",
                    why, why[0] ? ")" : "");
}

/* ---- capabilities ---- */

static struct itrp_capabilities capabilities;

static BOOL CALLBACK find_capabilities(PINIT_ONCE once, PVOID parameter, PVOID *context) {
    (void)once;
    (void)parameter;
    (void)context;
    bool exported = GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "CtrlRoutine") != NULL;
    capabilities.console_events = true;
    capabilities.exact_points = true;
    capabilities.snapshots = true;
    capabilities.gates = true;
    capabilities.keeps = true;
    capabilities.ctrl_routine_address = exported ? 0 : itrp_windows_find_ctrl_routine();
    capabilities.ctrl_routine = exported || capabilities.ctrl_routine_address != 0;
    return TRUE;
}

const struct itrp_capabilities *itrp_capabilities(void) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&once, find_capabilities, NULL, NULL);
    return &capabilities;
}

const char *itrp_system_name(void) {
    return itrp_windows_is_wine() ? "wine" : "windows";
}

const char *itrp_system_family(void) {
    return "windows";
}

#ifdef _UCRT
#define C_LIBRARY "ucrt"
#else
#define C_LIBRARY "msvcrt"
#endif

const char *itrp_c_library(void) {
    static _Thread_local char text[96];
    wine_version_fn wine = (wine_version_fn)(uintptr_t)ntdll_export("wine_get_version");
    get_version_fn windows = (get_version_fn)(uintptr_t)ntdll_export("RtlGetVersion");
    OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof version};
    if (wine != NULL) {
        snprintf(text, sizeof text, C_LIBRARY "; wine-%s", wine());
    } else if (windows != NULL && windows(&version) == 0) {
        snprintf(text, sizeof text, C_LIBRARY "; windows-%lu.%lu.%lu", version.dwMajorVersion,
                 version.dwMinorVersion, version.dwBuildNumber);
    } else {
        snprintf(text, sizeof text, C_LIBRARY);
    }
    return text;
}

const char *itrp_library_suffix(void) {
    return ".dll";
}

const char *itrp_program_suffix(void) {
    return ".exe";
}

static bool is_control(enum itr_event event) {
    return event >= ITR_EVENT_CTRL_C && event <= ITR_EVENT_CTRL_SHUTDOWN;
}

/* GenerateConsoleCtrlEvent sends two of the events; Wine 8 refuses CTRL_BREAK (error 6). */
static bool console_can_send(enum itr_event event) {
    return itrp_capabilities()->console_events &&
           (event == ITR_EVENT_CTRL_C ||
            (event == ITR_EVENT_CTRL_BREAK && !itrp_windows_is_wine()));
}

bool itrp_can_send(enum itr_event event, enum itr_delivery delivery) {
    if (!is_control(event)) {
        return false;
    }
    return (delivery == ITR_DELIVERY_CTRL_ROUTINE && itrp_capabilities()->ctrl_routine) ||
           (delivery == ITR_DELIVERY_CONSOLE && console_can_send(event));
}

enum itr_delivery itrp_default_delivery(enum itr_event event) {
    if (itrp_can_send(event, ITR_DELIVERY_CTRL_ROUTINE)) {
        return ITR_DELIVERY_CTRL_ROUTINE;
    }
    return itrp_can_send(event, ITR_DELIVERY_CONSOLE) ? ITR_DELIVERY_CONSOLE : ITR_DELIVERY_NONE;
}

/* Only the C library's own few exist here, and no process ends by one. */
const char *itrp_signal_name(int signal) {
    static _Thread_local char text[16];
    snprintf(text, sizeof text, "SIG%d", signal);
    return text;
}
