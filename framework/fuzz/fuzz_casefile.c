/* Fuzzes the reader of case files: what it takes is whole and consistent, what it refuses comes with a sentence that
 * names the file. Input: the text of a case.json. */
#include "framework/fuzz/fuzz.h"

#include "framework/casefile.h"
#include "framework/combination.h"
#include "framework/match.h"
#include "framework/point.h"

/* Where a name of the case's own, or a fire point, may stand. */
static void check_at(const struct itr_case *c, const char *at) {
    struct itr_point point;
    FUZZ_CHECK(at != NULL);
    FUZZ_CHECK(itr_case_point_named(c, at) != NULL || itr_point_parse(at, &point, NULL) == ITR_OK);
}

static void check_strings(const struct itr_strings *strings) {
    FUZZ_CHECK(strings->count <= ITR_CASE_STRINGS_MAX);
    for (size_t i = 0; i < strings->count; i++) {
        FUZZ_CHECK(strings->items[i] != NULL);
    }
}

static void check_variant(const struct itr_case *c, const struct itr_variant *v) {
    FUZZ_CHECK(v->host != NULL && v->host[0] != '\0');
    FUZZ_CHECK(v->event >= 0 && v->event < ITR_EVENT_COUNT && v->expect < ITR_OUTCOME_COUNT);
    check_at(c, v->at);
    check_strings(&v->environment);
    for (size_t i = 0; i < v->environment.count; i++) {
        FUZZ_CHECK(strchr(v->environment.items[i], '=') != NULL);
    }
}

/* There is a base for each system, no combination comes that the case leaves out, and each is a whole variant. */
static void check_combinations(const struct itr_case *c, const char *family) {
    struct itr_axes_choice choice = {.form = ITR_AXES_QUICK};
    struct itr_combinations list = {0};
    FUZZ_CHECK(itr_combinations(c, &choice, family, &list, NULL) == ITR_OK);
    FUZZ_CHECK(list.count > 0 && list.count <= ITR_COMBINATIONS_MAX);
    for (size_t i = 0; i < list.count; i++) {
        struct itr_combined combined;
        char name[ITR_COMBINATION_TEXT_MAX];
        for (size_t k = 0; k < c->exclude_count; k++) {
            FUZZ_CHECK(!itr_where_holds(&c->excludes[k], &list.items[i]));
        }
        itr_combine(c, &list.items[i], c->control_count > 0 ? &c->controls[0] : NULL, &combined);
        check_at(c, combined.variant.at);
        FUZZ_CHECK(combined.variant.host != NULL && combined.variant.expect < ITR_OUTCOME_COUNT);
        FUZZ_CHECK(combined.variant.environment.count <= ITR_COMBINED_ENVIRONMENT_MAX);
        itr_combination_name(c, &list.items[i], ' ', name);
        FUZZ_CHECK(strlen(name) + 1 < sizeof name && strchr(name, '\n') == NULL);
    }
    free(list.items);
}

static void check_case(const struct itr_case *c) {
    FUZZ_CHECK(strcmp(c->name, "planted") == 0 && strcmp(c->folder, "cases/planted") == 0);
    FUZZ_CHECK(c->summary != NULL && (c->on_linux || c->on_windows));
    check_strings(&c->threads);
    check_strings(&c->labels);
    check_variant(c, &c->base);
    for (size_t i = 0; i < c->control_count; i++) {
        check_variant(c, &c->controls[i]);
        FUZZ_CHECK(itr_case_control(c, c->controls[i].name) == &c->controls[i]);
    }
    for (size_t i = 0; i < c->point_count; i++) {
        struct itr_point point;
        FUZZ_CHECK(itr_point_parse(c->points[i].at, &point, NULL) == ITR_OK);
        FUZZ_CHECK(!c->points[i].gate || (point.kind == ITR_POINT_SYMBOL && point.nth == 1));
        FUZZ_CHECK(itr_case_point_named(c, c->points[i].name) == &c->points[i]);
    }
    if (c->on_linux) {
        check_combinations(c, "linux");
    }
    if (c->on_windows) {
        check_combinations(c, "windows");
    }
    for (size_t i = 0; i < c->known_count; i++) {
        const struct itr_known *known = &c->known[i];
        FUZZ_CHECK(known->rate_min >= 0 && known->rate_min <= known->rate_max && known->rate_max <= 1);
        FUZZ_CHECK(known->outcome < ITR_OUTCOME_COUNT);
        FUZZ_CHECK(known->go == NULL || itr_go_range_is_sound(known->go));
        for (size_t j = 0; j < known->at.count; j++) {
            check_at(c, known->at.items[j]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct itr_case c;
    struct itr_error err = {0};
    enum itr_status status = itr_case_parse("cases/planted/", data, size, &c, &err);
    FUZZ_CHECK(status == err.status);
    if (status != ITR_OK) {
        FUZZ_CHECK(status == ITR_E_FORMAT);
        FUZZ_CHECK(strncmp(err.text, "cases/planted//case.json:", 25) == 0);
        return 0;
    }
    FUZZ_CHECK(strcmp(c.folder, "cases/planted/") == 0);
    c.folder[strlen(c.folder) - 1] = '\0';
    check_case(&c);
    itr_case_release(&c);
    FUZZ_CHECK(c.name == NULL && c.points == NULL);
    return 0;
}
