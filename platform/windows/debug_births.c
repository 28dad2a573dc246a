/* Stops a thread, for chaos, as it comes back from making another one or from letting it go: when the system tells of a
 * birth, its maker has long gone on. Breakpoints stand on the last instruction, a return, of the functions that do it,
 * and are never taken out for anybody: the return is made here. How long it is held is debug_chaos.c's. */
#include "platform/windows/debug_windows.h"

#include <string.h>

#define RETURN 0xC3

enum { STUB_BYTES = 32 };

static void watch_return(struct itrp_windows_debugger *debugger, uint64_t address) {
    if (debugger->birth_count < ITRP_WINDOWS_BIRTHS_MAX &&
        itrp_windows_write_code(debugger, address, ITRP_WINDOWS_BREAKPOINT)) {
        debugger->births[debugger->birth_count++] = address;
    }
}

/* A call of the system is "mov r10, rcx; mov eax, NUMBER" and then, by one of three ways (Wine has a call where Windows has
 * int 0x2e), "syscall", "int 0x2e" or "call [ADDRESS]", each with a return behind it. Other code is left alone. */
static void watch_returns(struct itrp_windows_debugger *debugger, const char *name) {
    static const uint8_t head[] = {0x4C, 0x8B, 0xD1, 0xB8};
    const uint8_t *own = (const uint8_t *)(uintptr_t)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), name);
    uint64_t address = (uint64_t)(uintptr_t)own;
    uint8_t there[STUB_BYTES];
    if (own == NULL || !itrp_windows_peek(debugger, address, there, sizeof there) ||
        memcmp(there, own, sizeof there) != 0 || memcmp(there, head, sizeof head) != 0) {
        return; /* another ntdll, or another form */
    }
    for (size_t i = sizeof head + 4; i < STUB_BYTES; i++) {
        bool by_syscall = there[i - 2] == 0x0F && there[i - 1] == 0x05;
        bool by_interrupt = there[i - 2] == 0xCD && there[i - 1] == 0x2E;
        bool by_call = i >= 15 && there[i - 7] == 0xFF && there[i - 6] == 0x14 && there[i - 5] == 0x25;
        if (there[i] == RETURN && (by_syscall || by_interrupt || by_call)) {
            watch_return(debugger, address + i);
        }
    }
}

void itrp_windows_births_watch(struct itrp_windows_debugger *debugger) {
    watch_returns(debugger, "NtCreateThreadEx");
    watch_returns(debugger, "NtResumeThread"); /* C libraries make threads that stand at first */
}

void itrp_windows_births_lift(const struct itrp_windows_debugger *debugger, bool lifted) {
    for (uint32_t i = 0; i < debugger->birth_count; i++) {
        itrp_windows_write_code(debugger, debugger->births[i], lifted ? RETURN : ITRP_WINDOWS_BREAKPOINT);
    }
}

bool itrp_windows_births_trap(struct itrp_windows_debugger *debugger, DWORD thread_id,
                              const EXCEPTION_RECORD *record) {
    struct itrp_windows_thread *thread = itrp_windows_thread_of(debugger, thread_id);
    uint64_t address = (uint64_t)(uintptr_t)record->ExceptionAddress;
    CONTEXT context = {.ContextFlags = CONTEXT_CONTROL};
    uint32_t i = 0;
    while (i < debugger->birth_count && debugger->births[i] != address) {
        i++;
    }
    if (thread == NULL || record->ExceptionCode != EXCEPTION_BREAKPOINT || i == debugger->birth_count) {
        return false;
    }
    uint64_t back = 0;
    if (!itrp_windows_get_context(debugger, thread, &context)) {
        return true; /* it is ending */
    }
    if (!itrp_windows_peek(debugger, context.Rsp, &back, sizeof back)) {
        itrp_windows_debug_fail(debugger, GetLastError(), "read where a thread goes back to");
        return true;
    }
    context.Rip = back;
    context.Rsp += sizeof back;
    if (itrp_windows_set_context(debugger, thread, &context)) {
        itrp_windows_chaos_made(debugger, thread);
    }
    return true;
}
