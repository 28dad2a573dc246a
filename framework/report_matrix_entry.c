/* What stands in one place of a matrix's table: rate, interval and signatures of an entry, the controls of a column, the trials of
 * a row. Tables are report_matrix_table.c's. */
#include "framework/report_matrix_parts.h"

#include "framework/markdown.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void itr_matrix_add_name(const struct itr_matrix_printing *printing, const char *text) {
    if (printing->markdown) {
        (void)itr_markdown_add(printing->out, text);
    } else {
        (void)itr_text_escape(printing->out, ITR_ESCAPE_TERMINAL, text, strlen(text));
    }
}

bool itr_matrix_is_unexpected(const struct itr_verdict *verdict) {
    return verdict->judgement != ITR_JUDGEMENT_EXPECTED && verdict->judgement != ITR_JUDGEMENT_KNOWN &&
           verdict->judgement != ITR_JUDGEMENT_SKIPPED;
}

/* A share in percent, short, and never so that some look like none or like all. */
static const char *percent(char out[16], double share) {
    double value = 100 * share;
    if (value > 0 && value < 1) {
        snprintf(out, 16, "%.2g", value);
    } else if (value > 99 && value < 100) {
        snprintf(out, 16, "%.1f", value > 99.9 ? 99.9 : value);
    } else {
        snprintf(out, 16, value > 0 && value < 9.95 ? "%.1f" : "%.0f", value);
    }
    return out;
}

static char letter_of(struct itr_matrix_legend *legend, const char *signature) {
    size_t i = 0;
    while (i < legend->count && strcmp(legend->text[i], signature) != 0) {
        i++;
    }
    if (i == ITR_MATRIX_LETTERS) {
        legend->more = true;
        return '?';
    }
    if (i == legend->count) {
        legend->text[legend->count++] = signature;
    }
    return (char)('a' + i);
}

static const char *marks_of(unsigned change) {
    static const char *const marks[] = {"", "▲", "▼", "▲", "≠", "▲≠", "▼≠", "▲≠"};
    return change == ITR_MATRIX_OTHER ? "~" : marks[change & 7];
}

/* "▲97 [87, 100] a,b!" */
void itr_matrix_write_entry(struct itr_matrix_printing *printing, const struct itr_matrix_entry *entry, itr_matrix_text out) {
    enum { SHOWN = 2 };
    static const char *const states[] = {"-", "skipped", "no shot"};
    const struct itr_tally_signature *list[SHOWN];
    char numbers[3][16];
    char names[8] = "";
    struct itr_interval ci95;
    if (entry->state != ITR_MATRIX_TESTED) {
        snprintf(out, ITR_MATRIX_TEXT_ROOM, "%s", states[entry->state]);
        return;
    }
    const struct itr_verdict *verdict = &printing->summary->verdicts[entry->cell];
    double rate = itr_tally_rate(&printing->summary->tallies[entry->cell], &ci95);
    size_t count = itr_matrix_signatures(printing->summary, entry, list, SHOWN);
    size_t used = 0;
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        names[used++] = i == 0 ? ' ' : ',';
        names[used++] = letter_of(&printing->legend, list[i]->text);
    }
    names[used] = '\0';
    snprintf(out, ITR_MATRIX_TEXT_ROOM, "%s%s%s [%s, %s]%s%s%s%s", entry->is_sound ? "" : "(", marks_of(entry->change), percent(numbers[0], rate),
             percent(numbers[1], ci95.low), percent(numbers[2], ci95.high), names, count > SHOWN ? "+" : "",
             itr_matrix_is_unexpected(verdict) ? " !" : "", entry->is_sound ? "" : ")");
}

void itr_matrix_write_controls(const struct itr_matrix_column *column, itr_matrix_text out) {
    if (column->controls == 0) {
        snprintf(out, ITR_MATRIX_TEXT_ROOM, "-");
    } else if (column->failed == 0) {
        snprintf(out, ITR_MATRIX_TEXT_ROOM, "ok");
    } else {
        snprintf(out, ITR_MATRIX_TEXT_ROOM, "FAILED: %zu of %zu", column->failed, column->controls);
    }
}

/* How the hosts run there, where that is not the usual way. */
const char *itr_matrix_way_of(const struct itr_cell *cell) {
    return cell->debugged ? " dbg" : cell->aim.gate ? " gate" : cell->record[0] != '\0' ? " rec" : "";
}

/* Valid trials of a row's cells: "40", "38-40". */
void itr_matrix_write_trials(const struct itr_matrix_printing *printing, const struct itr_matrix_row *row, itr_matrix_text out) {
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (size_t c = 0; c < printing->table->column_count; c++) {
        if (row->entries[c].state == ITR_MATRIX_TESTED) {
            uint64_t valid = itr_tally_valid(&printing->summary->tallies[row->entries[c].cell]);
            least = valid < least ? valid : least;
            most = valid > most ? valid : most;
        }
    }
    if (least == most) {
        snprintf(out, ITR_MATRIX_TEXT_ROOM, "%" PRIu64, most);
    } else if (least < most) {
        snprintf(out, ITR_MATRIX_TEXT_ROOM, "%" PRIu64 "-%" PRIu64, least, most);
    } else {
        snprintf(out, ITR_MATRIX_TEXT_ROOM, "0");
    }
}
