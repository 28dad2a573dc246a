/* Finds kernelbase's CtrlRoutine where it is not exported. A console event arrives on a thread
 * that runs it, so a child of this program makes a console of its own, sends itself an event and
 * looks from its handler at its own thread. The runner's own console is never touched. */
#include "platform/windows/runner_windows.h"

#include <stdlib.h>
#include <winternl.h>

#define ASK_VARIABLE                         L"INITRACE_FIND_CTRL_ROUTINE"
#define THREAD_QUERY_SET_WIN32_START_ADDRESS 9
#define ANSWER_TIMEOUT_MS                    5000u
#define FRAMES_MAX                           32

typedef NTSTATUS(NTAPI *query_thread_fn)(HANDLE thread, ULONG information_class, PVOID information,
                                         ULONG bytes, PULONG returned);

static uintptr_t kernelbase(void) {
    return (uintptr_t)GetModuleHandleW(L"kernelbase.dll");
}

static bool in_kernelbase(uintptr_t address) {
    MEMORY_BASIC_INFORMATION page;
    return VirtualQuery((const void *)address, &page, sizeof page) != 0 &&
           (uintptr_t)page.AllocationBase == kernelbase();
}

/* Where this thread was started, 0 if that is not known. */
static uintptr_t start_address(void) {
    uintptr_t start = 0;
    query_thread_fn query = (query_thread_fn)(uintptr_t)GetProcAddress(
        GetModuleHandleW(L"ntdll.dll"), "NtQueryInformationThread");
    if (query == NULL || query(GetCurrentThread(), THREAD_QUERY_SET_WIN32_START_ADDRESS, &start,
                               sizeof start, NULL) != 0) {
        return 0;
    }
    return start;
}

/* First address of the function that `pc` is in, by its unwind data; a fragment of a function
 * names the one it belongs to ("Chained unwind info structures", Microsoft's x64 exception
 * handling). */
static uintptr_t function_start(uintptr_t pc) {
    enum { CHAINED = 4, COUNT_OFFSET = 2, CODES_OFFSET = 4, CODE_BYTES = 2 };
    DWORD64 base = 0;
    const RUNTIME_FUNCTION *function = RtlLookupFunctionEntry(pc, &base, NULL);
    while (function != NULL) {
        const uint8_t *unwind = (const uint8_t *)(uintptr_t)(base + function->UnwindData);
        size_t codes = (unwind[COUNT_OFFSET] + 1u) & ~(size_t)1;
        if ((unwind[0] >> 3 & CHAINED) == 0) {
            return (uintptr_t)(base + function->BeginAddress);
        }
        function = (const void *)(unwind + CODES_OFFSET + codes * CODE_BYTES);
    }
    return 0;
}

/* The outermost function of kernelbase on this thread's stack. Wine 8 starts the thread at a stub
 * of its ntdll, which calls CtrlRoutine. */
static uintptr_t outermost_in_kernelbase(void) {
    void *frames[FRAMES_MAX];
    USHORT count = RtlCaptureStackBackTrace(0, FRAMES_MAX, frames, NULL);
    while (count > 0) {
        uintptr_t pc = (uintptr_t)frames[--count];
        if (in_kernelbase(pc)) {
            return function_start(pc);
        }
    }
    return 0;
}

/* Runs on the event's own thread. The exit code is the distance from kernelbase's base, 0 for "not
 * found": the image is smaller than 4 GB and no function starts at its base. */
static BOOL WINAPI answer(DWORD control) {
    uintptr_t found = start_address();
    (void)control;
    if (!in_kernelbase(found)) {
        found = outermost_in_kernelbase();
    }
    TerminateProcess(GetCurrentProcess(), found != 0 ? (UINT)(found - kernelbase()) : 0);
    return TRUE;
}

void itrp_windows_answer_ctrl_routine(void) {
    if (GetEnvironmentVariableW(ASK_VARIABLE, NULL, 0) == 0) {
        return;
    }
    FreeConsole();
    if (AllocConsole() && SetConsoleCtrlHandler(NULL, FALSE) &&
        SetConsoleCtrlHandler(answer, TRUE) && GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) {
        Sleep(ANSWER_TIMEOUT_MS);
    }
    TerminateProcess(GetCurrentProcess(), 0);
}

/* Starts this program again, in a job that ends with `*job`. */
static HANDLE start_child(HANDLE *job) {
    wchar_t program[4 * MAX_PATH];
    STARTUPINFOW start = {
        .cb = sizeof start, .dwFlags = STARTF_USESHOWWINDOW, .wShowWindow = SW_HIDE};
    PROCESS_INFORMATION child = {0};
    *job = itrp_windows_make_job();
    if (*job == NULL || GetModuleFileNameW(NULL, program, 4 * MAX_PATH) == 0) {
        return NULL;
    }
    SetEnvironmentVariableW(ASK_VARIABLE, L"1");
    BOOL started =
        CreateProcessW(program, NULL, NULL, NULL, FALSE, CREATE_NEW_CONSOLE | CREATE_SUSPENDED,
                       NULL, NULL, &start, &child);
    SetEnvironmentVariableW(ASK_VARIABLE, NULL);
    if (!started) {
        return NULL;
    }
    AssignProcessToJobObject(*job, child.hProcess);
    ResumeThread(child.hThread);
    CloseHandle(child.hThread);
    return child.hProcess;
}

uint64_t itrp_windows_find_ctrl_routine(void) {
    HANDLE job = NULL;
    HANDLE child = start_child(&job);
    DWORD distance = 0;
    if (child != NULL) {
        if (WaitForSingleObject(child, 2 * ANSWER_TIMEOUT_MS) == WAIT_OBJECT_0) {
            GetExitCodeProcess(child, &distance);
        }
        CloseHandle(child);
    }
    if (job != NULL) {
        CloseHandle(job);
    }
    return distance == 0 ? 0 : kernelbase() + distance;
}
