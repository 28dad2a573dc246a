/* Unit tests of all that reads, where memory is refused: whichever allocation it is, and whether the later ones are
 * refused too, the answer is ITR_E_NO_MEMORY and not a wrong diagnosis, and nothing is left behind.
 *
 * The linker puts the functions below before the allocator of the program (--wrap); the libraries are told of them. */
#include "framework/arm_changes.h"
#include "framework/bisect.h"
#include "framework/casefile.h"
#include "framework/classify.h"
#include "framework/compare.h"
#include "framework/folder.h"
#include "framework/golib_parts.h"
#include "framework/images.h"
#include "framework/json.h"
#include "framework/others.h"
#include "framework/overlay.h"
#include "framework/patch.h"
#include "framework/recipe.h"
#include "framework/record.h"
#include "framework/report_bisect.h"
#include "framework/report_compare.h"
#include "framework/report_matrix.h"
#include "framework/run_options.h"
#include "framework/source_text.h"
#include "framework/sweep.h"
#include "framework/tests/scratch.h"
#include "framework/verdict.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BEGIN_NS UINT64_C(1000000000)

/* ---- the allocator ---- */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void __real_free(void *block);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

static volatile bool counting; /* compilers know that no allocator looks at it */
static bool later_too; /* not the one allocation alone */
static long allocations;
static long refused_one; /* its number, -1: none */
static long refusals;
static long live; /* blocks that were taken and not given back */

static bool refuses(void) {
    bool refuse = counting && refused_one >= 0 && (later_too ? allocations >= refused_one : allocations == refused_one);
    allocations += counting ? 1 : 0;
    refusals += refuse ? 1 : 0;
    return refuse;
}

static void *taken(void *block) {
    live += counting && block != NULL ? 1 : 0;
    return block;
}

void *__wrap_malloc(size_t bytes) {
    return refuses() ? NULL : taken(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes) {
    return refuses() ? NULL : taken(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *block, size_t bytes) {
    if (refuses()) {
        return NULL;
    }
    void *moved = __real_realloc(block, bytes);
    return block == NULL ? taken(moved) : moved;
}

char *__wrap_strdup(const char *text) {
    char *copy = __wrap_malloc(strlen(text) + 1);
    return copy != NULL ? strcpy(copy, text) : NULL;
}

void __wrap_free(void *block) {
    live -= counting && block != NULL ? 1 : 0;
    __real_free(block);
}

static enum itr_status counted(enum itr_status (*read)(struct itr_error *), long refuse, struct itr_error *err) {
    *err = (struct itr_error){0};
    allocations = refusals = live = 0;
    refused_one = refuse;
    counting = true;
    enum itr_status status = read(err);
    counting = false;
    return status;
}

/* `read` gives back all that it got before it returns. */
static void refuse_each(enum itr_status (*read)(struct itr_error *), long least) {
    struct itr_error err;
    if (counted(read, -1, &err) != ITR_OK) {
        fail_msg("refused without a reason: %s", err.text);
    }
    long count = allocations;
    assert_int_equal(live, 0);
    assert_true(count >= least); /* the allocator was really asked */
    for (long i = 0; i < 2 * count; i++) {
        later_too = i >= count;
        enum itr_status status = counted(read, i % count, &err);
        assert_true(refusals > 0);
        if (status != ITR_E_NO_MEMORY || err.status != status || err.text[0] == '\0' || live != 0) {
            fail_msg("allocation %ld of %ld%s: %s, \"%s\", %ld blocks left behind", i % count, count,
                     later_too ? " and later" : "", itr_status_name(status), err.text, live);
        }
    }
}

/* ---- what is read ---- */

static char scratch[SCRATCH_PATH_MAX];
static struct itr_layout layout;

static const char full_case[] =
    "{\"format\": 1, \"summary\": \"A summary that is longer than the first room of a string.\", \"threads\": [\"u\"],"
    " \"os\": [\"linux\", \"windows\"], \"labels\": [\"a\", \"b\"], \"deadline\": \"20s\", \"host\": \"h\","
    " \"library\": \"minimal\", \"function\": \"F\", \"event\": \"SIGURG\", \"at\": \"P\","
    " \"env\": {\"GOMAXPROCS\": \"2\", \"GODEBUG\": \"a=1\"},"
    " \"points\": {\"P\": \"init-done\", \"Q\": {\"at\": \"load-returned+200us\", \"target\": \"process\"}},"
    " \"controls\": {\"same\": {}, \"none\": {\"event\": null, \"expect\": \"not-fired\", \"env\": {\"A\": \"\"}}},"
    " \"known\": [{\"go\": \">=1.20 <1.23\", \"system\": \"wine\", \"at\": [\"P\"], \"controls\": [\"same\"],"
    "              \"outcome\": \"crash\", \"signature\": \"crash AV*\", \"rate\": [0.5, 1], \"thread\": \"u\","
    "              \"note\": \"n\", \"where\": {\"way\": \"other\"}}], \"group\": \"hangs\","
    " \"axes\": {\"way\": {\"usual\": {}, \"other\": {\"function\": null, \"env\": {\"B\": \"\"}}}, \"delivery\": [\"kill\", \"tgkill\"]},"
    " \"exclude\": [{\"way\": \"other\", \"delivery\": \"kill\"}],"
    " \"expectations\": [{\"where\": {\"way\": \"other\"}, \"expect\": \"lost\", \"note\": \"n\"}]}";

static enum itr_status read_case(struct itr_error *err) {
    struct itr_case c;
    enum itr_status status = itr_case_parse("cases/planted", full_case, sizeof full_case - 1, &c, err);
    if (status == ITR_OK) {
        itr_case_release(&c);
    }
    return status;
}

static enum itr_status read_case_file(struct itr_error *err) {
    struct itr_case c;
    enum itr_status status = itr_case_read(layout.cases, &c, err);
    if (status == ITR_OK) {
        itr_case_release(&c);
    }
    return status;
}

static enum itr_status read_words(struct itr_options *options, struct itr_error *err) {
    static char words[][32] = {"initrace", "run",      "planted", "--at",   "P,Q",   "--at", "init-done", "--go",      "1.26,1.19",
                               "--controls", "--env", "A=1,2",   "--watch", "a,b:4", "--seed", "3",       "--",        "last"};
    char *argv[COUNT(words)];
    for (size_t i = 0; i < COUNT(words); i++) {
        argv[i] = words[i];
    }
    return itr_options_read(options, (int)COUNT(words), argv, err);
}

static enum itr_status read_options(struct itr_error *err) {
    struct itr_options options;
    enum itr_status status = read_words(&options, err);
    if (status == ITR_OK) {
        assert_int_equal(options.at.count, 3);
        assert_int_equal(options.words.count, 2);
        itr_options_release(&options);
    }
    return status;
}

static enum itr_status select_cells(struct itr_error *err) {
    struct itr_options options;
    struct itr_selection selection;
    struct itr_cells cells = {0};
    struct itr_case c = {0};
    enum itr_status status = read_words(&options, err);
    if (status != ITR_OK) {
        return status;
    }
    status = itr_case_read(layout.cases, &c, err);
    if (status == ITR_OK) {
        itr_run_selection(&options, &selection);
        selection.watch = (struct itr_strings){0};
        status = itr_select(&cells, &c, &selection, &layout, err);
    }
    if (status == ITR_OK) {
        assert_int_equal(cells.count, 3 * 3 * 2 + 2 * 2); /* three combinations */
    }
    free(cells.items);
    itr_case_release(&c);
    itr_options_release(&options);
    return status;
}

static enum itr_status load_folder(struct itr_error *err) {
    struct itr_summary summary;
    enum itr_status status = itr_folder_load(scratch, &summary, err);
    if (status == ITR_OK) {
        assert_int_equal(summary.count, 1);
        assert_int_equal(summary.tallies[0].trials, 3);
        assert_int_equal(summary.tallies[0].signature_count, 2);
        assert_true(summary.elapsed_s > 2);
        itr_summary_release(&summary);
    }
    return status;
}

static enum itr_status read_sweep(struct itr_error *err) {
    static const char text[] = "{\"format\": 1, \"axis\": [{\"rva\": \"0x1000\", \"first\": 0, \"times\": 1, \"next\": "
                               "\"0x1001\"}, {\"rva\": \"0x1001\", \"first\": 1, \"times\": 2, \"next\": \"0x0\"}], "
                               "\"places\": [0, 1]}";
    struct itr_sweep *sweep = NULL;
    struct itr_sweep *like = NULL;
    json_t *json = NULL;
    enum itr_status status = itr_json_parse("sweep", 1, text, sizeof text - 1, 0, &json, err);
    if (status == ITR_OK) {
        status = itr_sweep_from_json(&sweep, json, NULL, err);
    }
    if (status == ITR_OK) {
        status = itr_sweep_from_json(&like, json, sweep, err);
    }
    itr_sweep_free(like);
    itr_sweep_free(sweep);
    json_decref(json);
    return status;
}

static const char *library;

static enum itr_status open_library(struct itr_error *err) {
    struct itr_image *image = NULL;
    enum itr_status status = itr_image_open(&image, library, err);
    if (status == ITR_OK) {
        assert_true(itr_image_function_count(image) >= 3);
        itr_image_close(image);
    }
    return status;
}

static enum itr_status keep_images(struct itr_error *err) {
    struct itr_images images = {0};
    const struct itr_kept_image *kept = NULL;
    enum itr_status status = ITR_OK;
    for (int i = 0; i < 2 && status == ITR_OK; i++) {
        status = itr_images_get(&images, library, &kept, err);
    }
    if (status == ITR_OK) {
        assert_true(kept->image != NULL && images.count == 1);
    }
    itr_images_release(&images);
    return status;
}

static enum itr_status list_versions(struct itr_error *err) {
    struct itr_strings versions = {0};
    enum itr_status status = itr_layout_go_versions(&layout, &versions, err);
    if (status == ITR_OK) {
        assert_int_equal(versions.count, 2);
    }
    itr_layout_release(&versions);
    return status;
}

static enum itr_status apply_recipe(struct itr_error *err) {
    static const char text[] = "recipe r\nsummary s\ngo 1.22\nraces x\nedit runtime/a.go\nreplace | a\nwith | b\n"
                               "edit runtime/a.go\nwhen 1.22\ndelete | c\n";
    struct itr_changes changes = {.root = scratch};
    struct itr_recipe recipe;
    enum itr_status status = itr_recipe_parse("r.recipe", text, sizeof text - 1, &recipe, err);
    if (status == ITR_OK) {
        status = itr_recipe_apply(&recipe, "go1.22.1", &changes, err);
        itr_recipe_release(&recipe);
    }
    json_t *overlay = status == ITR_OK ? itr_overlay_json(&changes, "/folder") : NULL;
    if (status == ITR_OK && overlay == NULL) {
        status = itr_fail(err, ITR_E_NO_MEMORY, 0, "no overlay");
    }
    json_decref(overlay);
    itr_changes_release(&changes);
    return status;
}

static enum itr_status apply_patch(struct itr_error *err) {
    static const char text[] = "--- a/src/runtime/a.go\n+++ b/src/runtime/a.go\n@@ -9 +9 @@\n-a\n+b\n"
                               "--- /dev/null\n+++ b/src/runtime/b.go\n@@ -0,0 +1 @@\n+b\n";
    struct itr_changes changes = {.root = scratch};
    enum itr_status status = itr_patch_apply("p.diff", text, sizeof text - 1, "go1.22.1", &changes, err);
    itr_changes_release(&changes);
    return status;
}

static enum itr_status parse_arm(struct itr_error *err) {
    struct itr_arm_spec arm;
    enum itr_status status = itr_arm_parse("--candidate", "1.22,recipe=a,recipe=b,patch=p,overlay=o,flag=-x,env=A=1", &arm, err);
    if (status == ITR_OK) {
        assert_int_equal(arm.recipes.count, 2);
        itr_arm_release(&arm);
    }
    return status;
}

static enum itr_status change_by_arm(struct itr_error *err) {
    struct itr_changes changes = {.root = scratch};
    struct itr_arm_spec arm;
    char words[3 * SCRATCH_PATH_MAX];
    snprintf(words, sizeof words, "overlay=%s/o.json,recipe=own,patch=%s/p.diff", scratch, scratch);
    enum itr_status status = itr_arm_parse("--candidate", words, &arm, err);
    if (status != ITR_OK) {
        return status;
    }
    status = itr_arm_changes(&arm, &layout, "go1.22.1", "linux", &changes, err);
    if (status == ITR_OK) {
        assert_int_equal(changes.count, 1);
        assert_string_equal(changes.files[0]->text, "patched\nc\n");
    }
    itr_changes_release(&changes);
    itr_arm_release(&arm);
    return status;
}

static enum itr_status make_key(struct itr_error *err) {
    static struct itr_golib_sources sources;
    static const struct itr_changes changes;
    static const struct itr_arm_spec arm;
    struct itr_golib_inputs inputs = {.root = scratch, .version = "go1.22.1", .system = "linux", .arm = &arm, .changes = &changes,
                                      .sources = &sources};
    char folder[SCRATCH_PATH_MAX + 16];
    uint64_t key = 0;
    snprintf(folder, sizeof folder, "%s/src/runtime", scratch);
    enum itr_status status = itr_golib_read_sources(folder, "linux", &sources, err);
    return status == ITR_OK ? itr_golib_key(&inputs, &key, err) : status;
}

static enum itr_status split_and_rewrite(struct itr_error *err) {
    static const struct itr_span line = {.bytes = "in", .length = 2};
    struct itr_source source = {0};
    struct itr_line_edit edit = {.first = 1, .lines = &line, .count = 1};
    struct itr_text text = {0};
    enum itr_status status = itr_source_split(&source, "a.go", "a\nb\n", 4, err);
    if (status == ITR_OK) {
        status = itr_source_rewrite(&source, &edit, 1, false, &text, err);
    }
    if (status == ITR_OK) {
        assert_string_equal(itr_text_string(&text), "a\nin\nb\n");
    }
    itr_text_release(&text);
    itr_source_release(&source);
    return status;
}

static enum itr_status expect_trials(struct itr_error *err) {
    static const struct itr_comparison_design design = {.alpha = 0.01, .beta = 0.01, .factor = 10, .baselines = 1};
    struct itr_comparison comparison;
    struct itr_comparison_expected expected;
    enum itr_status status = itr_comparison_begin(&comparison, &design, err);
    return status == ITR_OK ? itr_comparison_expect(&comparison, 0.115, 0, &expected, err) : status;
}

static enum itr_status judge_others(struct itr_error *err) {
    struct itr_other cells[3] = {{.baseline_trials = 100, .candidate_trials = 100, .candidate_hits = 90}};
    size_t worse = 0;
    return itr_others_judge(cells, COUNT(cells), 0.01, &worse, err);
}

static enum itr_status begin_bisection(struct itr_error *err) {
    static const struct itr_bisect_rules rules;
    struct itr_bisect bisect = {0};
    enum itr_status status = itr_bisect_begin(&bisect, 16, &rules, err);
    if (status == ITR_OK) {
        status = itr_bisect_note(&bisect, bisect.next, true, err);
        itr_bisect_release(&bisect);
    }
    return status;
}

/* ---- reports as JSON ---- */

/* A point with one signature, at which one arm fails and the other does not any more, and a guard's case that got worse. */
static struct itr_summary reported;
static struct itr_compare comparison;
static struct itr_bisection bisection;

static void make_cell(size_t index, const char *case_name, const char *go, unsigned lost) {
    struct itr_cell *cell = &reported.cells[index];
    snprintf(cell->case_name, sizeof cell->case_name, "%s", case_name);
    snprintf(cell->go, sizeof cell->go, "%s", go);
    snprintf(cell->at, sizeof cell->at, "a point with a name that is not short");
    cell->expect = ITR_OUTCOME_DELIVERED;
    cell->aim.event = ITR_EVENT_SIGURG;
    itr_tally_begin(&reported.tallies[index], cell->expect, 0, 0);
    for (unsigned i = 0; i < 40; i++) {
        struct itr_row row = {.outcome = i < lost ? ITR_OUTCOME_LOST : ITR_OUTCOME_DELIVERED,
                              .signature = i < lost ? "lost \xff SIGURG" : "",
                              .fired_after_load_ns = INT64_MIN,
                              .sweep_index = -1};
        itr_tally_add(&reported.tallies[index], &row);
    }
}

static void make_comparison(void) {
    static const struct itr_comparison_design design = {.alpha = 0.01, .beta = 0.01, .factor = 10, .baselines = 1, .rounds_max = 40};
    static struct itr_compare_group groups[2];
    static struct itr_compare_other others[1];
    struct itr_compare_group *point = &groups[0];
    struct itr_comparison *one = &point->rounds.comparisons[0][0];
    groups[0] = (struct itr_compare_group){.kind = ITR_COMPARE_POINT, .cells = {0, 1}, .state = ITR_COMPARE_RUN, .arms = {0, 1}, .signature_count = 1};
    groups[1] = (struct itr_compare_group){.kind = ITR_COMPARE_GUARD, .cells = {0, 1}, .state = ITR_COMPARE_RUN, .arms = {0, 1}};
    point->rounds.design = (struct itr_rounds_design){.test = design, .candidates = 1, .signatures = 1};
    snprintf(point->signatures[0], sizeof point->signatures[0], "lost*");
    assert_int_equal(itr_comparison_begin(one, &design, NULL), ITR_OK);
    for (int i = 0; i < 40 && one->verdict == ITR_COMPARISON_CONTINUE; i++) { /* decided: what would still be needed is an estimate */
        (void)itr_comparison_round(one, 1, false);
    }
    assert_int_equal(one->verdict, ITR_COMPARISON_FIXED);
    point->rounds.any[0] = *one;
    others[0] = (struct itr_compare_other){.group = 1, .counts = {.baseline_trials = 40, .candidate_hits = 30, .candidate_trials = 40, .is_worse = true}};
    comparison = (struct itr_compare){.options = {.test = design}, .candidates = 1, .labels = {"1.26", "mine \xff"}, .groups = groups,
                                      .group_count = 2, .stage = ITR_COMPARE_STAGE_END, .announced = 80};
    comparison.results[0] = (struct itr_compare_result){.verdict = ITR_COMPARE_IS_FIXED, .others = others, .other_count = 1, .worse = 1};
}

static void make_bisection(void) {
    static struct itr_bisection_arm list[3];
    static size_t controls[] = {1, 2};
    static char name[] = "one";
    for (size_t i = 0; i < COUNT(list); i++) {
        list[i] = (struct itr_bisection_arm){.text = "1.26", .state = ITR_BISECTION_READY, .cell = i, .controls = controls,
                                             .control_count = COUNT(controls), .trials = 40, .hits = i == 0 ? 0 : 20};
        snprintf(list[i].spec.label, sizeof list[i].spec.label, "arm %d", (int)i);
    }
    list[2].state = ITR_BISECTION_SKIPPED;
    snprintf(list[2].why, sizeof list[2].why, "it \xff does not build");
    bisection = (struct itr_bisection){.rules = {.sure = 0.99, .trials_max = 100}, .signature = "*", .c = {.name = name}, .arms = list,
                                       .arm_count = COUNT(list), .state = ITR_BISECTION_FOUND, .found = 1, .rate_after = 0.5};
}

static void make_reports(void) {
    assert_int_equal(itr_summary_allocate(&reported, 3, NULL), ITR_OK);
    make_cell(0, "one", "go1.19.8", 40);
    make_cell(1, "one", "go1.26.10", 0);
    make_cell(2, "two", "go1.26.10", 3);
    itr_summary_judge(&reported);
    make_comparison();
    make_bisection();
}

static enum itr_status made(json_t *json, struct itr_error *err) {
    if (json == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "no JSON");
    }
    json_decref(json);
    return ITR_OK;
}

static enum itr_status report_comparison(struct itr_error *err) {
    return made(itr_compare_to_json(&comparison, &reported), err);
}

static enum itr_status report_bisection(struct itr_error *err) {
    return made(itr_bisection_to_json(&bisection), err);
}

static enum itr_status report_matrix(struct itr_error *err) {
    struct itr_matrix matrix;
    enum itr_status status = itr_matrix_make(&matrix, &reported, 0.01, err);
    if (status == ITR_OK) {
        assert_int_equal(matrix.table_count, 2);
        assert_true(matrix.changed == 1 && matrix.test_count > 1);
        status = made(itr_matrix_to_json(&matrix, &reported), err);
        itr_matrix_release(&matrix);
    }
    return status;
}

/* ---- a place for files ---- */

static void write_campaign(void) {
    static const struct itr_cell cell = {.case_name = "a case with a name of some length",
                                         .system = "linux",
                                         .at = "time",
                                         .host = "h",
                                         .environment = "A=1\nB=2",
                                         .axes = "handler=after\nway=kill",
                                         .expect = ITR_OUTCOME_DELIVERED,
                                         .known = {{.outcome = ITR_OUTCOME_LOST, .signature = "lost*", .rate_max = 1}},
                                         .known_count = 1,
                                         .count = 3};
    static const char trials[] =
        "{\"format\":1,\"trial\":0,\"cell\":0,\"outcome\":\"delivered\",\"signature\":\"\"}\n"
        "{\"format\":1,\"trial\":1,\"cell\":0,\"outcome\":\"lost\",\"signature\":\"lost SIGURG\",\"detail\":\"all there is\"}\n"
        "{\"format\":1,\"trial\":2,\"cell\":0,\"outcome\":\"hang\",\"signature\":\"hang SIGURG\"}\n";
    json_t *campaign = json_pack("{s:i, s:s, s:[o]}", "format", ITR_CAMPAIGN_FORMAT, "seed", "0x1", "cells",
                                 itr_cell_to_json(&cell));
    char *text = json_dumps(campaign, 0);
    assert_non_null(text);
    scratch_write(scratch, "campaign.json", text, strlen(text));
    scratch_write(scratch, "trials.jsonl", trials, sizeof trials - 1);
    scratch_write(scratch, "summary.json", "{\"elapsed_s\": 2.5}", 18);
    free(text);
    json_decref(campaign);
}

/* What an arm of it has, and what a GOROOT has beside src. */
static void write_arm_files(void) {
    static const char recipe[] = "recipe own\nsummary s\ngo 1.22\nraces x\nedit runtime/a.go\nreplace | overlaid\nwith | edited\n";
    static const char patch[] = "--- a/src/runtime/a.go\n+++ b/src/runtime/a.go\n@@ -1 +1 @@\n-edited\n+patched\n";
    char overlay[3 * SCRATCH_PATH_MAX];
    snprintf(layout.recipes, sizeof layout.recipes, "%s/recipes", scratch);
    scratch_folder(scratch, "recipes");
    scratch_write(scratch, "recipes/own.recipe", recipe, sizeof recipe - 1);
    scratch_write(scratch, "p.diff", patch, sizeof patch - 1);
    scratch_write(scratch, "overlaid.go", "overlaid\nc\n", 11);
    snprintf(overlay, sizeof overlay, "{\"Replace\": {\"%s/src/runtime/a.go\": \"%s/overlaid.go\"}}", scratch, scratch);
    scratch_write(scratch, "o.json", overlay, strlen(overlay));
    scratch_folder(scratch, "pkg");
    scratch_folder(scratch, "pkg/include");
    scratch_folder(scratch, "pkg/tool");
    scratch_folder(scratch, "pkg/tool/linux_amd64");
}

static int set_up(void **state) {
    (void)state;
    uv_replace_allocator(malloc, realloc, calloc, free);
    json_set_alloc_funcs(malloc, free);
    scratch_make(scratch);
    snprintf(layout.cases, sizeof layout.cases, "%s/planted", scratch);
    snprintf(layout.libraries, sizeof layout.libraries, "%s/lib", scratch);
    scratch_folder(scratch, "planted");
    scratch_write(scratch, "planted/case.json", full_case, sizeof full_case - 1);
    scratch_folder(scratch, "lib");
    scratch_folder(scratch, "lib/go1.19.8");
    scratch_folder(scratch, "lib/go1.26.10");
    scratch_folder(scratch, "src");
    scratch_folder(scratch, "src/runtime");
    scratch_write(scratch, "src/runtime/a.go", "a\nc\n", 4);
    write_arm_files();
    write_campaign();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(scratch);
    return 0;
}

/* ---- tests ---- */

static void case_files(void **state) {
    (void)state;
    refuse_each(read_case, 100);
    refuse_each(read_case_file, 100);
}

static void the_command_line_and_its_cells(void **state) {
    (void)state;
    refuse_each(read_options, 20);
    refuse_each(list_versions, 4);
    refuse_each(select_cells, 150);
}

static void what_is_read_back_of_a_campaign(void **state) {
    (void)state;
    refuse_each(load_folder, 100);
    refuse_each(read_sweep, 20);
}

static void libraries(void **state) {
    static const char *const names[] = {"elf-go-module", "elf-go-relocation", "elf-c", "pe-go-module", "pe-stripped"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[2048];
        snprintf(path, sizeof path, "%s/image/%s", INITRACE_CORPUS, names[i]);
        library = path;
        refuse_each(open_library, 5);
        refuse_each(keep_images, 5);
    }
}

static void reports(void **state) {
    (void)state;
    make_reports();
    refuse_each(report_comparison, 60);
    refuse_each(report_bisection, 60);
    refuse_each(report_matrix, 60);
    itr_summary_release(&reported);
}

static void recipes_and_patches(void **state) {
    (void)state;
    refuse_each(apply_recipe, 15);
    refuse_each(apply_patch, 10);
}

static void arms(void **state) {
    (void)state;
    refuse_each(parse_arm, 10);
    refuse_each(change_by_arm, 15);
    refuse_each(make_key, 2);
    refuse_each(split_and_rewrite, 2);
}

static void statistics(void **state) {
    (void)state;
    refuse_each(expect_trials, 2);
    refuse_each(judge_others, 1);
    refuse_each(begin_bisection, 5);
}

/* Nobody can be told of it in the midst of a stream: the capture says so itself, and goes on counting. */
static void captured_output(void **state) {
    struct itr_capture capture = {0};
    struct itr_message message;
    size_t count = 0;
    (void)state;
    allocations = refusals = live = refused_one = 0;
    counting = true;
    itr_capture_feed(&capture, "fatal error: x\n", 15);
    itr_capture_feed(&capture, "more", 4);
    counting = false;
    assert_int_equal(refusals, 1);
    assert_true(capture.no_memory);
    assert_int_equal(capture.total_bytes, 19);
    assert_null(itr_capture_head(&capture, &count));
    assert_false(itr_capture_shape(&capture).garbage);
    assert_false(itr_capture_message(&capture, &message));
    assert_int_equal(itr_capture_cut_bytes(&capture), 19);
    itr_capture_release(&capture);
}

/* An outcome, its words and the words for an instruction need no memory at all. */
static void classifying(void **state) {
    struct itr_capture none = {0};
    struct itr_plan plan = {.request = {.shot_count = 1}};
    struct itr_observation seen = {.end = ITR_END_EXIT, .ledger_sound = true, .output = &none, .error_output = &none};
    struct itr_modules modules = {.library = {.name = "lib"}, .host = {.name = "host"}};
    struct itr_classification result;
    (void)state;
    seen.ledger.phase_ns[ITR_PHASE_HOST_STARTED] = BEGIN_NS;
    seen.ledger.exception_count = 3;
    for (int i = 0; i < 3; i++) {
        seen.ledger.exceptions[i] = (struct itr_exception){.time_ns = 1, .code = i > 0 ? 0x80000003 : 0xC0000005};
    }
    allocations = refusals = live = refused_one = 0;
    later_too = counting = true;
    itr_classify(&plan, &seen, &modules, &result);
    counting = false;
    assert_int_equal(allocations, 0);
    assert_int_equal(result.outcome, ITR_OUTCOME_CRASH);
    assert_contains(result.signature, "AV+INT3*");
}

/* What was printed may have been the runtime's own message: without it nothing is said of the host. */
static void output_that_was_not_kept_is_a_failure_of_the_tool(void **state) {
    struct itr_capture none = {0};
    struct itr_capture lost = {.total_bytes = 10, .no_memory = true};
    struct itr_plan plan = {.request = {.shot_count = 1}};
    struct itr_observation seen = {.end = ITR_END_EXIT, .ledger_sound = true, .output = &none, .error_output = &lost};
    struct itr_modules modules = {.library = {.name = "lib"}, .host = {.name = "host"}};
    struct itr_classification result;
    (void)state;
    seen.ledger.phase_ns[ITR_PHASE_HOST_STARTED] = BEGIN_NS;
    itr_classify(&plan, &seen, &modules, &result);
    assert_int_equal(result.outcome, ITR_OUTCOME_TOOL_ERROR);
    assert_string_equal(result.signature, "tool-error no-memory");
}

static struct itr_record record;

static enum itr_status write_record(struct itr_error *err) {
    static char *whole;
    json_t *json = itr_record_to_json(&record);
    if (json == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    char *text = itr_json_print(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    if (whole == NULL) {
        counting = false;
        whole = strdup(text);
        counting = true;
    }
    assert_string_equal(text, whole); /* no half record */
    free(text);
    return ITR_OK;
}

static void records(void **state) {
    static struct itr_plan plan = {.request = {.shot_count = 1}};
    static struct itr_capture none;
    static struct itr_observation seen = {.end = ITR_END_EXIT, .ledger_sound = true, .output = &none, .error_output = &none};
    static struct itr_modules modules = {.library = {.name = "lib"}, .host = {.name = "host"}};
    static struct itr_classification result = {
        .outcome = ITR_OUTCOME_CRASH, .signature = "crash", .detail = "a detail with \\ and some length to it, so that it grows"};
    (void)state;
    seen.ledger.exception_count = 1;
    seen.ledger.exceptions[0] = (struct itr_exception){.time_ns = 1, .code = 0xC0000005};
    record = (struct itr_record){
        .case_name = "c", .at = "time", .plan = &plan, .seen = &seen, .modules = &modules, .classification = &result};
    refuse_each(write_record, 50);
}

/* ---- a comparison ---- */

/* A point and another case, each with a baseline and a candidate; the baseline alone fails, at the point. */
enum { COMPARED_GROUPS = 2, COMPARED_CELLS = 2 * COMPARED_GROUPS };

static struct itr_cell compared_cells[COMPARED_CELLS];
static struct itr_tally compared_tallies[COMPARED_CELLS];

static void answer_all(struct itr_summary *summary, const struct itr_campaign_rounds *part) {
    struct itr_rounds_trial trial;
    while (itr_rounds_take(part->rounds, &trial)) {
        size_t cell = part->cells[trial.arm];
        bool fails = cell == 0;
        struct itr_row row = {.trial = trial.trial,
                              .outcome = fails ? ITR_OUTCOME_CRASH : ITR_OUTCOME_DELIVERED,
                              .signature = fails ? "crash AV somewhere" : "",
                              .fired_after_load_ns = INT64_MIN,
                              .sweep_index = -1};
        itr_tally_add(&summary->tallies[cell], &row);
        itr_rounds_note(part->rounds, &trial, fails ? 0 : ITR_ROUNDS_PASS);
    }
}

static enum itr_status run_comparison(struct itr_compare *compare, struct itr_summary *summary, struct itr_error *err) {
    struct itr_campaign_rounds parts[COMPARED_GROUPS];
    size_t count = 0;
    compare->groups = calloc(COMPARED_GROUPS, sizeof *compare->groups);
    if (compare->groups == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    compare->group_count = COMPARED_GROUPS;
    for (size_t i = 0; i < COMPARED_CELLS; i++) {
        compared_cells[i].expect = ITR_OUTCOME_DELIVERED;
        itr_tally_begin(&compared_tallies[i], ITR_OUTCOME_DELIVERED, 0, 0);
        compare->groups[i / 2].kind = i / 2 == 0 ? ITR_COMPARE_POINT : ITR_COMPARE_GUARD;
        compare->groups[i / 2].cells[i % 2] = i;
    }
    enum itr_status status = ITR_OK;
    do {
        status = itr_compare_next(compare, summary, parts, &count, err);
        for (size_t i = 0; i < count && status == ITR_OK; i++) {
            answer_all(summary, &parts[i]);
        }
    } while (status == ITR_OK && count > 0);
    return status == ITR_OK ? itr_compare_judge(compare, summary, err) : status;
}

static enum itr_status compare_arms(struct itr_error *err) {
    struct itr_summary summary = {.cells = compared_cells, .tallies = compared_tallies, .count = COMPARED_CELLS};
    struct itr_compare compare = {
        .options = {.test = {.alpha = 0.01, .beta = 0.01}, .jobs = 2, .seed = 1, .guard_count = 10}, .candidates = 1};
    enum itr_status status = run_comparison(&compare, &summary, err);
    for (size_t i = 0; i < COMPARED_CELLS; i++) {
        if (compared_tallies[i].no_memory && status == ITR_OK) { /* the campaign says so */
            status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
        }
    }
    if (status == ITR_OK) {
        assert_int_equal(compare.results[0].verdict, ITR_COMPARE_IS_FIXED);
    }
    itr_compare_release(&compare);
    for (size_t i = 0; i < COMPARED_CELLS; i++) {
        itr_tally_release(&compared_tallies[i]);
    }
    return status;
}

static void comparisons(void **state) {
    (void)state;
    refuse_each(compare_arms, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_files),
        cmocka_unit_test(the_command_line_and_its_cells),
        cmocka_unit_test(what_is_read_back_of_a_campaign),
        cmocka_unit_test(libraries),
        cmocka_unit_test(reports),
        cmocka_unit_test(recipes_and_patches),
        cmocka_unit_test(arms),
        cmocka_unit_test(statistics),
        cmocka_unit_test(captured_output),
        cmocka_unit_test(classifying),
        cmocka_unit_test(output_that_was_not_kept_is_a_failure_of_the_tool),
        cmocka_unit_test(records),
        cmocka_unit_test(comparisons),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
