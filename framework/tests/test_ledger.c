/* Unit tests of ledger.c: what a host can have written is read back, at whatever moment it was ended; what no
 * host can have written is damage, whatever it is, and harms nobody. */
#include "framework/ledger.h"
#include "framework/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NONCE     UINT64_C(0x1234567890abcdef)
#define BEGIN_NS  UINT64_C(5000000000)
#define END_NS    UINT64_C(6000000000)
#define AFTER(ms) (BEGIN_NS + UINT64_C(1000000) * (ms))

static struct itr_ledger_request request;

/* Of exactly the size that a ledger has, so that the sanitizer sees a read outside. */
static struct itr_ledger *block;

static int set_up(void **state) {
    (void)state;
    memset(&request, 0, sizeof request);
    request.handler_count = 1;
    request.handlers[0] = ITR_EVENT_SIGURG;
    request.shot_count = 1;
    request.shots[0].event = ITR_EVENT_SIGURG;
    request.shots[0].where = ITR_WHERE_PHASE;
    request.shots[0].phase = ITR_PHASE_LOAD_BEGIN;
    memcpy(request.library, "/x/minimal.so", sizeof "/x/minimal.so");
    block = malloc(ITR_LEDGER_BYTES);
    assert_non_null(block);
    memset(block, 0xa5, ITR_LEDGER_BYTES);
    itr_ledger_prepare(block, &request, NONCE);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(block);
    return 0;
}

static void write_whole_reply(struct itr_ledger_reply *reply) {
    for (uint32_t i = 0; i < ITR_PHASE_COUNT; i++) {
        reply->phase_ns[i] = AFTER(i + 1);
    }
    reply->process = 4711;
    reply->main_thread = 4711;
    reply->shots[0] = (struct itr_shot_reply){.requested_ns = AFTER(3),
                                              .fired_ns = AFTER(4),
                                              .sent_ns = AFTER(5),
                                              .thread_started_ns = AFTER(4),
                                              .thread_ended_ns = AFTER(6),
                                              .released_ns = AFTER(7),
                                              .sender_thread = 4712,
                                              .gate_written = 1,
                                              .gate_ns = AFTER(4),
                                              .gate_thread = 4712,
                                              .gate_role = ITR_ROLE_INIT};
    reply->handled_count = 1;
    reply->handled[0] = (struct itr_handled){
        .entered_ns = AFTER(6), .event = ITR_EVENT_SIGURG, .thread = 4711, .si_code = -6};
    reply->exception_count = 1;
    reply->exceptions[0] = (struct itr_exception){.time_ns = AFTER(6), .code = 0xC0000005, .pc = 1};
    reply->last_exception = reply->exceptions[0];
    reply->library_base = 0x7f0000000000;
    reply->call_result = 42;
}

static bool read_block(struct itr_ledger_reply *reply, char *why, unsigned why_bytes) {
    return itr_ledger_read(block, &request, NONCE, BEGIN_NS, END_NS, reply, why, why_bytes);
}

static void assert_sound(void) {
    struct itr_ledger_reply reply;
    char why[160] = "untouched";
    if (!read_block(&reply, why, sizeof why)) {
        fail_msg("damaged: %s", why);
    }
    assert_string_equal(why, "untouched");
    assert_memory_equal(&reply, &block->reply, sizeof reply);
}

static void assert_damaged(const char *reason) {
    struct itr_ledger_reply reply;
    char why[160] = "";
    if (read_block(&reply, why, sizeof why)) {
        fail_msg("sound, though %s", reason);
    }
    if (strstr(why, reason) == NULL) {
        fail_msg("the reason is \"%s\", expected \"%s\"", why, reason);
    }
    assert_null(strchr(why, '\n'));
}

/* ---- sound ---- */

static void a_prepared_block_is_new_and_sound(void **state) {
    static const struct itr_ledger_reply nothing;
    const unsigned char *bytes = (const unsigned char *)block;
    (void)state;
    assert_int_equal(block->magic, ITR_LEDGER_MAGIC);
    assert_int_equal(block->version, ITR_LEDGER_VERSION);
    assert_int_equal(block->bytes, ITR_LEDGER_BYTES);
    assert_int_equal(block->nonce, NONCE);
    assert_memory_equal(&block->request, &request, sizeof request);
    assert_memory_equal(&block->reply, &nothing, sizeof nothing);
    for (size_t i = sizeof *block; i < ITR_LEDGER_BYTES; i++) {
        assert_int_equal(bytes[i], 0);
    }
    assert_sound();
}

static void a_whole_reply_is_read_back(void **state) {
    (void)state;
    write_whole_reply(&block->reply);
    assert_sound();
}

static void a_hosts_own_checks_are_read_back(void **state) {
    struct itr_checks *checks = &block->reply.checks;
    (void)state;
    checks->made = 1;
    assert_sound();
    checks->broken = 1; /* counted, not yet told */
    assert_sound();
    memcpy(checks->name, "heard-0", sizeof "heard-0");
    assert_sound();
    memcpy(checks->text, "3 of 4", sizeof "3 of 4");
    checks->broken_ns = AFTER(6);
    assert_sound();
}

static void a_check_that_no_host_can_have_written_is_damage(void **state) {
    struct itr_checks *checks = &block->reply.checks;
    struct itr_ledger_reply reply;
    char why[160];
    (void)state;
    memcpy(checks->name, "heard \033", sizeof "heard \033");
    assert_damaged("has a character");
    memset(checks->name, 'a', sizeof checks->name);
    assert_damaged("has no end");
    memset(checks->name, 0, sizeof checks->name);
    checks->broken_ns = END_NS + UINT64_C(1000000000);
    assert_damaged("the time of a broken promise");
    checks->broken_ns = AFTER(6);
    memset(checks->text, 'x', sizeof checks->text); /* any bytes are sound there: the end is put in */
    assert_true(read_block(&reply, why, sizeof why));
    assert_int_equal(strlen(reply.checks.text), sizeof reply.checks.text - 1);
}

/* Clocks of two processes may differ by two milliseconds. */
static void times_just_outside_are_sound(void **state) {
    (void)state;
    write_whole_reply(&block->reply);
    block->reply.phase_ns[ITR_PHASE_HOST_STARTED] = BEGIN_NS - 1900000;
    block->reply.phase_ns[ITR_PHASE_FINISHED] = END_NS + 1900000;
    assert_sound();
}

static void a_host_may_be_ended_after_any_phase(void **state) {
    (void)state;
    for (uint32_t reached = 0; reached <= ITR_PHASE_COUNT; reached++) {
        itr_ledger_prepare(block, &request, NONCE);
        for (uint32_t i = 0; i < reached; i++) {
            block->reply.phase_ns[i] = AFTER(i);
        }
        assert_sound();
    }
}

/* Two phases in one tick of the clock. */
static void phases_may_share_a_moment(void **state) {
    (void)state;
    for (uint32_t i = 0; i < ITR_PHASE_COUNT; i++) {
        block->reply.phase_ns[i] = AFTER(1);
    }
    assert_sound();
}

/* What the host's code writes one after the other, cut off after each write. */
static void a_half_written_reply_is_sound(void **state) {
    struct itr_ledger_reply *reply = &block->reply;
    (void)state;
    reply->phase_ns[ITR_PHASE_HOST_STARTED] = AFTER(1);
    reply->shots[0].requested_ns = END_NS + UINT64_C(3600000000000); /* due in an hour */
    assert_sound();
    reply->shots[0].requested_ns = AFTER(2);
    reply->shots[0].sender_thread = 5;
    reply->shots[0].fired_ns = AFTER(2);
    assert_sound();
    reply->shots[0].thread_started_ns = AFTER(2);
    assert_sound();
    reply->handled[0].entered_ns = AFTER(3); /* claimed, not yet filled or counted */
    assert_sound();
    reply->handled[1].entered_ns = AFTER(3); /* by a second thread, which is quicker */
    reply->handled[1].event = ITR_EVENT_SIGURG;
    reply->handled_count = 1;
    assert_sound();
    reply->exceptions[0].time_ns = AFTER(3);
    assert_sound();
    reply->exception_count = 1;
    assert_sound();
    reply->shots[0].sent_ns = AFTER(4);
    assert_sound();
}

static void more_entries_than_there_is_room_for_are_counted(void **state) {
    struct itr_ledger_reply *reply = &block->reply;
    (void)state;
    write_whole_reply(reply);
    for (uint32_t i = 0; i < ITR_HANDLED_MAX; i++) {
        reply->handled[i] = (struct itr_handled){.entered_ns = AFTER(6), .event = ITR_EVENT_SIGURG};
    }
    for (uint32_t i = 0; i < ITR_EXCEPTIONS_MAX; i++) {
        reply->exceptions[i].time_ns = AFTER(6);
    }
    reply->handled_count = 1000;
    reply->exception_count = 100000;
    assert_sound();
}

static void handlers_may_come_after_the_load_where_it_is_asked_for(void **state) {
    struct itr_ledger_reply *reply = &block->reply;
    (void)state;
    write_whole_reply(reply);
    reply->phase_ns[ITR_PHASE_HANDLERS_READY] = AFTER(4); /* load-returned is at 4 too */
    assert_damaged("phase load-begin is out of order");
    request.flags = ITR_HOST_HANDLERS_AFTER_LOAD;
    block->request.flags = ITR_HOST_HANDLERS_AFTER_LOAD;
    assert_sound();
    reply->phase_ns[ITR_PHASE_HANDLERS_READY] = AFTER(2);
    assert_damaged("phase handlers-ready is out of order");
    memset(reply->phase_ns, 0, sizeof reply->phase_ns);
    reply->phase_ns[ITR_PHASE_HOST_STARTED] = AFTER(1);
    reply->phase_ns[ITR_PHASE_LOAD_BEGIN] = AFTER(2);
    reply->handled_count = reply->exception_count = 0;
    assert_sound(); /* ended during the load */
}

/* ---- damaged ---- */

static void scribble_magic(void) {
    block->magic++;
}
static void scribble_version(void) {
    block->version = 1;
}
static void scribble_bytes(void) {
    block->bytes = 0;
}
static void scribble_nonce(void) {
    block->nonce ^= 1;
}
static void scribble_flags(void) {
    block->request.flags = 1;
}
static void scribble_library(void) {
    block->request.library[ITR_LIBRARY_MAX - 1] = 'x';
}
static void scribble_function(void) {
    block->request.function[0] = 'x';
}
static void scribble_shot(void) {
    block->request.shots[ITR_SHOTS_MAX - 1].hold_ns = 1;
}
static void scribble_guard_before(void) {
    block->guard_before_reply = 0;
}
static void scribble_guard_after(void) {
    block->guard_after_reply ^= UINT64_C(1) << 63;
}
static void scribble_first_of_tail(void) {
    ((unsigned char *)block)[sizeof *block] = 1;
}
static void scribble_last_of_tail(void) {
    ((unsigned char *)block)[ITR_LEDGER_BYTES - 1] = 1;
}
static void leave_out_a_phase(void) {
    block->reply.phase_ns[ITR_PHASE_LOAD_RETURNED] = 0;
}
static void swap_phases(void) {
    block->reply.phase_ns[ITR_PHASE_WAITING] = AFTER(1);
}
static void finish_only(void) {
    memset(&block->reply, 0, sizeof block->reply);
    block->reply.phase_ns[ITR_PHASE_FINISHED] = AFTER(1);
}
static void start_before_the_trial(void) {
    block->reply.phase_ns[0] = BEGIN_NS - 3000000;
}
static void finish_after_the_trial(void) {
    block->reply.phase_ns[ITR_PHASE_FINISHED] = END_NS + 3000000;
}
static void finish_at_the_end_of_time(void) {
    block->reply.phase_ns[ITR_PHASE_FINISHED] = UINT64_MAX;
}
static void fire_before_the_trial(void) {
    block->reply.shots[0].fired_ns = 1;
}
static void send_after_the_trial(void) {
    block->reply.shots[0].sent_ns = END_NS + 3000000;
}
static void request_before_the_trial(void) {
    block->reply.shots[0].requested_ns = 1;
}
static void start_thread_after_the_trial(void) {
    block->reply.shots[0].thread_started_ns = UINT64_MAX;
}
static void end_thread_before_the_trial(void) {
    block->reply.shots[0].thread_ended_ns = 1;
}
static void scribble_gate(void) {
    block->request.shots[0].rva ^= 1;
}
static void pass_the_gate_after_the_trial(void) {
    block->reply.shots[0].gate_ns = END_NS + 3000000;
}
static void pass_the_gate_as_nobody(void) {
    block->reply.shots[0].gate_role = ITR_ROLE_COUNT;
}
static void schedule_in_a_way_of_its_own(void) {
    block->reply.scheduling = ITR_SCHEDULING_COUNT;
}
static void release_before_the_trial(void) {
    block->reply.shots[0].released_ns = 1;
}
static void send_before_firing(void) {
    block->reply.shots[0].sent_ns = block->reply.shots[0].fired_ns - 1;
}
static void send_without_firing(void) {
    block->reply.shots[0].fired_ns = 0;
}
static void fire_what_was_not_asked_for(void) {
    block->reply.shots[1].fired_ns = AFTER(1);
}
static void err_what_was_not_asked_for(void) {
    block->reply.shots[ITR_SHOTS_MAX - 1].send_error = 1;
}
static void handle_outside(void) {
    block->reply.handled[0].entered_ns = 1;
}
static void handle_outside_the_count(void) {
    block->reply.handled[ITR_HANDLED_MAX - 1].entered_ns = 1;
}
static void handle_no_event(void) {
    block->reply.handled[0].event = ITR_EVENT_COUNT;
}
static void count_too_many_handled(void) {
    block->reply.handled_count = 2;
}
static void count_huge_handled(void) {
    block->reply.handled_count = UINT32_MAX;
}
static void except_outside(void) {
    block->reply.exceptions[0].time_ns = UINT64_MAX;
}
static void except_last_outside(void) {
    block->reply.last_exception.time_ns = 1;
}
static void count_too_many_exceptions(void) {
    block->reply.exception_count = 2;
}

static void every_kind_of_scribble_is_damage_with_a_reason(void **state) {
    static const struct {
        void (*scribble)(void);
        const char *reason;
    } rows[] = {
        {scribble_magic, "head was overwritten"},
        {scribble_version, "head was overwritten"},
        {scribble_bytes, "head was overwritten"},
        {scribble_nonce, "head was overwritten"},
        {scribble_flags, "request was overwritten"},
        {scribble_library, "request was overwritten"},
        {scribble_function, "request was overwritten"},
        {scribble_shot, "request was overwritten"},
        {scribble_gate, "request was overwritten"},
        {scribble_guard_before, "guard word was overwritten"},
        {scribble_guard_after, "guard word was overwritten"},
        {scribble_first_of_tail, "space after the ledger"},
        {scribble_last_of_tail, "space after the ledger"},
        {leave_out_a_phase, "phase call-begin is out of order"},
        {swap_phases, "phase waiting is out of order"},
        {finish_only, "phase finished is out of order"},
        {start_before_the_trial, "time of host-started lies outside"},
        {finish_after_the_trial, "time of finished lies outside"},
        {finish_at_the_end_of_time, "time of finished lies outside"},
        {fire_before_the_trial, "time of a fired shot lies outside"},
        {send_after_the_trial, "time of a sent shot lies outside"},
        {request_before_the_trial, "requested shot lies before the trial"},
        {start_thread_after_the_trial, "event thread's start lies outside"},
        {end_thread_before_the_trial, "event thread's end lies outside"},
        {pass_the_gate_after_the_trial, "time of a thread at the gate lies outside"},
        {pass_the_gate_as_nobody, "shot 0 names no thread's role"},
        {schedule_in_a_way_of_its_own, "scheduling is none that there is"},
        {release_before_the_trial, "time of a release lies outside"},
        {send_before_firing, "shot 0 was sent before it was fired"},
        {send_without_firing, "shot 0 was sent before it was fired"},
        {fire_what_was_not_asked_for, "shot 1 was not asked for"},
        {err_what_was_not_asked_for, "shot 7 was not asked for"},
        {handle_outside, "time of a handler entry lies outside"},
        {handle_outside_the_count, "time of a handler entry lies outside"},
        {handle_no_event, "handler entry 0 names no event"},
        {count_too_many_handled, "2 handler entries are counted, entry 1 is empty"},
        {count_huge_handled, "handler entries are counted, entry 1 is empty"},
        {except_outside, "time of an exception lies outside"},
        {except_last_outside, "time of the last exception lies outside"},
        {count_too_many_exceptions, "2 exceptions are counted, entry 1 is empty"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        itr_ledger_prepare(block, &request, NONCE);
        write_whole_reply(&block->reply);
        rows[i].scribble();
        assert_damaged(rows[i].reason);
    }
}

static void another_trials_block_is_damage(void **state) {
    (void)state;
    itr_ledger_prepare(block, &request, NONCE + 1);
    assert_damaged("head was overwritten");
}

static void an_overwritten_block_is_damage(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        struct itr_ledger_reply reply;
        char why[160];
        memset(block, byte, ITR_LEDGER_BYTES);
        assert_false(read_block(&reply, why, sizeof why));
    }
}

static void a_short_reason_is_cut_and_ends(void **state) {
    (void)state;
    block->magic = 0;
    for (unsigned room = 1; room < 40; room++) {
        struct itr_ledger_reply reply;
        char *why = malloc(room);
        assert_non_null(why);
        assert_false(read_block(&reply, why, room));
        assert_true(strlen(why) < room);
        free(why);
    }
}

static void the_host_s_own_text_always_ends(void **state) {
    struct itr_ledger_reply reply;
    char why[160];
    (void)state;
    memset(block->reply.host_error, 'x', sizeof block->reply.host_error);
    assert_true(read_block(&reply, why, sizeof why));
    assert_int_equal(strlen(reply.host_error), sizeof reply.host_error - 1);
}

static void handlers_of_signals_are_sound_where_they_were_asked_for(void **state) {
    struct itr_ledger_reply reply;
    char why[160];
    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        request.flags = asked ? request.flags | ITR_HOST_RECORD_ACTIONS : request.flags & ~(uint32_t)ITR_HOST_RECORD_ACTIONS;
        itr_ledger_prepare(block, &request, NONCE);
        write_whole_reply(&block->reply);
        block->reply.actions[ITR_ACTIONS_AFTER_LOAD][11] = (struct itr_action){.handler = 0x1234, .flags = 4};
        assert_true(read_block(&reply, why, sizeof why) == (asked != 0));
        block->reply.actions_ns[ITR_ACTIONS_AFTER_LOAD] = END_NS + 1000000000;
        assert_false(read_block(&reply, why, sizeof why));
    }
    request.flags &= ~(uint32_t)ITR_HOST_RECORD_ACTIONS;
}

/* ---- by chance ---- */

static bool is_reply(size_t offset) {
    return offset >= offsetof(struct itr_ledger, reply) &&
           offset < offsetof(struct itr_ledger, reply) + sizeof(struct itr_ledger_reply);
}

static void a_flipped_bit_outside_the_reply_is_always_found(void **state) {
    (void)state;
    write_whole_reply(&block->reply);
    for (size_t offset = 0; offset < ITR_LEDGER_BYTES; offset++) {
        struct itr_ledger_reply reply;
        char why[160];
        if (is_reply(offset)) {
            continue;
        }
        ((unsigned char *)block)[offset] ^= (unsigned char)(1u << (offset % 8));
        if (read_block(&reply, why, sizeof why)) {
            fail_msg("a bit of byte %u was flipped and nobody saw it", (unsigned)offset);
        }
        ((unsigned char *)block)[offset] ^= (unsigned char)(1u << (offset % 8));
    }
    assert_sound();
}

static void what_is_taken_for_sound_has_sound_times(const struct itr_ledger_reply *reply) {
    for (uint32_t i = 0; i < ITR_PHASE_COUNT; i++) {
        if (reply->phase_ns[i] != 0) {
            assert_in_range(reply->phase_ns[i], BEGIN_NS - 2000000, END_NS + 2000000);
        }
    }
    for (uint32_t i = 0; i < ITR_HANDLED_MAX; i++) {
        assert_in_range(reply->handled[i].event, 0, ITR_EVENT_COUNT - 1);
    }
}

static void random_bytes_never_harm_the_reader(void **state) {
    struct itr_random random = itr_random_seed(1);
    unsigned sound = 0;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct itr_ledger_reply reply;
        char why[160] = "";
        itr_ledger_prepare(block, &request, NONCE);
        write_whole_reply(&block->reply);
        for (uint64_t flips = itr_random_between(&random, 1, 4); flips > 0; flips--) {
            ((unsigned char *)block)[itr_random_below(&random, sizeof *block)] ^=
                (unsigned char)itr_random_between(&random, 1, 255);
        }
        if (read_block(&reply, why, sizeof why)) {
            sound++;
            what_is_taken_for_sound_has_sound_times(&reply);
        } else {
            assert_true(why[0] != '\0');
        }
        assert_true(memchr(reply.host_error, '\0', sizeof reply.host_error) != NULL);
    }
    assert_in_range(sound, 1, 19999); /* some bytes may have any value: thread ids, addresses */
}

static void a_reply_of_random_bytes_never_harms_the_reader(void **state) {
    struct itr_random random = itr_random_seed(2);
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct itr_ledger_reply reply;
        char why[160];
        for (size_t i = 0; i < sizeof block->reply; i += 8) {
            uint64_t number = itr_random_next(&random);
            memcpy((unsigned char *)&block->reply + i, &number, 8);
        }
        assert_false(read_block(&reply, why, sizeof why));
        assert_true(memchr(reply.host_error, '\0', sizeof reply.host_error) != NULL);
    }
}

#define LEDGER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(a_prepared_block_is_new_and_sound),
        LEDGER_TEST(a_whole_reply_is_read_back),
        LEDGER_TEST(a_hosts_own_checks_are_read_back),
        LEDGER_TEST(a_check_that_no_host_can_have_written_is_damage),
        LEDGER_TEST(times_just_outside_are_sound),
        LEDGER_TEST(a_host_may_be_ended_after_any_phase),
        LEDGER_TEST(phases_may_share_a_moment),
        LEDGER_TEST(a_half_written_reply_is_sound),
        LEDGER_TEST(more_entries_than_there_is_room_for_are_counted),
        LEDGER_TEST(handlers_may_come_after_the_load_where_it_is_asked_for),
        LEDGER_TEST(every_kind_of_scribble_is_damage_with_a_reason),
        LEDGER_TEST(another_trials_block_is_damage),
        LEDGER_TEST(an_overwritten_block_is_damage),
        LEDGER_TEST(a_short_reason_is_cut_and_ends),
        LEDGER_TEST(the_host_s_own_text_always_ends),
        LEDGER_TEST(handlers_of_signals_are_sound_where_they_were_asked_for),
        LEDGER_TEST(a_flipped_bit_outside_the_reply_is_always_found),
        LEDGER_TEST(random_bytes_never_harm_the_reader),
        LEDGER_TEST(a_reply_of_random_bytes_never_harms_the_reader),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
