/* What the files of stats share. Not for others. */
#ifndef INITRACE_FRAMEWORK_STATS_PARTS_H
#define INITRACE_FRAMEWORK_STATS_PARTS_H

#include "framework/stats.h"

/* From 0 to 1; NaN is none. */
bool itr_is_probability(double value);

/* x^a y^b G(a+b) / (G(a) G(b)), x + y = 1, both > 0: the density that all here rests on (stats.c). */
double itr_beta_power(double a, double b, double x, double y);

#endif
