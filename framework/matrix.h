/* A campaign's cells as tables: for each case a row a point (and combination of its axes) and a column a Go version, and what changed from one version to the
 * next. Pure: from the summary to one value; it runs nothing, prints nothing and leaves verdicts on single cells to judge.h.
 *
 * A cell is held against that of the nearest older version at the same point which says something. Two questions: do shots fail
 * more often or more seldom (Fisher's exact test, each side for itself), and are a signature's shares of the failures others (the
 * same test on the failures alone)? Holm's correction is over all of them in all tables (others.h), but for those that the
 * numbers of shots and failures do not allow to be answered with yes in any case. So the chance to mark anything in a
 * campaign over versions that are all the same is at most alpha. */
#ifndef INITRACE_FRAMEWORK_MATRIX_H
#define INITRACE_FRAMEWORK_MATRIX_H

#include "framework/others.h"
#include "framework/summary.h"

#define ITR_MATRIX_NONE SIZE_MAX

enum { ITR_MATRIX_CELLS_MAX = 8192 };

/* What changed, as bits. */
enum {
    ITR_MATRIX_UP = 1,        /* fails more often */
    ITR_MATRIX_DOWN = 2,      /* fails more seldom */
    ITR_MATRIX_SIGNATURE = 4, /* fails otherwise */
    ITR_MATRIX_OTHER = 8,     /* all failures have signatures that the version before has not, but there are too few to call it a change */
};

enum itr_matrix_state {
    ITR_MATRIX_MISSING, /* there is no such cell */
    ITR_MATRIX_SKIPPED, /* the library has no such point */
    ITR_MATRIX_UNTESTED, /* no shot landed, or no trial was run */
    ITR_MATRIX_TESTED,
};

struct itr_matrix_entry {
    size_t cell; /* in the summary; ITR_MATRIX_NONE: none */
    enum itr_matrix_state state;
    bool is_sound;   /* tested, the tool did not fail, and no control of that case and Go did */
    size_t before;   /* column that it is held against; ITR_MATRIX_NONE: none */
    unsigned change; /* ITR_MATRIX_UP and so on */
    double adjusted; /* least of its tests' chances, by Holm; NaN: no test could have told a change */
};

struct itr_matrix_row {
    size_t like; /* a cell of the row: where it is fired */
    struct itr_matrix_entry *entries; /* one a column */
};

struct itr_matrix_column {
    size_t like;    /* a cell of that Go */
    char label[112]; /* "go1.26.10"; of a GOROOT of its own with its name; with the beginning of its mark where several are the same; "-": no Go */
    size_t controls; /* that were run with it, those without any Go included */
    size_t failed;   /* of them: another end than expected, no shot, or the tool's failure */
};

struct itr_matrix_table {
    size_t like; /* a cell of that case, no control if there is another */
    struct itr_matrix_column *columns; /* oldest version first */
    size_t column_count;
    struct itr_matrix_row *rows; /* in the campaign's order */
    size_t row_count;
    size_t *controls; /* cells */
    size_t control_count;
};

/* A question that was asked. */
struct itr_matrix_test {
    size_t table, row, column;
    const char *signature; /* the tally's; NULL: failures of any kind */
    bool falls;            /* more often in the older version: there the older one is the test's candidate */
};

/* `{0}` may be released. */
struct itr_matrix {
    double alpha;
    struct itr_matrix_table *tables; /* one a case, in the campaign's order */
    size_t table_count;
    struct itr_matrix_test *tests;
    struct itr_other *counts; /* one a test; is_worse: it is a change */
    size_t test_count;
    size_t tested;  /* entries */
    size_t changed; /* entries with a change, ITR_MATRIX_OTHER not counted */
};

/* Of a judged summary, which stays as long as the matrix is used. ITR_E_USAGE: alpha is not between 0 and 1; ITR_E_LIMIT: too
 * many cells or questions; ITR_E_NO_MEMORY. After a failure there is nothing to release. */
ITR_MUST_USE enum itr_status itr_matrix_make(struct itr_matrix *matrix, const struct itr_summary *summary, double alpha,
                                             struct itr_error *err);
void itr_matrix_release(struct itr_matrix *matrix);

/* That of the campaign (summary.h), but 3 in place of 0 where controls alone were tested. Changes between versions do not count:
 * each cell is held against what its case says of that version. */
int itr_matrix_exit_code(const struct itr_matrix *matrix, const struct itr_summary *summary);

/* The entry's failures by signature, most frequent first: up to `most`, borrowed from the summary, go to `list`. Returns how many
 * there are in all. */
size_t itr_matrix_signatures(const struct itr_summary *summary, const struct itr_matrix_entry *entry,
                             const struct itr_tally_signature **list, size_t most);

#endif
