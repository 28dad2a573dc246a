/* Unit tests of cell.c: every field goes to JSON and comes back, damaged JSON is refused, 64-bit values have one
 * spelling, titles are for people. */
#include "framework/cell.h"
#include "framework/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A string of any length that fits, with what JSON has to escape. */
static void fill_text(struct itr_random *random, char *text, size_t room) {
    static const char *const parts[] = {"a", "Z9", "\"", "\\", "\n", "\t", "\x01",
                                        "/", "é",  "日", "😀",  " ",  "=",  "%s"};
    size_t wanted = (size_t)itr_random_below(random, room);
    text[0] = '\0';
    for (;;) {
        const char *part = parts[itr_random_below(random, sizeof parts / sizeof parts[0])];
        if (strlen(text) + strlen(part) > wanted) {
            return;
        }
        strcat(text, part);
    }
}

static void fill_environment(struct itr_random *random, struct itr_cell *cell) {
    size_t used = 0;
    for (uint64_t lines = itr_random_below(random, 4); lines > 0; lines--) {
        char value[100];
        fill_text(random, value, sizeof value);
        for (char *at = value; *at != '\0'; at++) {
            *at = *at == '\n' ? ',' : *at;
        }
        used += (size_t)snprintf(cell->environment + used, sizeof cell->environment - used,
                                 "%sK%d=%s", used > 0 ? "\n" : "", (int)lines, value);
    }
}

static void fill_axes(struct itr_random *random, struct itr_cell *cell) {
    size_t used = 0;
    for (uint64_t axes = itr_random_below(random, ITR_AXES_MAX + 1); axes > 0; axes--) {
        char value[ITR_AXIS_VALUE_NAME_MAX];
        fill_text(random, value, sizeof value);
        for (char *at = value; *at != '\0'; at++) {
            *at = *at == '\n' ? ',' : *at;
        }
        used += (size_t)snprintf(cell->axes + used, sizeof cell->axes - used, "%saxis-%d=%s", used > 0 ? "\n" : "", (int)axes, value);
    }
}

static uint64_t number(struct itr_random *random) {
    return itr_random_next(random) >> itr_random_between(random, 1, 63);
}

static void fill_cell(struct itr_random *random, struct itr_cell *cell) {
    memset(cell, 0, sizeof *cell);
    fill_text(random, cell->case_name, sizeof cell->case_name);
    fill_text(random, cell->control, sizeof cell->control);
    fill_text(random, cell->go, sizeof cell->go);
    fill_text(random, cell->system, sizeof cell->system);
    fill_text(random, cell->at, sizeof cell->at);
    cell->debugged = itr_random_below(random, 2) != 0;
    fill_text(random, cell->arm, sizeof cell->arm);
    fill_text(random, cell->go_label, sizeof cell->go_label);
    snprintf(cell->record, sizeof cell->record, "%s", itr_random_below(random, 2) != 0 ? "rr" : "");
    fill_environment(random, cell);
    fill_axes(random, cell);
    fill_text(random, cell->host, sizeof cell->host);
    fill_text(random, cell->library, sizeof cell->library);
    fill_text(random, cell->function, sizeof cell->function);
    fill_text(random, cell->library_hash, sizeof cell->library_hash);
    cell->aim.event = (enum itr_event)itr_random_below(random, ITR_EVENT_COUNT);
    cell->aim.delivery = (enum itr_delivery)itr_random_below(random, ITR_DELIVERY_COUNT);
    cell->aim.target = (enum itr_target)itr_random_below(random, ITR_TARGET_COUNT);
    cell->aim.point.kind = (enum itr_point_kind)itr_random_below(random, ITR_POINT_SWEEP + 1);
    cell->aim.point.phase = (enum itr_phase)itr_random_below(random, ITR_PHASE_COUNT);
    cell->aim.point.offset_ns = number(random);
    cell->aim.point.call = (enum itr_call)itr_random_below(random, ITR_CALL_COUNT);
    cell->aim.point.nth = (uint32_t)itr_random_next(random);
    fill_text(random, cell->aim.point.symbol, sizeof cell->aim.point.symbol);
    cell->aim.point.offset = number(random);
    cell->aim.point.role = (enum itr_role)itr_random_below(random, ITR_ROLE_COUNT);
    cell->aim.point.sweep = (enum itr_sweep_kind)itr_random_below(random, ITR_SWEEP_INSTRUCTIONS + 1);
    cell->chaos = itr_random_below(random, 2) != 0;
    cell->aim.gate = itr_random_below(random, 2) != 0;
    fill_text(random, cell->skip, sizeof cell->skip);
    cell->aim.hold_ns = number(random);
    cell->aim.window_from_ns = number(random);
    cell->aim.window_to_ns = number(random);
    cell->handles = (enum itr_event)itr_random_below(random, ITR_EVENT_COUNT);
    cell->host_flags = (uint32_t)itr_random_next(random);
    cell->handler_flags = (uint32_t)itr_random_next(random);
    cell->expect = (enum itr_outcome)itr_random_below(random, ITR_OUTCOME_COUNT);
    cell->known_count = (size_t)itr_random_below(random, ITR_CELL_KNOWN_MAX + 1);
    for (size_t i = 0; i < cell->known_count; i++) {
        struct itr_cell_known *known = &cell->known[i];
        known->outcome = (enum itr_outcome)itr_random_below(random, ITR_OUTCOME_COUNT);
        fill_text(random, known->signature, sizeof known->signature);
        known->rate_min = itr_random_unit(random);
        known->rate_max = 1;
        fill_text(random, known->thread, sizeof known->thread);
    }
    cell->deadline_ns = number(random);
    cell->quiet_ns = number(random);
    cell->first_trial = number(random);
    cell->count = number(random);
    cell->init_p50_ns = number(random);
    cell->init_p95_ns = number(random);
}

static void assert_same_aim(const struct itr_aim *a, const struct itr_aim *b) {
    assert_int_equal(a->event, b->event);
    assert_int_equal(a->delivery, b->delivery);
    assert_int_equal(a->target, b->target);
    assert_int_equal(a->point.kind, b->point.kind);
    assert_int_equal(a->point.phase, b->point.phase);
    assert_true(a->point.offset_ns == b->point.offset_ns);
    assert_int_equal(a->point.call, b->point.call);
    assert_int_equal(a->point.nth, b->point.nth);
    assert_string_equal(a->point.symbol, b->point.symbol);
    assert_true(a->point.offset == b->point.offset);
    assert_int_equal(a->point.role, b->point.role);
    assert_int_equal(a->point.sweep, b->point.sweep);
    assert_int_equal(a->gate, b->gate);
    assert_true(a->hold_ns == b->hold_ns);
    assert_true(a->window_from_ns == b->window_from_ns);
    assert_true(a->window_to_ns == b->window_to_ns);
}

static void assert_same_cell(const struct itr_cell *a, const struct itr_cell *b) {
    assert_string_equal(a->case_name, b->case_name);
    assert_string_equal(a->control, b->control);
    assert_string_equal(a->go, b->go);
    assert_string_equal(a->system, b->system);
    assert_int_equal(a->chaos, b->chaos);
    assert_string_equal(a->watch, b->watch);
    assert_string_equal(a->skip, b->skip);
    assert_string_equal(a->record, b->record);
    assert_string_equal(a->arm, b->arm);
    assert_string_equal(a->go_label, b->go_label);
    assert_string_equal(a->axes, b->axes);
    assert_string_equal(a->at, b->at);
    assert_int_equal(a->debugged, b->debugged);
    assert_string_equal(a->environment, b->environment);
    assert_string_equal(a->host, b->host);
    assert_string_equal(a->library, b->library);
    assert_string_equal(a->function, b->function);
    assert_string_equal(a->library_hash, b->library_hash);
    assert_same_aim(&a->aim, &b->aim);
    assert_int_equal(a->handles, b->handles);
    assert_int_equal(a->host_flags, b->host_flags);
    assert_int_equal(a->handler_flags, b->handler_flags);
    assert_int_equal(a->expect, b->expect);
    assert_int_equal(a->known_count, b->known_count);
    for (size_t i = 0; i < a->known_count; i++) {
        assert_int_equal(a->known[i].outcome, b->known[i].outcome);
        assert_string_equal(a->known[i].signature, b->known[i].signature);
        assert_true(a->known[i].rate_min == b->known[i].rate_min);
        assert_true(a->known[i].rate_max == b->known[i].rate_max);
        assert_string_equal(a->known[i].thread, b->known[i].thread);
    }
    assert_true(a->deadline_ns == b->deadline_ns);
    assert_true(a->quiet_ns == b->quiet_ns);
    assert_true(a->first_trial == b->first_trial);
    assert_true(a->count == b->count);
    assert_true(a->init_p50_ns == b->init_p50_ns);
    assert_true(a->init_p95_ns == b->init_p95_ns);
}

/* As campaign.json has it. The caller frees it. */
static char *dump(const struct itr_cell *cell) {
    json_t *json = itr_cell_to_json(cell);
    assert_non_null(json);
    char *text = json_dumps(json, JSON_INDENT(1));
    assert_non_null(text);
    json_decref(json);
    return text;
}

static void every_field_comes_back(void **state) {
    struct itr_random random = itr_random_seed(11);
    (void)state;
    for (int i = 0; i < 500; i++) {
        struct itr_cell cell;
        struct itr_cell back;
        struct itr_error err = {0};
        fill_cell(&random, &cell);
        char *text = dump(&cell);
        json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        memset(&back, 0xa5, sizeof back);
        if (itr_cell_from_json(json, &back, &err) != ITR_OK) {
            fail_msg("%s: %s", err.text, text);
        }
        assert_same_cell(&cell, &back);
        json_decref(json);
        free(text);
    }
}

static void an_empty_cell_comes_back(void **state) {
    struct itr_cell cell;
    struct itr_cell back;
    (void)state;
    memset(&cell, 0, sizeof cell);
    json_t *json = itr_cell_to_json(&cell);
    assert_non_null(json);
    assert_true(json_is_null(json_object_get(json, "control"))); /* as summary.json promises */
    assert_true(json_is_null(json_object_get(json, "go")));
    assert_int_equal(itr_cell_from_json(json, &back, NULL), ITR_OK);
    assert_same_cell(&cell, &back);
    json_decref(json);
}

static void assert_refused(const json_t *json, const char *what) {
    struct itr_cell back;
    struct itr_error err = {0};
    memset(&back, 0xa5, sizeof back);
    if (itr_cell_from_json(json, &back, &err) != ITR_E_FORMAT || err.status != ITR_E_FORMAT) {
        char *text = json_dumps(json, JSON_COMPACT);
        fail_msg("%s was taken: %s", what, text != NULL ? text : "");
    }
}

/* Each key of `object`, which is a part of `root`, once left out, once of a wrong type, once out of bounds. */
static void damage_each_key(const json_t *root, json_t *object) {
    static const char *const wrongs[] = {"[]",   "{}",   "true", "-1", "1.5", "\"no such word\"",
                                         "null", "1e300"};
    json_t *keys = json_array();
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value) {
        json_array_append_new(keys, json_string(key));
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        key = json_string_value(json_array_get(keys, i));
        value = json_deep_copy(json_object_get(object, key));
        json_object_del(object, key);
        if (strcmp(key, "record") != 0 && strcmp(key, "arm") != 0 && strcmp(key, "go_label") != 0 &&
            strcmp(key, "axes") != 0) { /* earlier versions had none */
            assert_refused(root, key);
        }
        for (size_t w = 0; w < sizeof wrongs / sizeof wrongs[0]; w++) {
            json_t *wrong = json_loads(wrongs[w], JSON_DECODE_ANY, NULL);
            assert_non_null(wrong);
            bool text = json_is_string(value) || json_is_null(value);
            bool same = json_typeof(wrong) == json_typeof(value) ||
                        (json_is_true(wrong) && json_is_boolean(value));
            bool may_be = same || (text && (json_is_string(wrong) || json_is_null(wrong))) ||
                          (json_is_real(value) && json_is_true(wrong));
            json_object_set_new(object, key, wrong);
            if (!may_be) {
                assert_refused(root, key);
            }
        }
        json_object_set_new(object, key, value);
    }
    json_decref(keys);
}

static void damaged_cells_are_refused(void **state) {
    struct itr_random random = itr_random_seed(12);
    struct itr_cell cell;
    struct itr_cell back;
    (void)state;
    do {
        fill_cell(&random, &cell);
    } while (cell.known_count == 0);
    json_t *json = itr_cell_to_json(&cell);
    damage_each_key(json, json);
    damage_each_key(json, json_object_get(json, "point"));
    damage_each_key(json, json_array_get(json_object_get(json, "known"), 0));
    assert_int_equal(itr_cell_from_json(json, &back, NULL), ITR_OK); /* all was put back */
    assert_same_cell(&cell, &back);
    json_decref(json);
}

static void words_and_numbers_outside_their_sets_are_refused(void **state) {
    static const struct {
        const char *object; /* NULL: the cell itself */
        const char *key;
        const char *value;
    } rows[] = {
        {NULL, "event", "\"SIGKILL\""},   {NULL, "handles", "\"\""},
        {NULL, "delivery", "\"pigeon\""}, {NULL, "target", "\"nobody\""},
        {NULL, "expect", "\"ok\""},       {NULL, "host_flags", "4294967296"},
        {NULL, "handler_flags", "-1"},    {NULL, "deadline_ns", "-1"},
        {NULL, "count", "1.0"},           {"point", "kind", "\"sometime\""},
        {"point", "phase", "\"end\""},    {"point", "call", "\"fork\""},
        {"point", "nth", "4294967296"},   {"point", "offset_ns", "-5"},
        {"point", "hold_ns", "\"5\""},   {"point", "sweep", "\"lines\""},
        {"point", "thread", "\"other\""}, {NULL, "chaos", "1"},
        {NULL, "watch", "\"runtime.x\""}, {NULL, "gate", "1"},
    };
    struct itr_random random = itr_random_seed(13);
    struct itr_cell cell;
    (void)state;
    fill_cell(&random, &cell);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *json = itr_cell_to_json(&cell);
        json_t *object = rows[i].object != NULL ? json_object_get(json, rows[i].object) : json;
        json_object_set_new(object, rows[i].key, json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
        assert_refused(json, rows[i].key);
        json_decref(json);
    }
}

static void rates_outside_0_and_1_are_refused(void **state) {
    static const char *const wrong[] = {"-0.1", "1.1", "95", "null", "\"1\""};
    struct itr_cell cell;
    (void)state;
    memset(&cell, 0, sizeof cell);
    cell.known_count = 1;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *json = itr_cell_to_json(&cell);
        json_object_set_new(json_array_get(json_object_get(json, "known"), 0), "rate_max",
                            json_loads(wrong[i], JSON_DECODE_ANY, NULL));
        assert_refused(json, wrong[i]);
        json_decref(json);
    }
}

static void too_long_texts_and_lists_are_refused(void **state) {
    char text[4 * ITR_ENVIRONMENT_MAX];
    struct itr_cell cell;
    (void)state;
    memset(&cell, 0, sizeof cell);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    json_t *json = itr_cell_to_json(&cell);
    json_object_set_new(json, "case", json_string(text));
    assert_refused(json, "a long name");
    text[sizeof cell.case_name] = '\0'; /* one byte too many, then one less */
    json_object_set_new(json, "case", json_string(text));
    assert_refused(json, "a name that is one byte too long");
    text[sizeof cell.case_name - 1] = '\0';
    json_object_set_new(json, "case", json_string(text));
    assert_int_equal(itr_cell_from_json(json, &cell, NULL), ITR_OK);
    assert_string_equal(cell.case_name, text);
    json_decref(json);
    cell.known_count = ITR_CELL_KNOWN_MAX;
    json = itr_cell_to_json(&cell);
    json_t *list = json_object_get(json, "known");
    json_array_append(list, json_array_get(list, 0));
    assert_refused(json, "one known failure too many");
    json_decref(json);
}

static void axes_are_an_object_of_strings(void **state) {
    static const char *const wrong[] = {"[]", "\"handler=after\"", "null", "{\"handler\": 1}", "{\"\": \"x\"}", "{\"a=b\": \"x\"}",
                                        "{\"a\\nb\": \"x\"}", "{\"a\": \"x\\ny\"}"};
    char text[ITR_COMBINATION_TEXT_MAX + 1];
    struct itr_cell cell;
    (void)state;
    memset(&cell, 0, sizeof cell);
    snprintf(cell.axes, sizeof cell.axes, "handler=after\nevent=SIGURG");
    json_t *json = itr_cell_to_json(&cell);
    json_t *axes = json_object_get(json, "axes");
    assert_int_equal(json_object_size(axes), 2);
    assert_string_equal(json_string_value(json_object_get(axes, "handler")), "after");
    assert_string_equal(json_string_value(json_object_get(axes, "event")), "SIGURG");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_object_set_new(json, "axes", json_loads(wrong[i], JSON_DECODE_ANY, NULL));
        assert_refused(json, wrong[i]);
    }
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    json_object_set_new(json, "axes", json_pack("{s:s}", "a", text));
    assert_refused(json, "a long value");
    json_object_del(json, "axes"); /* as versions before wrote it */
    assert_int_equal(itr_cell_from_json(json, &cell, NULL), ITR_OK);
    assert_string_equal(cell.axes, "");
    json_decref(json);
}

static void cells_of_other_combinations_are_others(void **state) {
    struct itr_cell a;
    struct itr_cell b;
    (void)state;
    memset(&a, 0, sizeof a);
    snprintf(a.axes, sizeof a.axes, "handler=after");
    b = a;
    b.count = 7; /* of no account */
    assert_true(itr_cell_is_same(&a, &b));
    snprintf(b.axes, sizeof b.axes, "handler=none");
    assert_false(itr_cell_is_same(&a, &b));
}

static void environment_is_a_list_of_strings(void **state) {
    static const char *const wrong[] = {"[1]", "[null]", "[\"A=1\", []]"};
    struct itr_cell cell;
    (void)state;
    memset(&cell, 0, sizeof cell);
    snprintf(cell.environment, sizeof cell.environment, "A=1\nB=2=3");
    json_t *json = itr_cell_to_json(&cell);
    const json_t *list = json_object_get(json, "env");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 1)), "B=2=3");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_object_set_new(json, "env", json_loads(wrong[i], 0, NULL));
        assert_refused(json, wrong[i]);
    }
    json_decref(json);
}

static void what_is_no_object_is_refused(void **state) {
    json_t *list = json_array();
    (void)state;
    assert_refused(NULL, "nothing");
    assert_refused(json_null(), "null");
    assert_refused(list, "a list");
    json_decref(list);
}

/* Bytes changed by chance: whatever still is JSON is taken or refused, and harms nobody. */
static void random_damage_harms_nobody(void **state) {
    struct itr_random random = itr_random_seed(14);
    unsigned parsed = 0;
    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct itr_cell cell;
        struct itr_cell back;
        fill_cell(&random, &cell);
        char *text = dump(&cell);
        size_t length = strlen(text);
        for (uint64_t n = itr_random_between(&random, 1, 3); n > 0; n--) {
            text[itr_random_below(&random, length)] = (char)itr_random_between(&random, 32, 126);
        }
        json_t *json = json_loads(text, 0, NULL);
        if (json != NULL) {
            parsed++;
            if (itr_cell_from_json(json, &back, NULL) == ITR_OK) {
                assert_in_range(back.known_count, 0, ITR_CELL_KNOWN_MAX);
                assert_non_null(memchr(back.case_name, '\0', sizeof back.case_name));
            }
        }
        json_decref(json);
        free(text);
    }
    assert_true(parsed > 100);
}

static void numbers_of_64_bits_are_hexadecimal_strings(void **state) {
    static const uint64_t good[] = {0, 1, 0x1a2b, UINT64_MAX, UINT64_C(1) << 63};
    static const char *const wrong[] = {"\"1\"",    "\"0x\"",   "\"0x1g\"",
                                        "\"0x-1\"", "\"0x 1\"", "\"0X1\"",
                                        "\"0x1 \"", "\"0x1.\"", "\"0x10000000000000000\"",
                                        "1",        "null"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t back = 7;
        json_t *json = itr_json_hex(good[i]);
        assert_true(json_is_string(json));
        assert_true(itr_json_from_hex(json, &back));
        assert_true(back == good[i]);
        json_decref(json);
    }
    json_t *json = itr_json_hex(0x1a2b);
    assert_string_equal(json_string_value(json), "0x1a2b");
    json_decref(json);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint64_t back = 7;
        json = json_loads(wrong[i], JSON_DECODE_ANY, NULL);
        assert_non_null(json);
        if (itr_json_from_hex(json, &back)) {
            fail_msg("%s was taken", wrong[i]);
        }
        json_decref(json);
    }
    assert_false(itr_json_from_hex(NULL, &(uint64_t){0}));
}

static void titles_are_for_people(void **state) {
    struct itr_cell cell;
    char title[ITR_TITLE_MAX];
    char tiny[10];
    (void)state;
    memset(&cell, 0, sizeof cell);
    snprintf(cell.case_name, sizeof cell.case_name, "sigurg-during-init");
    snprintf(cell.at, sizeof cell.at, "pthread_create#3");
    snprintf(cell.go, sizeof cell.go, "go1.19.8");
    snprintf(cell.system, sizeof cell.system, "linux");
    cell.aim.event = ITR_EVENT_SIGURG;
    itr_cell_title(&cell, title, sizeof title);
    assert_string_equal(title, "sigurg-during-init at pthread_create#3, go1.19.8, linux");
    snprintf(cell.go, sizeof cell.go, "go1.19.8-0123456789abcdef");
    snprintf(cell.go_label, sizeof cell.go_label, "patched/go");
    itr_cell_title(&cell, title, sizeof title);
    assert_string_equal(title, "sigurg-during-init at pthread_create#3, go1.19.8 patched/go, linux");
    snprintf(cell.arm, sizeof cell.arm, "needm-waits");
    itr_cell_title(&cell, title, sizeof title);
    assert_string_equal(title, "sigurg-during-init at pthread_create#3, go1.19.8 needm-waits, linux");
    cell.arm[0] = cell.go_label[0] = '\0'; /* an earlier version's */
    itr_cell_title(&cell, title, sizeof title);
    assert_string_equal(title, "sigurg-during-init at pthread_create#3, go1.19.8-0123456789abcdef, linux");
    snprintf(cell.go, sizeof cell.go, "go1.19.8");
    snprintf(cell.axes, sizeof cell.axes, "handler=after\nway=kill");
    itr_cell_title(&cell, title, sizeof title);
    assert_string_equal(title, "sigurg-during-init handler=after way=kill at pthread_create#3, go1.19.8, linux");
    itr_cell_place(&cell, title, sizeof title);
    assert_string_equal(title, "pthread_create#3 handler=after way=kill");
    snprintf(cell.control, sizeof cell.control, "late");
    itr_cell_name(&cell, title, sizeof title);
    assert_string_equal(title, "sigurg-during-init handler=after way=kill / late");
    cell.axes[0] = cell.control[0] = '\0';
    snprintf(cell.control, sizeof cell.control, "no-event");
    cell.aim.event = ITR_EVENT_NONE;
    cell.go[0] = '\0';
    cell.debugged = true;
    itr_cell_title(&cell, title, sizeof title);
    assert_string_equal(title, "sigurg-during-init control no-event at no point, linux, debugged");
    cell.debugged = false;
    cell.aim.gate = true;
    itr_cell_title(&cell, title, sizeof title);
    assert_string_equal(title, "sigurg-during-init control no-event at no point, linux, gate");
    cell.aim.gate = false;
    snprintf(cell.record, sizeof cell.record, "rr");
    itr_cell_title(&cell, title, sizeof title);
    assert_string_equal(title, "sigurg-during-init control no-event at no point, linux, recorded");
    itr_cell_title(&cell, tiny, sizeof tiny);
    assert_string_equal(tiny, "sigurg-du");
}

/* Refuses the one allocation with this number. */
static long until_refusal;

static void *failing_malloc(size_t bytes) {
    return until_refusal-- != 0 ? malloc(bytes) : NULL;
}

static void without_memory_there_is_no_json_or_all_of_it(void **state) {
    struct itr_random random = itr_random_seed(15);
    struct itr_cell cell;
    unsigned refused = 0;
    (void)state;
    do {
        fill_cell(&random, &cell);
    } while (cell.known_count < 2 || strchr(cell.environment, '\n') == NULL);
    for (long number_of_refused = 0;; number_of_refused++) {
        until_refusal = number_of_refused;
        json_set_alloc_funcs(failing_malloc, free);
        json_t *json = itr_cell_to_json(&cell);
        json_set_alloc_funcs(malloc, free);
        bool reached = until_refusal < 0;
        if (json != NULL) {
            struct itr_cell back;
            assert_int_equal(itr_cell_from_json(json, &back, NULL), ITR_OK);
            assert_same_cell(&cell, &back);
            json_decref(json);
        }
        refused += json == NULL ? 1 : 0;
        if (!reached) {
            break;
        }
    }
    assert_true(refused > 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(an_empty_cell_comes_back),
        cmocka_unit_test(damaged_cells_are_refused),
        cmocka_unit_test(words_and_numbers_outside_their_sets_are_refused),
        cmocka_unit_test(rates_outside_0_and_1_are_refused),
        cmocka_unit_test(too_long_texts_and_lists_are_refused),
        cmocka_unit_test(axes_are_an_object_of_strings),
        cmocka_unit_test(cells_of_other_combinations_are_others),
        cmocka_unit_test(environment_is_a_list_of_strings),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(random_damage_harms_nobody),
        cmocka_unit_test(numbers_of_64_bits_are_hexadecimal_strings),
        cmocka_unit_test(titles_are_for_people),
        cmocka_unit_test(without_memory_there_is_no_json_or_all_of_it),
    };
    return cmocka_run_group_tests_name("cell", tests, NULL, NULL);
}
