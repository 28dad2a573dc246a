/* Unit tests of record.c: what reports and replays need comes back from a line, hostile bytes give valid JSON,
 * a ledger that is not sound is not believed, and no memory is no half record. */
#include "framework/record.h"

#include "framework/cell.h"
#include "framework/random.h"
#include "framework/tests/tiny_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define LIBRARY_BASE UINT64_C(0x7f0000000000)
#define BEGIN_NS \
    UINT64_C(0x7000000000000000) /* a machine that runs since long: more than a double holds */

struct trial {
    struct itr_plan plan;
    struct itr_observation seen;
    struct itr_modules modules;
    struct itr_capture output;
    struct itr_capture error_output;
    struct itr_classification result;
    struct itr_record record;
};

static void trial_begin(struct trial *trial) {
    struct itr_ledger_reply *ledger = &trial->seen.ledger;
    memset(trial, 0, sizeof *trial);
    trial->plan.request.shot_count = 1;
    trial->plan.request.shots[0] = (struct itr_shot_request){.event = ITR_EVENT_SIGURG,
                                                             .delivery = ITR_DELIVERY_TGKILL,
                                                             .target = ITR_TARGET_MAIN,
                                                             .where = ITR_WHERE_PHASE,
                                                             .phase = ITR_PHASE_LOAD_BEGIN,
                                                             .offset_ns = 1234567};
    trial->plan.unit = 0.375;
    trial->plan.window_to_ns = 4000000;
    trial->seen.output = &trial->output;
    trial->seen.error_output = &trial->error_output;
    trial->seen.end = ITR_END_LOST;
    trial->seen.ended_by_runner = true;
    trial->seen.exit = (struct itrp_exit){.signaled = true, .signal = 11};
    trial->seen.begin_ns = BEGIN_NS;
    trial->seen.end_ns = BEGIN_NS + 20 * MS;
    trial->seen.ledger_sound = true;
    for (uint32_t i = 0; i <= ITR_PHASE_WAITING; i++) {
        ledger->phase_ns[i] = BEGIN_NS + i * MS;
    }
    ledger->shots[0].fired_ns = BEGIN_NS + 3 * MS + 1;
    ledger->shots[0].sent_ns = BEGIN_NS + 3 * MS + 2;
    ledger->shots[0].sender_thread = 42;
    trial->seen.strays = 2;
    trial->result.outcome = ITR_OUTCOME_LOST;
    snprintf(trial->result.signature, sizeof trial->result.signature, "lost SIGURG");
    trial->modules.library.name = "minimal";
    trial->modules.host.name = "library_host";
    trial->record = (struct itr_record){.cell = 3,
                                        .trial = UINT64_C(1) << 40,
                                        .seed = UINT64_C(0xfedcba9876543210),
                                        .case_name = "sigurg-during-init",
                                        .at = "time",
                                        .plan = &trial->plan,
                                        .seen = &trial->seen,
                                        .modules = &trial->modules,
                                        .classification = &trial->result};
}

static void trial_end(struct trial *trial) {
    itr_capture_release(&trial->output);
    itr_capture_release(&trial->error_output);
}

static void hear(struct trial *trial) {
    trial->seen.ledger.handled_count = 1;
    trial->seen.ledger.handled[0] = (struct itr_handled){
        .entered_ns = BEGIN_NS + 4 * MS, .event = ITR_EVENT_SIGURG, .thread = 43, .si_code = -6};
}

/* The line, read again as a program would. */
static json_t *line_of(const struct trial *trial) {
    json_t *json = itr_record_to_json(&trial->record);
    assert_non_null(json);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_non_null(text);
    json_decref(json);
    assert_null(strchr(text, '\n'));
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    free(text);
    return json;
}

/* Value at a path such as "shots.0.event". */
static const json_t *at(const json_t *json, const char *path) {
    char part[64];
    while (json != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        assert_true(length < sizeof part);
        memcpy(part, path, length);
        part[length] = '\0';
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(part))
                                   : json_object_get(json, part);
        path += length + (path[length] == '.' ? 1 : 0);
    }
    return json;
}

static void assert_text(const json_t *json, const char *path, const char *expected) {
    const char *text = json_string_value(at(json, path));
    assert_non_null(text);
    assert_string_equal(text, expected);
}

static void assert_number(const json_t *json, const char *path, int64_t expected) {
    assert_true(json_is_integer(at(json, path)));
    assert_true(json_integer_value(at(json, path)) == expected);
}

/* ---- there and back ---- */

static void what_counting_needs_comes_back(void **state) {
    struct trial trial;
    struct itr_row row;
    uint64_t cell = 0;
    (void)state;
    trial_begin(&trial);
    json_t *json = line_of(&trial);
    assert_int_equal(itr_record_read(json, &cell, &row, NULL), ITR_OK);
    assert_int_equal(cell, 3);
    assert_true(row.trial == UINT64_C(1) << 40);
    assert_int_equal(row.outcome, ITR_OUTCOME_LOST);
    assert_string_equal(row.signature, "lost SIGURG");
    assert_true(row.fired_after_load_ns == (int64_t)(MS + 1));
    assert_true(row.fired_after_load_ns == itr_record_fired_after_load(&trial.seen));
    assert_int_equal(row.strays, 2);
    assert_int_equal(row.window_to_ns, 4000000);
    json_decref(json);
    trial_end(&trial);
}

static void what_a_replay_needs_comes_back(void **state) {
    struct trial trial;
    uint64_t planned_ns = 0;
    uint64_t seed = 0;
    (void)state;
    trial_begin(&trial);
    json_t *json = line_of(&trial);
    assert_int_equal(itr_record_read_plan(json, &planned_ns, &seed, NULL), ITR_OK);
    assert_int_equal(planned_ns, 1234567);
    assert_true(seed == UINT64_C(0xfedcba9876543210));
    json_decref(json);
    trial.plan.request.shot_count = 0;
    json = line_of(&trial);
    assert_int_equal(itr_record_read_plan(json, &planned_ns, &seed, NULL), ITR_OK);
    assert_int_equal(planned_ns, 0);
    json_decref(json);
    trial_end(&trial);
}

/* A campaign that is read again counts as it did while it ran. */
static void the_place_of_a_shot_is_the_same_when_it_is_read_again(void **state) {
    struct itr_random random = itr_random_seed(5);
    (void)state;
    for (int i = 0; i < 500; i++) {
        struct trial trial;
        struct itr_row row;
        uint64_t cell = 0;
        uint32_t reached = (uint32_t)itr_random_below(&random, ITR_PHASE_COUNT + 1);
        trial_begin(&trial);
        for (uint32_t k = reached; k < ITR_PHASE_COUNT; k++) {
            trial.seen.ledger.phase_ns[k] = 0;
        }
        trial.seen.ledger.shots[0].fired_ns =
            itr_random_below(&random, 3) != 0 ? BEGIN_NS + itr_random_below(&random, 9 * MS) : 0;
        trial.seen.ledger_sound = itr_random_below(&random, 4) != 0;
        trial.plan.request.shot_count = (uint32_t)itr_random_below(&random, 2);
        json_t *json = line_of(&trial);
        assert_int_equal(itr_record_read(json, &cell, &row, NULL), ITR_OK);
        if (trial.plan.request.shot_count > 0) {
            assert_true(row.fired_after_load_ns == itr_record_fired_after_load(&trial.seen));
        } else {
            assert_true(row.fired_after_load_ns == INT64_MIN);
        }
        json_decref(json);
        trial_end(&trial);
    }
}

/* ---- the format that others read ---- */

static void a_line_says_what_happened(void **state) {
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    json_t *json = line_of(&trial);
    assert_number(json, "format", ITR_RECORD_FORMAT);
    assert_text(json, "case", "sigurg-during-init");
    assert_text(json, "seed", "0xfedcba9876543210");
    assert_text(json, "outcome", "lost");
    assert_text(json, "signature", "lost SIGURG");
    assert_text(json, "end", "lost");
    assert_number(json, "duration_ns", (int64_t)(20 * MS));
    assert_number(json, "phases.host-started", 0 * (int64_t)MS);
    assert_number(json, "phases.waiting", 6 * (int64_t)MS);
    assert_null(at(json, "phases.finished"));
    assert_number(json, "handled", 0);
    assert_number(json, "strays", 2);
    assert_true(json_is_true(at(json, "exit.by_runner")));
    assert_text(json, "exit.signal", itrp_signal_name(11));
    assert_int_equal(json_array_size(at(json, "shots")), 1);
    assert_text(json, "shots.0.event", "SIGURG");
    assert_text(json, "shots.0.at", "time");
    assert_text(json, "shots.0.delivery", "tgkill");
    assert_text(json, "shots.0.target", "main");
    assert_number(json, "shots.0.planned_ns", 1234567);
    assert_number(json, "shots.0.fired_ns", (int64_t)MS + 1);
    assert_number(json, "shots.0.sent_ns", (int64_t)MS + 2);
    assert_true(json_is_null(at(json, "shots.0.handled_ns")));
    assert_true(json_is_null(at(json, "shots.0.si_code")));
    assert_number(json, "shots.0.sender_thread", 42);
    assert_true(json_real_value(at(json, "shots.0.unit")) == 0.375);
    assert_int_equal(json_integer_value(at(json, "shots.0.window_to_ns")), 4000000);
    assert_null(at(json, "stdout"));
    assert_null(at(json, "stderr"));
    assert_null(at(json, "exceptions"));
    assert_null(at(json, "evidence"));
    json_decref(json);
    trial_end(&trial);
}

static void a_shot_that_was_heard_says_how(void **state) {
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    hear(&trial);
    trial.seen.ledger.shots[0].event_thread = 77;
    trial.seen.ledger.shots[0].thread_started_ns = BEGIN_NS + 3 * MS;
    trial.seen.ledger.shots[0].thread_ended_ns = BEGIN_NS + 4 * MS;
    trial.seen.ledger.shots[0].event_thread_exit = 0xC0000005;
    trial.seen.ledger.shots[0].target_thread = 44;
    trial.seen.ledger.shots[0].released_ns = BEGIN_NS + 5 * MS;
    trial.plan.unit = -1;
    json_t *json = line_of(&trial);
    assert_number(json, "shots.0.handled_ns", 2 * (int64_t)MS);
    assert_number(json, "shots.0.handler_thread", 43);
    assert_number(json, "shots.0.target_thread", 44);
    assert_number(json, "shots.0.event_thread", 77);
    assert_number(json, "shots.0.thread_ended_ns", 2 * (int64_t)MS);
    assert_text(json, "shots.0.thread_exit", "0xc0000005");
    assert_number(json, "shots.0.released_ns", 3 * (int64_t)MS);
    assert_null(at(json, "shots.0.unit"));
    if (itrp_capabilities()->signals) {
        assert_number(json, "shots.0.si_code", -6);
    } else {
        assert_true(json_is_null(at(json, "shots.0.si_code")));
    }
    json_decref(json);
    trial_end(&trial);
}

static void exits_are_codes_or_signals(void **state) {
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    trial.seen.ended_by_runner = false;
    trial.seen.exit = (struct itrp_exit){.code = 0xC0000409};
    json_t *json = line_of(&trial);
    assert_text(json, "exit.code", "0xc0000409");
    assert_true(json_is_false(at(json, "exit.by_runner")));
    assert_null(at(json, "exit.signal"));
    json_decref(json);
    trial.seen.end = ITR_END_NOT_STARTED;
    json = line_of(&trial);
    assert_true(json_is_null(at(json, "exit")));
    assert_null(at(json, "kept"));
    json_decref(json);
    trial_end(&trial);
}

static void a_kept_host_has_no_exit(void **state) {
    struct trial trial;
    char end_with[64];
    (void)state;
    trial_begin(&trial);
    trial.seen.kept_process = 4000000001u;
    json_t *json = line_of(&trial);
    snprintf(end_with, sizeof end_with, "%s4000000001", itrp_end_command());
    assert_true(json_is_null(at(json, "exit")));
    assert_number(json, "kept.process", 4000000001);
    assert_text(json, "kept.end_with", end_with);
    assert_non_null(strstr(json_string_value(at(json, "kept.attach.0")), " 4000000001"));
    json_decref(json);
    trial_end(&trial);
}

static void exceptions_are_recorded_with_addresses_as_strings(void **state) {
    struct trial trial;
    struct itr_exception av = {.time_ns = BEGIN_NS + 4 * MS,
                               .pc = UINT64_C(0xfffffffffffffff0),
                               .address = 0x30,
                               .module_base = UINT64_C(0xfffffffffffff000),
                               .code = 0xC0000005,
                               .thread = 9,
                               .access = 1};
    (void)state;
    trial_begin(&trial);
    trial.seen.ledger.library_base = av.module_base;
    trial.seen.ledger.exception_count = 3000;
    for (int i = 0; i < ITR_EXCEPTIONS_MAX; i++) {
        trial.seen.ledger.exceptions[i] = av;
    }
    trial.seen.ledger.last_exception = av;
    json_t *json = line_of(&trial);
    assert_number(json, "exceptions.count", 3000);
    assert_text(json, "exceptions.shape", "AV*");
    assert_int_equal(json_array_size(at(json, "exceptions.first")), ITR_EXCEPTIONS_MAX);
    assert_text(json, "exceptions.first.0.code", "0xc0000005");
    assert_text(json, "exceptions.first.0.name", "ACCESS_VIOLATION");
    assert_text(json, "exceptions.first.0.pc", "0xfffffffffffffff0");
    assert_text(json, "exceptions.first.0.rva", "0xff0");
    assert_text(json, "exceptions.first.0.address", "0x30");
    assert_text(json, "exceptions.first.0.location", "minimal+0xff0");
    assert_number(json, "exceptions.first.0.access", 1);
    assert_number(json, "exceptions.first.0.thread", 9);
    assert_text(json, "exceptions.last.code", "0xc0000005");
    json_decref(json);
    trial_end(&trial);
}

static void streams_are_recorded_by_size_hash_and_shape(void **state) {
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    itr_capture_feed(&trial.output, "hello\n", 6);
    itr_capture_feed(&trial.error_output, "fatal error: <\x01>\n", 17);
    trial.seen.output_cut_off = true;
    trial.seen.event_pending = true;
    trial.record.evidence = "failures/7";
    json_t *json = line_of(&trial);
    json_t *hash = itr_json_hex(itr_capture_hash(&trial.output));
    assert_number(json, "stdout.bytes", 6);
    assert_text(json, "stdout.hash", json_string_value(hash));
    assert_text(json, "stdout.shape", "text");
    assert_number(json, "stdout.cut_bytes", 0);
    assert_number(json, "stderr.bytes", 17);
    assert_non_null(json_string_value(at(json, "stderr.anchor")));
    assert_true(json_is_true(at(json, "output_cut_off")));
    assert_true(json_is_true(at(json, "event_pending")));
    assert_text(json, "evidence", "failures/7");
    json_decref(hash);
    json_decref(json);
    trial_end(&trial);
}

/* The second shot's entry is the second one of its event, whatever else came between. */
static void each_shot_has_its_own_handler_entry(void **state) {
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    trial.plan.request.shot_count = 2;
    trial.plan.request.shots[1] = trial.plan.request.shots[0];
    trial.seen.ledger.shots[1] = trial.seen.ledger.shots[0];
    trial.seen.ledger.handled_count = 3;
    for (uint32_t i = 0; i < 3; i++) {
        trial.seen.ledger.handled[i] =
            (struct itr_handled){.entered_ns = BEGIN_NS + (4 + i) * MS,
                                 .event = i == 1 ? ITR_EVENT_SIGINT : ITR_EVENT_SIGURG,
                                 .thread = 50 + i};
    }
    json_t *json = line_of(&trial);
    assert_int_equal(json_array_size(at(json, "shots")), 2);
    assert_number(json, "shots.0.handler_thread", 50);
    assert_number(json, "shots.0.handled_ns", 2 * (int64_t)MS);
    assert_number(json, "shots.1.handler_thread", 52);
    assert_number(json, "shots.1.handled_ns", 4 * (int64_t)MS);
    json_decref(json);
    trial_end(&trial);
}

static void what_says_nothing_is_left_out(void **state) {
    static const char *const keys[] = {"strays",
                                       "output_cut_off",
                                       "event_pending",
                                       "tool_error",
                                       "detail",
                                       "evidence",
                                       "exceptions",
                                       "stdout",
                                       "stderr",
                                       "shots.0.target_thread",
                                       "shots.0.send_error",
                                       "shots.0.event_thread",
                                       "shots.0.released_ns"};
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    trial.seen.strays = 0;
    json_t *json = line_of(&trial);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (at(json, keys[i]) != NULL) {
            fail_msg("%s is there", keys[i]);
        }
    }
    json_decref(json);
    trial.seen.strays = 1;
    snprintf(trial.result.detail, sizeof trial.result.detail, "x");
    trial.seen.ledger.shots[0].target_thread = 1;
    itr_capture_feed(&trial.output, "text\n", 5);
    json = line_of(&trial);
    assert_number(json, "strays", 1);
    assert_text(json, "detail", "x");
    assert_number(json, "shots.0.target_thread", 1);
    assert_null(at(json, "stdout.period_bytes"));
    assert_null(at(json, "stdout.anchor"));
    assert_null(at(json, "stdout.garbage_offset"));
    json_decref(json);
    trial_end(&trial);
}

static void garbage_is_recorded_with_its_period(void **state) {
    static unsigned char block[4096];
    struct itr_random random = itr_random_seed(9);
    struct trial trial;
    (void)state;
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = (unsigned char)itr_random_next(&random);
    }
    trial_begin(&trial);
    for (int i = 0; i < 20; i++) {
        itr_capture_feed(&trial.error_output, block, sizeof block);
    }
    json_t *json = line_of(&trial);
    assert_number(json, "stderr.bytes", 20 * 4096);
    assert_text(json, "stderr.shape", "binary");
    assert_number(json, "stderr.period_bytes", 4096);
    assert_number(json, "stderr.repeats", 20);
    assert_true(json_is_integer(at(json, "stderr.garbage_offset")));
    json_decref(json);
    trial_end(&trial);
}

static void scheduling_is_told_where_it_is_not_the_systems_own(void **state) {
    static const struct {
        uint32_t scheduling;
        const char *name;
    } rows[] = {{ITR_SCHEDULING_BATCH, "batch"}, {ITR_SCHEDULING_REFUSED, "batch-refused"}};
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    json_t *json = line_of(&trial);
    assert_null(at(json, "scheduling"));
    json_decref(json);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        trial.seen.ledger.scheduling = rows[i].scheduling;
        json = line_of(&trial);
        assert_text(json, "scheduling", rows[i].name);
        json_decref(json);
    }
    trial_end(&trial);
}

/* ---- what must not be believed, and what must not do harm ---- */

static void a_damaged_ledger_is_not_recorded(void **state) {
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    hear(&trial);
    memset(&trial.seen.ledger, 0xff, sizeof trial.seen.ledger);
    trial.seen.ledger_sound = false;
    json_t *json = line_of(&trial);
    assert_null(at(json, "phases"));
    assert_null(at(json, "handled"));
    assert_null(at(json, "exceptions"));
    assert_null(at(json, "scheduling"));
    assert_text(json, "shots.0.event", "SIGURG"); /* the plan is ours */
    assert_number(json, "shots.0.planned_ns", 1234567);
    assert_true(json_is_null(at(json, "shots.0.fired_ns")));
    assert_true(json_is_null(at(json, "shots.0.handled_ns")));
    assert_null(at(json, "shots.0.event_thread"));
    json_decref(json);
    trial_end(&trial);
}

static void hostile_bytes_give_valid_json(void **state) {
    static const char *const hostile[] = {"\xff\xfe",         "\xc3",     "\xed\xa0\x80",
                                          "\xf4\x90\x80\x80", "\x1b[31m", "\"},{\"trial\":0",
                                          "\\u0000\\",        "a\nb\rc",  "\xe2\x80\xa8",
                                          "\x01\x02\x7f",     "%s%n",     "é日😀"};
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct trial trial;
        struct itr_row row;
        uint64_t cell = 0;
        trial_begin(&trial);
        snprintf(trial.result.signature, sizeof trial.result.signature, "crash %s end", hostile[i]);
        snprintf(trial.result.detail, sizeof trial.result.detail, "detail %s end", hostile[i]);
        (void)itr_fail(&trial.seen.tool, ITR_E_SYSTEM, 1, "tool %s end", hostile[i]);
        itr_capture_feed(&trial.error_output, "fatal error: ", 13);
        itr_capture_feed(&trial.error_output, hostile[i], strlen(hostile[i]));
        json_t *json = line_of(&trial);
        assert_int_equal(itr_record_read(json, &cell, &row, NULL), ITR_OK);
        assert_int_equal(strncmp(row.signature, "crash ", 6), 0);
        assert_string_equal(row.signature + strlen(row.signature) - 4, " end");
        assert_non_null(json_string_value(at(json, "detail")));
        assert_non_null(json_string_value(at(json, "tool_error")));
        assert_non_null(json_string_value(at(json, "stderr.anchor")));
        json_decref(json);
        trial_end(&trial);
    }
}

static void what_is_no_record_is_refused(void **state) {
    static const char *const wrong[] = {
        "{}",
        "[]",
        "7",
        "{\"format\":2,\"trial\":1,\"cell\":0,\"outcome\":\"lost\",\"signature\":\"\"}",
        "{\"format\":1,\"cell\":0,\"outcome\":\"lost\",\"signature\":\"\"}",
        "{\"format\":1,\"trial\":\"1\",\"cell\":0,\"outcome\":\"lost\",\"signature\":\"\"}",
        "{\"format\":1,\"trial\":-1,\"cell\":0,\"outcome\":\"lost\",\"signature\":\"\"}",
        "{\"format\":1,\"trial\":1,\"cell\":-1,\"outcome\":\"lost\",\"signature\":\"\"}",
        "{\"format\":1,\"trial\":1,\"outcome\":\"lost\",\"signature\":\"\"}",
        "{\"format\":1,\"trial\":1,\"cell\":0,\"outcome\":\"gone\",\"signature\":\"\"}",
        "{\"format\":1,\"trial\":1,\"cell\":0,\"outcome\":7,\"signature\":\"\"}",
        "{\"format\":1,\"trial\":1,\"cell\":0,\"outcome\":\"lost\",\"signature\":null}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct itr_row row;
        struct itr_error err = {0};
        uint64_t cell = 0;
        json_t *json = json_loads(wrong[i], JSON_DECODE_ANY, NULL);
        assert_non_null(json);
        if (itr_record_read(json, &cell, &row, &err) != ITR_E_FORMAT) {
            fail_msg("taken: %s", wrong[i]);
        }
        assert_int_equal(err.status, ITR_E_FORMAT);
        json_decref(json);
    }
}

static void a_plan_that_cannot_be_read_is_refused(void **state) {
    static const char *const wrong[] = {
        "{}",
        "{\"seed\":7,\"shots\":[]}",
        "{\"seed\":\"7\",\"shots\":[]}",
        "{\"seed\":\"0x7\",\"shots\":[{}]}",
        "{\"seed\":\"0x7\",\"shots\":[{\"planned_ns\":null}]}",
        "{\"seed\":\"0x7\",\"shots\":[{\"planned_ns\":-1}]}",
        "{\"seed\":\"0x7\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct itr_error err = {0};
        uint64_t planned_ns = 0;
        uint64_t seed = 0;
        json_t *json = json_loads(wrong[i], 0, NULL);
        assert_non_null(json);
        if (itr_record_read_plan(json, &planned_ns, &seed, &err) != ITR_E_FORMAT) {
            fail_msg("taken: %s", wrong[i]);
        }
        json_decref(json);
    }
}

/* ---- what a debugger saw ---- */

static struct itrp_debug_report debug_report; /* of the trial under way */
static struct itr_image *library_image;

/* A trial whose point was hit by the init thread, with a fault and two writes. trial_end_debugged() ends it. */
static void trial_begin_debugged(struct trial *trial) {
    static const uint8_t text[0x40];
    static const struct tiny_symbol symbols[] = {{"main.init", 0x1000, 0x40}, {"main.flag", 0x1400, 4}};
    trial_begin(trial);
    library_image = tiny_image(text, sizeof text, symbols, 2);
    trial->modules.library.image = library_image;
    trial->seen.ledger.library_base = LIBRARY_BASE;
    trial->seen.debug = &debug_report;
    trial->plan.point = (struct itr_plan_point){.rva = 0x1010, .nth = 2, .role = ITR_ROLE_INIT};
    trial->plan.sweep_index = 17;
    memset(&debug_report, 0, sizeof debug_report);
    debug_report.library_base = LIBRARY_BASE;
    debug_report.hits = 2;
    debug_report.hit_ns = BEGIN_NS + 5 * MS;
    debug_report.hit_thread = 44;
    debug_report.hit_role = ITR_ROLE_INIT;
    debug_report.released_ns = BEGIN_NS + 7 * MS;
    debug_report.hold_expired = true;
    debug_report.taken_ns = BEGIN_NS + 6 * MS;
    debug_report.taken_thread = 43;
    debug_report.taken_role = ITR_ROLE_MAIN;
    debug_report.fault_count = 1;
    debug_report.faults[0] = (struct itrp_debug_fault){.time_ns = BEGIN_NS + 8 * MS,
                                                       .pc = LIBRARY_BASE + 0x1020,
                                                       .address = 0x30,
                                                       .module_base = LIBRARY_BASE,
                                                       .code = 11,
                                                       .si_code = 1,
                                                       .thread = 44,
                                                       .role = ITR_ROLE_INIT};
    debug_report.write_count = 2;
    debug_report.writes[0] = (struct itrp_debug_write){.time_ns = BEGIN_NS + 4 * MS,
                                                       .pc = LIBRARY_BASE + 0x1008,
                                                       .old_value = 0,
                                                       .new_value = UINT64_MAX,
                                                       .watch = 1,
                                                       .thread = 44,
                                                       .role = ITR_ROLE_INIT};
    debug_report.writes[1] = debug_report.writes[0];
    debug_report.writes[1].pc = UINT64_C(0x7f1234567890); /* a write by memcpy() */
    debug_report.chaos_holds = 3;
}

static void trial_end_debugged(struct trial *trial) {
    trial_end(trial);
    itr_image_close(library_image);
}

static void an_exact_point_says_how_it_was_reached(void **state) {
    struct trial trial;
    struct itr_row row;
    uint64_t cell = 0;
    uint64_t rva = 0;
    (void)state;
    trial_begin_debugged(&trial);
    json_t *json = line_of(&trial);
    assert_true(json_is_true(at(json, "debugged")));
    assert_string_equal(json_string_value(at(json, "breakpoints")), "registers");
    assert_text(json, "point.rva", "0x1010");
    assert_text(json, "point.name", "main.init+0x10");
    assert_number(json, "point.occurrence", 2);
    assert_text(json, "point.role", "init");
    assert_number(json, "point.index", 17);
    assert_number(json, "point.hits", 2);
    assert_number(json, "point.hit_ns", 3 * (int64_t)MS); /* after load-begin, as all times */
    assert_number(json, "point.thread", 44);
    assert_text(json, "point.thread_role", "init");
    assert_number(json, "point.released_ns", 5 * (int64_t)MS);
    assert_true(json_is_true(at(json, "point.hold_expired")));
    assert_number(json, "point.taken_ns", 4 * (int64_t)MS);
    assert_number(json, "point.taken_thread", 43);
    assert_text(json, "point.taken_role", "main");
    assert_number(json, "chaos_holds", 3);
    /* What a resumed campaign and a replay need. */
    assert_true(itr_record_read_point(json, &rva));
    assert_int_equal(rva, 0x1010);
    assert_int_equal(itr_record_read(json, &cell, &row, NULL), ITR_OK);
    assert_int_equal(row.sweep_index, 17);
    json_decref(json);
    trial_end_debugged(&trial);
}

/* The same without a debugger, as the host wrote it into the ledger. */
static void a_gate_says_how_it_was_reached(void **state) {
    struct trial trial;
    uint64_t rva = 0;
    (void)state;
    trial_begin_debugged(&trial);
    trial.seen.debug = NULL;
    trial.plan.sweep_index = -1;
    trial.plan.point.nth = 1;
    trial.plan.request.shots[0].where = ITR_WHERE_GATE;
    trial.seen.ledger.shots[0].gate_ns = BEGIN_NS + 5 * MS;
    trial.seen.ledger.shots[0].gate_thread = 44;
    trial.seen.ledger.shots[0].gate_role = ITR_ROLE_INIT;
    json_t *json = line_of(&trial);
    assert_true(json_is_true(at(json, "gate")));
    assert_true(json_is_false(at(json, "debugged")));
    assert_text(json, "point.rva", "0x1010");
    assert_text(json, "point.name", "main.init+0x10");
    assert_number(json, "point.occurrence", 1);
    assert_text(json, "point.role", "init");
    assert_number(json, "point.hits", 1);
    assert_number(json, "point.hit_ns", 3 * (int64_t)MS);
    assert_number(json, "point.thread", 44);
    assert_text(json, "point.thread_role", "init");
    assert_true(itr_record_read_point(json, &rva));
    assert_int_equal(rva, 0x1010);
    json_decref(json);
    memset(&trial.seen.ledger.shots[0], 0, sizeof trial.seen.ledger.shots[0]);
    json = line_of(&trial);
    assert_true(json_is_true(at(json, "gate")));
    assert_number(json, "point.hits", 0);
    assert_null(at(json, "point.hit_ns"));
    json_decref(json);
    trial_end_debugged(&trial);
}

static void faults_and_writes_have_a_place_and_a_thread(void **state) {
    struct trial trial;
    (void)state;
    trial_begin_debugged(&trial);
    json_t *json = line_of(&trial);
    assert_number(json, "faults.count", 1);
    assert_text(json, "faults.first.0.name", itr_fault_name(&debug_report.faults[0]));
    assert_text(json, "faults.first.0.location", "minimal!main.init+0x20");
    assert_text(json, "faults.first.0.address", "0x30");
    assert_text(json, "faults.first.0.thread_role", "init");
    assert_number(json, "faults.first.0.at_ns", 6 * (int64_t)MS);
    assert_number(json, "writes.count", 2);
    assert_number(json, "writes.first.0.watch", 1);
    assert_text(json, "writes.first.0.old", "0x0");
    assert_text(json, "writes.first.0.new", "0xffffffffffffffff");
    assert_text(json, "writes.first.0.location", "minimal!main.init+0x7"); /* in the one before the PC */
    assert_text(json, "writes.first.1.location", "no-module");
    assert_number(json, "writes.first.1.at_ns", 2 * (int64_t)MS);
    json_decref(json);
    trial_end_debugged(&trial);
}

static void a_point_that_was_not_reached_has_no_times(void **state) {
    struct trial trial;
    uint64_t rva = 0;
    (void)state;
    trial_begin_debugged(&trial);
    memset(&debug_report, 0, sizeof debug_report);
    trial.plan.sweep_index = -1;
    trial.modules.library.image = NULL; /* nor a name without symbols */
    json_t *json = line_of(&trial);
    assert_text(json, "point.name", "+0x1010");
    assert_number(json, "point.hits", 0);
    assert_null(at(json, "point.index"));
    assert_null(at(json, "point.hit_ns"));
    assert_null(at(json, "point.taken_ns"));
    assert_null(at(json, "faults"));
    assert_null(at(json, "writes"));
    assert_null(at(json, "chaos_holds"));
    json_decref(json);
    trial.seen.debug = NULL; /* and nothing of it without a debugger */
    json = line_of(&trial);
    assert_null(at(json, "debugged"));
    assert_false(itr_record_read_point(json, &rva));
    json_decref(json);
    trial_end_debugged(&trial);
}

static void a_recorded_trial_says_what_became_of_its_trace(void **state) {
    struct trial trial;
    struct itr_kept_recording kept = {.folder = "failures/7/rr", .packed = true};
    (void)state;
    trial_begin(&trial);
    trial.record.recorder = "";
    json_t *json = line_of(&trial);
    assert_null(at(json, "record"));
    json_decref(json);
    trial.record.recorder = "rr";
    json = line_of(&trial);
    assert_text(json, "record", "rr");
    assert_null(at(json, "recording"));
    json_decref(json);
    trial.record.recording = &kept;
    json = line_of(&trial);
    assert_text(json, "recording.folder", "failures/7/rr");
    assert_true(json_is_true(at(json, "recording.packed")));
    assert_null(at(json, "recording.trouble"));
    json_decref(json);
    kept.packed = false;
    snprintf(kept.trouble, sizeof kept.trouble, "rr pack failed: \xff");
    json = line_of(&trial);
    assert_true(json_is_false(at(json, "recording.packed")));
    assert_non_null(strstr(json_string_value(at(json, "recording.trouble")), "rr pack failed: "));
    json_decref(json);
    trial_end(&trial);
}

/* More were counted than there is room for. */
static void faults_and_writes_are_cut_and_counted(void **state) {
    struct trial trial;
    (void)state;
    trial_begin_debugged(&trial);
    debug_report.fault_count = 5000;
    debug_report.write_count = 5000;
    json_t *json = line_of(&trial);
    assert_number(json, "faults.count", 5000);
    assert_int_equal(json_array_size(at(json, "faults.first")), ITRP_DEBUG_FAULTS_MAX);
    assert_number(json, "writes.count", 5000);
    assert_int_equal(json_array_size(at(json, "writes.first")), ITRP_DEBUG_WRITES_MAX);
    json_decref(json);
    trial_end_debugged(&trial);
}

/* ---- without memory ---- */

/* Refuses the one allocation with this number. */
static long until_refusal;

static void *failing_malloc(size_t bytes) {
    return until_refusal-- != 0 ? malloc(bytes) : NULL;
}

/* A line that lacks a shot could be counted, but never be replayed. */
static void without_memory_there_is_no_record_or_all_of_it(void **state) {
    struct trial trial;
    unsigned refused = 0;
    bool reached = true;
    (void)state;
    trial_begin_debugged(&trial);
    hear(&trial);
    trial.seen.ledger.exception_count = 20;
    trial.seen.ledger.scheduling = ITR_SCHEDULING_REFUSED;
    for (int i = 0; i < ITR_EXCEPTIONS_MAX; i++) {
        trial.seen.ledger.exceptions[i] =
            (struct itr_exception){.time_ns = BEGIN_NS, .code = 0xC0000005};
    }
    trial.seen.ledger.last_exception = trial.seen.ledger.exceptions[0];
    trial.seen.ledger.shots[0].event_thread = 7;
    trial.seen.ledger.shots[0].released_ns = BEGIN_NS + 9 * MS;
    trial.seen.ledger.shots[0].send_error = 1;
    trial.seen.output_cut_off = trial.seen.event_pending = true;
    trial.record.evidence = "failures/1";
    snprintf(trial.result.detail, sizeof trial.result.detail, "a detail");
    itr_capture_feed(&trial.output, "hello\n", 6);
    itr_capture_feed(&trial.error_output, "fatal error: x\n", 15);
    json_t *whole = line_of(&trial);
    for (long number = 0; reached; number++) {
        until_refusal = number;
        json_set_alloc_funcs(failing_malloc, free);
        json_t *json = itr_record_to_json(&trial.record);
        json_set_alloc_funcs(malloc, free);
        reached = until_refusal < 0;
        if (json != NULL && !json_equal(json, whole)) {
            fail_msg("allocation %ld was refused and something is missing", number);
        }
        refused += json == NULL ? 1 : 0;
        json_decref(json);
    }
    assert_true(refused > 100);
    json_decref(whole);
    trial_end_debugged(&trial);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_counting_needs_comes_back),
        cmocka_unit_test(what_a_replay_needs_comes_back),
        cmocka_unit_test(the_place_of_a_shot_is_the_same_when_it_is_read_again),
        cmocka_unit_test(a_line_says_what_happened),
        cmocka_unit_test(a_shot_that_was_heard_says_how),
        cmocka_unit_test(exits_are_codes_or_signals),
        cmocka_unit_test(a_kept_host_has_no_exit),
        cmocka_unit_test(exceptions_are_recorded_with_addresses_as_strings),
        cmocka_unit_test(streams_are_recorded_by_size_hash_and_shape),
        cmocka_unit_test(each_shot_has_its_own_handler_entry),
        cmocka_unit_test(what_says_nothing_is_left_out),
        cmocka_unit_test(garbage_is_recorded_with_its_period),
        cmocka_unit_test(scheduling_is_told_where_it_is_not_the_systems_own),
        cmocka_unit_test(a_damaged_ledger_is_not_recorded),
        cmocka_unit_test(hostile_bytes_give_valid_json),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(a_plan_that_cannot_be_read_is_refused),
        cmocka_unit_test(an_exact_point_says_how_it_was_reached),
        cmocka_unit_test(a_gate_says_how_it_was_reached),
        cmocka_unit_test(faults_and_writes_have_a_place_and_a_thread),
        cmocka_unit_test(a_point_that_was_not_reached_has_no_times),
        cmocka_unit_test(a_recorded_trial_says_what_became_of_its_trace),
        cmocka_unit_test(faults_and_writes_are_cut_and_counted),
        cmocka_unit_test(without_memory_there_is_no_record_or_all_of_it),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
