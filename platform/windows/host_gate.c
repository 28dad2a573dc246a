/* The gate of a Windows host: a jump written over the first bytes of one place in the library, before any code of it
 * runs. The first thread that comes there opens the gate for all (the bytes are put back), fires the shot where it is
 * the thread that was asked for, is held as at a call, and goes on at the point with all registers as they were.
 *
 * The jump is 5 bytes, `jmp rel32`, to a stub within reach of it, which jumps on to the code below. All of it lies in
 * one aligned word of 16 bytes, which is written by one locked instruction: a thread that comes by meanwhile executes
 * the jump or what was there before, never a mixture. A second thread that took the jump waits until the bytes are
 * back, some microseconds, and goes on at the point.
 *
 * The code runs on a stack of its own, which the thread's TEB names for so long: a goroutine's has a few hundred bytes
 * to spare, and its thread's own is in use. It takes no part in what the shot comes to (host_fire.c does). */
#include "platform/host.h"
#include "platform/windows/host_windows.h"

#include <windows.h>

#include <cpuid.h>
#include <stddef.h>
#include <string.h>

enum {
    STUB_BYTES = 4096,
    GRANULARITY = 64 * 1024,
    REACH = 0x7000, /* such granules to both sides of the library are tried: less than 2 GB */
    STACK_BYTES = 256 * 1024,
    LEGACY_STATE_BYTES = 512, /* what FXSAVE writes */
    KNOWN_WITHIN_NS = 1000000000,
};

/* What the assembly below reads, by the offsets given there. */
struct gate {
    volatile uint32_t taken;  /* by the first thread that came */
    volatile uint32_t opened; /* the library's own bytes are back */
    uint8_t *point;
    uint8_t *stack_begin;
    uint8_t *stack_end;
    uint8_t *state;      /* room for the processor's other registers, 64-byte aligned, zeroed */
    uint64_t has_xsave;  /* else FXSAVE */
    struct itrh_host *host;
    uint32_t index; /* of the shot */
    uint8_t original[ITR_GATE_BYTES];
    DWORD protection;
};
static struct gate gate __asm__("itrh_windows_gate") __attribute__((used));

_Static_assert(offsetof(struct gate, opened) == 4, "the assembly below knows this");
_Static_assert(offsetof(struct gate, point) == 8, "the assembly below knows this");
_Static_assert(offsetof(struct gate, stack_begin) == 16, "the assembly below knows this");
_Static_assert(offsetof(struct gate, stack_end) == 24, "the assembly below knows this");
_Static_assert(offsetof(struct gate, state) == 32, "the assembly below knows this");
_Static_assert(offsetof(struct gate, has_xsave) == 40, "the assembly below knows this");

void itrh_windows_gate_code(void);
void itrh_windows_gate_hit(void);

/* Entered by a jump from the point, with the thread's own registers and stack. Windows has no red zone, so below the stack
 * pointer is room. The TEB has the stack's bounds at gs:8 (its end), gs:16 (its beginning) and gs:0x1478 (its lowest
 * address, committed or not). A latecomer serialises (CPUID) before it executes what another processor wrote. */
__asm__(".text\n"
        ".balign 16\n"
        ".globl itrh_windows_gate_code\n"
        "itrh_windows_gate_code:\n"
        "    pushfq\n"
        "    push %rax\n"
        "    mov $1, %eax\n"
        "    xchg %eax, itrh_windows_gate(%rip)\n"
        "    test %eax, %eax\n"
        "    jz 2f\n"
        "1:  pause\n"
        "    cmpl $0, itrh_windows_gate+4(%rip)\n"
        "    je 1b\n"
        "    push %rbx\n"
        "    push %rcx\n"
        "    push %rdx\n"
        "    xor %eax, %eax\n"
        "    cpuid\n"
        "    pop %rdx\n"
        "    pop %rcx\n"
        "    pop %rbx\n"
        "    jmp 5f\n"
        "2:  mov itrh_windows_gate+24(%rip), %rax\n"
        "    xchg %rsp, %rax\n"
        "    push %rax\n"
        "    push %rcx\n"
        "    push %rdx\n"
        "    push %rbx\n"
        "    push %rbp\n"
        "    push %rsi\n"
        "    push %rdi\n"
        "    push %r8\n"
        "    push %r9\n"
        "    push %r10\n"
        "    push %r11\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        "    pushq %gs:8\n"
        "    pushq %gs:16\n"
        "    pushq %gs:0x1478\n"
        "    mov itrh_windows_gate+24(%rip), %rax\n"
        "    mov %rax, %gs:8\n"
        "    mov itrh_windows_gate+16(%rip), %rax\n"
        "    mov %rax, %gs:16\n"
        "    mov %rax, %gs:0x1478\n"
        "    cld\n"
        "    mov itrh_windows_gate+32(%rip), %rbx\n"
        "    mov $-1, %eax\n"
        "    mov $-1, %edx\n"
        "    cmpq $0, itrh_windows_gate+40(%rip)\n"
        "    je 3f\n"
        "    xsave64 (%rbx)\n"
        "    jmp 4f\n"
        "3:  fxsave64 (%rbx)\n"
        "4:  sub $32, %rsp\n" /* 18 registers above: aligned to 16 */
        "    call itrh_windows_gate_hit\n"
        "    add $32, %rsp\n"
        "    mov $-1, %eax\n"
        "    mov $-1, %edx\n"
        "    cmpq $0, itrh_windows_gate+40(%rip)\n"
        "    je 3f\n"
        "    xrstor64 (%rbx)\n"
        "    jmp 4f\n"
        "3:  fxrstor64 (%rbx)\n"
        "4:  popq %gs:0x1478\n"
        "    popq %gs:16\n"
        "    popq %gs:8\n"
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %r11\n"
        "    pop %r10\n"
        "    pop %r9\n"
        "    pop %r8\n"
        "    pop %rdi\n"
        "    pop %rsi\n"
        "    pop %rbp\n"
        "    pop %rbx\n"
        "    pop %rdx\n"
        "    pop %rcx\n"
        "    pop %rax\n"
        "    mov %rax, %rsp\n"
        "5:  pop %rax\n"
        "    popfq\n"
        "    jmp *itrh_windows_gate+8(%rip)\n");

/* ---- the bytes at the point ---- */

/* Puts the gate's bytes at `point` in one store of the aligned word that they lie in. */
static void put_bytes(uint8_t *point, const uint8_t *bytes) {
    uint8_t *word = (uint8_t *)((uintptr_t)point & ~(uintptr_t)(ITR_GATE_WORD_BYTES - 1));
    uint64_t before[2];
    uint64_t after[2];
    uint8_t done = 0;
    memcpy(before, word, sizeof before);
    while (!done) {
        memcpy(after, before, sizeof after);
        memcpy((uint8_t *)after + (point - word), bytes, ITR_GATE_BYTES);
        __asm__ volatile("lock cmpxchg16b %1\n\tsete %0"
                         : "=q"(done), "+m"(*(uint64_t(*)[2])word), "+a"(before[0]), "+d"(before[1])
                         : "b"(after[0]), "c"(after[1])
                         : "cc", "memory");
    }
    FlushInstructionCache(GetCurrentProcess(), point, ITR_GATE_BYTES);
}

/* Memory that a 32-bit displacement from the library reaches; NULL if there is none. */
static uint8_t *allocate_near(uintptr_t begin, uintptr_t end) {
    for (uintptr_t step = GRANULARITY; step < (uintptr_t)REACH * GRANULARITY; step += GRANULARITY) {
        uintptr_t places[2] = {begin > 2 * step ? begin - step : 0, end + step};
        for (int i = 0; i < 2; i++) {
            uintptr_t place = places[i] & ~(uintptr_t)(GRANULARITY - 1);
            void *found = place == 0 ? NULL
                                     : VirtualAlloc((void *)place, STUB_BYTES, MEM_COMMIT | MEM_RESERVE,
                                                    PAGE_READWRITE);
            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}

/* Called under the loader lock, before any code of the library runs. */
void itrh_windows_gate_write(uintptr_t begin, uintptr_t end) {
    if (gate.host == NULL) {
        return;
    }
    const struct itr_shot_request *shot = &gate.host->ledger->request.shots[gate.index];
    uint8_t jump[ITR_GATE_BYTES] = {0xe9};
    DWORD before = 0;
    uint8_t *stub = allocate_near(begin, end);
    gate.point = (uint8_t *)begin + shot->rva;
    if (stub == NULL || shot->rva >= end - begin ||
        !VirtualProtect(gate.point, ITR_GATE_BYTES, PAGE_EXECUTE_READWRITE, &gate.protection)) {
        itrh_windows_fail("the gate cannot be written into the library");
        return;
    }
    itrh_windows_write_far_jump(stub, (const uint8_t *)(uintptr_t)itrh_windows_gate_code);
    VirtualProtect(stub, STUB_BYTES, PAGE_EXECUTE_READ, &before);
    int32_t distance = (int32_t)(stub - (gate.point + ITR_GATE_BYTES));
    memcpy(jump + 1, &distance, sizeof distance);
    memcpy(gate.original, gate.point, ITR_GATE_BYTES);
    put_bytes(gate.point, jump);
    gate.host->ledger->reply.shots[gate.index].gate_written = 1;
}

/* ---- a thread is there ---- */

/* The main thread loads the library. The first that the library started is known once CreateThread returned to
 * it, which may be after that thread came here. */
static enum itr_role role_of_this_thread(enum itr_role wanted) {
    uint32_t self = itrh_thread_id();
    uint64_t until_ns = itrh_now_ns() + KNOWN_WITHIN_NS;
    uint32_t first = 0;
    if (self == gate.host->ledger->reply.main_thread) {
        return ITR_ROLE_MAIN;
    }
    while (wanted == ITR_ROLE_INIT && !itrh_windows_first_thread(&first) && itrh_now_ns() < until_ns) {
        itrh_sleep_ns(100000);
    }
    return first == self ? ITR_ROLE_INIT : ITR_ROLE_ANY;
}

/* Called from the assembly above, by one thread, once. The gate is opened first: others must not be held. */
void itrh_windows_gate_hit(void) {
    DWORD saved_error = GetLastError();
    const struct itr_shot_request *shot = &gate.host->ledger->request.shots[gate.index];
    struct itr_shot_reply *reply = &gate.host->ledger->reply.shots[gate.index];
    uint64_t now_ns = itrh_now_ns();
    enum itr_role wanted = (enum itr_role)shot->role;
    DWORD before = 0;
    put_bytes(gate.point, gate.original);
    __atomic_store_n(&gate.opened, 1, __ATOMIC_RELEASE);
    VirtualProtect(gate.point, ITR_GATE_BYTES, gate.protection, &before);
    enum itr_role role = role_of_this_thread(wanted);
    reply->gate_thread = itrh_thread_id();
    reply->gate_role = (uint32_t)role;
    __atomic_store_n(&reply->gate_ns, now_ns, __ATOMIC_RELEASE);
    if (wanted == ITR_ROLE_ANY || wanted == role) {
        itrh_fire(gate.host, gate.index);
    }
    SetLastError(saved_error);
}

/* ---- setting up ---- */

/* Bytes that XSAVE writes with all that this system has switched on; 0 without XSAVE. */
static size_t extended_state_bytes(void) {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0 || !__get_cpuid_count(0xd, 0, &a, &b, &c, &d)) {
        return 0;
    }
    return b;
}

bool itrh_windows_gate_arm(struct itrh_host *host, uint32_t index) {
    const struct itr_shot_request *shot = &host->ledger->request.shots[index];
    size_t extended = extended_state_bytes();
    size_t state_bytes = extended > LEGACY_STATE_BYTES ? extended : LEGACY_STATE_BYTES;
    if (gate.host != NULL || shot->rva % ITR_GATE_WORD_BYTES > ITR_GATE_WORD_BYTES - ITR_GATE_BYTES) {
        itrh_fail(host, 0, "a host has one gate, whose bytes lie in one aligned word");
        return false;
    }
    if (shot->role == ITR_ROLE_INIT && !itrh_hooks_install(host, ITR_CALL_CREATE_THREAD)) {
        itrh_fail(host, 0, "CreateThread cannot be hooked, so the library's first thread is not known");
        return false;
    }
    gate.state = VirtualAlloc(NULL, state_bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    gate.stack_begin = VirtualAlloc(NULL, STACK_BYTES, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (gate.state == NULL || gate.stack_begin == NULL) {
        return itrh_windows_fail("no memory for a gate");
    }
    gate.stack_end = gate.stack_begin + STACK_BYTES;
    gate.has_xsave = extended != 0;
    gate.index = index;
    gate.host = host;
    return true;
}
