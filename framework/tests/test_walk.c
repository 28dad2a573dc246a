/* Unit tests of walk.c: which calls are stepped into and which are run over. A little machine with a stack stands
 * for the thread. */
#include "framework/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BASE UINT64_C(0x10000)
#define CALL_BYTES 5u

struct machine {
    struct itr_walk walk;
    uint64_t stack;
    unsigned stepped; /* instructions */
    unsigned skipped; /* calls */
};

static void step(struct machine *machine, uint32_t rva) {
    machine->stepped++;
    (void)itr_walk_step(&machine->walk, rva, BASE + rva, machine->stack);
}

/* The call at `from` to `entry`. True if it is stepped; the body is then run, and leave() called. */
static bool enter(struct machine *machine, uint32_t from, uint32_t entry) {
    step(machine, from);
    machine->stack -= 8;
    machine->stepped++;
    bool asked = itr_walk_step(&machine->walk, entry, BASE + entry, machine->stack);
    assert_true(asked);
    if (itr_walk_skips(&machine->walk, BASE + from + CALL_BYTES)) {
        machine->skipped++;
        machine->stack += 8;
        return false;
    }
    return true;
}

static void leave(struct machine *machine, uint32_t from) {
    machine->stack += 8;
    step(machine, from + CALL_BYTES);
}

/* The rest of a function of `count` instructions. */
static void body(struct machine *machine, uint32_t entry, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        step(machine, entry + 4 * i);
    }
}

static int begin(void **state) {
    static struct machine machine;
    machine = (struct machine){.stack = UINT64_C(0x7ff000)};
    *state = &machine;
    return itr_walk_begin(&machine.walk, 0x10000) ? 0 : -1;
}

static int end(void **state) {
    struct machine *machine = *state;
    itr_walk_release(&machine->walk);
    return 0;
}

static void a_function_is_stepped_until_it_shows_nothing_new(void **state) {
    struct machine *machine = *state;
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t from = 0x100 + i * 0x20;
        if (enter(machine, from, 0x1000)) {
            body(machine, 0x1000, 10);
            leave(machine, from);
        } else {
            step(machine, from + CALL_BYTES);
        }
    }
    assert_int_equal(machine->skipped, 3); /* once for all that is new, once to see that nothing is */
}

static void new_instructions_further_in_count(void **state) {
    struct machine *machine = *state;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t from = 0x100 + i * 0x20;
        if (!enter(machine, from, 0x1000)) {
            step(machine, from + CALL_BYTES);
            continue;
        }
        /* Each time another callee: 0x1000 must not be run over while they are new. */
        assert_true(enter(machine, 0x1004, 0x2000 + i * 0x100));
        body(machine, 0x2000 + i * 0x100, 3);
        leave(machine, 0x1004);
        leave(machine, from);
    }
    assert_int_equal(machine->skipped, 0);
}

static void a_call_that_never_returns_is_never_run_over(void **state) {
    struct machine *machine = *state;
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(enter(machine, 0x100 + i * 0x20, 0x1000));
        body(machine, 0x1000, 3);
        machine->stack -= UINT64_C(1) << 30; /* another stack */
        step(machine, 0x3000);
    }
    assert_int_equal(machine->skipped, 0);
}

static void what_is_unwound_over_does_not_count_as_returned(void **state) {
    struct machine *machine = *state;
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(enter(machine, 0x100, 0x1000));
        assert_true(enter(machine, 0x1004, 0x2000));
        body(machine, 0x2000, 2);
        machine->stack += 16; /* both are left at once, to a place that is no return */
        step(machine, 0x4000);
        assert_int_equal(machine->walk.depth, 0);
    }
}

static void jumps_and_pushes_are_no_calls(void **state) {
    struct machine *machine = *state;
    step(machine, 0x100);
    assert_false(itr_walk_step(&machine->walk, 0x2000, BASE + 0x2000, machine->stack)); /* a jump */
    machine->stack -= 8;
    assert_false(itr_walk_step(&machine->walk, 0x2001, BASE + 0x2001, machine->stack)); /* a push */
}

/* dec ecx (2 bytes); jnz back to it (2 bytes); nop: a loop of two instructions, left at `at + 4`. */
static void put_loop(struct machine *machine, uint32_t at) {
    static const uint8_t code[] = {0xff, 0xc9, 0x75, 0xfc, 0x90, 0x90};
    for (size_t i = 0; i < sizeof code; i++) {
        machine->walk.code[at + i] = code[i];
    }
}

/* Runs it for `rounds` rounds; returns how many of them were stepped. */
static unsigned run_loop(struct machine *machine, uint32_t at, unsigned rounds) {
    struct itr_walk_exits exits;
    unsigned stepped = 0;
    for (unsigned i = 0; i < rounds; i++) {
        step(machine, at);
        if (itr_walk_leaves_loop(&machine->walk, &exits)) {
            assert_int_equal(exits.count, 1);
            assert_int_equal(exits.rvas[0], at + 4);
            break;
        }
        step(machine, at + 2);
        stepped++;
    }
    step(machine, at + 4);
    return stepped;
}

static void a_loop_is_left_once_its_rounds_are_alike(void **state) {
    struct machine *machine = *state;
    put_loop(machine, 0x1000);
    assert_in_range(run_loop(machine, 0x1000, 1000), 2, 6);
    step(machine, 0x1005);
    assert_in_range(run_loop(machine, 0x1000, 1000), 2, 6); /* met again: what came in between is none of it */
}

static void short_loops_are_stepped(void **state) {
    struct machine *machine = *state;
    put_loop(machine, 0x1000);
    assert_int_equal(run_loop(machine, 0x1000, 2), 2);
}

/* An indirect jump, or a return, may lead anywhere. */
static void loops_whose_exits_cannot_be_told_are_stepped(void **state) {
    struct machine *machine = *state;
    struct itr_walk_exits exits;
    machine->walk.code[0x1000] = 0xff; /* jmp *%rax */
    machine->walk.code[0x1001] = 0xe0;
    for (int i = 0; i < 50; i++) {
        step(machine, 0x1000);
        assert_false(itr_walk_leaves_loop(&machine->walk, &exits));
        step(machine, 0x1100);
    }
}

/* Three ways out are followed, four are too many. */
static void exits_are_limited(void **state) {
    struct machine *machine = *state;
    for (unsigned branches = 3; branches <= 4; branches++) {
        uint32_t at = 0x2000 + branches * 0x100;
        struct itr_walk_exits exits = {.count = 9};
        bool left = false;
        for (unsigned i = 0; i < branches - 1; i++) {
            machine->walk.code[at + 2 * i] = 0x74; /* jz forward, never taken */
            machine->walk.code[at + 2 * i + 1] = (uint8_t)(0x40 + 4 * i);
        }
        machine->walk.code[at + 2 * (branches - 1)] = 0x75; /* jnz back */
        machine->walk.code[at + 2 * (branches - 1) + 1] = (uint8_t)(0u - 2 * branches);
        for (unsigned round = 0; round < 20 && !left; round++) {
            step(machine, at);
            left = itr_walk_leaves_loop(&machine->walk, &exits);
            for (unsigned i = 1; i < branches && !left; i++) {
                step(machine, at + 2 * i);
            }
        }
        assert_true(left == (branches == 3));
    }
}

static void deep_recursion_is_bounded(void **state) {
    struct machine *machine = *state;
    for (uint32_t i = 0; i < 10 * ITR_WALK_DEPTH_MAX; i++) {
        step(machine, 0x1010);
        machine->stack -= 8;
        if (itr_walk_step(&machine->walk, 0x1000, BASE + 0x1000, machine->stack)) {
            assert_false(itr_walk_skips(&machine->walk, BASE + 0x1015));
        }
    }
    assert_int_equal(machine->walk.depth, ITR_WALK_DEPTH_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_function_is_stepped_until_it_shows_nothing_new, begin, end),
        cmocka_unit_test_setup_teardown(new_instructions_further_in_count, begin, end),
        cmocka_unit_test_setup_teardown(a_call_that_never_returns_is_never_run_over, begin, end),
        cmocka_unit_test_setup_teardown(what_is_unwound_over_does_not_count_as_returned, begin, end),
        cmocka_unit_test_setup_teardown(jumps_and_pushes_are_no_calls, begin, end),
        cmocka_unit_test_setup_teardown(a_loop_is_left_once_its_rounds_are_alike, begin, end),
        cmocka_unit_test_setup_teardown(short_loops_are_stepped, begin, end),
        cmocka_unit_test_setup_teardown(loops_whose_exits_cannot_be_told_are_stepped, begin, end),
        cmocka_unit_test_setup_teardown(exits_are_limited, begin, end),
        cmocka_unit_test_setup_teardown(deep_recursion_is_bounded, begin, end),
    };
    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
