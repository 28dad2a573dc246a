/* The library that the test of breakpoints in the code lets hosts load: many threads in one function at a time, and
 * instructions that a thread is not just stepped over: repeated ones, one that pushes the flags, one that faults, a
 * breakpoint of its own. It checks nothing itself; each function that a host calls returns what the test compares. */
#include <windows.h>

#include <stdint.h>

enum { THREADS = 4, EACH = 40, TIMES = 3, ROOM = 16 };

#define EXPORT __declspec(dllexport)

int code_call_crowd(void);
int code_call_repeat(void);
int code_call_flags(void);
int code_call_fault(void);
int code_call_own(void);
void code_step(void);

/* ---- many threads ---- */

static volatile LONG steps;
static HANDLE gate;

EXPORT __attribute__((noinline)) void code_step(void) {
    InterlockedIncrement(&steps);
}

static DWORD WINAPI step_often(void *unused) {
    (void)unused;
    WaitForSingleObject(gate, INFINITE);
    for (int i = 0; i < EACH; i++) {
        code_step();
    }
    return 0;
}

/* Four threads make 40 steps each, all at the same time. */
EXPORT int code_call_crowd(void) {
    HANDLE threads[THREADS];
    gate = CreateEventW(NULL, TRUE, FALSE, NULL);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = CreateThread(NULL, 0, step_often, NULL, 0, NULL);
    }
    SetEvent(gate);
    WaitForMultipleObjects(THREADS, threads, TRUE, INFINITE);
    for (int i = 0; i < THREADS; i++) {
        CloseHandle(threads[i]);
    }
    CloseHandle(gate);
    return (int)steps;
}

/* ---- instructions ---- */

uint64_t code_repeat(void *to, uint64_t bytes);
uint64_t code_flags(void);
uint64_t code_fault(uint64_t address);
void code_own(void);

/* The points are at the names that end in _here. */
__asm__(".text\n"
        ".globl code_repeat\n"
        "code_repeat: push %rdi\n mov %rcx, %rdi\n mov %rdx, %rcx\n mov $1, %al\n"
        ".globl code_repeat_here\n"
        "code_repeat_here: rep stosb\n pop %rdi\n mov $1, %eax\n ret\n"
        ".globl code_flags\n"
        "code_flags: nop\n"
        ".globl code_flags_here\n"
        "code_flags_here: pushfq\n pop %rax\n ret\n"
        ".globl code_fault\n"
        "code_fault: nop\n"
        ".globl code_fault_here\n"
        "code_fault_here: mov (%rcx), %rax\n ret\n" /* of 3 bytes */
        ".globl code_own\n"
        "code_own: nop\n"
        ".globl code_own_here\n"
        "code_own_here: int3\n ret\n");

/* Three times 16 bytes; how many were written. */
EXPORT int code_call_repeat(void) {
    uint8_t bytes[TIMES][ROOM] = {{0}};
    int sum = 0;
    for (int i = 0; i < TIMES; i++) {
        code_repeat(bytes[i], ROOM);
        for (int k = 0; k < ROOM; k++) {
            sum += bytes[i][k];
        }
    }
    return sum;
}

/* How often of three times the pushed flags had no trap flag. */
EXPORT int code_call_flags(void) {
    int clean = 0;
    for (int i = 0; i < TIMES; i++) {
        clean += (code_flags() & 0x100) == 0;
    }
    return clean;
}

static volatile LONG handled;

static LONG CALLBACK leave_out(EXCEPTION_POINTERS *exception) {
    DWORD code = exception->ExceptionRecord->ExceptionCode;
    uint64_t at = (uint64_t)(uintptr_t)exception->ExceptionRecord->ExceptionAddress;
    uint64_t length =
        at == (uint64_t)(uintptr_t)code_fault + 1 && code == EXCEPTION_ACCESS_VIOLATION ? 3
        : at == (uint64_t)(uintptr_t)code_own + 1 && code == EXCEPTION_BREAKPOINT       ? 1
                                                                                        : 0;
    if (length == 0) {
        return EXCEPTION_CONTINUE_SEARCH;
    }
    InterlockedIncrement(&handled);
    exception->ContextRecord->Rip = at + length;
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* How many of three faults were handled. */
EXPORT int code_call_fault(void) {
    void *handler = AddVectoredExceptionHandler(1, leave_out);
    for (int i = 0; i < TIMES; i++) {
        code_fault(8);
    }
    RemoveVectoredExceptionHandler(handler);
    return (int)handled;
}

/* How many of three breakpoints of its own were handled. */
EXPORT int code_call_own(void) {
    void *handler = AddVectoredExceptionHandler(1, leave_out);
    for (int i = 0; i < TIMES; i++) {
        code_own();
    }
    RemoveVectoredExceptionHandler(handler);
    return (int)handled;
}
