/* Tries whether hosts can be debugged here, and how: starts this program under the debug API without letting it run,
 * and lets a thread of its own come to a debug register. It debugs nothing. */
#include "platform/platform.h"
#include "platform/windows/bounded_call.h"
#include "platform/windows/runner_windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAIT_MS = 10000,
    TRIAL_MS = 30000,
    PATH_CHARS = 32768,
};

#define BREAKPOINT 0xCC

/* ---- the debug API ---- */

static char failure[160] = "the debug API does not answer"; /* "": it works */

/* What comes of the trial: the thread's own until that has ended. */
struct outcome {
    char failure[sizeof failure];
    wchar_t program[PATH_CHARS];
};

static void failed(struct outcome *outcome, const char *what) {
    snprintf(outcome->failure, sizeof outcome->failure, "%s (error %lu)%s", what, GetLastError(),
             itrp_windows_is_wine() ? "; Wine's server needs ptrace for that" : "");
}

/* The process stands before its first instruction. */
static void try_process(struct outcome *outcome, const CREATE_PROCESS_DEBUG_INFO *process) {
    void *start = (void *)(uintptr_t)process->lpStartAddress;
    const uint8_t wanted = BREAKPOINT;
    uint8_t byte = 0;
    SIZE_T done = 0;
    CONTEXT context = {.ContextFlags = CONTEXT_CONTROL};
    if (!WriteProcessMemory(process->hProcess, start, &wanted, 1, &done) ||
        !ReadProcessMemory(process->hProcess, start, &byte, 1, &done) || byte != wanted) {
        failed(outcome, "the code of a debugged process cannot be written to");
    } else if (!GetThreadContext(process->hThread, &context) ||
               !SetThreadContext(process->hThread, &context)) {
        failed(outcome, "the registers of a debugged process's threads cannot be set");
    }
}

/* True once the process is gone. */
static bool serve_one(struct outcome *outcome, const PROCESS_INFORMATION *child) {
    DEBUG_EVENT event;
    if (!WaitForDebugEvent(&event, WAIT_MS)) {
        failed(outcome, "no events of a debugged process come");
        return true;
    }
    if (event.dwDebugEventCode == CREATE_PROCESS_DEBUG_EVENT) {
        try_process(outcome, &event.u.CreateProcessInfo);
        TerminateProcess(child->hProcess, 0);
        CloseHandle(event.u.CreateProcessInfo.hFile);
    }
    ContinueDebugEvent(event.dwProcessId, event.dwThreadId, DBG_CONTINUE);
    return event.dwDebugEventCode == EXIT_PROCESS_DEBUG_EVENT;
}

/* On a thread of its own, which then has no other process's events. */
static void try_with_a_process(void *argument) {
    struct outcome *outcome = argument;
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION child;
    DWORD length = GetModuleFileNameW(NULL, outcome->program, PATH_CHARS);
    if (length == 0 || length == PATH_CHARS ||
        !CreateProcessW(outcome->program, NULL, NULL, NULL, FALSE, DEBUG_ONLY_THIS_PROCESS, NULL,
                        NULL, &startup, &child)) {
        failed(outcome, "no process can be started under the debug API");
        return;
    }
    while (!serve_one(outcome, &child)) {
    }
    TerminateProcess(child.hProcess, 0);
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
}

static BOOL CALLBACK try_debugging(PINIT_ONCE once, PVOID parameter, PVOID *context) {
    (void)once;
    (void)parameter;
    (void)context;
    struct outcome *outcome = calloc(1, sizeof *outcome);
    if (outcome != NULL && itrp_windows_call(try_with_a_process, free, outcome, TRIAL_MS)) {
        memcpy(failure, outcome->failure, sizeof failure);
        free(outcome);
    }
    return TRUE;
}

bool itrp_can_debug(char *why, size_t room) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&once, try_debugging, NULL, NULL);
    if (failure[0] != '\0' && why != NULL) {
        snprintf(why, room, "%s", failure);
    }
    return failure[0] == '\0';
}

/* ---- debug registers ---- */

struct trial {
    HANDLE started;
    HANDLE go;
    DWORD id;
    volatile uint64_t watched;
    volatile LONG tripped;
};

static struct trial trial;

static LONG CALLBACK on_exception(EXCEPTION_POINTERS *exception) {
    if (exception->ExceptionRecord->ExceptionCode != EXCEPTION_SINGLE_STEP ||
        GetCurrentThreadId() != trial.id) {
        return EXCEPTION_CONTINUE_SEARCH;
    }
    InterlockedExchange(&trial.tripped, 1);
    return EXCEPTION_CONTINUE_EXECUTION;
}

static DWORD WINAPI write_once(void *unused) {
    (void)unused;
    SetEvent(trial.started);
    WaitForSingleObject(trial.go, WAIT_MS);
    trial.watched = 1;
    return 0;
}

/* Under Wine setting them needs the server's ptrace, which a container may forbid; and a paravirtual guest lets them
 * be set, and read back, and they never trip. */
static void try_thread(HANDLE thread) {
    /* Register 0, for this thread, trips when 8 bytes are written to. */
    CONTEXT context = {.ContextFlags = CONTEXT_DEBUG_REGISTERS,
                       .Dr0 = (DWORD64)(uintptr_t)&trial.watched,
                       .Dr7 = 1 | 1u << 16 | 2u << 18};
    WaitForSingleObject(trial.started, WAIT_MS);
    SuspendThread(thread);
    SetThreadContext(thread, &context);
    ResumeThread(thread);
    SetEvent(trial.go);
    WaitForSingleObject(thread, 2 * WAIT_MS); /* it ends, at the latest, when its own wait does */
}

static BOOL CALLBACK try_registers(PINIT_ONCE once, PVOID parameter, PVOID *context) {
    (void)once;
    (void)parameter;
    (void)context;
    trial.started = CreateEventW(NULL, TRUE, FALSE, NULL);
    trial.go = CreateEventW(NULL, TRUE, FALSE, NULL);
    void *handler = AddVectoredExceptionHandler(1, on_exception);
    HANDLE thread = CreateThread(NULL, 0, write_once, NULL, CREATE_SUSPENDED, &trial.id);
    if (thread != NULL) {
        ResumeThread(thread); /* its id is known now */
        try_thread(thread);
        CloseHandle(thread);
    }
    if (handler != NULL) {
        RemoveVectoredExceptionHandler(handler);
    }
    CloseHandle(trial.started);
    CloseHandle(trial.go);
    return TRUE;
}

bool itrp_has_debug_registers(void) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&once, try_registers, NULL, NULL);
    return trial.tripped != 0;
}
