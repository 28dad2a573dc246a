/* Unit tests of plan.c: the plan is a function of (case, seed, trial) alone, and stays what it is. */
#include "framework/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct itr_aim uniform = {
    .event = ITR_EVENT_SIGURG,
    .delivery = ITR_DELIVERY_KILL,
    .target = ITR_TARGET_PROCESS,
    .point = {.kind = ITR_POINT_TIME, .phase = ITR_PHASE_LOAD_BEGIN},
    .hold_ns = 5,
    .window_from_ns = 100000,
    .window_to_ns = 3100000,
};

static struct itr_ledger_request request_of_a_host(void) {
    struct itr_ledger_request request = {.flags = ITR_HOST_RECORD_EXCEPTIONS,
                                         .handler_flags = ITR_HANDLER_RESTART};
    request.handler_count = 1;
    request.handlers[0] = ITR_EVENT_SIGURG;
    memcpy(request.library, "/x/minimal.so", sizeof "/x/minimal.so");
    return request;
}

static struct itr_plan plan_of(const struct itr_aim *aim, const char *case_name, uint64_t seed,
                               uint64_t trial) {
    struct itr_ledger_request request = request_of_a_host();
    struct itr_plan plan;
    memset(&plan, 0xa5, sizeof plan); /* what was there before must not matter */
    itr_plan_make(&plan, &request, aim, case_name, seed, trial);
    return plan;
}

static void the_same_three_give_the_same_plan(void **state) {
    (void)state;
    for (uint64_t trial = 0; trial < 100; trial++) {
        struct itr_plan a = plan_of(&uniform, "sigurg-during-init", 7, trial);
        struct itr_plan b = plan_of(&uniform, "sigurg-during-init", 7, trial);
        assert_memory_equal(&a.request, &b.request, sizeof a.request);
        assert_true(a.unit == b.unit);
    }
}

static void each_of_the_three_changes_the_plan(void **state) {
    (void)state;
    for (uint64_t trial = 0; trial < 100; trial++) {
        double unit = plan_of(&uniform, "sigurg-during-init", 7, trial).unit;
        assert_true(unit != plan_of(&uniform, "sigurg-during-init", 7, trial + 1).unit);
        assert_true(unit != plan_of(&uniform, "sigurg-during-init", 8, trial).unit);
        assert_true(unit != plan_of(&uniform, "sigpipe-during-init", 7, trial).unit);
    }
}

/* Pinned: recorded campaigns are replayed with these. A change here is a new format. */
static void the_numbers_stay(void **state) {
    static const struct {
        uint64_t trial;
        uint64_t offset_ns;
    } pinned[] = {{0, 660631}, {1, 2935495}, {123, 2961170}, {UINT64_C(1) << 40, 3041796}};
    (void)state;
    for (size_t i = 0; i < sizeof pinned / sizeof pinned[0]; i++) {
        struct itr_plan plan = plan_of(&uniform, "sigurg-during-init", 7, pinned[i].trial);
        assert_int_equal(plan.request.shots[0].offset_ns, pinned[i].offset_ns);
    }
}

static void shots_fill_the_window_and_stay_in_it(void **state) {
    unsigned tenths[10] = {0};
    (void)state;
    for (uint64_t trial = 0; trial < 10000; trial++) {
        struct itr_plan plan = plan_of(&uniform, "x", 1, trial);
        const struct itr_shot_request *shot = &plan.request.shots[0];
        assert_in_range(shot->offset_ns, uniform.window_from_ns, uniform.window_to_ns - 1);
        assert_true(plan.unit >= 0 && plan.unit < 1);
        tenths[(shot->offset_ns - uniform.window_from_ns) / 300000]++;
    }
    for (int i = 0; i < 10; i++) { /* 1,000 each, standard deviation 30 */
        assert_in_range(tenths[i], 850, 1150);
    }
}

/* On another machine the window is another one, the place in it the same. */
static void the_unit_does_not_depend_on_the_window(void **state) {
    struct itr_aim wider = uniform;
    (void)state;
    wider.window_from_ns = 0;
    wider.window_to_ns = UINT64_C(6000000000);
    struct itr_plan a = plan_of(&uniform, "x", 1, 2);
    struct itr_plan b = plan_of(&wider, "x", 1, 2);
    assert_true(a.unit == b.unit);
    assert_int_equal(b.request.shots[0].offset_ns, (uint64_t)(b.unit * 6e9));
}

static void an_empty_window_is_its_beginning(void **state) {
    struct itr_aim aim = uniform;
    (void)state;
    aim.window_to_ns = aim.window_from_ns;
    assert_int_equal(plan_of(&aim, "x", 1, 2).request.shots[0].offset_ns, aim.window_from_ns);
    aim.window_to_ns = aim.window_from_ns - 1;
    assert_int_equal(plan_of(&aim, "x", 1, 2).request.shots[0].offset_ns, aim.window_from_ns);
}

static void a_shot_says_all_of_the_aim(void **state) {
    struct itr_plan plan = plan_of(&uniform, "x", 1, 2);
    const struct itr_shot_request *shot = &plan.request.shots[0];
    (void)state;
    assert_int_equal(plan.request.shot_count, 1);
    assert_int_equal(shot->event, ITR_EVENT_SIGURG);
    assert_int_equal(shot->delivery, ITR_DELIVERY_KILL);
    assert_int_equal(shot->target, ITR_TARGET_PROCESS);
    assert_int_equal(shot->where, ITR_WHERE_PHASE);
    assert_int_equal(shot->phase, ITR_PHASE_LOAD_BEGIN);
    assert_int_equal(shot->call, ITR_CALL_NONE);
    assert_int_equal(shot->hold_ns, 0);
    assert_int_equal(shot->role, 0);
    assert_int_equal(shot->rva, 0);
}

static void points_at_phases_and_calls_are_the_same_in_every_trial(void **state) {
    struct itr_aim phase = uniform;
    struct itr_aim call = uniform;
    (void)state;
    phase.point = (struct itr_point){
        .kind = ITR_POINT_PHASE, .phase = ITR_PHASE_LOAD_RETURNED, .offset_ns = 200000};
    call.point =
        (struct itr_point){.kind = ITR_POINT_CALL, .call = ITR_CALL_PTHREAD_CREATE, .nth = 3};
    call.target = ITR_TARGET_CALLER;
    for (uint64_t trial = 0; trial < 10; trial++) {
        struct itr_plan plan = plan_of(&phase, "x", trial, trial);
        assert_int_equal(plan.request.shots[0].where, ITR_WHERE_PHASE);
        assert_int_equal(plan.request.shots[0].phase, ITR_PHASE_LOAD_RETURNED);
        assert_int_equal(plan.request.shots[0].offset_ns, 200000);
        assert_true(plan.unit == -1);
        plan = plan_of(&call, "x", trial, trial);
        assert_int_equal(plan.request.shots[0].where, ITR_WHERE_CALL);
        assert_int_equal(plan.request.shots[0].call, ITR_CALL_PTHREAD_CREATE);
        assert_int_equal(plan.request.shots[0].nth, 3);
        assert_int_equal(plan.request.shots[0].target, ITR_TARGET_CALLER);
        assert_int_equal(plan.request.shots[0].hold_ns, 5);
        assert_int_equal(plan.request.shots[0].offset_ns, 0);
        assert_true(plan.unit == -1);
    }
}

/* ---- exact points: fired by the runner's debugger ---- */

static const uint32_t swept[] = {0x1000, 0x2000, 0x3000};

static void an_exact_point_is_the_same_in_every_trial(void **state) {
    struct itr_aim aim = uniform;
    (void)state;
    aim.point = (struct itr_point){
        .kind = ITR_POINT_SYMBOL, .rva = 0x1234, .nth = 3, .role = ITR_ROLE_INIT};
    for (uint64_t trial = 0; trial < 10; trial++) {
        struct itr_plan plan = plan_of(&aim, "x", trial, trial);
        assert_int_equal(plan.request.shot_count, 1);
        assert_int_equal(plan.request.shots[0].where, ITR_WHERE_POINT);
        assert_int_equal(plan.request.shots[0].event, ITR_EVENT_SIGURG);
        assert_int_equal(plan.request.shots[0].hold_ns, 5);
        assert_int_equal(plan.request.shots[0].offset_ns, 0);
        assert_int_equal(plan.point.rva, 0x1234);
        assert_int_equal(plan.point.nth, 3);
        assert_int_equal(plan.point.role, ITR_ROLE_INIT);
        assert_true(plan.sweep_index == -1);
        assert_true(plan.unit == -1);
    }
}

/* By the host itself: it has to be told where. */
static void a_gate_is_in_the_hosts_own_request(void **state) {
    struct itr_aim aim = uniform;
    (void)state;
    aim.point = (struct itr_point){.kind = ITR_POINT_SYMBOL, .rva = 0x1230, .nth = 1, .role = ITR_ROLE_INIT};
    assert_int_equal(plan_of(&aim, "x", 1, 2).request.shots[0].rva, 0); /* the debugger's is not */
    aim.gate = true;
    struct itr_plan plan = plan_of(&aim, "x", 1, 2);
    assert_int_equal(plan.request.shot_count, 1);
    assert_int_equal(plan.request.shots[0].where, ITR_WHERE_GATE);
    assert_int_equal(plan.request.shots[0].rva, 0x1230);
    assert_int_equal(plan.request.shots[0].role, ITR_ROLE_INIT);
    assert_int_equal(plan.request.shots[0].hold_ns, 5);
    assert_int_equal(plan.point.rva, 0x1230); /* for the record */
    assert_int_equal(plan.point.nth, 1);
}

static void a_sweep_takes_its_places_in_turn(void **state) {
    struct itr_aim aim = uniform;
    (void)state;
    aim.point = (struct itr_point){.kind = ITR_POINT_SWEEP, .nth = 1, .role = ITR_ROLE_MAIN};
    aim.sweep = swept;
    aim.sweep_count = 3;
    for (uint64_t trial = 0; trial < 10; trial++) {
        struct itr_plan plan = plan_of(&aim, "x", 7, trial);
        assert_int_equal(plan.request.shots[0].where, ITR_WHERE_POINT);
        assert_int_equal(plan.sweep_index, trial % 3);
        assert_int_equal(plan.point.rva, swept[trial % 3]);
        assert_int_equal(plan.point.nth, 1);
        assert_int_equal(plan.point.role, ITR_ROLE_MAIN);
    }
    aim.sweep_count = 0; /* not traced yet */
    assert_true(plan_of(&aim, "x", 7, 1).sweep_index == -1);
}

static void without_an_event_the_point_is_known_all_the_same(void **state) {
    struct itr_aim aim = uniform;
    (void)state;
    aim.event = ITR_EVENT_NONE;
    aim.point = (struct itr_point){.kind = ITR_POINT_SYMBOL, .rva = 0x1234, .nth = 1};
    struct itr_plan plan = plan_of(&aim, "x", 1, 2);
    assert_int_equal(plan.request.shot_count, 0);
    assert_int_equal(plan.point.rva, 0x1234);
}

static void other_points_have_no_instruction(void **state) {
    struct itr_plan plan = plan_of(&uniform, "x", 1, 2);
    (void)state;
    assert_int_equal(plan.point.rva, 0);
    assert_int_equal(plan.point.nth, 0);
    assert_true(plan.sweep_index == -1);
}

/* Its own stream: what is perturbed says nothing about where is fired. Pinned, as the offsets are. */
static void chaos_has_a_seed_of_its_own(void **state) {
    struct itr_plan plan = plan_of(&uniform, "sigurg-during-init", 7, 0);
    (void)state;
    assert_true(plan.chaos_seed == UINT64_C(0xc3423e4c7f668859));
    for (uint64_t trial = 0; trial < 100; trial++) {
        uint64_t seed = plan_of(&uniform, "sigurg-during-init", 7, trial).chaos_seed;
        assert_true(seed == plan_of(&uniform, "sigurg-during-init", 7, trial).chaos_seed);
        assert_true(seed != plan_of(&uniform, "sigurg-during-init", 7, trial + 1).chaos_seed);
        assert_true(seed != plan_of(&uniform, "sigurg-during-init", 8, trial).chaos_seed);
        assert_true(seed != plan_of(&uniform, "sigpipe-during-init", 7, trial).chaos_seed);
    }
    struct itr_aim aim = uniform;
    aim.event = ITR_EVENT_NONE; /* with or without a shot */
    assert_true(plan_of(&aim, "sigurg-during-init", 7, 0).chaos_seed == plan.chaos_seed);
}

static void without_an_event_there_is_no_shot(void **state) {
    static const struct itr_shot_request none;
    struct itr_aim aim = uniform;
    (void)state;
    aim.event = ITR_EVENT_NONE;
    struct itr_plan plan = plan_of(&aim, "x", 1, 2);
    assert_int_equal(plan.request.shot_count, 0);
    assert_true(plan.unit == -1);
    for (int i = 0; i < ITR_SHOTS_MAX; i++) {
        assert_memory_equal(&plan.request.shots[i], &none, sizeof none);
    }
}

static void the_rest_of_the_request_is_taken_over(void **state) {
    struct itr_ledger_request request = request_of_a_host();
    struct itr_plan plan = plan_of(&uniform, "x", 1, 2);
    (void)state;
    assert_int_equal(plan.request.flags, request.flags);
    assert_int_equal(plan.request.handler_flags, request.handler_flags);
    assert_int_equal(plan.request.handler_count, 1);
    assert_int_equal(plan.request.handlers[0], ITR_EVENT_SIGURG);
    assert_string_equal(plan.request.library, request.library);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_three_give_the_same_plan),
        cmocka_unit_test(each_of_the_three_changes_the_plan),
        cmocka_unit_test(the_numbers_stay),
        cmocka_unit_test(shots_fill_the_window_and_stay_in_it),
        cmocka_unit_test(the_unit_does_not_depend_on_the_window),
        cmocka_unit_test(an_empty_window_is_its_beginning),
        cmocka_unit_test(a_shot_says_all_of_the_aim),
        cmocka_unit_test(points_at_phases_and_calls_are_the_same_in_every_trial),
        cmocka_unit_test(an_exact_point_is_the_same_in_every_trial),
        cmocka_unit_test(a_gate_is_in_the_hosts_own_request),
        cmocka_unit_test(a_sweep_takes_its_places_in_turn),
        cmocka_unit_test(without_an_event_the_point_is_known_all_the_same),
        cmocka_unit_test(other_points_have_no_instruction),
        cmocka_unit_test(chaos_has_a_seed_of_its_own),
        cmocka_unit_test(without_an_event_there_is_no_shot),
        cmocka_unit_test(the_rest_of_the_request_is_taken_over),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
