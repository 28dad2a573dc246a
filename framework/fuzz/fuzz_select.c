/* Fuzzes the command line's reader and the way from a case and options to cells. Input: the words of a command line,
 * each on a line; an empty line; the text of a case.json. */
#include "framework/fuzz/fuzz.h"

#include "framework/run_options.h"

enum { WORDS_MAX = 48 };

static void check_cells(const struct itr_cells *cells) {
    for (size_t i = 0; i < cells->count; i++) {
        const struct itr_cell *cell = &cells->items[i];
        char title[ITR_TITLE_MAX];
        FUZZ_CHECK(cell->known_count <= ITR_CELL_KNOWN_MAX && cell->expect < ITR_OUTCOME_COUNT);
        FUZZ_CHECK(cell->aim.event < ITR_EVENT_COUNT && cell->aim.delivery < ITR_DELIVERY_COUNT);
        FUZZ_CHECK(i == 0 || cell->first_trial == cells->items[i - 1].first_trial + cells->items[i - 1].count);
        itr_cell_title(cell, title, sizeof title);
        itr_cell_system(cell, title, sizeof title);
        json_t *json = itr_cell_to_json(cell);
        json_decref(json);
    }
}

static void select_cells(const struct itr_options *options, const uint8_t *bytes, size_t count) {
    static const struct itr_layout layout = {
        .prefix = "/none", .cases = "/none/cases", .hosts = "/none/hosts", .libraries = "/none/libraries"};
    struct itr_selection selection;
    struct itr_cells cells = {0};
    struct itr_case c;
    struct itr_error err = {0};
    if (itr_case_parse("cases/planted", bytes, count, &c, &err) != ITR_OK) {
        return;
    }
    itr_run_selection(options, &selection);
    enum itr_status status = itr_select(&cells, &c, &selection, &layout, &err);
    FUZZ_CHECK(status == err.status);
    FUZZ_CHECK(status == ITR_OK || err.text[0] != '\0');
    check_cells(&cells);
    free(cells.items);
    itr_case_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct itr_options options;
    struct itr_error err = {0};
    char program[] = "initrace";
    char *words[WORDS_MAX + 2] = {program};
    int count = 1;
    while (count <= WORDS_MAX) {
        words[count] = fuzz_string(&in, '\n');
        if (words[count][0] == '\0') {
            free(words[count]);
            words[count] = NULL;
            break;
        }
        count++;
    }
    enum itr_status status = itr_options_read(&options, count, words, &err);
    FUZZ_CHECK(status == err.status);
    if (status == ITR_OK) {
        struct itr_text help = {0};
        itr_options_help(&help, options.command);
        itr_text_release(&help);
        if (itr_run_check(&options, &err) == ITR_OK) {
            select_cells(&options, in.bytes, in.count);
        }
        itr_options_release(&options);
    } else {
        FUZZ_CHECK(status == ITR_E_USAGE && err.text[0] != '\0');
    }
    for (int i = 1; i < count; i++) {
        free(words[i]);
    }
    return 0;
}
