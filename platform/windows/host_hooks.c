/* Hooks of a Windows host: jumps written over the first bytes of kernel32's SetConsoleCtrlHandler
 * and CreateThread count the library's own calls and fire the shots at them. Everybody else's
 * calls go straight on. The hooks stay until the process ends.
 *
 * A hook is 12 bytes, `mov rax, imm64; jmp rax`. The whole instructions that they cover are first
 * copied to a trampoline, through which the real function is called, so that any number of threads
 * may be inside. A prologue with an instruction that cannot be moved is refused, not guessed at. */
#include "platform/host.h"
#include "platform/windows/host_windows.h"

#include <windows.h>

#include <string.h>

enum {
    HOOK_BYTES = 12,
    FAR_JUMP_BYTES = 14, /* jmp [rip+0]; address: changes no register */
    TRAMPOLINE_BYTES = 64,
    STUBS_MAX = 4, /* jumps to jumps that are followed */
    FRAMES_MAX = 4,
};

typedef BOOL(WINAPI *set_handler_fn)(PHANDLER_ROUTINE, BOOL);
typedef HANDLE(WINAPI *create_thread_fn)(LPSECURITY_ATTRIBUTES, SIZE_T, LPTHREAD_START_ROUTINE,
                                         LPVOID, DWORD, LPDWORD);

static struct itrh_host *hooked_host;
static uint32_t calls_of[ITR_CALL_COUNT];
static set_handler_fn real_set_handler;
static create_thread_fn real_create_thread;
/* The first thread that the library starts: whether its start was begun, and its id once CreateThread returned. */
static volatile LONG first_begun;
static volatile LONG first_thread;

/* ---- what the hooks do ---- */

static void count_call(enum itr_call call) {
    const struct itr_ledger_request *request = &hooked_host->ledger->request;
    uint32_t nth = __atomic_add_fetch(&calls_of[call], 1, __ATOMIC_ACQ_REL);
    __atomic_add_fetch(&hooked_host->ledger->reply.calls_counted, 1, __ATOMIC_ACQ_REL);
    for (uint32_t i = 0; i < request->shot_count && i < ITR_SHOTS_MAX; i++) {
        const struct itr_shot_request *shot = &request->shots[i];
        if (shot->where == ITR_WHERE_CALL && shot->call == (uint32_t)call && shot->nth == nth) {
            itrh_fire(hooked_host, i);
        }
    }
}

/* The C runtime registers a handler of its own: only one inside the library is the library's. */
static BOOL WINAPI hook_set_handler(PHANDLER_ROUTINE handler, BOOL add) {
    BOOL result = real_set_handler(handler, add);
    if (add && itrh_windows_in_library((uintptr_t)handler)) {
        DWORD error = GetLastError();
        count_call(ITR_CALL_SET_CONSOLE_CTRL_HANDLER);
        SetLastError(error);
    }
    return result;
}

/* True if the library made this call, itself or through the C runtime's _beginthread(), as cgo
 * does. */
static bool called_by_library(const void *return_address) {
    void *frames[FRAMES_MAX] = {0};
    if (itrh_windows_in_library((uintptr_t)return_address)) {
        return true;
    }
    USHORT count = RtlCaptureStackBackTrace(1, FRAMES_MAX, frames, NULL);
    for (USHORT i = 0; i < count; i++) {
        if (itrh_windows_in_library((uintptr_t)frames[i])) {
            return true;
        }
    }
    return false;
}

static HANDLE WINAPI hook_create_thread(LPSECURITY_ATTRIBUTES security, SIZE_T stack_bytes,
                                        LPTHREAD_START_ROUTINE start, LPVOID argument, DWORD flags,
                                        LPDWORD thread_id) {
    if (!called_by_library(__builtin_return_address(0))) {
        return real_create_thread(security, stack_bytes, start, argument, flags, thread_id);
    }
    count_call(ITR_CALL_CREATE_THREAD);
    bool first = InterlockedExchange(&first_begun, 1) == 0;
    HANDLE thread = real_create_thread(security, stack_bytes, start, argument, flags, thread_id);
    if (first) {
        DWORD error = GetLastError();
        InterlockedExchange(&first_thread, thread != NULL ? (LONG)GetThreadId(thread) : 0);
        InterlockedExchange(&first_begun, thread != NULL);
        SetLastError(error);
    }
    return thread;
}

bool itrh_windows_first_thread(uint32_t *thread) {
    *thread = (uint32_t)InterlockedCompareExchange(&first_thread, 0, 0);
    return *thread != 0 || first_begun == 0;
}

/* ---- reading a prologue ---- */

/* Bytes after the opcode of an instruction with a ModRM byte; 0 if it is relative to the
 * instruction pointer and so cannot be moved. */
static size_t modrm_bytes(const uint8_t *modrm) {
    uint8_t mod = modrm[0] >> 6;
    uint8_t rm = modrm[0] & 7;
    size_t bytes = 1;
    if (mod == 3) {
        return bytes;
    }
    if (rm == 4) {
        bytes++;
        if (mod == 0 && (modrm[1] & 7) == 5) {
            bytes += 4;
        }
    } else if (mod == 0 && rm == 5) {
        return 0;
    }
    return bytes + (mod == 1 ? 1u : mod == 2 ? 4u : 0u);
}

/* Length of the instruction at `code` if it is one that compilers put in prologues and that works
 * from any address; 0 for all others. Encodings: Intel SDM volume 2. */
static size_t movable_instruction_bytes(const uint8_t *code) {
    /* add, or, and, sub, xor, cmp, movsxd, test, mov, lea between registers and memory */
    static const uint8_t plain[] = {0x01, 0x03, 0x09, 0x0b, 0x21, 0x23, 0x29, 0x2b, 0x31, 0x33,
                                    0x39, 0x3b, 0x63, 0x84, 0x85, 0x88, 0x89, 0x8a, 0x8b, 0x8d};
    size_t prefix = 0;
    while (code[prefix] == 0x66) {
        prefix++;
    }
    if ((code[prefix] & 0xf0) == 0x40) {
        prefix++; /* REX */
    }
    const uint8_t *at = code + prefix;
    size_t modrm = 0;
    if ((at[0] & 0xf8) == 0x50 || at[0] == 0x90) { /* push, nop */
        return prefix + 1;
    }
    if (at[0] == 0x0f && at[1] == 0x1f) { /* nop r/m */
        modrm = modrm_bytes(at + 2);
        return modrm == 0 ? 0 : prefix + 2 + modrm;
    }
    if (memchr(plain, at[0], sizeof plain) != NULL) {
        modrm = modrm_bytes(at + 1);
        return modrm == 0 ? 0 : prefix + 1 + modrm;
    }
    if (at[0] == 0x83 || at[0] == 0xc6) { /* sub r/m, imm8 and its like; mov r/m8, imm8 */
        modrm = modrm_bytes(at + 1);
        return modrm == 0 ? 0 : prefix + 1 + modrm + 1;
    }
    if ((at[0] == 0x81 || at[0] == 0xc7) && code[0] != 0x66) { /* the same with imm32 */
        modrm = modrm_bytes(at + 1);
        return modrm == 0 ? 0 : prefix + 1 + modrm + 4;
    }
    return 0;
}

/* An unconditional jump: where it leads and how long it is; `target` is NULL if there is none. */
struct jump {
    uint8_t *target;
    size_t bytes;
};

static struct jump read_jump(uint8_t *code) {
    struct jump jump = {0};
    size_t rex = code[0] == 0x48 ? 1 : 0; /* Windows writes its import stubs with a REX.W prefix */
    uint8_t *at = code + rex;
    int32_t offset = 0;
    if (at[0] == 0xff && at[1] == 0x25) { /* jmp [rip+x] */
        memcpy(&offset, at + 2, sizeof offset);
        memcpy(&jump.target, at + 6 + offset, sizeof jump.target);
        jump.bytes = rex + 6;
    } else if (at[0] == 0xe9) { /* jmp rel32 */
        memcpy(&offset, at + 1, sizeof offset);
        jump.target = at + 5 + offset;
        jump.bytes = rex + 5;
    } else if (at[0] == 0xeb) { /* jmp rel8 */
        jump.target = at + 2 + (int8_t)at[1];
        jump.bytes = rex + 2;
    }
    return jump;
}

/* True for what compilers put at a function's start to be patched over: it does nothing. */
static bool does_nothing(const uint8_t *code) {
    static const uint8_t lea_rsp[8] = {0x48, 0x8d, 0xa4, 0x24, 0, 0, 0, 0}; /* lea rsp, [rsp+0] */
    bool nop = code[0] == 0x90 || (code[0] == 0x66 && code[1] == 0x90) ||
               (code[0] == 0x0f && code[1] == 0x1f);
    return nop || memcmp(code, lea_rsp, sizeof lea_rsp) == 0;
}

/* ---- writing a hook ---- */

void itrh_windows_write_far_jump(uint8_t *at, const uint8_t *target) {
    static const uint8_t jump[6] = {0xff, 0x25, 0, 0, 0, 0};
    memcpy(at, jump, sizeof jump);
    memcpy(at + sizeof jump, &target, sizeof target);
}

/* Copies whole instructions from `code` to `trampoline` until they cover a hook, and jumps on
 * behind them. False with `*stub` set when all there is room for is a jump to there: the hook
 * belongs at `*stub`. False without it when the code cannot be moved. */
static bool make_trampoline(uint8_t *code, uint8_t *trampoline, uint8_t **stub) {
    size_t covered = 0;
    bool nothing_yet = true;
    *stub = NULL;
    while (covered < HOOK_BYTES) {
        struct jump jump = read_jump(code + covered);
        if (jump.target != NULL) {
            *stub = nothing_yet ? jump.target : NULL;
            itrh_windows_write_far_jump(trampoline + covered, jump.target);
            return covered + jump.bytes >= HOOK_BYTES;
        }
        size_t bytes = movable_instruction_bytes(code + covered);
        if (bytes == 0 || covered + bytes + FAR_JUMP_BYTES > TRAMPOLINE_BYTES) {
            return false;
        }
        nothing_yet = nothing_yet && does_nothing(code + covered);
        memcpy(trampoline + covered, code + covered, bytes);
        covered += bytes;
    }
    itrh_windows_write_far_jump(trampoline + covered, code + covered);
    return true;
}

static bool write_hook(uint8_t *code, const void *hook) {
    uint8_t bytes[HOOK_BYTES] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};
    DWORD before = 0;
    memcpy(bytes + 2, &hook, sizeof hook);
    if (!VirtualProtect(code, HOOK_BYTES, PAGE_EXECUTE_READWRITE, &before)) {
        return false;
    }
    memcpy(code, bytes, sizeof bytes);
    VirtualProtect(code, HOOK_BYTES, before, &before);
    FlushInstructionCache(GetCurrentProcess(), code, HOOK_BYTES);
    return true;
}

/* Hooks `code` and returns what calls the function behind it, NULL if it cannot be hooked. Import
 * stubs too short for a hook (kernel32's jumps into kernelbase) are followed: the hook then goes
 * to the function itself. */
static void *hook_function(uint8_t *code, const void *hook) {
    uint8_t *trampoline =
        VirtualAlloc(NULL, TRAMPOLINE_BYTES, MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READWRITE);
    DWORD before = 0;
    if (trampoline == NULL) {
        return NULL;
    }
    for (int stubs = 0; code != NULL && stubs <= STUBS_MAX; stubs++) {
        uint8_t *stub = NULL;
        if (make_trampoline(code, trampoline, &stub)) {
            VirtualProtect(trampoline, TRAMPOLINE_BYTES, PAGE_EXECUTE_READ, &before);
            return write_hook(code, hook) ? trampoline : NULL;
        }
        code = stub;
    }
    VirtualFree(trampoline, 0, MEM_RELEASE);
    return NULL;
}

static void *hook_export(const char *name, const void *hook) {
    FARPROC function = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), name);
    return function == NULL ? NULL : hook_function((uint8_t *)(uintptr_t)function, hook);
}

bool itrh_hooks_install(struct itrh_host *host, enum itr_call call) {
    hooked_host = host;
    if (call == ITR_CALL_SET_CONSOLE_CTRL_HANDLER) {
        if (real_set_handler == NULL) {
            real_set_handler = (set_handler_fn)(uintptr_t)hook_export(
                "SetConsoleCtrlHandler", (const void *)(uintptr_t)hook_set_handler);
        }
        return real_set_handler != NULL;
    }
    if (call == ITR_CALL_CREATE_THREAD) {
        if (real_create_thread == NULL) {
            real_create_thread = (create_thread_fn)(uintptr_t)hook_export(
                "CreateThread", (const void *)(uintptr_t)hook_create_thread);
        }
        return real_create_thread != NULL;
    }
    return false;
}
