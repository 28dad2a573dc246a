/* Unit tests of unwind*.c on a process that the test makes up: every way to a caller, the border between Go and C,
 * what is certain and what is a guess, and memory that leads nowhere or in circles. */
#include "framework/tests/tiny_process.h"

#include "framework/random.h"

enum { FLAG_TOP = 1, FLAG_ASM = 4, C_FUNCTION = 0x40 };

/* The functions of the library, by rva. */
static struct {
    uint32_t goexit, outer, leaf, asmcgocall, cgocallback, crosscall2, systemstack, mcall, sigpanic, morestack, mstart;
    uint32_t main, worker, framed, bare, trampoline;
    /* addresses behind calls */
    uint64_t outer_leaf, leaf_asmcgocall, asmcgocall_c, crosscall2_back, callback_go, systemstack_fn, outer_systemstack,
        mcall_fn, main_worker, worker_framed, framed_crosscall2, main_bare, worker_indirect, mstart_mcall, bare_mstart;
} f;

static void make_go(void) {
    static const uint8_t saves[] = {0x48, 0x8d, 0x64, 0x24, 0xd0,  /* lea -0x30(%rsp), %rsp */
                                    0x48, 0x89, 0x6c, 0x24, 0x28,  /* mov %rbp, 0x28(%rsp) */
                                    0x48, 0x8d, 0x6c, 0x24, 0x28,  /* lea 0x28(%rsp), %rbp */
                                    0x48, 0x89, 0x1c, 0x24,        /* mov %rbx, (%rsp) */
                                    0x4c, 0x89, 0x64, 0x24, 0x08,  /* mov %r12, 8(%rsp) */
                                    0x48, 0x8d, 0x64, 0x24, 0xe8}; /* lea -0x18(%rsp), %rsp */
    f.goexit = tp_go("runtime.goexit", FLAG_TOP, 0, 0);
    f.outer = tp_go("main.outer", 0, 4, 0x20);
    f.leaf = tp_go("main.leaf", 0, 4, 0x10);
    f.asmcgocall = tp_go("runtime.asmcgocall", FLAG_ASM, 4, 0x18);
    f.cgocallback = tp_go("runtime.cgocallback", FLAG_ASM, 4, 0x20);
    f.crosscall2 = tp_go("crosscall2", FLAG_ASM, 5, 0x48);
    f.systemstack = tp_go("runtime.systemstack", FLAG_ASM, 1, 8);
    f.mcall = tp_go("runtime.mcall", FLAG_ASM, 1, 8);
    f.sigpanic = tp_go("runtime.sigpanic", 0, 4, 0x10);
    f.morestack = tp_go("runtime.morestack", FLAG_ASM, 0, 0);
    f.mstart = tp_go("runtime.mstart", FLAG_TOP | FLAG_ASM, 0, 0);
    tp_code(f.crosscall2, saves, sizeof saves);
    f.crosscall2_back = tp_call(f.crosscall2 + 0x30, f.cgocallback);
    f.outer_leaf = tp_call(f.outer + 0x10, f.leaf);
    f.outer_systemstack = tp_call(f.outer + 0x20, f.systemstack);
    f.leaf_asmcgocall = tp_call(f.leaf + 0x10, f.asmcgocall);
    f.asmcgocall_c = tp_call_indirect(f.asmcgocall + 0x20);
    f.callback_go = tp_call_indirect(f.cgocallback + 0x20);
    f.systemstack_fn = tp_call_indirect(f.systemstack + 0x10);
    f.mcall_fn = tp_call_indirect(f.mcall + 0x10);
    f.mstart_mcall = tp_call(f.mstart + 0x10, f.mcall);
}

static void make_c(void) {
    static const uint8_t bottom[] = {0x07, 16};                                /* the return address: undefined */
    static const uint8_t pushed[] = {0x41, 0x0e, 0x10, 0x83, 2, 0x42, 0x0e, 0x20}; /* push %rbx, then 0x10 more */
    static const uint8_t framed[] = {0x41, 0x0e, 0x10, 0x86, 2, 0x43, 0x0d, 6};  /* push %rbp; mov %rsp, %rbp */
    static const uint8_t bare[] = {0x53, 0x55, 0x48, 0x83, 0xec, 0x08};        /* push %rbx, %rbp; sub $8, %rsp */
    static const uint8_t trampoline[] = {0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05};
    f.main = TP_C_TEXT;
    f.worker = f.main + C_FUNCTION;
    f.framed = f.worker + C_FUNCTION;
    f.bare = f.framed + C_FUNCTION;
    f.trampoline = f.bare + C_FUNCTION;
    tp_cfi(f.main, C_FUNCTION, bottom, sizeof bottom);
    tp_cfi(f.worker, C_FUNCTION, pushed, sizeof pushed);
    tp_cfi(f.framed, C_FUNCTION, framed, sizeof framed);
    tp_code(f.bare, bare, sizeof bare);
    tp_code(f.trampoline, trampoline, sizeof trampoline);
    f.main_worker = tp_call(f.main + 0x10, f.worker);
    f.main_bare = tp_call(f.main + 0x20, f.bare);
    f.worker_framed = tp_call(f.worker + 0x10, f.framed);
    f.worker_indirect = tp_call_indirect(f.worker + 0x20);
    f.framed_crosscall2 = tp_call(f.framed + 0x10, f.crosscall2);
    f.bare_mstart = tp_call(f.bare + 0x10, f.mstart);
    tp_symbol("main", f.main, C_FUNCTION);
    tp_symbol("worker", f.worker, C_FUNCTION);
    tp_symbol("framed", f.framed, C_FUNCTION);
    tp_symbol("bare", f.bare, C_FUNCTION);
    tp_symbol("runtime.cgocallback", f.cgocallback, TP_GO_FUNCTION);
}

static int set_up(void **state) {
    (void)state;
    memset(&f, 0, sizeof f);
    tp_begin();
    make_go();
    make_c();
    tp_finish();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tp_end();
    return 0;
}

/* ---- asking ---- */

static struct itr_stack stack;

static struct itr_target_thread thread_at(uint64_t pc, uint64_t sp, uint64_t bp) {
    struct itr_target_thread thread = {.id = 7, .has_registers = true};
    thread.registers[ITR_REGISTER_RIP] = pc;
    thread.registers[ITR_REGISTER_RSP] = sp;
    thread.registers[ITR_REGISTER_RBP] = bp;
    return thread;
}

static void unwind(const struct itr_go_stacks *go, uint64_t pc, uint64_t sp, uint64_t bp) {
    struct itr_target_thread thread = thread_at(pc, sp, bp);
    itr_unwind_thread(&tp_process, go, &thread, &stack);
}

static void expect_pcs(const uint64_t *pcs, enum itr_stack_end end) {
    uint32_t count = 0;
    for (; pcs[count] != 0; count++) {
        if (count >= stack.count || stack.frames[count].pc != pcs[count]) {
            fail_msg("frame %u: expected 0x%llx, is 0x%llx", count, (unsigned long long)pcs[count],
                     (unsigned long long)(count < stack.count ? stack.frames[count].pc : 0));
        }
    }
    assert_int_equal(stack.count, count);
    assert_int_equal(stack.end, end);
}

#define PCS(...) ((const uint64_t[]){__VA_ARGS__, 0})

static void expect_certain(void) {
    for (uint32_t i = 0; i < stack.count; i++) {
        assert_false(stack.frames[i].guessed);
    }
}

/* ---- Go and C by their tables ---- */

static void go_frames_have_the_size_the_table_says(void **state) {
    uint64_t sp = TP_STACK + 0x100;
    (void)state;
    tp_word(sp + 0x10, f.outer_leaf);
    tp_word(sp + 0x18 + 0x20, TP_BASE + f.goexit + 1);
    unwind(NULL, TP_BASE + f.leaf + 8, sp, 0);
    expect_pcs(PCS(TP_BASE + f.leaf + 8, f.outer_leaf, TP_BASE + f.goexit + 1), ITR_STACK_END_BOTTOM);
    expect_certain();
    assert_int_equal(stack.frames[1].way, ITR_FRAME_GO);
    assert_int_equal(stack.frames[1].sp, sp + 0x18);
    assert_true(stack.frames[0].exact);
    assert_false(stack.frames[1].exact);
    /* before its frame was made */
    tp_word(sp, f.outer_leaf);
    tp_word(sp + 8 + 0x20, TP_BASE + f.goexit + 1);
    unwind(NULL, TP_BASE + f.leaf + 2, sp, 0);
    expect_pcs(PCS(TP_BASE + f.leaf + 2, f.outer_leaf, TP_BASE + f.goexit + 1), ITR_STACK_END_BOTTOM);
}

static void a_frame_below_sigpanic_stands_at_the_fault_itself(void **state) {
    uint64_t sp = TP_STACK + 0x100;
    (void)state;
    /* the first instruction of leaf faulted: the byte before it is another function's */
    tp_word(sp + 0x10, TP_BASE + f.leaf);
    tp_word(sp + 0x18, f.outer_leaf);
    tp_word(sp + 0x20 + 0x20, TP_BASE + f.goexit + 1);
    unwind(NULL, TP_BASE + f.sigpanic + 8, sp, 0);
    expect_pcs(PCS(TP_BASE + f.sigpanic + 8, TP_BASE + f.leaf, f.outer_leaf, TP_BASE + f.goexit + 1), ITR_STACK_END_BOTTOM);
    assert_true(stack.frames[1].exact);
}

static void c_frames_follow_eh_frame(void **state) {
    uint64_t sp = TP_STACK + 0x100;
    (void)state;
    /* framed, from RBP; worker, from RSP */
    tp_word(sp + 0x40, 0x1234);
    tp_word(sp + 0x48, f.worker_framed);
    tp_word(sp + 0x50 + 0x18, f.main_worker);
    unwind(NULL, TP_BASE + f.framed + 0x20, sp, sp + 0x40);
    expect_pcs(PCS(TP_BASE + f.framed + 0x20, f.worker_framed, f.main_worker), ITR_STACK_END_BOTTOM);
    expect_certain();
    assert_int_equal(stack.frames[2].way, ITR_FRAME_CFI);
    /* at its first instruction nothing is pushed yet */
    tp_word(sp, f.main_worker);
    unwind(NULL, TP_BASE + f.worker, sp, 0);
    expect_pcs(PCS(TP_BASE + f.worker, f.main_worker), ITR_STACK_END_BOTTOM);
}

/* ---- signals ---- */

static void a_signal_frame_gives_the_interrupted_registers(void **state) {
    uint64_t sp = TP_STACK + 0x100;
    uint64_t interrupted = TP_STACK + 0x1000;
    (void)state;
    tp_word(sp + 0x18, TP_BASE + f.trampoline); /* worker is the handler */
    uint64_t registers = sp + 0x20 + 40;
    tp_word(registers + 10 * 8, interrupted + 0x40);      /* RBP */
    tp_word(registers + 15 * 8, interrupted);             /* RSP */
    tp_word(registers + 16 * 8, TP_BASE + f.framed + 0x20); /* RIP */
    tp_word(interrupted + 0x48, f.worker_framed);
    tp_word(interrupted + 0x50 + 0x18, f.main_worker);
    unwind(NULL, TP_BASE + f.worker + 0x30, sp, 0);
    expect_pcs(PCS(TP_BASE + f.worker + 0x30, TP_BASE + f.trampoline, TP_BASE + f.framed + 0x20, f.worker_framed, f.main_worker),
               ITR_STACK_END_BOTTOM);
    expect_certain();
    assert_int_equal(stack.frames[2].way, ITR_FRAME_SIGNAL);
    assert_true(stack.frames[2].exact);
    tp_process.system = ITR_TARGET_WINDOWS; /* where that code means nothing */
    unwind(NULL, TP_BASE + f.worker + 0x30, sp, 0);
    assert_int_not_equal(stack.frames[2].way, ITR_FRAME_SIGNAL);
}

static void signal_frames_in_a_circle_end(void **state) {
    uint64_t sp = TP_STACK + 0x100;
    (void)state;
    tp_word(sp + 40 + 15 * 8, sp);
    tp_word(sp + 40 + 16 * 8, TP_BASE + f.trampoline);
    unwind(NULL, TP_BASE + f.trampoline, sp, 0);
    assert_int_equal(stack.end, ITR_STACK_END_DAMAGED);
    assert_true(stack.count < 100);
}

/* ---- between Go and C ---- */

enum {
    G = TP_BASE + TP_DATA + 0x100, /* a runtime.g, as far as asmcgocall asks */
    G_HIGH = TP_OTHER + TP_OTHER_BYTES - 0x100,
    M = 0x5000,
    G0_LOW = TP_STACK,
    G0_HIGH = TP_STACK + TP_STACK_BYTES,
};

static struct itr_go_stack goroutine;
static struct itr_go_thread m;
static struct itr_go_stacks go;

static void make_go_state(uint64_t g0_sp, uint64_t g0_pc, uint64_t sched_sp, uint64_t sched_pc) {
    goroutine = (struct itr_go_stack){.g = G, .low = TP_OTHER, .high = G_HIGH, .sched_sp = sched_sp, .sched_pc = sched_pc, .m = M};
    m = (struct itr_go_thread){.m = M, .id = 3, .thread = 7, .current = G,
                               .g0 = {.low = G0_LOW, .high = G0_HIGH, .sched_sp = g0_sp, .sched_pc = g0_pc}};
    go = (struct itr_go_stacks){.goroutines = &goroutine, .goroutine_count = 1, .threads = &m, .thread_count = 1};
    tp_word(G, TP_OTHER);
    tp_word(G + 8, G_HIGH);
}

/* main → worker → framed → crosscall2 → cgocallback | leaf of Go → asmcgocall | worker, from the outermost inwards.
 * Returns the innermost frame's stack pointer; `*callback` is where cgocallback stands on the thread's stack. */
static uint64_t make_crossing(uint64_t *callback, unsigned g_at, unsigned depth_at, unsigned pushed) {
    uint64_t c = TP_STACK + 0x4000;           /* framed's RBP */
    uint64_t cross = c - 0x20 - 8 - 0x48;     /* crosscall2 */
    tp_word(c + 8, f.worker_framed);
    tp_word(c + 0x10 + 0x18, f.main_worker);
    tp_word(cross + 0x48, f.framed_crosscall2);
    tp_word(cross + 0x18 + 0x28, c); /* RBP, without which framed has no way on */
    *callback = cross - 8 - 0x20;
    tp_word(*callback + 0x20, f.crosscall2_back);
    tp_word(*callback + 0x18, 0x666);
    tp_word(*callback, 0xbad0); /* g0.sched.sp before: of nobody */
    /* the goroutine's stack: cgocallback's frame with goexit, leaf */
    uint64_t back = G_HIGH - 0x100;
    tp_word(back + 0x20, TP_BASE + f.goexit + 1);
    uint64_t leaf = back - 8 - 0x10;
    tp_word(leaf + 0x10, f.callback_go);
    uint64_t before = leaf - 8 - pushed;
    tp_word(before + pushed, f.leaf_asmcgocall);
    /* the thread's stack again: asmcgocall, worker */
    uint64_t system = (*callback - 0x80) / 16 * 16;
    tp_word(system + g_at, G);
    tp_word(system + depth_at, G_HIGH - before);
    uint64_t inner = system - 8 - 0x18;
    tp_word(inner + 0x18, f.asmcgocall_c);
    return inner;
}

static void expect_crossing(void) {
    expect_pcs(PCS(TP_BASE + f.worker + 0x30, f.asmcgocall_c, f.leaf_asmcgocall, f.callback_go, f.crosscall2_back,
                   f.framed_crosscall2, f.worker_framed, f.main_worker),
               ITR_STACK_END_BOTTOM);
    expect_certain();
    assert_int_equal(stack.frames[2].way, ITR_FRAME_SWITCH);
    assert_int_equal(stack.frames[4].way, ITR_FRAME_SWITCH);
}

static void a_stack_goes_from_c_through_go_to_c(void **state) {
    static const struct {
        unsigned g, depth, pushed;
    } layouts[] = {{8, 0, 8}, {8, 0, 0}, {48, 40, 0}}; /* since 1.21, 1.20, 1.19 */
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint64_t callback;
        memset(tp_stack, 0, sizeof tp_stack);
        memset(tp_other, 0, sizeof tp_other);
        uint64_t sp = make_crossing(&callback, layouts[i].g, layouts[i].depth, layouts[i].pushed);
        make_go_state(callback, 0, 0, 0);
        unwind(&go, TP_BASE + f.worker + 0x30, sp, 0);
        expect_crossing();
    }
}

static void without_the_goroutines_a_callback_is_where_go_ends(void **state) {
    uint64_t callback;
    (void)state;
    make_go_state(0, 0, 0, 0);
    uint64_t sp = make_crossing(&callback, 8, 0, 8);
    unwind(NULL, TP_BASE + f.worker + 0x30, sp, 0);
    expect_pcs(PCS(TP_BASE + f.worker + 0x30, f.asmcgocall_c, f.leaf_asmcgocall, f.callback_go, TP_BASE + f.goexit + 1),
               ITR_STACK_END_BOTTOM);
}

static void a_goroutines_own_walk_stays_on_its_stack(void **state) {
    uint64_t callback;
    (void)state;
    make_crossing(&callback, 8, 0, 8);
    make_go_state(callback, 0, 0, 0);
    itr_unwind_saved(&tp_process, &go, f.leaf_asmcgocall, G_HIGH - 0x100 - 8 - 0x10, 0, &stack);
    expect_pcs(PCS(f.leaf_asmcgocall, f.callback_go, TP_BASE + f.goexit + 1), ITR_STACK_END_BOTTOM);
    assert_false(stack.frames[0].exact);
}

static void a_callbacks_frame_that_is_none_is_not_believed(void **state) {
    uint64_t callback;
    (void)state;
    uint64_t sp = make_crossing(&callback, 8, 0, 8);
    make_go_state(callback + 8, 0, 0, 0); /* no return address of a call of cgocallback there */
    unwind(&go, TP_BASE + f.worker + 0x30, sp, 0);
    assert_int_equal(stack.frames[4].pc, TP_BASE + f.goexit + 1);
}

static void systemstack_leads_back_to_the_goroutine(void **state) {
    uint64_t thread_sp = TP_STACK + 0x400;
    uint64_t saved = TP_OTHER + 0x200;
    (void)state;
    make_go_state(thread_sp, 0, saved, 0);
    tp_word(thread_sp - 8, f.systemstack_fn);
    tp_word(saved + 8, f.outer_systemstack);
    tp_word(saved + 0x10 + 0x20, TP_BASE + f.goexit + 1);
    unwind(&go, TP_BASE + f.leaf + 8, thread_sp - 8 - 0x10, 0);
    expect_pcs(PCS(TP_BASE + f.leaf + 8, f.systemstack_fn, f.outer_systemstack, TP_BASE + f.goexit + 1), ITR_STACK_END_BOTTOM);
    expect_certain();
    assert_int_equal(stack.frames[2].way, ITR_FRAME_SWITCH);
}

static void morestack_leads_back_to_who_wanted_more(void **state) {
    uint64_t thread_sp = TP_STACK + 0x400;
    uint64_t saved = TP_OTHER + 0x200;
    (void)state;
    make_go_state(thread_sp, 0, saved, f.outer_leaf);
    uint64_t behind = tp_call_indirect(f.morestack + 0x10);
    tp_word(thread_sp - 8, behind);
    tp_word(saved + 0x20, TP_BASE + f.goexit + 1);
    unwind(&go, TP_BASE + f.leaf + 8, thread_sp - 8 - 0x10, 0);
    expect_pcs(PCS(TP_BASE + f.leaf + 8, behind, f.outer_leaf, TP_BASE + f.goexit + 1), ITR_STACK_END_BOTTOM);
    expect_certain();
}

static void below_mcall_the_threads_own_stack_goes_on(void **state) {
    uint64_t callback;
    uint64_t thread_sp = TP_STACK + 0x2000;
    (void)state;
    /* a thread of Go's own: mstart, begun by bare, begun by main */
    make_go_state(thread_sp, f.mstart_mcall, 0, 0);
    tp_word(thread_sp - 0x10, f.mcall_fn);
    tp_word(thread_sp, f.bare_mstart);
    tp_word(thread_sp + 8 + 0x18, f.main_bare);
    unwind(&go, TP_BASE + f.leaf + 8, thread_sp - 0x10 - 0x10, 0);
    expect_pcs(PCS(TP_BASE + f.leaf + 8, f.mcall_fn, f.mstart_mcall, f.bare_mstart, f.main_bare), ITR_STACK_END_BOTTOM);
    expect_certain();
    assert_int_equal(stack.frames[4].way, ITR_FRAME_PROLOGUE);
    /* a thread of C's that a callback has parked */
    make_crossing(&callback, 8, 0, 8);
    make_go_state(callback, 0, 0, 0);
    tp_word(callback - 0x10, f.mcall_fn);
    unwind(&go, TP_BASE + f.leaf + 8, callback - 0x10 - 0x10, 0);
    expect_pcs(PCS(TP_BASE + f.leaf + 8, f.mcall_fn, f.crosscall2_back, f.framed_crosscall2, f.worker_framed, f.main_worker),
               ITR_STACK_END_BOTTOM);
    expect_certain();
}

/* ---- guesses ---- */

static void code_without_a_table_is_certain_only_behind_its_own_call(void **state) {
    uint64_t sp = TP_STACK + 0x100;
    (void)state;
    tp_word(sp + 0x18, f.main_bare);
    unwind(NULL, TP_BASE + f.bare + 0x1f, sp, 0);
    expect_pcs(PCS(TP_BASE + f.bare + 0x1f, f.main_bare), ITR_STACK_END_BOTTOM);
    expect_certain();
    tp_word(sp + 0x18, f.worker_indirect); /* whom it calls cannot be seen */
    tp_word(sp + 0x20 + 0x18, f.main_worker);
    unwind(NULL, TP_BASE + f.bare + 0x1f, sp, 0);
    expect_pcs(PCS(TP_BASE + f.bare + 0x1f, f.worker_indirect, f.main_worker), ITR_STACK_END_BOTTOM);
    assert_false(stack.frames[0].guessed);
    assert_true(stack.frames[1].guessed);
    assert_true(stack.frames[2].guessed); /* found by way of a guess */
}

static void a_scan_is_the_last_resort(void **state) {
    uint64_t sp = TP_STACK + 0x100;
    (void)state;
    tp_word(sp + 0x20, TP_BASE + f.worker + 0x13); /* behind no call */
    tp_word(sp + 0x28, 0x4141414141414141);
    tp_word(sp + 0x60, f.main_worker);
    unwind(NULL, 0x1000, sp, 0); /* no code at all */
    expect_pcs(PCS(0x1000, f.main_worker), ITR_STACK_END_BOTTOM);
    assert_int_equal(stack.frames[1].way, ITR_FRAME_SCAN);
    assert_true(stack.frames[1].guessed);
    memset(tp_stack, 0, sizeof tp_stack);
    unwind(NULL, 0x1000, sp, 0);
    expect_pcs(PCS(0x1000), ITR_STACK_END_LOST);
}

static void a_frame_pointer_is_followed_where_no_table_helps(void **state) {
    uint64_t sp = TP_STACK + 0x100;
    static const uint32_t unnamed = TP_C_TEXT + 0x300;
    (void)state;
    tp_word(sp + 0x20, f.worker_framed); /* stale: a scan would take it */
    tp_word(sp + 0x48, f.main_worker);
    unwind(NULL, TP_BASE + unnamed, sp, sp + 0x40);
    expect_pcs(PCS(TP_BASE + unnamed, f.main_worker), ITR_STACK_END_BOTTOM);
    assert_int_equal(stack.frames[1].way, ITR_FRAME_FRAME_POINTER);
    assert_true(stack.frames[1].guessed);
}

/* ---- limits ---- */

static void a_deep_stack_keeps_both_ends(void **state) {
    uint64_t sp = TP_STACK + 0x40;
    unsigned deep = 800; /* frames of leaf, each from a call in leaf */
    (void)state;
    uint64_t again = tp_call(f.leaf + 0x20, f.leaf);
    for (unsigned i = 0; i < deep; i++, sp += 0x18) {
        tp_word(sp + 0x10, again);
    }
    tp_word(sp + 0x10, f.outer_leaf);
    tp_word(sp + 0x18 + 0x20, TP_BASE + f.goexit + 1);
    unwind(NULL, TP_BASE + f.leaf + 8, TP_STACK + 0x40, 0);
    assert_int_equal(stack.count, ITR_STACK_FRAMES_MAX);
    assert_int_equal(stack.head, ITR_STACK_HEAD_MAX);
    assert_int_equal(stack.omitted, deep + 3 - ITR_STACK_FRAMES_MAX);
    assert_int_equal(stack.frames[0].pc, TP_BASE + f.leaf + 8);
    assert_int_equal(stack.frames[ITR_STACK_FRAMES_MAX - 2].pc, f.outer_leaf);
    assert_int_equal(stack.end, ITR_STACK_END_BOTTOM);
}

static void no_registers_no_stack(void **state) {
    struct itr_target_thread thread = {.id = 1};
    (void)state;
    itr_unwind_thread(&tp_process, NULL, &thread, &stack);
    assert_int_equal(stack.count, 0);
    assert_int_equal(stack.end, ITR_STACK_END_NONE);
    tp_process.read = NULL; /* nor without memory: only where it stands */
    unwind(NULL, TP_BASE + f.leaf + 8, TP_STACK, 0);
    expect_pcs(PCS(TP_BASE + f.leaf + 8), ITR_STACK_END_LOST);
}

/* Whatever is in memory and registers, a walk ends, and every frame but the first is code. */
static void random_memory_is_survived(void **state) {
    struct itr_random random = itr_random_seed(1);
    uint64_t interesting[] = {f.outer_leaf, f.leaf_asmcgocall, f.asmcgocall_c, f.crosscall2_back, f.callback_go,
                              f.systemstack_fn, f.mcall_fn, f.mstart_mcall, f.main_worker, f.worker_framed,
                              f.framed_crosscall2, f.main_bare, TP_BASE + f.trampoline, TP_BASE + f.goexit + 1, G, 0, UINT64_MAX,
                              TP_STACK + TP_STACK_BYTES - 8, TP_OTHER, f.outer_systemstack};
    enum { KINDS = sizeof interesting / sizeof interesting[0] };
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        for (size_t i = 0; i < TP_STACK_BYTES / 8; i++) {
            uint64_t draw = itr_random_next(&random);
            uint64_t value = draw % 3 == 0 ? TP_STACK + draw / 3 % TP_STACK_BYTES
                             : draw % 3 == 1 ? interesting[draw / 3 % KINDS]
                                             : TP_OTHER + draw / 3 % TP_OTHER_BYTES;
            tp_word(TP_STACK + i * 8, value);
            if (i < TP_OTHER_BYTES / 8) {
                tp_word(TP_OTHER + i * 8, value);
            }
        }
        uint64_t draw = itr_random_next(&random);
        make_go_state(TP_STACK + draw % TP_STACK_BYTES, interesting[draw / 7 % KINDS], TP_OTHER + draw / 11 % TP_OTHER_BYTES,
                      interesting[draw / 13 % KINDS]);
        unwind(&go, interesting[draw / 17 % KINDS], TP_STACK + draw / 19 % 0x1000, TP_STACK + draw / 23 % TP_STACK_BYTES);
        assert_int_not_equal(stack.end, ITR_STACK_END_NONE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(go_frames_have_the_size_the_table_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_below_sigpanic_stands_at_the_fault_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(c_frames_follow_eh_frame, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signal_frame_gives_the_interrupted_registers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signal_frames_in_a_circle_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stack_goes_from_c_through_go_to_c, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_the_goroutines_a_callback_is_where_go_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_goroutines_own_walk_stays_on_its_stack, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_callbacks_frame_that_is_none_is_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(systemstack_leads_back_to_the_goroutine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(morestack_leads_back_to_who_wanted_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(below_mcall_the_threads_own_stack_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(code_without_a_table_is_certain_only_behind_its_own_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_scan_is_the_last_resort, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_pointer_is_followed_where_no_table_helps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deep_stack_keeps_both_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_registers_no_stack, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_memory_is_survived, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unwind", tests, NULL, NULL);
}
