/* A comparison as a whole: controls, a pilot of the baseline, the points one after the other, the guard; and the verdict on
 * each candidate. It says which rounds are to be run next and judges what came of them: it fires nothing, reads no clock and
 * prints nothing, so that a whole comparison can be simulated.
 *
 * Drive it so: fill in options, labels and groups, then ask itr_compare_next() for rounds and run them (campaign.h), again
 * and again until there are none; then itr_compare_judge(). Everything it asks for comes from the options and the counts, so a
 * comparison that was cut short goes on with the same questions. */
#ifndef INITRACE_FRAMEWORK_COMPARE_H
#define INITRACE_FRAMEWORK_COMPARE_H

#include "framework/arm.h"
#include "framework/campaign.h"
#include "framework/others.h"

enum {
    ITR_COMPARE_ARMS_MAX = 1 + ITR_ROUNDS_CANDIDATES_MAX, /* [0] is the baseline */
    ITR_COMPARE_PILOT = 64,        /* trials of the baseline at each point, */
    ITR_COMPARE_PILOT_MORE = 448,  /* and where it failed in fewer than 3 of them, so many more; and then, with a budget of the user's, half of that in all */
    ITR_COMPARE_ROUNDS_LEAST = 40, /* of a candidate that is fixed: with 8, nothing could be said of what came in its place */
    ITR_COMPARE_GROUPS_MAX = 1024,
};

/* `{0}` is not valid: alpha and beta are needed. */
struct itr_compare_options {
    struct itr_comparison_design test; /* baselines and rounds_max 0: chosen from the pilot */
    uint64_t control_count;            /* trials of each control and arm; 0: 15 */
    uint64_t guard_count;              /* trials of each other case and arm; 0: 100 */
    uint32_t jobs;
    uint64_t seed;
};

enum itr_compare_kind { ITR_COMPARE_CONTROL, ITR_COMPARE_POINT, ITR_COMPARE_GUARD };

enum itr_compare_group_state {
    ITR_COMPARE_WAITING,
    ITR_COMPARE_RUN,       /* its rounds were asked for */
    ITR_COMPARE_SKIPPED,   /* the baseline has no such point */
    ITR_COMPARE_NOT_SHOWN, /* it did not fail in the pilot, or too seldom to plan with and no budget was given */
};

/* Cells that differ in the arm alone. */
struct itr_compare_group {
    enum itr_compare_kind kind;              /* controls first, then points in their order, then the guard */
    size_t cells[ITR_COMPARE_ARMS_MAX];      /* in the campaign */
    /* what follows is itr_compare_next()'s */
    enum itr_compare_group_state state;
    struct itr_rounds rounds;                /* of its last stage */
    uint32_t arms[ITR_COMPARE_ARMS_MAX];     /* the rounds' arm n is the command's arms[n] */
    char signatures[ITR_ROUNDS_SIGNATURES_MAX][ITR_NAME_MAX]; /* compared */
    const char *patterns[ITR_ROUNDS_SIGNATURES_MAX];          /* the same */
    uint32_t signature_count;
    uint64_t pilot_trials;
    uint64_t pilot_hits; /* of the rarest signature that is compared, or that would be; 0: there was no failure */
    uint64_t pilot_seen[ITR_ROUNDS_OTHERS_MAX]; /* failures of the baseline in its pilot, by their place in the tally */
};

enum itr_compare_stage {
    ITR_COMPARE_STAGE_BEGIN,
    ITR_COMPARE_STAGE_CONTROLS,
    ITR_COMPARE_STAGE_PILOT,
    ITR_COMPARE_STAGE_PILOT_MORE,
    ITR_COMPARE_STAGE_PILOT_LONG,
    ITR_COMPARE_STAGE_POINTS,
    ITR_COMPARE_STAGE_GUARD,
    ITR_COMPARE_STAGE_END,
};

#define ITR_COMPARE_VERDICT_MAP(X)                                                         \
    X(FIXED, "fixed")           /* every failure that was compared, at every point */      \
    X(PART, "fixed in part")                                                               \
    X(REPLACED, "not fixed")    /* the failure is gone, and others came in its place */    \
    X(NOT_FIXED, "not fixed")                                                              \
    X(WORSE, "worse")                                                                      \
    X(UNDECIDED, "undecided")                                                              \
    X(NOT_REACHED, "undecided") /* no shot lands at the point in this arm */               \
    X(BROKEN, "undecided")      /* a control failed */

enum itr_compare_verdict {
#define ITR_COMPARE_VERDICT_ENUM(id, name) ITR_COMPARE_IS_##id,
    ITR_COMPARE_VERDICT_MAP(ITR_COMPARE_VERDICT_ENUM)
#undef ITR_COMPARE_VERDICT_ENUM
};

/* A signature that is not compared (or any failure at all), in one candidate. */
struct itr_compare_other {
    size_t group;
    const char *signature; /* the tally's; NULL: failures of any kind */
    struct itr_other counts;
};

struct itr_compare_result {
    enum itr_compare_verdict verdict;
    struct itr_compare_other *others; /* the whole family that Holm's correction is over */
    size_t other_count;
    size_t worse; /* of them */
};

struct itr_compare {
    struct itr_compare_options options;
    uint32_t candidates;
    char labels[ITR_COMPARE_ARMS_MAX][ITR_ARM_LABEL_MAX];
    struct itr_compare_group *groups; /* taken over: freed by the release */
    size_t group_count;

    enum itr_compare_stage stage;
    uint64_t next_trial;
    uint64_t announced; /* most trials of points and guard together, as planned after the pilot; 0: it did not come to that */
    bool broken[ITR_COMPARE_ARMS_MAX]; /* a control of that arm failed: */
    char why[ITR_COMPARE_ARMS_MAX][1024];
    struct itr_compare_result results[ITR_ROUNDS_CANDIDATES_MAX]; /* by candidate */
};

const char *itr_compare_verdict_name(enum itr_compare_verdict verdict);
/* "controls", "pilot", "points", "guard". */
const char *itr_compare_stage_name(enum itr_compare_stage stage);

/* The rounds to run now: up to group_count of them go to `parts`. `*count` 0: there is nothing more to run. The counts so far
 * are the summary's. ITR_E_USAGE for a design that cannot be; ITR_E_LIMIT, ITR_E_NO_MEMORY. */
ITR_MUST_USE enum itr_status itr_compare_next(struct itr_compare *compare, const struct itr_summary *summary,
                                              struct itr_campaign_rounds *parts, size_t *count, struct itr_error *err);

/* Trials with an answer, by what they were for, and those that were repeated because they had none. */
struct itr_compare_trials {
    uint64_t controls, pilot;
    uint64_t points, guard; /* of those announced */
    uint64_t repeated;
};
void itr_compare_count(const struct itr_compare *compare, const struct itr_summary *summary, struct itr_compare_trials *trials);
/* Those of a point's that no round took in: under way at the decision. */
uint64_t itr_compare_beyond(const struct itr_compare *compare, const struct itr_summary *summary, size_t group);

/* Trials of the guard, all arms together. */
uint64_t itr_compare_guard_trials(const struct itr_compare *compare);
/* Trials that the rounds of a stage will take at most, all arms together. */
uint64_t itr_compare_stage_trials(const struct itr_campaign_rounds *parts, size_t count);

/* Fills in the results, also of a comparison that was cut short. The summary stays as long as they do. */
ITR_MUST_USE enum itr_status itr_compare_judge(struct itr_compare *compare, const struct itr_summary *summary,
                                               struct itr_error *err);

/* One point and candidate (from 0), after itr_compare_judge(). */
enum itr_compare_verdict itr_compare_at(const struct itr_compare *compare, size_t group, uint32_t candidate);
/* The candidate's comparisons at a point, one a signature; NULL: it has none there. */
const struct itr_comparison *itr_compare_any(const struct itr_compare_group *group, uint32_t candidate); /* of all failures together */
const struct itr_comparison *itr_compare_comparisons(const struct itr_compare_group *group, uint32_t candidate);

/* itr_comparison_facts(), with what would still be needed also where the trials were used up. */
void itr_compare_facts(const struct itr_comparison *comparison, double confidence, struct itr_comparison_facts *facts);

/* 0: every candidate is fixed, and not worse elsewhere; 1: one is not, or is worse; 3: undecided, or a control failed. */
int itr_compare_exit_code(const struct itr_compare *compare);

void itr_compare_release(struct itr_compare *compare);

#endif
