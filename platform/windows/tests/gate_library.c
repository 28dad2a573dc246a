/* A library to fire at through a gate: functions that see whether an event came while they were begun, whether every
 * register came through it, and that many threads call at once. It decides nothing for the tool: what is wrong ends the host
 * with a code of its own (WRONG_…). For tests only. */
#include <windows.h>

#include <stdint.h>
#include <string.h>

#define FUNCTION static __attribute__((noinline, noclone, used))

enum { WRONG_RESULT = 101, WRONG_REGISTER, WRONG_MOMENT, WRONG_COUNT };
enum { THREADS = 4, TURNS = 2000, REGISTERS = 15, VECTORS = 16 };

__declspec(dllexport) int InitraceProbe(void);

static volatile LONG is_inside; /* calls of functions that a gate may stand at, by all threads */
static volatile LONG events;
static volatile LONG events_outside;

/* Registered last, so called first: the host's handler hears it then. */
static BOOL WINAPI on_control(DWORD control) {
    (void)control;
    InterlockedIncrement(&events);
    if (is_inside == 0) {
        InterlockedIncrement(&events_outside);
    }
    return FALSE;
}

static void enter(void) {
    InterlockedIncrement(&is_inside);
}

static void leave(void) {
    InterlockedDecrement(&is_inside);
}

static void must(int holds, UINT code) {
    if (!holds) {
        TerminateProcess(GetCurrentProcess(), code);
    }
}

/* ---- arguments and results ---- */

FUNCTION double gate_sum(int a, double b, int c, double d, int e, double f) {
    return a + 2 * b + 4 * c + 8 * d + 16 * e + 32 * f;
}

static void call_sum(void) {
    enter();
    must(gate_sum(1, 1.5, 2, 2.5, 3, 3.5) == 192, WRONG_RESULT);
    leave();
}

/* ---- all registers ---- */

/* What the assembly found after the gate: flags; RAX CX DX BX BP SI DI R8 … R15; RSP before and after; XMM0 … 15. */
static struct {
    uint64_t flags;
    uint64_t registers[REGISTERS];
    uint64_t stack[2];
    uint8_t vectors[VECTORS][16];
} seen __asm__("gate_seen") __attribute__((used));
static uint8_t wanted[VECTORS][16] __asm__("gate_wanted") __attribute__((used));

#define PATTERN UINT64_C(0x0101010101010101)
#define FLAGS   UINT64_C(0xcd5) /* carry, parity, adjust, zero, sign, direction, overflow */

void gate_fill(void);

#define FILL(number, name)      "    mov $0x0101010101010101 * " #number ", %" name "\n"
#define KEEP(number, name)      "    mov %" name ", gate_seen + 8 * " #number "(%rip)\n"
#define FILL_VECTOR(number)     "    movdqu gate_wanted + 16 * " #number "(%rip), %xmm" #number "\n"
#define KEEP_VECTOR(number)     "    movdqu %xmm" #number ", gate_seen + 144 + 16 * " #number "(%rip)\n"
#define SAVE_VECTOR(number)     "    movdqu %xmm" #number ", 16 * (" #number " - 6)(%rsp)\n"
#define RESTORE_VECTOR(number)  "    movdqu 16 * (" #number " - 6)(%rsp), %xmm" #number "\n"
#define EACH_GENERAL(DO)                                                                                                   \
    DO(1, "rax") DO(2, "rcx") DO(3, "rdx") DO(4, "rbx") DO(5, "rbp") DO(6, "rsi") DO(7, "rdi") DO(8, "r8") DO(9, "r9")     \
        DO(10, "r10") DO(11, "r11") DO(12, "r12") DO(13, "r13") DO(14, "r14") DO(15, "r15")
#define EACH_KEPT_VECTOR(DO) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define EACH_VECTOR(DO)      DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) EACH_KEPT_VECTOR(DO)

/* Windows' callee keeps RBX, RBP, RSI, RDI, R12 … R15 and XMM6 … 15. */
__asm__(".text\n"
        ".balign 16\n"
        ".globl gate_fill\n"
        "gate_fill:\n"
        "    push %rbx\n    push %rbp\n    push %rsi\n    push %rdi\n"
        "    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    sub $168, %rsp\n" EACH_KEPT_VECTOR(SAVE_VECTOR) EACH_VECTOR(FILL_VECTOR)
        "    mov %rsp, gate_seen + 128(%rip)\n"
        "    pushq $0xcd7\n    popfq\n" EACH_GENERAL(FILL)
        "    call gate_registers\n"
        "    pushfq\n    popq gate_seen(%rip)\n    cld\n" EACH_GENERAL(KEEP)
        "    mov %rsp, gate_seen + 136(%rip)\n" EACH_VECTOR(KEEP_VECTOR) EACH_KEPT_VECTOR(RESTORE_VECTOR)
        "    add $168, %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n"
        "    pop %rdi\n    pop %rsi\n    pop %rbp\n    pop %rbx\n"
        "    ret\n"
        ".balign 16\n"
        ".globl gate_registers\n"
        "gate_registers:\n"
        "    nop\n    nop\n    nop\n    nop\n    nop\n    nop\n    nop\n    nop\n    ret\n"
        ".balign 16\n");

static void call_registers(void) {
    for (int i = 0; i < VECTORS; i++) {
        memset(wanted[i], 0xa0 + i, sizeof wanted[i]);
    }
    enter();
    gate_fill();
    leave();
    must((seen.flags & FLAGS) == FLAGS, WRONG_REGISTER);
    for (uint64_t i = 0; i < REGISTERS; i++) {
        must(seen.registers[i] == PATTERN * (i + 1), WRONG_REGISTER);
    }
    must(seen.stack[0] == seen.stack[1], WRONG_REGISTER);
    must(memcmp(seen.vectors, wanted, sizeof wanted) == 0, WRONG_REGISTER);
}

/* ---- threads ---- */

FUNCTION int gate_busy(int a, double b) {
    return a * 3 + (int)(b * 2);
}

FUNCTION int gate_in_thread(int a) {
    return a * 7 + 1;
}

static DWORD WINAPI run_thread(void *start) {
    enter();
    must(gate_in_thread(5) == 36, WRONG_RESULT);
    leave();
    WaitForSingleObject(start, INFINITE);
    for (int i = 0; i < TURNS; i++) {
        enter();
        must(gate_busy(i, 1.5) == i * 3 + 3, WRONG_RESULT);
        leave();
    }
    return 0;
}

static void run_threads(void) {
    HANDLE threads[THREADS];
    HANDLE start = CreateEventW(NULL, TRUE, FALSE, NULL);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = CreateThread(NULL, 0, run_thread, start, 0, NULL);
        must(threads[i] != NULL, WRONG_COUNT);
    }
    SetEvent(start);
    WaitForMultipleObjects(THREADS, threads, TRUE, INFINITE);
}

/* Never called, and kept. */
FUNCTION int gate_never(int a) {
    return a * 11 + 5;
}

static int (*const volatile kept)(int) = gate_never;

int InitraceProbe(void) {
    SetConsoleCtrlHandler(on_control, TRUE);
    must(kept != NULL, WRONG_COUNT);
    for (int i = 0; i < 3; i++) { /* the gate is passed once */
        call_sum();
        call_registers();
    }
    run_threads();
    must(events <= 1, WRONG_COUNT);
    must(events_outside == 0, WRONG_MOMENT);
    return 42;
}
