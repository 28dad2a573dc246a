/* Intervals and tails of counts, on the incomplete beta function. Tests are in stats_fisher.c and stats_sprt.c.
 *
 * Everything rests on one density, in which nothing large is ever taken from something large:
 *   G(n)/(G(a)G(b)) x^a y^b = sqrt(ab/(2 pi n)) exp(d(n)-d(a)-d(b) - D(a, nx) - D(b, ny))
 * with n = a+b, G the gamma function, d(z) the error of Stirling's formula for ln G(z), and
 * D(u, v) = u ln(u/v) - u + v (the saddle-point form; C. Loader, "Fast and Accurate Computation of
 * Binomial Probabilities", 2000). */
#include "framework/stats_parts.h"

#include <float.h>
#include <math.h>

static const double two_pi = 6.283185307179586476925286766559;

enum { FRACTION_STEPS_MAX = 200000, INVERSE_STEPS_MAX = 400 };

bool itr_is_probability(double value) {
    return value >= 0 && value <= 1;
}

static bool is_open_probability(double value) {
    return value > 0 && value < 1;
}

static bool is_parameter(double value) {
    return value > 0 && value <= DBL_MAX;
}

/* ln G(z) - ((z-1/2) ln z - z + ln(2 pi)/2), z > 0. */
static double stirling_error(double z) {
    double error = 0;
    double square;

    while (z < 16) {
        error += (z + 0.5) * log1p(1 / z) - 1; /* G(z+1) = z G(z) */
        z += 1;
    }
    square = z * z;
    return error +
           (1.0 / 12 -
            (1.0 / 360 - (1.0 / 1260 -
                          (1.0 / 1680 -
                           (1.0 / 1188 - (691.0 / 360360 - 1.0 / 156 / square) / square) / square) /
                              square) /
                             square) /
                square) /
               z;
}

/* u ln(u/v) - u + v >= 0 for u >= 0, v > 0, without loss where u and v are close. */
static double deviance(double u, double v) {
    double ratio = (u - v) / (u + v);
    double term;
    double sum;

    if (u == 0) {
        return v;
    }
    if (fabs(ratio) > 0.5) {
        return u * log(u / v) - u + v;
    }
    /* With r = (u-v)/(u+v): ln(u/v) = 2 atanh r, so it is (u-v) r + 2u (r^3/3 + r^5/5 + …). */
    sum = (u - v) * ratio;
    term = 2 * u * ratio;
    for (int i = 3; i < 100; i += 2) {
        double before = sum;
        term *= ratio * ratio;
        sum += term / i;
        if (sum == before) {
            break;
        }
    }
    return sum;
}

double itr_beta_power(double a, double b, double x, double y) {
    double n = a + b;
    double exponent = stirling_error(n) - stirling_error(a) - stirling_error(b) -
                      deviance(a, n * x) - deviance(b, n * y);

    return sqrt(a / two_pi * (b / n)) * exp(exponent);
}

/* I_x(a, b) for x <= a/(a+b). The usual continued fraction 1/(1 + d1/(1 + d2/(1 + …))) with
 *   d(2m+1) = -(a+m)(a+b+m)x / ((a+2m)(a+2m+1)),  d(2m) = m(b-m)x / ((a+2m-1)(a+2m)),
 * taken two terms at a time (its even part):
 *   1/(B0 + A1/(B1 + A2/(B2 + …))),  Am = -d(2m-1) d(2m),  Bm = 1 + d(2m) + d(2m+1).
 * With l = a-(a+b)x >= 0 the ones in Bm cancel on paper, and what remains is a sum of terms that
 * are positive while m < b:
 *   Bm = d(2m) + ((a+m)(l+1+m(1+y)) + m(a+2m+1)) / ((a+2m)(a+2m+1)).
 * Evaluated from the front by Lentz's method. */
static double beta_fraction(double a, double b, double x, double y) {
    const double tiny = DBL_MIN / DBL_EPSILON;
    double l = x <= y ? fma(-(a + b), x, a) : fma(a + b, y, -b);
    double odd = -(a + b) * x / (a + 1);
    double value = (l + 1) / (a + 1);
    double c = value;
    double d = 0;

    for (int i = 1; i < FRACTION_STEPS_MAX; i++) {
        double m = i;
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double add = -odd * even;
        double below = even + ((a + m) * (l + 1 + m * (1 + y)) + m * (a + 2 * m + 1)) /
                                  ((a + 2 * m) * (a + 2 * m + 1));
        double factor;
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = below + add * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = below + add / c;
        c = fabs(c) < tiny ? tiny : c;
        factor = c * d;
        value *= factor;
        if (fabs(factor - 1) <= DBL_EPSILON) {
            break;
        }
    }
    return itr_beta_power(a, b, x, y) / a / value;
}

/* I_x(a, b) to `*lower` and 1 - I_x(a, b) to `*upper`, where x + y = 1. The smaller one is good to
 * the last digits. */
static void incomplete_beta(double a, double b, double x, double y, double *lower, double *upper) {
    if (x <= 0 || y <= 0) {
        *lower = x <= 0 ? 0 : 1;
        *upper = 1 - *lower;
    } else if ((a + b) * x <= a) {
        *lower = beta_fraction(a, b, x, y);
        *upper = 1 - *lower;
    } else {
        *upper = beta_fraction(b, a, y, x);
        *lower = 1 - *upper;
    }
}

double itr_incomplete_beta(double a, double b, double x) {
    double lower;
    double upper;

    if (!is_parameter(a) || !is_parameter(b) || !itr_is_probability(x)) {
        return NAN;
    }
    incomplete_beta(a, b, x, 1 - x, &lower, &upper);
    return lower;
}

/* The x with I_x(a, b) = p, where p + q = 1 and x is at most about 1/2: bisection that Newton's
 * method hurries along, on a scale of ratios so that small x are as exact as large ones. */
static double beta_inverse_low(double a, double b, double p, double q) {
    double low = 0;
    double high = 1;
    double x = a / (a + b);

    for (int i = 0; i < INVERSE_STEPS_MAX; i++) {
        double lower;
        double upper;
        double difference;
        double slope;
        double next;
        incomplete_beta(a, b, x, 1 - x, &lower, &upper);
        difference = p <= q ? lower - p : q - upper;
        if (difference == 0) {
            return x;
        }
        if (difference > 0) {
            high = x;
        } else {
            low = x;
        }
        slope = itr_beta_power(a, b, x, 1 - x) / (x * (1 - x));
        /* Newton's steps for the logarithm of the smaller side, since tails are nearly straight
         * there: ln I as a function of ln x, ln(1-I) as a function of x. */
        if (p <= q) {
            next = x * exp((log(p) - log(lower)) * lower / (slope * x));
        } else {
            next = x + (log(upper) - log(q)) * upper / slope;
        }
        if (!(next > low && next < high)) {
            next = low == 0         ? high / 1024
                   : high > 4 * low ? sqrt(low) * sqrt(high)
                                    : low + (high - low) / 2;
        }
        if (fabs(next - x) <= 2 * DBL_EPSILON * x || next == 0 || high - low <= DBL_EPSILON * low) {
            return next;
        }
        x = next;
    }
    return x;
}

static double beta_inverse(double a, double b, double p, double q) {
    double lower;
    double upper;

    if (p <= 0 || q <= 0) {
        return p <= 0 ? 0 : 1;
    }
    incomplete_beta(a, b, 0.5, 0.5, &lower, &upper);
    if (p <= q ? lower >= p : upper <= q) {
        return beta_inverse_low(a, b, p, q);
    }
    return 1 - beta_inverse_low(b, a, q, p);
}

double itr_incomplete_beta_inverse(double a, double b, double probability) {
    if (!is_parameter(a) || !is_parameter(b) || !itr_is_probability(probability)) {
        return NAN;
    }
    return beta_inverse(a, b, probability, 1 - probability);
}

double itr_normal_quantile(double probability) {
    double tail = probability < 0.5 ? probability : 1 - probability;
    double low = 0;
    double high = 40;

    if (!itr_is_probability(probability)) {
        return NAN;
    }
    if (tail <= 0) {
        return probability < 0.5 ? -INFINITY : INFINITY;
    }
    /* erfc falls steadily: 200 halvings leave nothing between the two ends. */
    for (int i = 0; i < 200; i++) {
        double middle = low + (high - low) / 2;
        if (erfc(middle / sqrt(2.0)) / 2 > tail) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return probability < 0.5 ? -high : low;
}

struct itr_interval itr_wilson(uint64_t hits, uint64_t trials, double confidence) {
    struct itr_interval interval = {0, 1};
    double n = (double)trials;
    double rate;
    double z;
    double middle;
    double half;

    if (trials == 0 || hits > trials || !is_open_probability(confidence)) {
        return interval;
    }
    rate = (double)hits / n;
    z = -itr_normal_quantile((1 - confidence) / 2);
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n);
    half = z / (1 + z * z / n) * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n));
    if (hits > 0 && middle > half) {
        interval.low = middle - half;
    }
    if (hits < trials && middle + half < 1) {
        interval.high = middle + half;
    }
    return interval;
}

struct itr_interval itr_clopper_pearson(uint64_t hits, uint64_t trials, double confidence) {
    struct itr_interval interval = {0, 1};
    double tail = (1 - confidence) / 2;
    double misses;

    if (trials == 0 || hits > trials || !is_open_probability(confidence)) {
        return interval;
    }
    misses = (double)(trials - hits);
    if (hits > 0) {
        interval.low = beta_inverse((double)hits, misses + 1, tail, 1 - tail);
    }
    if (hits < trials) {
        interval.high = beta_inverse((double)hits + 1, misses, 1 - tail, tail);
    }
    return interval;
}

double itr_none_upper_bound(uint64_t trials, double confidence) {
    if (!is_open_probability(confidence)) {
        return NAN;
    }
    return trials == 0 ? 1 : -expm1(log1p(-confidence) / (double)trials);
}

uint64_t itr_none_trials_needed(double rate, double confidence) {
    double trials;

    if (!(rate > 0) || !(rate <= 1) || !is_open_probability(confidence)) {
        return UINT64_MAX;
    }
    trials = rate == 1 ? 1 : ceil(log1p(-confidence) / log1p(-rate));
    /* The next number down or up may be the one, by rounding. */
    if (trials > 1 && trials < 1e15 &&
        itr_none_upper_bound((uint64_t)trials - 1, confidence) <= rate) {
        trials -= 1;
    } else if (trials < 1e15 && itr_none_upper_bound((uint64_t)trials, confidence) > rate) {
        trials += 1;
    }
    return trials < 18e18 ? (uint64_t)trials : UINT64_MAX;
}

double itr_binomial_at_least(uint64_t hits, uint64_t trials, double rate) {
    double lower;
    double upper;

    if (hits > trials || !itr_is_probability(rate)) {
        return hits > trials && itr_is_probability(rate) ? 0 : NAN;
    }
    if (hits == 0) {
        return 1;
    }
    incomplete_beta((double)hits, (double)(trials - hits) + 1, rate, 1 - rate, &lower, &upper);
    return lower;
}

double itr_binomial_at_most(uint64_t hits, uint64_t trials, double rate) {
    double lower;
    double upper;

    if (!itr_is_probability(rate)) {
        return NAN;
    }
    if (hits >= trials) {
        return 1;
    }
    incomplete_beta((double)hits + 1, (double)(trials - hits), rate, 1 - rate, &lower, &upper);
    return upper;
}
