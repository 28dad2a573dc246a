/* A bisection of real arms: which libraries are built when, which trials are run, and what came of it. The one place where
 * bisect.h's numbers meet arms (arm.h) and a campaign (campaign.h). It prints nothing but skips, and judges nothing itself.
 *
 * Drive it so: itr_bisection_read(), itr_bisection_provide() for the ends, itr_bisection_choose_point(), open the campaign
 * (without cells, or with those of the folder that is resumed), then itr_bisection_search(). All it decides by are counts,
 * so one that was cut short goes on with the counts of its folder. With one arm the parts serve a single judgement. */
#ifndef INITRACE_FRAMEWORK_BISECTION_H
#define INITRACE_FRAMEWORK_BISECTION_H

#include "framework/bisect.h"
#include "framework/campaign.h"
#include "framework/golib.h"
#include "framework/options.h"

#define ITR_BISECTION_FORMAT 1
#define ITR_BISECTION_NO_CELL ((size_t)-1)

enum {
    ITR_BISECTION_ARMS_MAX = 256,
    ITR_BISECTION_WHY_MAX = 1024,
};

enum itr_bisection_arm_state {
    ITR_BISECTION_WAITING, /* not needed so far: nothing was built for it, unless `provided` */
    ITR_BISECTION_READY,
    ITR_BISECTION_SKIPPED, /* cannot be tested */
};

struct itr_bisection_arm {
    struct itr_arm_spec spec;
    const char *text; /* as it was written; borrowed */
    enum itr_bisection_arm_state state;
    bool provided;                   /* its library is there */
    char why[ITR_BISECTION_WHY_MAX]; /* it is skipped */
    char go[ITR_GOLIB_NAME_MAX];     /* folder of its libraries; "": a library of its own */
    char *library;
    size_t cell; /* in the campaign; ITR_BISECTION_NO_CELL: none yet */
    size_t *controls;
    size_t control_count;
    uint64_t hits; /* failures that are followed */
    uint64_t others; /* other failures */
    uint64_t trials; /* with an answer */
    double chance;   /* that the rate changes here */
};

/* What came of it. */
#define ITR_BISECTION_MAP(X)                                                              \
    X(UNFINISHED, "unfinished")                                                           \
    X(FOUND, "found")         /* the rate changes at `found` */                           \
    X(NO_CHANGE, "no-change") /* all arms fail as often, as far as can be told */         \
    X(UNDECIDED, "undecided") /* the budget is spent; `found` is the likeliest, if any */ \
    X(BROKEN, "broken")       /* a control of an end failed: see `why` */                 \
    X(TOO_FEW, "too-few")     /* fewer than two arms can be tested */

enum itr_bisection_state {
#define ITR_BISECTION_ENUM(id, name) ITR_BISECTION_##id,
    ITR_BISECTION_MAP(ITR_BISECTION_ENUM)
#undef ITR_BISECTION_ENUM
};

/* `{0}` with options and layout set may be read into and released. */
struct itr_bisection {
    const struct itr_options *options;
    const struct itr_layout *layout;
    struct itr_bisect_rules rules;
    const char *signature; /* pattern of the failure that is followed */
    uint64_t control_count; /* trials of each control */
    uint32_t jobs;
    uint64_t seed;

    struct itr_case c;
    char at[ITR_AT_MAX]; /* the point; "": not chosen yet */
    struct itr_bisection_arm *arms;
    size_t arm_count;

    struct itr_campaign *campaign; /* the caller's */
    struct itr_summary summary;    /* the campaign's */
    uint64_t next_trial;

    enum itr_bisection_state state;
    char why[ITR_BISECTION_WHY_MAX];
    size_t found;       /* arm at which the rate changes, or ITR_BISECTION_NO_CELL */
    size_t before;      /* the last arm before it that can be tested */
    double no_change;   /* chance that it nowhere does */
    double rate_before; /* expected, where it is found */
    double rate_after;
};

const char *itr_bisection_name(enum itr_bisection_state state);

/* The case (first word) and the arms (all others): words only, nothing is built. */
ITR_MUST_USE enum itr_status itr_bisection_read(struct itr_bisection *bisection, struct itr_error *err);
void itr_bisection_release(struct itr_bisection *bisection);

/* Makes sure that the arm's libraries are there. One whose are not to be had becomes a skip that is told; an error is the
 * tool's own. */
ITR_MUST_USE enum itr_status itr_bisection_provide(struct itr_bisection *bisection, size_t arm, struct itr_error *err);
/* Provides the outermost arms that can be had; both ITR_BISECTION_NO_CELL: none can. */
ITR_MUST_USE enum itr_status itr_bisection_provide_ends(struct itr_bisection *bisection, size_t *first, size_t *last,
                                                        struct itr_error *err);
/* --at, else the located point that shows a known failure of one of these provided arms, else the case's own. */
ITR_MUST_USE enum itr_status itr_bisection_choose_point(struct itr_bisection *bisection, size_t first, size_t last,
                                                        struct itr_error *err);

/* With the campaign open. Provides the arm and makes its cells, or a skip of it. */
ITR_MUST_USE enum itr_status itr_bisection_prepare(struct itr_bisection *bisection, size_t arm, bool with_controls,
                                                   struct itr_error *err);
/* Runs the controls of a ready arm as far as they were not; one that fails makes the whole BROKEN. */
ITR_MUST_USE enum itr_status itr_bisection_run_controls(struct itr_bisection *bisection, size_t arm, struct itr_error *err);
/* So many trials of each arm, all of which are ready where it is not 0. One at whose point no shot lands becomes a skip. The
 * arms' counts are brought up to date. */
ITR_MUST_USE enum itr_status itr_bisection_run(struct itr_bisection *bisection, const uint32_t *trials, struct itr_error *err);
/* Brings the arms' counts up to date: all trials that the campaign has. */
void itr_bisection_count(struct itr_bisection *bisection);

/* The whole, until it is decided or interrupted. Leaves bisect.json in the folder, also on the way. */
ITR_MUST_USE enum itr_status itr_bisection_search(struct itr_bisection *bisection, struct itr_error *err);

/* 0: an answer; 3: none. */
int itr_bisection_exit_code(const struct itr_bisection *bisection);

/* Trials of the campaign, all together, and those in which the tool failed. */
uint64_t itr_bisection_trials(const struct itr_bisection *bisection, uint64_t *tool_errors);

#endif
