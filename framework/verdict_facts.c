/* What is known of a comparison's two arms, beside the verdict: rates, intervals, Fisher's test, what is still to come.
 * It changes nothing. */
#include "framework/verdict.h"

#include <math.h>

static struct itr_comparison_arm arm_facts(uint64_t hits, uint64_t trials, double confidence) {
    struct itr_comparison_arm arm = {
        .hits = hits, .trials = trials, .rate = NAN, .none_bound = NAN};

    arm.interval = itr_clopper_pearson(hits, trials, confidence);
    if (trials > 0) {
        arm.rate = (double)hits / (double)trials;
    }
    if (hits == 0) {
        arm.none_bound = itr_none_upper_bound(trials, confidence);
    }
    return arm;
}

/* share / (1 - share) of the failures, a round having `baselines` trials of the baseline and one of the candidate. */
static double ratio_of_share(double share, double baselines) {
    return share < 1 ? baselines * share / (1 - share) : INFINITY;
}

static double rounds_left(const struct itr_comparison *comparison, double ratio) {
    double hits = (double)comparison->hits[ITR_ARM_BASELINE];
    double trials = (double)comparison->trials[ITR_ARM_BASELINE];
    double rate = trials > 0 ? hits / trials : 0;
    struct itr_comparison_expected expected;

    if (itr_comparison_expect(comparison, rate, rate * ratio, &expected, NULL) != ITR_OK) {
        return NAN;
    }
    return expected.rounds;
}

void itr_comparison_facts(const struct itr_comparison *comparison, double confidence,
                          struct itr_comparison_facts *facts) {
    const uint64_t *hits = comparison->hits;
    const uint64_t *trials = comparison->trials;
    uint64_t both = hits[ITR_ARM_BASELINE] + hits[ITR_ARM_CANDIDATE];
    struct itr_interval share = itr_clopper_pearson(hits[ITR_ARM_CANDIDATE], both, confidence);
    double baselines = comparison->design.baselines;

    *facts = (struct itr_comparison_facts){
        .baseline = arm_facts(hits[ITR_ARM_BASELINE], trials[ITR_ARM_BASELINE], confidence),
        .candidate = arm_facts(hits[ITR_ARM_CANDIDATE], trials[ITR_ARM_CANDIDATE], confidence),
        .ratio = {ratio_of_share(share.low, baselines), ratio_of_share(share.high, baselines)},
        .fisher = itr_fisher_exact(hits[ITR_ARM_CANDIDATE], trials[ITR_ARM_CANDIDATE],
                                   hits[ITR_ARM_BASELINE], trials[ITR_ARM_BASELINE]),
        .rounds_left_if_fixed = rounds_left(comparison, 1 / comparison->design.factor),
        .rounds_left_if_same = rounds_left(comparison, 1),
    };
}
