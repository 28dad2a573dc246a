/* The benchmark: what recording everything costs. Compares a campaign with a bare start-and-wait loop over
 * the same host, library and shot, two at a time, in alternating rounds of one run, and prints the ratio;
 * with `triage`, measures how fast crash texts are read; with `exact`, compares shots at an exact point with strace --inject;
 * with `evidence`, a campaign that would take evidence with one that would not; with `memory`, prints the runner's memory
 * early and late in a long campaign. It is no test: it prints figures and judges none. */
#include "framework/bench/bench_triage.h"
#include "framework/campaign.h"
#include "framework/folder.h"
#include "framework/select.h"
#include "framework/work.h"
#include "platform/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_BY_SIDE = 2, ROUNDS = 5, PAIRS = 20, SAMPLES_MAX = 100000 };

struct bare {
    const struct itr_work *work;
    const struct itr_cell *cell;
    uint64_t first;
    uint64_t count;
    uint64_t failures;
    bool inject; /* under the system's own tool for events at exact places */
    uv_thread_t thread;
};

static void run_bare(void *argument) {
    struct bare *bare = argument;
    struct itrp_memory ledger = {0};
    if (itrp_memory_create(&ledger, ITR_LEDGER_BYTES, NULL) != ITR_OK) {
        bare->failures = bare->count;
        return;
    }
    for (uint64_t i = 0; i < bare->count; i++) {
        struct itr_plan plan;
        itr_plan_make(&plan, &bare->work->request, &bare->cell->aim, bare->cell->case_name, 1, bare->first + i);
        itr_ledger_prepare(ledger.base, &plan.request, i);
        int64_t code = bare->inject ? itrp_bare_inject(bare->work->program, &ledger)
                                    : itrp_bare_run(bare->work->program, &ledger);
        bare->failures += code != 0 ? 1 : 0;
    }
    itrp_memory_close(&ledger);
}

/* Trials per second. */
static double bare_rate(const struct itr_work *work, const struct itr_cell *cell, bool inject, uint64_t count,
                        uint64_t *failures) {
    struct bare bare[SIDE_BY_SIDE];
    uint64_t begin_ns = uv_hrtime();
    for (int i = 0; i < SIDE_BY_SIDE; i++) {
        bare[i] = (struct bare){.work = work, .cell = cell, .first = (uint64_t)i * count, .count = count / SIDE_BY_SIDE,
                                .inject = inject};
        if (uv_thread_create(&bare[i].thread, run_bare, &bare[i]) != 0) {
            ITR_BUG("no thread for the benchmark");
        }
    }
    for (int i = 0; i < SIDE_BY_SIDE; i++) {
        uv_thread_join(&bare[i].thread);
        *failures += bare[i].failures;
    }
    return (double)(count / SIDE_BY_SIDE * SIDE_BY_SIDE) / ((double)(uv_hrtime() - begin_ns) / 1e9);
}

struct setting {
    struct itr_layout layout;
    struct itr_cell cell;
    struct itr_work work;
    char folder[1100];
};

static enum itr_status run_campaign(const struct setting *setting, bool evidence, uint64_t count, double *rate,
                                    struct itr_error *err) {
    struct itr_summary summary;
    struct itr_cell cell = setting->cell;
    struct itr_campaign_options options = {.seed = 1, .jobs = SIDE_BY_SIDE, .keep = 3, .output = setting->folder};
    if (evidence) { /* as the command line has it, and one host that hangs would be kept */
        options.evidence = 1;
        options.evidence_core_bytes = 32u << 20;
        options.evidence_total_bytes = 512u << 20;
        options.keep_hung = itrp_capabilities()->keeps ? 1 : 0;
    }
    cell.count = count;
    itr_folder_remove(setting->folder);
    uint64_t begin_ns = uv_hrtime();
    enum itr_status status = itr_campaign_run(&options, &setting->layout, &cell, 1, &summary, err);
    *rate = (double)count / ((double)(uv_hrtime() - begin_ns) / 1e9);
    if (status == ITR_OK) {
        if (itr_tally_unexpected(&summary.tallies[0]) > 0 || summary.tallies[0].trials != count) {
            status = itr_fail(err, ITR_E_SYSTEM, 0, "the benchmark's own trials did not all end as expected");
        }
        itr_summary_release(&summary);
    }
    return status;
}

static enum itr_status open_setting(struct setting *setting, const char *name, const char *at, const char *go,
                                    struct itr_error *err) {
    char path[1400];
    struct itr_case c;
    struct itr_cells cells = {0};
    char *versions[] = {(char *)(uintptr_t)go};
    char *points[] = {(char *)(uintptr_t)at};
    struct itr_selection selection = {.count = 1, .at = {.items = points, .count = 1}};
    if (go != NULL) {
        selection.go = (struct itr_strings){.items = versions, .count = 1};
    }
    enum itr_status status = itr_layout_find(&setting->layout, err);
    snprintf(path, sizeof path, "%s/%s", setting->layout.cases, name);
    if (status == ITR_OK) {
        status = itr_case_read(path, &c, err);
    }
    if (status != ITR_OK) {
        return status;
    }
    status = itr_select(&cells, &c, &selection, &setting->layout, err);
    if (status == ITR_OK) {
        setting->cell = cells.items[0];
        status = itr_work_open(&setting->work, &setting->cell, &setting->layout, NULL, err);
    }
    snprintf(setting->folder, sizeof setting->folder, "%s/bench", setting->layout.prefix);
    free(cells.items);
    itr_case_release(&c);
    return status;
}

static int compare_double(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static double median(double *values) {
    qsort(values, ROUNDS, sizeof *values, compare_double);
    return values[ROUNDS / 2];
}

/* ---- evidence ---- */

/* Many short rounds, so that both sides see the same machine, and each side first in every other one. The ratio of the
 * whole is that of the sums; the pairs show how sure it is. */
static enum itr_status compare_evidence(const struct setting *setting, uint64_t count, struct itr_error *err) {
    double seconds[2] = {0, 0};
    double ratio[PAIRS];
    double rate = 0;
    uint64_t part = count / PAIRS > 0 ? count / PAIRS : 1;
    enum itr_status status = run_campaign(setting, true, part, &rate, err); /* warms the caches */
    for (int i = 0; i < PAIRS && status == ITR_OK; i++) {
        double rates[2] = {0, 0};
        for (int half = 0; half < 2 && status == ITR_OK; half++) {
            int with = (i + half) % 2;
            status = run_campaign(setting, with != 0, part, &rates[with], err);
            seconds[with] += status == ITR_OK ? (double)part / rates[with] : 0;
        }
        ratio[i] = status == ITR_OK ? rates[1] / rates[0] : 0;
    }
    if (status != ITR_OK) {
        return status;
    }
    qsort(ratio, PAIRS, sizeof *ratio, compare_double);
    double total = (double)(part * PAIRS);
    printf("%s at %s, %s, %s, two at a time, nothing failing: without evidence %.0f/s, with it %.0f/s, ratio %.3f; of %d pairs, "
           "the quartiles %.3f, %.3f, %.3f\n",
           setting->cell.case_name, setting->cell.at, setting->cell.go, setting->cell.system, total / seconds[0],
           total / seconds[1], seconds[0] / seconds[1], PAIRS, ratio[PAIRS / 4], (ratio[PAIRS / 2 - 1] + ratio[PAIRS / 2]) / 2,
           ratio[PAIRS - 1 - PAIRS / 4]);
    return ITR_OK;
}

/* ---- against others ---- */

static enum itr_status compare_rates(struct setting *setting, bool inject, uint64_t count, struct itr_error *err) {
    double bare[ROUNDS];
    double campaign[ROUNDS];
    double ratio[ROUNDS];
    uint64_t failures = 0;
    const char *name = inject ? "strace --inject" : "bare loop";
    (void)bare_rate(&setting->work, &setting->cell, inject, count / 4, &failures); /* warms the caches */
    for (int i = 0; i < ROUNDS; i++) {
        bare[i] = bare_rate(&setting->work, &setting->cell, inject, count, &failures);
        enum itr_status status = run_campaign(setting, false, count, &campaign[i], err);
        if (status != ITR_OK) {
            return status;
        }
        ratio[i] = campaign[i] / bare[i];
        printf("round %d: %s %.1f/s, campaign %.1f/s, ratio %.3f\n", i + 1, name, bare[i], campaign[i], ratio[i]);
    }
    if (failures > 0) {
        return itr_fail(err, ITR_E_SYSTEM, 0, "%" PRIu64 " hosts of the %s failed", failures, name);
    }
    printf("%s at %s, %s, %s, two at a time, medians of %d: %s %.1f/s, campaign %.1f/s, ratio %.3f\n",
           setting->cell.case_name, setting->cell.at, setting->cell.go, setting->cell.system, ROUNDS, name, median(bare),
           median(campaign), median(ratio));
    return ITR_OK;
}

/* ---- memory ---- */

struct sampler {
    uint64_t stop;
    size_t count;
    size_t resident[SAMPLES_MAX];
};

static void sample(void *argument) {
    struct sampler *sampler = argument;
    while (__atomic_load_n(&sampler->stop, __ATOMIC_ACQUIRE) == 0) {
        size_t bytes = 0;
        if (sampler->count < SAMPLES_MAX && uv_resident_set_memory(&bytes) == 0) {
            sampler->resident[sampler->count++] = bytes;
        }
        uv_sleep(20);
    }
}

static enum itr_status measure_memory(struct setting *setting, uint64_t count, struct itr_error *err) {
    struct sampler *sampler = calloc(1, sizeof *sampler);
    uv_thread_t thread;
    double rate = 0;
    if (sampler == NULL || uv_thread_create(&thread, sample, sampler) != 0) {
        free(sampler);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "cannot sample memory");
    }
    enum itr_status status = run_campaign(setting, false, count, &rate, err);
    __atomic_store_n(&sampler->stop, 1, __ATOMIC_RELEASE);
    uv_thread_join(&thread);
    if (status == ITR_OK && sampler->count >= 100) {
        size_t early = sampler->resident[sampler->count / 100];
        size_t late = sampler->resident[sampler->count - 2];
        printf("memory of the runner after %" PRIu64 " trials %.2f MB, after %" PRIu64 " trials %.2f MB, difference %+.2f MB "
               "(%.0f/s)\n",
               count / 100, (double)early / 1e6, count, (double)late / 1e6, ((double)late - (double)early) / 1e6, rate);
    } else if (status == ITR_OK) {
        status = itr_fail(err, ITR_E_USAGE, 0, "too few trials to sample memory: at least 100 samples of 20 ms are needed");
    }
    free(sampler);
    return status;
}

int main(int argc, char **argv) {
    struct setting *setting = calloc(1, sizeof *setting);
    struct itr_error err = {0};
    bool memory = argc > 1 && strcmp(argv[1], "memory") == 0;
    bool exact = argc > 1 && strcmp(argv[1], "exact") == 0;
    bool evidence = argc > 1 && strcmp(argv[1], "evidence") == 0;
    if (argc > 2 && strcmp(argv[1], "triage") == 0) {
        free(setting);
        setvbuf(stdout, NULL, _IONBF, 0);
        if (itr_bench_triage(strtoull(argv[2], NULL, 10), &err) != ITR_OK) {
            fprintf(stderr, "initrace_bench: %s\n", err.text);
            return 4;
        }
        return 0;
    }
    if (argc < 4 || setting == NULL) {
        fprintf(stderr, "usage: initrace_bench rate|memory|exact|evidence CASE COUNT [GO]\n       initrace_bench triage MIB\n");
        free(setting);
        return 2;
    }
    enum itr_status status = itrp_guard_enter(&err);
    setvbuf(stdout, NULL, _IONBF, 0);
    if (status == ITR_OK) {
        status = open_setting(setting, argv[2], exact ? "runtime.main" : "init-done", argc > 4 ? argv[4] : NULL, &err);
    }
    if (status == ITR_OK) {
        uint64_t count = strtoull(argv[3], NULL, 10);
        status = memory     ? measure_memory(setting, count, &err)
                 : evidence ? compare_evidence(setting, count, &err)
                            : compare_rates(setting, exact, count, &err);
    }
    if (status != ITR_OK) {
        fprintf(stderr, "initrace_bench: %s\n", err.text);
    }
    itr_work_close(&setting->work);
    free(setting);
    return status == ITR_OK ? 0 : 4;
}
