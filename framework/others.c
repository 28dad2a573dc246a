/* Fisher's test in each of many cells, and Holm's correction over them. It chooses no cells. */
#include "framework/others.h"

#include "framework/stats.h"

#include <math.h>
#include <stdlib.h>

static bool is_alpha(double alpha) {
    return alpha > 0 && alpha < 1;
}

static int by_chance(const void *a, const void *b) {
    double x = (*(struct itr_other *const *)a)->chance;
    double y = (*(struct itr_other *const *)b)->chance;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* Holm: the least chance is multiplied by the number of cells, the next by one less, and so on; none is below the one before. */
static size_t adjust(struct itr_other **sorted, size_t count, double alpha) {
    double least = 0;
    size_t worse = 0;

    for (size_t i = 0; i < count; i++) {
        least = fmax(least, fmin(1, sorted[i]->chance * (double)(count - i)));
        sorted[i]->adjusted = least;
        sorted[i]->is_worse = least <= alpha;
        worse += sorted[i]->is_worse;
    }
    return worse;
}

enum itr_status itr_others_judge(struct itr_other *cells, size_t count, double alpha, size_t *worse,
                                 struct itr_error *err) {
    struct itr_other **sorted;

    if (!is_alpha(alpha)) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "a comparison of cells needs an alpha between 0 and 1, not %g", alpha);
    }
    if (count > ITR_OTHERS_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "at most %d cells can be compared, not %zu",
                        ITR_OTHERS_MAX, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (cells[i].baseline_hits > cells[i].baseline_trials ||
            cells[i].candidate_hits > cells[i].candidate_trials) {
            return itr_fail(err, ITR_E_USAGE, 0, "cell %zu has more failures than trials", i);
        }
    }
    sorted = calloc(count + 1, sizeof(struct itr_other *));
    if (sorted == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "no memory for %zu cells", count);
    }
    for (size_t i = 0; i < count; i++) {
        cells[i].chance = itr_fisher_exact(cells[i].candidate_hits, cells[i].candidate_trials,
                                           cells[i].baseline_hits, cells[i].baseline_trials)
                              .greater;
        cells[i].is_new = cells[i].baseline_hits == 0 && cells[i].candidate_hits > 0;
        sorted[i] = &cells[i];
    }
    qsort(sorted, count, sizeof(struct itr_other *), by_chance);
    *worse = adjust(sorted, count, alpha);
    free(sorted);
    return ITR_OK;
}

bool itr_other_has_power(const struct itr_other *cell, size_t count, double alpha) {
    double chance = itr_fisher_exact(cell->candidate_trials, cell->candidate_trials,
                                     cell->baseline_hits, cell->baseline_trials)
                        .greater;

    return is_alpha(alpha) && chance * (double)count <= alpha;
}
