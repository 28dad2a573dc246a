/* Unit tests of sweep.c: which places a sweep has, how trials count at them, and that a file of it comes back as it
 * was or not at all. */
#include "framework/sweep.h"

#include "framework/tests/tiny_image.h"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t text[0x40];
static const struct tiny_symbol symbols[] = {
    {"first", 0x1000, 0x10}, {"second", 0x1010, 0x10}, {"third", 0x1020, 0x20}};
/* first, second, and back; third. 0x1020 is not run from its beginning. */
static const uint32_t steps[] = {0x1000, 0x1004, 0x1010, 0x1014, 0x1008, 0x1004, 0x1024, 0x1028};

enum { ENTRIES = 2, INSTRUCTIONS = 7 };

/* The axis of those steps, for itr_sweep_make(). */
static struct itr_axis *make_axis(const struct itr_image *image) {
    const struct itr_trace trace = {steps, sizeof steps / sizeof steps[0]};
    struct itr_axis *axis = malloc(sizeof *axis);
    assert_non_null(axis);
    assert_int_equal(itr_axis_build(axis, &trace, 1, image, NULL, NULL), ITR_OK);
    return axis;
}

static struct itr_image *make_image(void) {
    return tiny_image(text, sizeof text, symbols, sizeof symbols / sizeof symbols[0]);
}

static struct itr_sweep *make_sweep(enum itr_sweep_kind kind) {
    struct itr_image *image = make_image();
    struct itr_sweep *sweep = NULL;
    assert_int_equal(itr_sweep_make(&sweep, make_axis(image), kind, NULL), ITR_OK);
    itr_image_close(image);
    return sweep;
}

/* ---- places ---- */

static void functions_are_swept_at_their_entries(void **state) {
    struct itr_sweep *sweep = make_sweep(ITR_SWEEP_FUNCTIONS);
    (void)state;
    assert_int_equal(sweep->count, ENTRIES);
    assert_int_equal(sweep->rvas[0], 0x1000);
    assert_int_equal(sweep->rvas[1], 0x1010);
    assert_int_equal(sweep->places[0].position, 0);
    assert_int_equal(sweep->places[1].position, 2);
    itr_sweep_free(sweep);
}

static void instructions_are_swept_in_the_order_of_the_axis(void **state) {
    static const uint32_t order[INSTRUCTIONS] = {0x1000, 0x1004, 0x1010, 0x1014, 0x1008, 0x1024, 0x1028};
    struct itr_sweep *sweep = make_sweep(ITR_SWEEP_INSTRUCTIONS);
    (void)state;
    assert_int_equal(sweep->count, INSTRUCTIONS);
    for (uint32_t i = 0; i < INSTRUCTIONS; i++) {
        assert_int_equal(sweep->places[i].position, i);
        assert_int_equal(sweep->rvas[i], order[i]);
    }
    itr_sweep_free(sweep);
}

static void an_axis_without_functions_cannot_be_swept_by_functions(void **state) {
    struct itr_sweep *sweep = NULL;
    struct itr_error err = {0};
    (void)state;
    assert_int_equal(itr_sweep_make(&sweep, make_axis(NULL), ITR_SWEEP_FUNCTIONS, &err), ITR_E_NOT_FOUND);
    assert_null(sweep);
    assert_int_equal(itr_sweep_make(&sweep, make_axis(NULL), ITR_SWEEP_INSTRUCTIONS, &err), ITR_OK);
    itr_sweep_free(sweep);
    itr_sweep_free(NULL);
}

static void some_places_are_in_the_order_they_are_asked_for(void **state) {
    static const uint32_t positions[] = {6, 1, 6};
    struct itr_sweep *all = make_sweep(ITR_SWEEP_FUNCTIONS);
    struct itr_sweep *some = NULL;
    (void)state;
    assert_int_equal(itr_sweep_some(&some, all, positions, 3, NULL), ITR_OK);
    assert_int_equal(some->count, 3);
    assert_int_equal(some->rvas[0], 0x1028);
    assert_int_equal(some->rvas[1], 0x1004);
    assert_int_equal(some->places[2].position, 6);
    assert_ptr_equal(some->axis, all->axis);
    itr_sweep_free(some); /* the axis stays */
    assert_int_equal(all->axis->count, INSTRUCTIONS);
    itr_sweep_free(all);
}

/* ---- counts ---- */

static void trials_count_where_they_were_fired(void **state) {
    struct itr_sweep *sweep = make_sweep(ITR_SWEEP_INSTRUCTIONS);
    (void)state;
    itr_sweep_count(sweep, 3, ITR_OUTCOME_DELIVERED, ITR_OUTCOME_DELIVERED, "");
    itr_sweep_count(sweep, 3, ITR_OUTCOME_LOST, ITR_OUTCOME_DELIVERED, "lost SIGURG");
    itr_sweep_count(sweep, 3, ITR_OUTCOME_LOST, ITR_OUTCOME_DELIVERED, "lost SIGURG");
    itr_sweep_count(sweep, 4, ITR_OUTCOME_HANG, ITR_OUTCOME_DELIVERED, "hang SIGURG");
    itr_sweep_count(sweep, 3, ITR_OUTCOME_NOT_FIRED, ITR_OUTCOME_DELIVERED, "not-fired");
    itr_sweep_count(sweep, 3, ITR_OUTCOME_TOOL_ERROR, ITR_OUTCOME_DELIVERED, "tool-error");
    itr_sweep_count(sweep, INSTRUCTIONS, ITR_OUTCOME_LOST, ITR_OUTCOME_DELIVERED, "lost SIGURG"); /* no such place */
    assert_int_equal(sweep->signature_count, 3);
    assert_string_equal(sweep->signatures[1], "lost SIGURG");
    assert_string_equal(sweep->signatures[2], "hang SIGURG");
    assert_int_equal(sweep->places[3].trials, 3);
    assert_int_equal(sweep->places[3].missed, 2);
    assert_int_equal(sweep->places[3].counts[0], 1);
    assert_int_equal(sweep->places[3].counts[1], 2);
    assert_int_equal(sweep->places[4].counts[2], 1);
    assert_int_equal(sweep->places[5].trials + sweep->places[5].missed, 0);
    itr_sweep_free(sweep);
}

/* A case may expect that its event is lost, and one without an event that none is fired. */
static void what_is_expected_is_no_failure(void **state) {
    struct itr_sweep *sweep = make_sweep(ITR_SWEEP_INSTRUCTIONS);
    (void)state;
    itr_sweep_count(sweep, 0, ITR_OUTCOME_LOST, ITR_OUTCOME_LOST, "lost SIGURG");
    itr_sweep_count(sweep, 0, ITR_OUTCOME_DELIVERED, ITR_OUTCOME_LOST, "");
    itr_sweep_count(sweep, 1, ITR_OUTCOME_NOT_FIRED, ITR_OUTCOME_NOT_FIRED, "not-fired");
    assert_int_equal(sweep->places[0].counts[0], 1);
    assert_int_equal(sweep->places[0].counts[1], 1);
    assert_int_equal(sweep->places[1].counts[0], 1);
    assert_int_equal(sweep->places[1].missed, 0);
    itr_sweep_free(sweep);
}

static void signatures_beyond_the_room_are_one(void **state) {
    enum { KINDS = 40 };
    struct itr_sweep *sweep = make_sweep(ITR_SWEEP_INSTRUCTIONS);
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        char signature[32];
        snprintf(signature, sizeof signature, "crash %d", i);
        itr_sweep_count(sweep, 0, ITR_OUTCOME_CRASH, ITR_OUTCOME_DELIVERED, signature);
    }
    assert_int_equal(sweep->signature_count, ITR_SWEEP_SIGNATURES_MAX);
    assert_int_equal(sweep->places[0].trials, KINDS);
    assert_int_equal(sweep->places[0].counts[1], 1);
    assert_int_equal(sweep->places[0].counts[ITR_SWEEP_SIGNATURES_MAX - 1], KINDS - (ITR_SWEEP_SIGNATURES_MAX - 2));
    assert_string_equal(sweep->signatures[ITR_SWEEP_SIGNATURES_MAX - 1], "(other signatures)");
    itr_sweep_free(sweep);
}

/* ---- JSON ---- */

static void assert_same(const struct itr_sweep *a, const struct itr_sweep *b) {
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->axis->count, b->axis->count);
    for (uint32_t i = 0; i < a->count; i++) {
        assert_int_equal(a->rvas[i], b->rvas[i]);
        assert_int_equal(a->places[i].position, b->places[i].position);
    }
    for (size_t i = 0; i < a->axis->count; i++) {
        assert_int_equal(a->axis->points[i].rva, b->axis->points[i].rva);
        assert_int_equal(a->axis->points[i].next, b->axis->points[i].next);
        assert_int_equal(a->axis->points[i].first, b->axis->points[i].first);
        assert_int_equal(a->axis->points[i].times, b->axis->points[i].times);
    }
}

/* As a file would have it. */
static json_t *through_text(json_t *json) {
    assert_non_null(json);
    char *dumped = json_dumps(json, JSON_COMPACT);
    assert_non_null(dumped);
    json_decref(json);
    json = json_loads(dumped, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    free(dumped);
    return json;
}

static void a_sweep_comes_back_from_its_file(void **state) {
    static const uint32_t positions[] = {5, 2};
    struct itr_sweep *sweep = make_sweep(ITR_SWEEP_FUNCTIONS);
    struct itr_sweep *some = NULL;
    struct itr_sweep *read = NULL;
    struct itr_sweep *some_read = NULL;
    struct itr_image *image = make_image();
    (void)state;
    assert_int_equal(itr_sweep_some(&some, sweep, positions, 2, NULL), ITR_OK);
    json_t *json = through_text(itr_sweep_to_json(sweep, image));
    json_t *some_json = through_text(itr_sweep_to_json(some, image));
    const json_t *point = json_array_get(json_object_get(json, "axis"), 3);
    assert_string_equal(json_string_value(json_object_get(point, "symbol")), "second");
    assert_int_equal(json_integer_value(json_object_get(point, "offset")), 4);
    assert_int_equal(json_array_size(json_object_get(some_json, "axis")), 0); /* it borrows that of the other */
    assert_int_equal(itr_sweep_from_json(&read, json, NULL, NULL), ITR_OK);
    assert_same(sweep, read);
    assert_int_equal(itr_sweep_from_json(&some_read, some_json, read, NULL), ITR_OK);
    assert_same(some, some_read);
    json_decref(json);
    json_decref(some_json);
    itr_sweep_free(some_read);
    itr_sweep_free(read);
    itr_sweep_free(some);
    itr_sweep_free(sweep);
    itr_image_close(image);
}

static void a_damaged_file_is_refused(void **state) {
    static const char *const damaged[] = {
        "[]",
        "{}",
        "{\"format\": 2, \"axis\": [{\"rva\": \"0x1\", \"first\": 0, \"times\": 1, \"next\": \"0x0\"}], \"places\": [0]}",
        "{\"format\": 1, \"axis\": [], \"places\": [0]}",
        "{\"format\": 1, \"axis\": {}, \"places\": [0]}",
        "{\"format\": 1, \"axis\": [7], \"places\": [0]}",
        "{\"format\": 1, \"axis\": [{\"rva\": 1, \"first\": 0, \"times\": 1, \"next\": \"0x0\"}], \"places\": [0]}",
        "{\"format\": 1, \"axis\": [{\"rva\": \"0x1\", \"first\": 0, \"times\": 1}], \"places\": [0]}",
        "{\"format\": 1, \"axis\": [{\"rva\": \"0x1ffffffff\", \"first\": 0, \"times\": 1, \"next\": \"0x0\"}], \"places\": [0]}",
        "{\"format\": 1, \"axis\": [{\"rva\": \"0x1\", \"first\": -1, \"times\": 1, \"next\": \"0x0\"}], \"places\": [0]}",
        "{\"format\": 1, \"axis\": [{\"rva\": \"0x1\", \"first\": 0, \"times\": 1, \"next\": \"0x0\"}], \"places\": []}",
        "{\"format\": 1, \"axis\": [{\"rva\": \"0x1\", \"first\": 0, \"times\": 1, \"next\": \"0x0\"}], \"places\": [1]}",
        "{\"format\": 1, \"axis\": [{\"rva\": \"0x1\", \"first\": 0, \"times\": 1, \"next\": \"0x0\"}], \"places\": [-1]}",
        "{\"format\": 1, \"axis\": [{\"rva\": \"0x1\", \"first\": 0, \"times\": 1, \"next\": \"0x0\"}], \"places\": [\"0\"]}",
        "{\"format\": 1, \"axis\": [{\"rva\": \"0x1\", \"first\": 0, \"times\": 1, \"next\": \"0x0\"}]}",
    };
    struct itr_sweep *like = make_sweep(ITR_SWEEP_FUNCTIONS);
    (void)state;
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct itr_sweep *sweep = NULL;
        struct itr_error err = {0};
        json_t *json = json_loads(damaged[i], 0, NULL);
        assert_non_null(json);
        if (itr_sweep_from_json(&sweep, json, NULL, &err) != ITR_E_FORMAT || sweep != NULL) {
            fail_msg("it was read: %s", damaged[i]);
        }
        json_decref(json);
    }
    /* A place beyond the axis that it borrows. */
    struct itr_sweep *sweep = NULL;
    json_t *json = json_loads("{\"format\": 1, \"axis\": [], \"places\": [7]}", 0, NULL);
    assert_int_equal(itr_sweep_from_json(&sweep, json, like, NULL), ITR_E_FORMAT);
    json_decref(json);
    json = json_loads("{\"format\": 1, \"axis\": [], \"places\": [6]}", 0, NULL);
    assert_int_equal(itr_sweep_from_json(&sweep, json, like, NULL), ITR_OK);
    json_decref(json);
    itr_sweep_free(sweep);
    itr_sweep_free(like);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_swept_at_their_entries),
        cmocka_unit_test(instructions_are_swept_in_the_order_of_the_axis),
        cmocka_unit_test(an_axis_without_functions_cannot_be_swept_by_functions),
        cmocka_unit_test(some_places_are_in_the_order_they_are_asked_for),
        cmocka_unit_test(trials_count_where_they_were_fired),
        cmocka_unit_test(what_is_expected_is_no_failure),
        cmocka_unit_test(signatures_beyond_the_room_are_one),
        cmocka_unit_test(a_sweep_comes_back_from_its_file),
        cmocka_unit_test(a_damaged_file_is_refused),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
