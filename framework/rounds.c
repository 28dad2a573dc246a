/* The loop of a comparison: hands out trials, takes answers in any order, judges rounds by number. */
#include "framework/rounds.h"

#include <stdlib.h>

enum { SIZE_MAX_TRIALS = ITR_BASELINES_MAX + ITR_ROUNDS_CANDIDATES_MAX };

enum place_state { FREE, UNDER_WAY, ANSWERED, GIVEN_UP };

struct place {
    uint8_t arm;
    uint8_t state;   /* enum place_state */
    uint8_t attempt; /* the next one, or the one under way */
    int16_t what;
};

struct itr_rounds_slot {
    struct place places[SIZE_MAX_TRIALS];
};

/* A trial number that no record can hold is none. */
#define NUMBERS_MAX (UINT64_C(1) << 62)

static enum itr_status check(const struct itr_rounds_design *design, struct itr_error *err) {
    if (design->candidates > ITR_ROUNDS_CANDIDATES_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0, "a comparison has at most %d candidates, not %u",
                        (int)ITR_ROUNDS_CANDIDATES_MAX, (unsigned)design->candidates);
    }
    if (design->signatures > ITR_ROUNDS_SIGNATURES_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0, "at most %d signatures are compared at a time, not %u",
                        (int)ITR_ROUNDS_SIGNATURES_MAX, (unsigned)design->signatures);
    }
    if (design->test.rounds_max == 0 || design->ahead == 0 || design->ahead > ITR_ROUNDS_AHEAD_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0, "a comparison needs a budget, and from 1 to %d rounds under way",
                        (int)ITR_ROUNDS_AHEAD_MAX);
    }
    return ITR_OK;
}

enum itr_status itr_rounds_begin(struct itr_rounds *rounds, const struct itr_rounds_design *design,
                                 struct itr_error *err) {
    struct itr_rounds begun = {.design = *design};
    struct itr_comparison comparison;
    enum itr_status status = check(design, err);
    if (status == ITR_OK) {
        status = itr_comparison_begin(&comparison, &design->test, err);
    }
    if (status != ITR_OK) {
        return status;
    }
    begun.design.test = comparison.design;
    begun.size = comparison.design.baselines + design->candidates;
    for (uint32_t c = 0; c < design->candidates; c++) {
        begun.any[c] = comparison;
        for (uint32_t s = 0; s < design->signatures; s++) {
            begun.comparisons[c][s] = comparison;
        }
    }
    if (design->test.rounds_max > NUMBERS_MAX / SIZE_MAX_TRIALS / ITR_ROUNDS_ATTEMPTS ||
        design->first_trial > NUMBERS_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "the trials of a comparison cannot be numbered: its budget is too large");
    }
    begun.slots = calloc(design->ahead, sizeof *begun.slots);
    begun.others[0] = calloc((1 + (size_t)design->candidates) * ITR_ROUNDS_OTHERS_MAX, sizeof *begun.others[0]);
    for (uint32_t arm = 1; arm <= design->candidates && begun.others[0] != NULL; arm++) {
        begun.others[arm] = begun.others[0] + (size_t)arm * ITR_ROUNDS_OTHERS_MAX;
    }
    if (begun.slots == NULL || begun.others[0] == NULL) {
        itr_rounds_release(&begun);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for %u rounds", (unsigned)design->ahead);
    }
    *rounds = begun;
    return ITR_OK;
}

void itr_rounds_release(struct itr_rounds *rounds) {
    free(rounds->slots);
    free(rounds->others[0]);
    *rounds = (struct itr_rounds){0};
}

uint64_t itr_rounds_numbers(const struct itr_rounds *rounds) {
    return rounds->design.test.rounds_max * rounds->size * ITR_ROUNDS_ATTEMPTS;
}

static struct itr_rounds_slot *slot_of(const struct itr_rounds *rounds, uint64_t round) {
    return &rounds->slots[round % rounds->design.ahead];
}

/* The order of a round comes from the seed and its number alone. */
static void prepare(struct itr_rounds *rounds) {
    uint8_t order[SIZE_MAX_TRIALS];
    struct itr_random random =
        itr_random_of("rounds", rounds->design.seed, rounds->design.first_trial + rounds->prepared * rounds->size);
    struct itr_rounds_slot *slot = slot_of(rounds, rounds->prepared);
    itr_round_order(&random, rounds->design.test.baselines, rounds->design.candidates, order);
    for (uint32_t i = 0; i < rounds->size; i++) {
        slot->places[i] = (struct place){.arm = order[i]};
    }
    rounds->prepared++;
}

static bool take_of(struct itr_rounds *rounds, uint64_t round, struct itr_rounds_trial *trial) {
    struct itr_rounds_slot *slot = slot_of(rounds, round);
    for (uint32_t i = 0; i < rounds->size; i++) {
        struct place *place = &slot->places[i];
        if (place->state != FREE || rounds->arms[place->arm] != ITR_ROUNDS_OPEN) {
            continue;
        }
        uint64_t attempts_before = rounds->design.test.rounds_max * rounds->size * place->attempt;
        place->state = UNDER_WAY;
        rounds->taken++;
        *trial = (struct itr_rounds_trial){
            .round = round,
            .place = i,
            .arm = place->arm,
            .attempt = place->attempt,
            .trial = rounds->design.first_trial + attempts_before + round * rounds->size + i,
        };
        return true;
    }
    return false;
}

bool itr_rounds_take(struct itr_rounds *rounds, struct itr_rounds_trial *trial) {
    uint64_t max = rounds->design.test.rounds_max;
    for (uint64_t round = rounds->judged; !rounds->over && round < max && round - rounds->judged < rounds->design.ahead;
         round++) {
        if (round == rounds->prepared) {
            prepare(rounds);
        }
        if (take_of(rounds, round, trial)) {
            return true;
        }
    }
    return false;
}

/* ---- answers ---- */

static bool is_whole(const struct itr_rounds *rounds, const struct itr_rounds_slot *slot) {
    for (uint32_t i = 0; i < rounds->size; i++) {
        const struct place *place = &slot->places[i];
        bool has_ended = place->state == ANSWERED || place->state == GIVEN_UP;
        if (rounds->arms[place->arm] == ITR_ROUNDS_OPEN && !has_ended) {
            return false;
        }
    }
    return true;
}

/* `baseline_hits`: by signature; behind them those of any kind. */
static void judge_candidate(struct itr_rounds *rounds, uint32_t candidate, const uint32_t *baseline_hits, int what) {
    uint32_t signatures = rounds->design.signatures;
    bool fixed = signatures > 0;
    bool any = signatures == 0 || itr_comparison_round(&rounds->any[candidate], baseline_hits[signatures], what >= 0) ==
                                      ITR_COMPARISON_CONTINUE;
    for (uint32_t s = 0; s < signatures; s++) {
        any |= itr_comparison_round(&rounds->comparisons[candidate][s], baseline_hits[s], what == (int)s) ==
               ITR_COMPARISON_CONTINUE;
        fixed = fixed && rounds->comparisons[candidate][s].verdict == ITR_COMPARISON_FIXED;
    }
    rounds->arm_rounds[1 + candidate]++;
    if (!any && (!fixed || rounds->arm_rounds[1 + candidate] >= rounds->design.rounds_least)) {
        rounds->arms[1 + candidate] = ITR_ROUNDS_DECIDED;
    }
}

static void count_place(struct itr_rounds *rounds, const struct place *place, uint32_t *baseline_hits) {
    int signatures = (int)rounds->design.signatures;
    if (rounds->arms[place->arm] != ITR_ROUNDS_OPEN) {
        return;
    }
    rounds->counted++;
    baseline_hits[signatures] += place->arm == 0 && place->what >= 0 ? 1 : 0;
    if (place->what >= signatures) {
        rounds->others[place->arm][place->what - signatures]++;
    } else if (place->what >= 0 && place->arm == 0) {
        baseline_hits[place->what]++;
    }
}

/* By number too, or a trial beyond the decision could turn it. False: without the baseline there is nothing to judge. */
static bool leave_unreached(struct itr_rounds *rounds, const struct itr_rounds_slot *slot) {
    for (uint32_t i = 0; i < rounds->size; i++) {
        const struct place *place = &slot->places[i];
        if (place->state == GIVEN_UP && rounds->arms[place->arm] == ITR_ROUNDS_OPEN) {
            rounds->arms[place->arm] = ITR_ROUNDS_NOT_REACHED;
        }
    }
    return rounds->arms[0] == ITR_ROUNDS_OPEN;
}

static void judge(struct itr_rounds *rounds, const struct itr_rounds_slot *slot) {
    uint32_t baseline_hits[ITR_ROUNDS_SIGNATURES_MAX + 1] = {0};
    if (!leave_unreached(rounds, slot)) {
        return;
    }
    for (uint32_t i = 0; i < rounds->size; i++) {
        count_place(rounds, &slot->places[i], baseline_hits);
    }
    rounds->arm_rounds[0]++;
    for (uint32_t i = 0; i < rounds->size; i++) {
        const struct place *place = &slot->places[i];
        if (place->arm > 0 && rounds->arms[place->arm] == ITR_ROUNDS_OPEN) {
            judge_candidate(rounds, place->arm - 1u, baseline_hits, place->what);
        }
    }
    rounds->judged++;
}

static bool any_open(const struct itr_rounds *rounds) {
    bool any = rounds->design.candidates == 0;
    for (uint32_t c = 1; c <= rounds->design.candidates; c++) {
        any = any || rounds->arms[c] == ITR_ROUNDS_OPEN;
    }
    return any && rounds->arms[0] == ITR_ROUNDS_OPEN;
}

static void judge_all(struct itr_rounds *rounds) {
    while (!rounds->over) {
        rounds->over = !any_open(rounds) || rounds->judged == rounds->design.test.rounds_max;
        if (rounds->over || rounds->judged == rounds->prepared || !is_whole(rounds, slot_of(rounds, rounds->judged))) {
            return;
        }
        judge(rounds, slot_of(rounds, rounds->judged));
    }
}

void itr_rounds_note(struct itr_rounds *rounds, const struct itr_rounds_trial *trial, int what) {
    int last = (int)rounds->design.signatures + ITR_ROUNDS_OTHERS_MAX - 1;
    if (what < ITR_ROUNDS_VOID) {
        ITR_BUG("a trial came to %d", what);
    }
    rounds->ended++;
    rounds->voids += what == ITR_ROUNDS_VOID ? 1 : 0;
    if (trial->round < rounds->judged) { /* its arm was decided meanwhile */
        return;
    }
    struct place *place = &slot_of(rounds, trial->round)->places[trial->place];
    if (place->state != UNDER_WAY || place->attempt != trial->attempt) {
        ITR_BUG("trial %llu was not under way", (unsigned long long)trial->trial);
    }
    if (what == ITR_ROUNDS_VOID) {
        place->attempt++;
        place->state = place->attempt == ITR_ROUNDS_ATTEMPTS ? GIVEN_UP : FREE;
    } else {
        place->state = ANSWERED;
        place->what = (int16_t)(what < last ? what : last);
    }
    judge_all(rounds);
}

uint64_t itr_rounds_trials(const struct itr_rounds *rounds, uint32_t arm) {
    return rounds->arm_rounds[arm] * (arm == 0 ? rounds->design.test.baselines : 1);
}

uint64_t itr_rounds_beyond(const struct itr_rounds *rounds) {
    return rounds->ended - rounds->voids - rounds->counted;
}
