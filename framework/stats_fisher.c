/* Fisher's exact test of two rates. */
#include "framework/stats_parts.h"

#include <float.h>
#include <math.h>

/* A two-by-two table by its margins; the count in its first cell can be least … most. */
struct margins {
    double row_1, row_2, column_1, column_2;
    double least, most;
};

/* C(n, k) rate^k (1-rate)^(n-k). */
static double binomial_density(double k, double n, double rate) {
    if (k == 0) {
        return exp(n * log1p(-rate));
    }
    if (k == n) {
        return exp(n * log(rate));
    }
    return itr_beta_power(k, n - k, rate, 1 - rate) * (n / (k * (n - k)));
}

/* The chance of `cell` in the first cell: of column_1 drawn from row_1 + row_2. Any rate gives the
 * same; this one makes all three factors large. */
static double table_chance(const struct margins *m, double cell) {
    double n = m->row_1 + m->row_2;
    double rate = m->column_1 / n;

    if (m->least == m->most) {
        return 1;
    }
    return binomial_density(cell, m->row_1, rate) *
           binomial_density(m->column_1 - cell, m->row_2, rate) /
           binomial_density(m->column_1, n, rate);
}

/* What the chance of `cell` is multiplied by to have that of `cell` + 1. */
static double step_up(const struct margins *m, double cell) {
    return (m->row_1 - cell) / (cell + 1) *
           ((m->column_1 - cell) / (m->column_2 - m->row_1 + cell + 1));
}

/* Sum of the chances from `cell` up (direction 1) or down (-1). They rise at most once and then
 * fall faster and faster. */
static double tail_sum(const struct margins *m, double cell, int direction) {
    double chance = cell >= m->least && cell <= m->most ? table_chance(m, cell) : 0;
    double sum = chance;

    while (direction > 0 ? cell < m->most : cell > m->least) {
        double factor = direction > 0 ? step_up(m, cell) : 1 / step_up(m, cell - 1);
        chance *= factor;
        cell += direction;
        sum += chance;
        if (factor < 1 && chance < sum * (1 - factor) * (DBL_EPSILON / 4)) {
            break;
        }
    }
    return sum;
}

/* Sum of the tables on the far side of the likeliest one that are no likelier than `limit`. */
static double far_side(const struct margins *m, double mode, int direction, double limit) {
    double near = mode;
    double far = direction > 0 ? m->most : m->least;

    if (!(table_chance(m, far) <= limit)) {
        return 0;
    }
    while (fabs(far - near) > 1) { /* `near` is too likely, `far` is not */
        double middle = floor((near + far) / 2);
        if (table_chance(m, middle) <= limit) {
            far = middle;
        } else {
            near = middle;
        }
    }
    return tail_sum(m, far, direction);
}

struct itr_fisher itr_fisher_exact(uint64_t hits_1, uint64_t trials_1, uint64_t hits_2,
                                   uint64_t trials_2) {
    struct itr_fisher result = {NAN, NAN, NAN};
    struct margins m;
    double cell = (double)hits_1;
    double mode;
    double chance;
    double limit;

    if (hits_1 > trials_1 || hits_2 > trials_2) {
        return result;
    }
    m.row_1 = (double)trials_1;
    m.row_2 = (double)trials_2;
    m.column_1 = (double)hits_1 + (double)hits_2;
    m.column_2 = m.row_1 + m.row_2 - m.column_1;
    m.least = m.column_1 > m.row_2 ? m.column_1 - m.row_2 : 0;
    m.most = m.column_1 < m.row_1 ? m.column_1 : m.row_1;
    if (m.least == m.most) {
        result.less = result.greater = result.two_sided = 1;
        return result;
    }
    mode = floor((m.row_1 + 1) * ((m.column_1 + 1) / (m.row_1 + m.row_2 + 2)));
    mode = mode < m.least ? m.least : mode > m.most ? m.most : mode;
    chance = table_chance(&m, cell);
    limit = chance * (1 + 1e-7);
    /* The shorter way out is summed, the other is what remains. */
    if (cell < mode) {
        result.less = tail_sum(&m, cell, -1);
        result.greater = 1 - result.less + chance;
    } else {
        result.greater = tail_sum(&m, cell, 1);
        result.less = 1 - result.greater + chance;
    }
    if (table_chance(&m, mode) <= limit) {
        result.two_sided = 1; /* the table seen is the likeliest */
    } else if (cell < mode) {
        result.two_sided = result.less + far_side(&m, mode, 1, limit);
    } else {
        result.two_sided = result.greater + far_side(&m, mode, -1, limit);
    }
    result.less = fmin(result.less, 1);
    result.greater = fmin(result.greater, 1);
    result.two_sided = fmin(result.two_sided, 1);
    return result;
}
