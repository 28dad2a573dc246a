/* The library that the test of breakpoints in the code lets hosts load: many threads in one function at a time, and
 * instructions that a thread is not just stepped over: repeated ones, one that pushes the flags, one that faults, a
 * breakpoint of its own. It checks nothing itself; each function that a host calls returns what the test compares. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

enum { THREADS = 4, EACH = 40, TIMES = 3, ROOM = 16 };

int code_call_crowd(void);
int code_call_repeat(void);
int code_call_flags(void);
int code_call_fault(void);
int code_call_own(void);
void code_step(void);

/* ---- many threads ---- */

static volatile int steps;
static pthread_barrier_t gate;

__attribute__((noinline)) void code_step(void) {
    __atomic_add_fetch(&steps, 1, __ATOMIC_SEQ_CST);
}

static void *step_often(void *unused) {
    pthread_barrier_wait(&gate);
    for (int i = 0; i < EACH; i++) {
        code_step();
    }
    return unused;
}

/* Four threads make 40 steps each, all at the same time. */
int code_call_crowd(void) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&gate, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, step_often, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&gate);
    return steps;
}

/* ---- instructions ---- */

uint64_t code_repeat(void *to, uint64_t bytes);
uint64_t code_flags(void);
uint64_t code_fault(uint64_t address);
void code_own(void);

/* The points are at the names that end in _here. */
__asm__(".text\n"
        ".globl code_repeat\n"
        "code_repeat: mov %rsi, %rcx\n mov $1, %al\n"
        ".globl code_repeat_here\n"
        "code_repeat_here: rep stosb\n mov $1, %eax\n ret\n"
        ".globl code_flags\n"
        "code_flags: nop\n"
        ".globl code_flags_here\n"
        "code_flags_here: pushfq\n pop %rax\n ret\n"
        ".globl code_fault\n"
        "code_fault: nop\n"
        ".globl code_fault_here\n"
        "code_fault_here: mov (%rdi), %rax\n ret\n" /* of 3 bytes */
        ".globl code_own\n"
        "code_own: nop\n"
        ".globl code_own_here\n"
        "code_own_here: int3\n ret\n");

/* Three times 16 bytes; how many were written. */
int code_call_repeat(void) {
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
int code_call_flags(void) {
    int clean = 0;
    for (int i = 0; i < TIMES; i++) {
        clean += (code_flags() & 0x100) == 0;
    }
    return clean;
}

static volatile int handled;

/* A fault's address is that of its instruction; behind a breakpoint the thread is past it already. */
static void leave_out(int number, siginfo_t *info, void *context) {
    greg_t *pc = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    (void)info;
    if (number == SIGSEGV && *pc == (greg_t)(uintptr_t)code_fault + 1) {
        *pc += 3;
        handled++;
    } else if (number == SIGTRAP && *pc == (greg_t)(uintptr_t)code_own + 2) {
        handled++;
    }
}

static void handle(int number) {
    struct sigaction action = {.sa_sigaction = leave_out, .sa_flags = SA_SIGINFO};
    sigaction(number, &action, NULL);
}

/* How many of three faults were handled. */
int code_call_fault(void) {
    handle(SIGSEGV);
    for (int i = 0; i < TIMES; i++) {
        code_fault(8);
    }
    return handled;
}

/* How many of three breakpoints of its own were handled. */
int code_call_own(void) {
    handle(SIGTRAP);
    for (int i = 0; i < TIMES; i++) {
        code_own();
    }
    return handled;
}
