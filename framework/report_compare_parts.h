/* What the reports of comparisons share (report_compare_words.c). Not for others. */
#ifndef INITRACE_FRAMEWORK_REPORT_COMPARE_PARTS_H
#define INITRACE_FRAMEWORK_REPORT_COMPARE_PARTS_H

#include "framework/report_compare.h"

#define ITR_COMPARE_CONFIDENCE 0.95

/* Neither infinity nor "not a number". */
bool itr_compare_is_number(double value);

/* As for a terminal, in one line. */
void itr_compare_add_clean(struct itr_text *out, const char *text);
/* "0 of 47 (at most 6.17 % at 95 %)", "85 of 740: 11.5 % [9.28, 14]". */
void itr_compare_add_arm(struct itr_text *out, const struct itr_comparison_arm *arm);
void itr_compare_add_ratio(struct itr_text *out, const struct itr_interval *ratio);
/* Trials that were run, of those announced; one line. */
void itr_compare_add_trials(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary);

/* Could a candidate that always fails there be found at all? Not where the baseline fails so often itself. */
bool itr_compare_has_power(const struct itr_compare *compare, uint32_t candidate, const struct itr_compare_other *other);
/* Any failure of another case. */
bool itr_compare_is_guard(const struct itr_compare *compare, const struct itr_compare_other *other);
const char *itr_compare_other_name(const struct itr_compare_other *other);

/* The comparison of all failures together; NULL where it is that of the one signature once more, since nothing else failed. */
const struct itr_comparison *itr_compare_worth_telling(const struct itr_compare_group *group, uint32_t candidate);
/* NULL: all failures together. */
const char *itr_compare_pattern_name(const char *pattern);

#endif
