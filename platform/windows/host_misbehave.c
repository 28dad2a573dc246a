/* The words of a Windows host for hosts that misbehave on purpose (cases/selftest): children that stay,
 * deafness, crashes, floods of output. No other host has any of it. */
#include "platform/host.h"

#include <windows.h>

/* The child is this program, never let run: it lives for ever, does nothing, and cannot start
 * children of its own. Without `detach` it has this process's standard streams. */
uint32_t itrh_spawn_child(bool detach) {
    wchar_t program[MAX_PATH * 4];
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION child = {0};
    DWORD flags = CREATE_SUSPENDED | (detach ? DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP : 0u);

    if (GetModuleFileNameW(NULL, program, sizeof program / sizeof program[0]) == 0 ||
        !CreateProcessW(program, NULL, NULL, NULL, !detach, flags, NULL, NULL, &start, &child)) {
        return 0;
    }
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
    return child.dwProcessId;
}

static BOOL WINAPI on_control_stay(DWORD control) {
    (void)control;
    Sleep(INFINITE);
    return TRUE;
}

void itrh_ignore_everything(void) {
    SetConsoleCtrlHandler(NULL, TRUE);
    SetConsoleCtrlHandler(on_control_stay, TRUE);
}

void itrh_close_descriptors(void) {
    static const DWORD streams[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (int i = 0; i < 3; i++) {
        HANDLE stream = GetStdHandle(streams[i]);
        SetStdHandle(streams[i], NULL);
        if (stream != NULL && stream != INVALID_HANDLE_VALUE) {
            CloseHandle(stream);
        }
    }
    FreeConsole();
}

_Noreturn void itrh_exit_now(uint32_t code) {
    TerminateProcess(GetCurrentProcess(), code);
    for (;;) {
        Sleep(INFINITE);
    }
}

/* movl $1, 8 with an absolute address, at a place that has a name. */
__asm__(".text\n"
        ".globl itrh_crash_site\n"
        "itrh_crash_site:\n"
        "    movl $1, 8\n"
        "    ud2\n");
_Noreturn extern void itrh_crash_site(void);

_Noreturn void itrh_crash(void) {
    itrh_crash_site();
}

bool itrh_write_error_stream(const void *data, uint64_t bytes) {
    const char *at = data;
    HANDLE stream = GetStdHandle(STD_ERROR_HANDLE);
    while (bytes > 0) {
        DWORD chunk = bytes < (1u << 20) ? (DWORD)bytes : 1u << 20;
        DWORD written = 0;
        if (!WriteFile(stream, at, chunk, &written, NULL)) {
            return false;
        }
        at += written;
        bytes -= written;
    }
    return true;
}
