/* The library that the debugger's contract test lets hosts load: functions of known names, run a known number
 * of times by known threads, variables that they write, a fault, a race. It checks nothing itself.
 *
 * Every name is exported, so that its address can be found from outside. The functions that a host is told to
 * call return what the test compares. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#define PLANTED __attribute__((noinline))

enum { MAIN_STEPS = 3, INIT_STEPS = 5, OTHER_STEPS = 7, OTHER_TURNS = 2 };

/* Written by debug_step(), once a call. */
volatile uint32_t debug_steps;
/* Written by debug_write() only. */
volatile uint32_t debug_word;
volatile uint64_t debug_wide;
/* Written by nobody. */
volatile uint32_t debug_untouched;

static volatile uint32_t constructed;
static volatile uint32_t turns;

void debug_constructor_step(void);
void debug_step(void);
void debug_turn(void);
void debug_never(void);
void debug_write(uint32_t value);
void debug_crash_here(void);
int debug_call_steps(void);
int debug_call_turns(void);
int debug_call_writes(void);
int debug_call_crash(void);
int debug_call_race(void);
int debug_call_spin(void);
int debug_call_busy_handler(void);

/* ---- planted functions ---- */

PLANTED void debug_constructor_step(void) {
    constructed = constructed + 1;
}

PLANTED void debug_step(void) {
    debug_steps = debug_steps + 1;
}

PLANTED void debug_turn(void) {
    turns = turns + 1;
}

PLANTED void debug_never(void) {
    turns = turns + 2;
}

PLANTED void debug_write(uint32_t value) {
    debug_word = value;
    debug_wide = (uint64_t)value << 32;
}

PLANTED void debug_crash_here(void) {
    volatile uintptr_t address = 8;
    *(volatile uint32_t *)address = 1;
}

__attribute__((constructor)) static void on_load(void) {
    debug_constructor_step();
}

/* ---- threads ---- */

static int run_thread(void *(*function)(void *), void *argument) {
    pthread_t thread;
    return pthread_create(&thread, NULL, function, argument) == 0 && pthread_join(thread, NULL) == 0;
}

static void *step(void *argument) {
    int count = *(const int *)argument;
    for (int i = 0; i < count; i++) {
        debug_step();
    }
    return NULL;
}

/* ---- what a host calls ---- */

/* The library's first thread 5 steps, then its second 7, then the caller 3, one thread after the other. */
int debug_call_steps(void) {
    int init_steps = INIT_STEPS;
    int other_steps = OTHER_STEPS;
    int main_steps = MAIN_STEPS;
    if (!run_thread(step, &init_steps) || !run_thread(step, &other_steps)) {
        return -1;
    }
    step(&main_steps);
    return (int)debug_steps;
}

static void *step_and_turn(void *argument) {
    (void)argument;
    for (int i = 0; i < INIT_STEPS; i++) {
        debug_step();
        if (i < OTHER_TURNS) {
            debug_turn();
        }
    }
    return NULL;
}

/* The same in the library's first thread and in the caller: step, turn, step, turn, step, step, step. */
int debug_call_turns(void) {
    if (!run_thread(step_and_turn, NULL)) {
        return -1;
    }
    step_and_turn(NULL);
    return (int)turns;
}

static void *write_two(void *argument) {
    (void)argument;
    debug_write(10);
    debug_write(11);
    return NULL;
}

/* The caller writes 1 and 2, the library's first thread 10 and 11, the caller 3. */
int debug_call_writes(void) {
    debug_write(1);
    debug_write(2);
    if (!run_thread(write_two, NULL)) {
        return -1;
    }
    debug_write(3);
    return (int)debug_word;
}

int debug_call_crash(void) {
    debug_crash_here();
    return 0;
}

static uint32_t next_ticket;

static void *draw_ticket(void *argument) {
    *(uint32_t *)argument = __atomic_fetch_add(&next_ticket, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* A thread and its creator race for a ticket: 1 if the creator was first, 2 if the thread was. */
int debug_call_race(void) {
    pthread_t thread;
    uint32_t drawn = 0;
    uint32_t own = 0;
    if (pthread_create(&thread, NULL, draw_ticket, &drawn) != 0) {
        return -1;
    }
    draw_ticket(&own);
    pthread_join(thread, NULL);
    return own < drawn ? 1 : 2;
}

static void *spin(void *argument) {
    (void)argument;
    for (;;) {
        debug_turn();
    }
    return NULL;
}

/* The library's first thread never ends. */
int debug_call_spin(void) {
    return run_thread(spin, NULL) ? 0 : -1;
}

static void on_interrupt(int number) {
    int steps = 1;
    (void)number;
    run_thread(step, &steps);
}

/* Inside the handler of SIGINT, where unix has SIGINT blocked, waits for a thread that makes one step. */
int debug_call_busy_handler(void) {
    signal(SIGINT, on_interrupt);
    raise(SIGINT);
    return (int)debug_steps;
}
