/* Unit tests of folder.c: nothing is overwritten, what is written is whole, and a campaign that was killed at any
 * moment can be read and continued. */
#include "framework/folder.h"

#include "framework/record.h"
#include "framework/tests/scratch.h"

static char scratch[SCRATCH_PATH_MAX];
static char path[SCRATCH_PATH_MAX + 64]; /* SCRATCH/campaign */
static struct itr_folder folder;
static struct itr_error error;

static int set_up(void **state) {
    (void)state;
    scratch_make(scratch);
    snprintf(path, sizeof path, "%s/campaign", scratch);
    folder = (struct itr_folder){0};
    error = (struct itr_error){0};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_folder_close(&folder);
    scratch_remove(scratch);
    return 0;
}

static void assert_ok(enum itr_status status) {
    if (status != ITR_OK) {
        fail_msg("%s", error.text);
    }
}

static void create(const char *where) {
    char moved[1100] = "untouched";
    assert_ok(itr_folder_create(&folder, where, moved, &error));
    assert_string_equal(moved, "");
}

static void write_trials(const char *text) {
    scratch_write(path, "trials.jsonl", text, strlen(text));
}

static void assert_file(const char *name, const char *expected) {
    char *text = scratch_read(path, name);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

/* ---- making ---- */

static void folders_above_are_made_too(void **state) {
    char deep[SCRATCH_PATH_MAX + 64];
    (void)state;
    snprintf(deep, sizeof deep, "%s/a/b/c", scratch);
    create(deep);
    assert_true(folder.open);
    assert_string_equal(folder.path, deep);
    assert_true(scratch_exists(deep, "trials.jsonl"));
}

static void a_separator_at_the_end_does_not_matter(void **state) {
    char with[SCRATCH_PATH_MAX + 64];
    (void)state;
    snprintf(with, sizeof with, "%s/campaign//", scratch);
    create(with);
    assert_string_equal(folder.path, path);
}

static void a_relative_path_becomes_absolute(void **state) {
    char before[SCRATCH_PATH_MAX];
    char now[SCRATCH_PATH_MAX];
    size_t length = sizeof before;
    (void)state;
    assert_int_equal(uv_cwd(before, &length), 0);
    assert_int_equal(uv_chdir(scratch), 0);
    length = sizeof now;
    assert_int_equal(uv_cwd(now, &length), 0);
    create("below/campaign");
    assert_int_equal(uv_chdir(before), 0);
    assert_int_equal(strncmp(folder.path, now, strlen(now)), 0);
    assert_true(scratch_exists(scratch, "below/campaign/trials.jsonl"));
}

static void an_old_campaign_is_moved_aside_and_kept(void **state) {
    char moved[1100];
    char expected[SCRATCH_PATH_MAX + 80];
    (void)state;
    for (int i = 1; i <= 3; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "{\"number\": %d}", i);
        moved[0] = 'x';
        assert_ok(itr_folder_create(&folder, path, moved, &error));
        snprintf(expected, sizeof expected, "%s.~%d~", path, i - 1);
        assert_string_equal(moved, i > 1 ? expected : "");
        assert_false(scratch_exists(path, "campaign.json"));
        scratch_write(path, "campaign.json", text, (size_t)length);
        itr_folder_close(&folder);
    }
    for (int i = 1; i <= 3; i++) {
        char name[64];
        char text[32];
        snprintf(name, sizeof name,
                 i < 3 ? "campaign.~%d~/campaign.json" : "campaign/campaign.json", i);
        snprintf(text, sizeof text, "{\"number\": %d}", i);
        char *have = scratch_read(scratch, name);
        assert_non_null(have);
        assert_string_equal(have, text);
        free(have);
    }
}

/* --output . in a folder of somebody's own. */
static void a_folder_without_a_campaign_is_not_moved(void **state) {
    (void)state;
    scratch_folder(scratch, "campaign");
    scratch_write(path, "notes.txt", "mine", 4);
    create(path);
    assert_file("notes.txt", "mine");
}

static void a_file_in_the_way_is_an_error(void **state) {
    char moved[1100];
    char below[SCRATCH_PATH_MAX + 80];
    (void)state;
    scratch_write(scratch, "campaign", "a file", 6);
    snprintf(below, sizeof below, "%s/more", path);
    assert_int_equal(itr_folder_create(&folder, below, moved, &error), ITR_E_SYSTEM);
    assert_contains(error.text, "cannot make folder");
    assert_false(folder.open);
}

/* ---- writing ---- */

static void trials_are_appended_line_by_line(void **state) {
    struct itr_trials trials;
    json_t *trial = NULL;
    char long_text[20000];
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    create(path);
    for (int i = 0; i < 5; i++) {
        /* The third is longer than any buffer on a stack, the fourth has a newline in a string. */
        trial = json_pack("{s:i, s:s}", "trial", i, "text",
                          i == 2   ? long_text
                          : i == 3 ? "a\nb"
                                   : "short");
        assert_ok(itr_folder_append(&folder, trial, &error));
        json_decref(trial);
    }
    assert_ok(itr_trials_open(&trials, path, &error));
    for (int i = 0; i < 5; i++) {
        assert_ok(itr_trials_next(&trials, &trial, &error));
        assert_non_null(trial);
        assert_int_equal(json_integer_value(json_object_get(trial, "trial")), i);
        assert_int_equal(json_string_length(json_object_get(trial, "text")), i == 2   ? 19999
                                                                             : i == 3 ? 3
                                                                                      : 5);
        json_decref(trial);
    }
    assert_ok(itr_trials_next(&trials, &trial, &error));
    assert_null(trial);
    assert_false(trials.cut);
    itr_trials_close(&trials);
}

static void nothing_is_appended_for_no_trial(void **state) {
    (void)state;
    create(path);
    assert_int_equal(itr_folder_append(&folder, NULL, &error), ITR_E_NO_MEMORY);
    assert_file("trials.jsonl", "");
}

static void files_are_written_as_a_whole(void **state) {
    static const char bytes[] = "a\0b\r\n\xff";
    (void)state;
    create(path);
    assert_ok(itr_folder_write(path, "summary.json", "a long first version", 20, &error));
    assert_ok(itr_folder_write(path, "summary.json", "short", 5, &error));
    assert_file("summary.json", "short");
    assert_false(scratch_exists(path, "summary.json.new"));
    assert_ok(itr_folder_write(path, "failures/12/stderr", bytes, sizeof bytes, &error));
    char *have = scratch_read(path, "failures/12/stderr");
    assert_non_null(have);
    assert_memory_equal(have, bytes, sizeof bytes); /* no translation of newlines */
    free(have);
    assert_ok(itr_folder_write(path, "empty", "", 0, &error));
    assert_file("empty", "");
}

static void json_that_could_not_be_made_is_an_error(void **state) {
    (void)state;
    create(path);
    assert_int_equal(itr_folder_write_json(path, "summary.json", NULL, &error), ITR_E_NO_MEMORY);
    assert_contains(error.text, "summary.json");
    assert_false(scratch_exists(path, "summary.json"));
}

static void writing_where_it_cannot_be_is_an_error(void **state) {
    (void)state;
    scratch_write(scratch, "campaign", "a file", 6);
    assert_int_equal(itr_folder_write(path, "x", "", 0, &error), ITR_E_SYSTEM);
    assert_contains(error.text, path);
}

static void folders_can_be_removed(void **state) {
    (void)state;
    create(path);
    itr_folder_close(&folder);
    scratch_folder(path, "0");
    scratch_write(path, "0/core", "x", 1);
    scratch_write(path, "file", "x", 1);
    itr_folder_remove(path);
    assert_false(scratch_exists(scratch, "campaign"));
    itr_folder_remove(path); /* once more does no harm */
}

/* ---- what a killed runner left ---- */

static int count_lines(bool *cut) {
    struct itr_trials trials;
    json_t *trial = NULL;
    int count = 0;
    assert_ok(itr_trials_open(&trials, path, &error));
    for (;;) {
        assert_ok(itr_trials_next(&trials, &trial, &error));
        if (trial == NULL) {
            break;
        }
        count++;
        json_decref(trial);
    }
    *cut = trials.cut;
    itr_trials_close(&trials);
    return count;
}

static void an_unfinished_line_is_passed_over(void **state) {
    bool cut = false;
    (void)state;
    scratch_folder(scratch, "campaign");
    write_trials("{\"trial\":0}\n{\"trial\":1}\n{\"tri");
    assert_int_equal(count_lines(&cut), 2);
    assert_true(cut);
    write_trials("{\"tri");
    assert_int_equal(count_lines(&cut), 0);
    assert_true(cut);
    write_trials("{\"trial\":0}\n{\"trial\":1}"); /* whole, but who knows: it is run again */
    assert_int_equal(count_lines(&cut), 1);
    assert_true(cut);
    write_trials("");
    assert_int_equal(count_lines(&cut), 0);
    assert_false(cut);
}

static void an_unfinished_line_is_cut_off_before_it_goes_on(void **state) {
    static const struct {
        const char *before;
        const char *after;
    } rows[] = {
        {"{\"trial\":0}\n{\"trial\":1}\n{\"tri", "{\"trial\":0}\n{\"trial\":1}\n{}\n"},
        {"{\"trial\":0}\n{\"trial\":1}\n", "{\"trial\":0}\n{\"trial\":1}\n{}\n"},
        {"{\"tri", "{}\n"},
        {"", "{}\n"},
    };
    json_t *trial = json_object();
    (void)state;
    scratch_folder(scratch, "campaign");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_trials(rows[i].before);
        assert_ok(itr_folder_continue(&folder, path, &error));
        assert_ok(itr_folder_append(&folder, trial, &error));
        itr_folder_close(&folder);
        assert_file("trials.jsonl", rows[i].after);
    }
    json_decref(trial);
}

static void a_broken_line_in_the_midst_is_an_error_with_its_number(void **state) {
    static const char nul_within[] = "{\"trial\":0}\n{\"tri\0\":1}\n{}\n";
    struct itr_trials trials;
    json_t *trial = NULL;
    (void)state;
    scratch_folder(scratch, "campaign");
    for (int i = 0; i < 2; i++) {
        if (i == 0) {
            write_trials("{\"trial\":0}\nnot JSON\n{\"trial\":2}\n");
        } else {
            scratch_write(path, "trials.jsonl", nul_within, sizeof nul_within - 1);
        }
        assert_ok(itr_trials_open(&trials, path, &error));
        assert_ok(itr_trials_next(&trials, &trial, &error));
        json_decref(trial);
        assert_int_equal(itr_trials_next(&trials, &trial, &error), ITR_E_FORMAT);
        assert_null(trial);
        assert_contains(error.text, "trials.jsonl:2:");
        itr_trials_close(&trials);
    }
}

static void a_line_that_is_too_long_is_an_error(void **state) {
    struct itr_trials trials;
    json_t *trial = NULL;
    size_t length = 3 << 20;
    char *text = malloc(length);
    (void)state;
    assert_non_null(text);
    memset(text, ' ', length);
    text[length - 1] = '\n';
    scratch_folder(scratch, "campaign");
    scratch_write(path, "trials.jsonl", text, length);
    free(text);
    assert_ok(itr_trials_open(&trials, path, &error));
    assert_int_equal(itr_trials_next(&trials, &trial, &error), ITR_E_FORMAT);
    assert_contains(error.text, "too long");
    itr_trials_close(&trials);
}

static void without_trials_there_is_an_error(void **state) {
    struct itr_trials trials;
    (void)state;
    assert_int_equal(itr_trials_open(&trials, path, &error), ITR_E_NOT_FOUND);
    itr_trials_close(&trials); /* fine all the same */
}

/* ---- a campaign as a whole ---- */

static struct itr_cell cell_of(const char *name, uint64_t first_trial, uint64_t count) {
    struct itr_cell cell = {
        .first_trial = first_trial, .count = count, .expect = ITR_OUTCOME_DELIVERED};
    snprintf(cell.case_name, sizeof cell.case_name, "%s", name);
    snprintf(cell.system, sizeof cell.system, "linux");
    cell.aim.event = ITR_EVENT_SIGURG;
    cell.aim.window_to_ns = 2000000;
    return cell;
}

static void write_campaign(bool until_fail) {
    struct itr_cell first = cell_of("one", 0, 3);
    struct itr_cell second = cell_of("two", 3, 2);
    json_t *json = json_pack("{s:i, s:s, s:b, s:[o, o]}", "format", ITR_CAMPAIGN_FORMAT, "seed",
                             "0xabc", "until_fail", (int)until_fail, "cells",
                             itr_cell_to_json(&first), itr_cell_to_json(&second));
    assert_non_null(json);
    assert_ok(itr_folder_write_json(path, "campaign.json", json, &error));
    json_decref(json);
}

static void add_trial(char *text, size_t room, int trial, int cell, const char *outcome,
                      const char *fired_ns) {
    size_t used = strlen(text);
    snprintf(text + used, room - used,
             "{\"format\":1,\"trial\":%d,\"cell\":%d,\"outcome\":\"%s\",\"signature\":\"%s\","
             "\"strays\":1,"
             "\"phases\":{\"load-begin\":5},\"shots\":[{\"fired_ns\":%s}]}\n",
             trial, cell, outcome, strcmp(outcome, "delivered") == 0 ? "" : outcome, fired_ns);
}

static void a_finished_campaign_is_counted_again(void **state) {
    char text[4096] = "";
    struct itr_summary summary;
    (void)state;
    create(path);
    write_campaign(false);
    add_trial(text, sizeof text, 1, 0, "lost", "1500000"); /* in whatever order they ended */
    add_trial(text, sizeof text, 0, 0, "delivered", "10");
    add_trial(text, sizeof text, 3, 1, "delivered", "20");
    add_trial(text, sizeof text, 2, 0, "lost", "1700000");
    add_trial(text, sizeof text, 4, 1, "delivered", "30");
    write_trials(text);
    assert_ok(itr_folder_load(path, &summary, &error));
    assert_int_equal(summary.count, 2);
    assert_int_equal(summary.seed, 0xabc);
    assert_string_equal(summary.folder, path);
    assert_false(summary.interrupted);
    assert_string_equal(summary.cells[1].case_name, "two");
    assert_int_equal(summary.tallies[0].trials, 3);
    assert_int_equal(summary.tallies[0].outcomes[ITR_OUTCOME_LOST], 2);
    assert_int_equal(summary.tallies[0].signatures[0].first_trial, 1);
    assert_int_equal(summary.tallies[0].bucket_failures[15], 1);
    assert_int_equal(summary.tallies[0].first_failure_ns, 1500000);
    assert_int_equal(summary.tallies[0].strays, 3);
    assert_int_equal(summary.tallies[1].outcomes[ITR_OUTCOME_DELIVERED], 2);
    assert_int_equal(summary.verdicts[0].judgement, ITR_JUDGEMENT_NEW);
    assert_int_equal(summary.verdicts[1].judgement, ITR_JUDGEMENT_EXPECTED);
    itr_summary_release(&summary);
}

/* After every byte: readable, and never more trials than before. */
static void a_campaign_cut_off_anywhere_is_read(void **state) {
    char text[4096] = "";
    uint64_t before = 0;
    (void)state;
    create(path);
    write_campaign(false);
    for (int i = 0; i < 4; i++) {
        add_trial(text, sizeof text, i, i / 3, "delivered", "null");
    }
    for (size_t length = 0; length <= strlen(text); length += 3) {
        struct itr_summary summary;
        scratch_write(path, "trials.jsonl", text, length);
        assert_ok(itr_folder_load(path, &summary, &error));
        uint64_t trials = summary.tallies[0].trials + summary.tallies[1].trials;
        assert_true(summary.interrupted);
        assert_in_range(trials, before, before + 1);
        before = trials;
        itr_summary_release(&summary);
    }
    assert_int_equal(before, 3 + (strlen(text) % 3 == 0 ? 1 : 0));
}

/* --until-fail ends a cell with its first failure: that is its end, not an interruption. */
static void a_campaign_until_failure_is_finished_by_one(void **state) {
    char text[4096] = "";
    struct itr_summary summary;
    (void)state;
    create(path);
    write_campaign(true);
    add_trial(text, sizeof text, 0, 0, "lost", "1");
    write_trials(text);
    assert_ok(itr_folder_load(path, &summary, &error));
    assert_true(summary.interrupted); /* the second cell has not had its turn */
    itr_summary_release(&summary);
    add_trial(text, sizeof text, 3, 1, "delivered", "1");
    add_trial(text, sizeof text, 4, 1, "delivered", "1");
    write_trials(text);
    assert_ok(itr_folder_load(path, &summary, &error));
    assert_false(summary.interrupted);
    itr_summary_release(&summary);
    write_campaign(false);
    assert_ok(itr_folder_load(path, &summary, &error));
    assert_true(summary.interrupted);
    itr_summary_release(&summary);
}

/* A report made anew does not forget how long a finished campaign took. */
static void the_length_of_a_finished_campaign_is_kept(void **state) {
    static const char summary_text[] = "{\"elapsed_s\": 12.5}";
    char text[4096] = "";
    struct itr_summary summary;
    (void)state;
    create(path);
    write_campaign(false);
    scratch_write(path, "summary.json", summary_text, strlen(summary_text));
    for (int i = 0; i < 5; i++) {
        add_trial(text, sizeof text, i, i / 3, "delivered", "null");
        write_trials(text);
        assert_ok(itr_folder_load(path, &summary, &error));
        assert_true(summary.elapsed_s ==
                    (i < 4 ? 0 : 12.5)); /* of an unfinished one nothing is known */
        itr_summary_release(&summary);
    }
}

static void a_trial_of_no_cell_is_an_error(void **state) {
    char text[4096] = "";
    struct itr_summary summary;
    (void)state;
    create(path);
    write_campaign(false);
    add_trial(text, sizeof text, 0, 2, "lost", "1");
    write_trials(text);
    assert_int_equal(itr_folder_load(path, &summary, &error), ITR_E_FORMAT);
    assert_contains(error.text, "a cell that campaign.json does not have");
    assert_contains(error.text, path);
    write_trials("{\"format\":2}\n");
    assert_int_equal(itr_folder_load(path, &summary, &error), ITR_E_FORMAT);
}

static void what_is_no_campaign_is_refused(void **state) {
    static const struct {
        const char *text; /* of campaign.json; NULL: there is none */
        enum itr_status status;
        const char *part;
    } rows[] = {
        {NULL, ITR_E_NOT_FOUND, "has no campaign.json"},
        {"", ITR_E_FORMAT, "campaign.json:1:"},
        {"{\n\"format\": 1,", ITR_E_FORMAT, "campaign.json:2:"},
        {"{\"format\": 2, \"cells\": []}", ITR_E_FORMAT, "expected format 1 with cells"},
        {"{\"format\": 1}", ITR_E_FORMAT, "expected format 1 with cells"},
        {"[]", ITR_E_FORMAT, "expected format 1 with cells"},
        {"{\"format\": 1, \"cells\": [{}]}", ITR_E_FORMAT,
         "a cell of campaign.json cannot be read"},
    };
    (void)state;
    scratch_folder(scratch, "campaign");
    write_trials("");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct itr_summary summary;
        if (rows[i].text != NULL) {
            scratch_write(path, "campaign.json", rows[i].text, strlen(rows[i].text));
        }
        error = (struct itr_error){0};
        assert_int_equal(itr_folder_load(path, &summary, &error), rows[i].status);
        assert_contains(error.text, rows[i].part);
        assert_contains(error.text, path);
        assert_null(summary.cells);
    }
}

int main(void) {
#define FOLDER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(folders_above_are_made_too),
        FOLDER_TEST(a_separator_at_the_end_does_not_matter),
        FOLDER_TEST(a_relative_path_becomes_absolute),
        FOLDER_TEST(an_old_campaign_is_moved_aside_and_kept),
        FOLDER_TEST(a_folder_without_a_campaign_is_not_moved),
        FOLDER_TEST(a_file_in_the_way_is_an_error),
        FOLDER_TEST(trials_are_appended_line_by_line),
        FOLDER_TEST(nothing_is_appended_for_no_trial),
        FOLDER_TEST(files_are_written_as_a_whole),
        FOLDER_TEST(json_that_could_not_be_made_is_an_error),
        FOLDER_TEST(writing_where_it_cannot_be_is_an_error),
        FOLDER_TEST(folders_can_be_removed),
        FOLDER_TEST(an_unfinished_line_is_passed_over),
        FOLDER_TEST(an_unfinished_line_is_cut_off_before_it_goes_on),
        FOLDER_TEST(a_broken_line_in_the_midst_is_an_error_with_its_number),
        FOLDER_TEST(a_line_that_is_too_long_is_an_error),
        FOLDER_TEST(without_trials_there_is_an_error),
        FOLDER_TEST(a_finished_campaign_is_counted_again),
        FOLDER_TEST(a_campaign_cut_off_anywhere_is_read),
        FOLDER_TEST(a_campaign_until_failure_is_finished_by_one),
        FOLDER_TEST(the_length_of_a_finished_campaign_is_kept),
        FOLDER_TEST(a_trial_of_no_cell_is_an_error),
        FOLDER_TEST(what_is_no_campaign_is_refused),
    };
    return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
