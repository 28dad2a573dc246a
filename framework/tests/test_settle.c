/* Unit tests of settle.c: when a host that waits is known to have lost its event, or to be stuck, from what can
 * be seen on a system that knows sleeping threads and pending signals, and on one that does not. */
#include "framework/settle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS    UINT64_C(1000000)
#define NOW   (UINT64_C(1000) * MS)
#define QUIET (UINT64_C(300) * MS)

static struct itr_ledger_request request;
static struct itr_ledger_reply reply;
static struct itr_settle settle;

/* A waiting host whose one shot was sent and not heard. */
static int set_up(void **state) {
    (void)state;
    memset(&request, 0, sizeof request);
    memset(&reply, 0, sizeof reply);
    memset(&settle, 0, sizeof settle);
    request.shot_count = 1;
    for (uint32_t i = 0; i <= ITR_PHASE_WAITING; i++) {
        reply.phase_ns[i] = NOW - 100 * MS;
    }
    reply.shots[0].requested_ns = NOW - 100 * MS;
    reply.shots[0].fired_ns = NOW - 100 * MS;
    reply.shots[0].sent_ns = NOW - 100 * MS;
    return 0;
}

/* One look, nothing before it since the last one. */
static enum itr_settled look_late(uint64_t at_ns, uint64_t cpu_ns, bool asleep, bool pending) {
    struct itrp_activity activity = {
        .cpu_ns = cpu_ns, .thorough = true, .asleep = asleep, .pending = pending};
    return itr_settle_look(&settle, &request, &reply, &activity, at_ns, QUIET);
}

/* The look at that time, after one every 10 ms that saw nothing new. */
static enum itr_settled look(uint64_t at_ns, uint64_t cpu_ns, bool asleep, bool pending) {
    while (settle.looked && settle.last_look_ns + 10 * MS < at_ns) {
        assert_int_equal(look_late(settle.last_look_ns + 10 * MS, settle.cpu_ns, false, pending), ITR_SETTLED_NOT_YET);
    }
    return look_late(at_ns, cpu_ns, asleep, pending);
}

/* ---- when it is worth a look ---- */

static void only_a_host_that_waits_or_has_finished_is_looked_at(void **state) {
    (void)state;
    reply.shots[0].sent_ns = NOW - 100 * MS + 1;
    for (uint32_t reached = 0; reached <= ITR_PHASE_COUNT; reached++) {
        memset(reply.phase_ns, 0, sizeof reply.phase_ns);
        for (uint32_t i = 0; i < reached; i++) {
            reply.phase_ns[i] = NOW - 100 * MS;
        }
        assert_int_equal(itr_settle_wants_look(&request, &reply, NOW), reached > ITR_PHASE_WAITING);
    }
}

/* It hangs perhaps: in a call that the event interrupted. */
static void a_host_that_does_not_come_to_wait_is_looked_at(void **state) {
    (void)state;
    reply.phase_ns[ITR_PHASE_WAITING] = 0;
    reply.shots[0].sent_ns = NOW;
    assert_false(itr_settle_wants_look(&request, &reply, NOW + 100 * MS - 1));
    assert_true(itr_settle_wants_look(&request, &reply, NOW + 100 * MS));
    reply.shots[0].sent_ns = 0;
    assert_false(itr_settle_wants_look(&request, &reply, NOW + 100 * MS));
    request.shot_count = 0;
    assert_false(itr_settle_wants_look(&request, &reply, NOW + 100 * MS));
}

/* Looking costs both sides, so what is likely to come by itself is given time first. */
static void a_look_is_not_taken_too_early(void **state) {
    (void)state;
    reply.phase_ns[ITR_PHASE_WAITING] = NOW;
    assert_false(itr_settle_wants_look(&request, &reply, NOW));
    assert_false(itr_settle_wants_look(&request, &reply, NOW + MS - 1));
    assert_true(itr_settle_wants_look(&request, &reply, NOW + MS));
    reply.handled_count = 1; /* it was heard: the host goes on by itself */
    assert_false(itr_settle_wants_look(&request, &reply, NOW + 100 * MS - 1));
    assert_true(itr_settle_wants_look(&request, &reply, NOW + 100 * MS));
    reply.handled_count = 0;
    reply.phase_ns[ITR_PHASE_FINISHED] = NOW;
    assert_false(itr_settle_wants_look(&request, &reply, NOW + 100 * MS - 1));
    assert_true(itr_settle_wants_look(&request, &reply, NOW + 100 * MS));
}

static void a_shot_that_is_due_later_is_waited_for(void **state) {
    (void)state;
    reply.shots[0].sent_ns = 0;
    reply.shots[0].requested_ns = NOW + 10 * MS;
    assert_false(itr_settle_wants_look(&request, &reply, NOW));
    assert_false(itr_settle_wants_look(&request, &reply, NOW + 59 * MS)); /* timers come late */
    assert_true(itr_settle_wants_look(&request, &reply, NOW + 61 * MS));
    reply.shots[0].sent_ns = NOW;
    assert_true(itr_settle_wants_look(&request, &reply, NOW));
}

/* By a debugger, for which the host stands still: whatever that takes, it is not the host that is quiet. */
static void a_shot_that_a_debugger_is_sending_is_waited_for(void **state) {
    (void)state;
    request.shots[0].where = ITR_WHERE_POINT;
    reply.shots[0].sent_ns = 0;
    reply.shots[0].requested_ns = reply.shots[0].fired_ns = NOW;
    assert_false(itr_settle_wants_look(&request, &reply, NOW + 5000 * MS));
    reply.shots[0].sent_ns = NOW + 5000 * MS;
    assert_true(itr_settle_wants_look(&request, &reply, NOW + 5000 * MS));
    /* A host that sends by itself may hang in the handler, before it comes to say that it was sent. */
    request.shots[0].where = ITR_WHERE_CALL;
    reply.shots[0].sent_ns = 0;
    assert_true(itr_settle_wants_look(&request, &reply, NOW + 5000 * MS));
}

/* A point at a call that the library never makes. */
static void a_shot_that_was_never_asked_for_is_not_waited_for(void **state) {
    (void)state;
    memset(&reply.shots[0], 0, sizeof reply.shots[0]);
    assert_true(itr_settle_wants_look(&request, &reply, NOW));
}

static void every_shot_counts(void **state) {
    (void)state;
    request.shot_count = 2;
    reply.shots[1].requested_ns = NOW + 10 * MS;
    assert_false(itr_settle_wants_look(&request, &reply, NOW));
    request.shot_count = 1;
    assert_true(itr_settle_wants_look(&request, &reply, NOW));
}

/* ---- systems that know sleep and pending signals ---- */

static void the_first_look_settles_nothing(void **state) {
    (void)state;
    assert_int_equal(look(NOW, 5, true, false), ITR_SETTLED_NOT_YET);
}

static void asleep_with_nothing_pending_and_no_time_used_is_lost(void **state) {
    (void)state;
    assert_int_equal(look(NOW, 5, true, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + MS, 5, true, false), ITR_SETTLED_LOST);
}

static void time_used_in_between_is_not_lost(void **state) {
    (void)state;
    assert_int_equal(look(NOW, 5, true, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + MS, 6, true, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + 2 * MS, 6, false, false), ITR_SETTLED_NOT_YET); /* ready to run */
    assert_int_equal(look(NOW + 3 * MS, 6, true, false), ITR_SETTLED_LOST);
}

/* What was not looked at is not known. */
static void only_a_thorough_look_sees_sleep(void **state) {
    struct itrp_activity activity = {.cpu_ns = 5, .asleep = true};
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(itr_settle_look(&settle, &request, &reply, &activity, NOW + i * MS, QUIET),
                         ITR_SETTLED_NOT_YET);
    }
}

static void a_thorough_look_is_wanted_once_no_time_is_used(void **state) {
    (void)state;
    assert_false(itr_settle_wants_thorough(&settle));
    (void)look(NOW, 5, false, false);
    assert_false(itr_settle_wants_thorough(&settle));
    (void)look(NOW + MS, 6, false, false);
    assert_false(itr_settle_wants_thorough(&settle));
    (void)look(NOW + 2 * MS, 6, false, false);
    assert_true(itr_settle_wants_thorough(&settle));
    (void)look(NOW + 3 * MS, 7, false, false);
    assert_false(itr_settle_wants_thorough(&settle));
}

static void a_pending_signal_is_waited_for_a_quiet_time(void **state) {
    (void)state;
    assert_int_equal(look(NOW, 5, true, true), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + MS, 5, true, true), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET - 1, 5, true, true), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET, 5, true, true), ITR_SETTLED_LOST); /* blocked for good */
}

static void a_spinning_host_is_left_to_its_deadline(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(look(NOW + i * MS, 5 + i, false, false), ITR_SETTLED_NOT_YET);
    }
}

/* ---- systems that know only processor time ---- */

static void without_sleep_only_quiet_time_tells(void **state) {
    (void)state;
    assert_int_equal(look(NOW, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + MS, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET - 1, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET, 5, false, false), ITR_SETTLED_LOST);
}

static void processor_use_starts_the_quiet_time_anew(void **state) {
    (void)state;
    assert_int_equal(look(NOW, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET - 1, 6, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET, 6, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + 2 * QUIET - 1, 6, false, false), ITR_SETTLED_LOST);
}

static void an_event_thread_that_ended_unheard_is_lost(void **state) {
    (void)state;
    reply.shots[0].thread_started_ns = NOW - 90 * MS;
    reply.shots[0].thread_ended_ns = NOW - 80 * MS;
    assert_int_equal(look(NOW, 5, false, false), ITR_SETTLED_LOST);
}

static void an_event_thread_that_stays_is_stuck_after_a_quiet_time(void **state) {
    (void)state;
    reply.shots[0].thread_started_ns = NOW - 90 * MS;
    assert_int_equal(look(NOW, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET - 1, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET, 5, false, false), ITR_SETTLED_STUCK);
}

static void one_event_thread_of_two_that_stays_is_enough(void **state) {
    (void)state;
    request.shot_count = 2;
    reply.shots[1] = reply.shots[0];
    reply.shots[0].thread_started_ns = reply.shots[1].thread_started_ns = NOW - 90 * MS;
    reply.shots[1].thread_ended_ns = NOW - 80 * MS;
    assert_int_equal(look(NOW, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + MS, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET, 5, false, false), ITR_SETTLED_STUCK);
}

/* ---- both ---- */

static void a_host_that_heard_and_stays_is_stuck(void **state) {
    (void)state;
    for (int asleep = 0; asleep < 2; asleep++) {
        memset(&settle, 0, sizeof settle);
        reply.handled_count = 1;
        assert_int_equal(look(NOW, 5, asleep, false), ITR_SETTLED_NOT_YET);
        assert_int_equal(look(NOW + MS, 5, asleep, false), ITR_SETTLED_NOT_YET);
        assert_int_equal(look(NOW + QUIET, 5, asleep, false), ITR_SETTLED_STUCK);
    }
}

static void a_host_that_finished_and_stays_is_stuck(void **state) {
    (void)state;
    for (int asleep = 0; asleep < 2; asleep++) {
        memset(&settle, 0, sizeof settle);
        reply.phase_ns[ITR_PHASE_FINISHED] = NOW - MS;
        assert_int_equal(look(NOW, 5, asleep, false), ITR_SETTLED_NOT_YET);
        assert_int_equal(look(NOW + MS, 5, asleep, false), ITR_SETTLED_NOT_YET);
        assert_int_equal(look(NOW + QUIET, 5, asleep, false), ITR_SETTLED_STUCK);
    }
}

/* One of two events was heard: the other is lost. */
static void fewer_entries_than_shots_is_not_heard(void **state) {
    (void)state;
    request.shot_count = 2;
    reply.shots[1] = reply.shots[0];
    reply.handled_count = 1;
    assert_int_equal(look(NOW, 5, true, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + MS, 5, true, false), ITR_SETTLED_LOST);
}

/* A library may sleep while it starts. */
static void a_host_that_never_waits_is_stuck_after_a_long_quiet_time(void **state) {
    (void)state;
    reply.phase_ns[ITR_PHASE_WAITING] = 0;
    assert_int_equal(look(NOW, 5, true, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + 2000 * MS - 1, 5, true, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + 2000 * MS, 5, true, false), ITR_SETTLED_STUCK);
}

/* The runner itself was not given the processor: what it did not see is not quiet. */
static void a_late_look_is_no_quiet_time(void **state) {
    (void)state;
    reply.phase_ns[ITR_PHASE_FINISHED] = NOW - MS;
    assert_int_equal(look(NOW, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + MS, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look_late(NOW + 1300 * MS, 5, false, false), ITR_SETTLED_NOT_YET);
    /* Of the 1,299 ms only the last 50 count. */
    assert_int_equal(look(NOW + 1250 * MS + QUIET - 2 * MS, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + 1250 * MS + QUIET, 5, false, false), ITR_SETTLED_STUCK);
}

/* It has finished, and is not given the processor to end. */
static void a_starved_host_is_not_stuck(void **state) {
    (void)state;
    reply.phase_ns[ITR_PHASE_FINISHED] = NOW - MS;
    for (uint64_t i = 0; i < 100; i++) {
        struct itrp_activity activity = {.cpu_ns = 5, .thorough = true, .ready = true};
        assert_int_equal(itr_settle_look(&settle, &request, &reply, &activity, NOW + i * 10 * MS, QUIET),
                         ITR_SETTLED_NOT_YET);
    }
    assert_int_equal(look(NOW + 990 * MS + QUIET, 5, true, false), ITR_SETTLED_STUCK); /* asleep since */
}

static void a_host_that_waits_without_shots_is_not_stuck_at_once(void **state) {
    (void)state;
    request.shot_count = 0;
    memset(&reply.shots[0], 0, sizeof reply.shots[0]);
    assert_int_equal(look(NOW, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + MS, 5, false, false), ITR_SETTLED_NOT_YET);
    assert_int_equal(look(NOW + QUIET, 5, false, false), ITR_SETTLED_LOST);
}

int main(void) {
#define SETTLE_TEST(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        SETTLE_TEST(only_a_host_that_waits_or_has_finished_is_looked_at),
        SETTLE_TEST(a_host_that_does_not_come_to_wait_is_looked_at),
        SETTLE_TEST(a_host_that_never_waits_is_stuck_after_a_long_quiet_time),
        SETTLE_TEST(a_late_look_is_no_quiet_time),
        SETTLE_TEST(a_starved_host_is_not_stuck),
        SETTLE_TEST(a_look_is_not_taken_too_early),
        SETTLE_TEST(a_shot_that_is_due_later_is_waited_for),
        SETTLE_TEST(a_shot_that_a_debugger_is_sending_is_waited_for),
        SETTLE_TEST(a_shot_that_was_never_asked_for_is_not_waited_for),
        SETTLE_TEST(every_shot_counts),
        SETTLE_TEST(the_first_look_settles_nothing),
        SETTLE_TEST(asleep_with_nothing_pending_and_no_time_used_is_lost),
        SETTLE_TEST(time_used_in_between_is_not_lost),
        SETTLE_TEST(only_a_thorough_look_sees_sleep),
        SETTLE_TEST(a_thorough_look_is_wanted_once_no_time_is_used),
        SETTLE_TEST(a_pending_signal_is_waited_for_a_quiet_time),
        SETTLE_TEST(a_spinning_host_is_left_to_its_deadline),
        SETTLE_TEST(without_sleep_only_quiet_time_tells),
        SETTLE_TEST(processor_use_starts_the_quiet_time_anew),
        SETTLE_TEST(an_event_thread_that_ended_unheard_is_lost),
        SETTLE_TEST(an_event_thread_that_stays_is_stuck_after_a_quiet_time),
        SETTLE_TEST(one_event_thread_of_two_that_stays_is_enough),
        SETTLE_TEST(a_host_that_heard_and_stays_is_stuck),
        SETTLE_TEST(a_host_that_finished_and_stays_is_stuck),
        SETTLE_TEST(fewer_entries_than_shots_is_not_heard),
        SETTLE_TEST(a_host_that_waits_without_shots_is_not_stuck_at_once),
    };
    return cmocka_run_group_tests_name("settle", tests, NULL, NULL);
}
