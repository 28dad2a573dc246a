/* What the main thread does while the slots run trials: shows progress, listens for interrupts, waits for the last slot. It
 * runs no trial. */
#include "framework/campaign_parts.h"

#include "framework/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME_INTERRUPT_NS UINT64_C(100000000)

enum { SHOW_EVERY_MS = 200 };

static void on_slot_ended(uv_async_t *async) {
    struct itr_campaign *campaign = async->data;
    uv_mutex_lock(&campaign->lock);
    bool over = campaign->slots_running == 0;
    uv_mutex_unlock(&campaign->lock);
    if (over) {
        uv_stop(&campaign->loop);
    }
}

/* Of rounds: what those that are under way may take at most. */
static void count_rounds(const struct itr_campaign *campaign, struct itr_progress_state *state) {
    state->done = state->total = 0;
    for (size_t i = 0; i < campaign->round_count; i++) {
        const struct itr_rounds *rounds = campaign->rounds[i].rounds;
        uint64_t answered = rounds->ended - rounds->voids;
        state->done += answered;
        state->total += rounds->over ? answered : rounds->design.test.rounds_max * rounds->size;
    }
}

static void on_show(uv_timer_t *timer) {
    struct itr_campaign *campaign = timer->data;
    char raw[ITR_TITLE_MAX] = "";
    char title[ITR_TITLE_MAX];
    struct itr_progress_state state = {.title = title};
    uv_mutex_lock(&campaign->lock);
    for (size_t i = 0; i < campaign->summary->count; i++) {
        state.total += campaign->summary->cells[i].count;
    }
    if (campaign->cell < campaign->summary->count) {
        itr_cell_title(&campaign->summary->cells[campaign->cell], raw, sizeof raw);
    }
    state.done = campaign->finished;
    state.failures = campaign->failures;
    if (campaign->round_count > 0) {
        count_rounds(campaign, &state);
    }
    uv_mutex_unlock(&campaign->lock);
    itr_escape_into(title, sizeof title, ITR_ESCAPE_TERMINAL, raw, strlen(raw));
    itr_progress_show(&campaign->progress, &state);
}

static void on_interrupt(uv_signal_t *handle, int number) {
    struct itr_campaign *campaign = handle->data;
    (void)number;
    /* One act of a person or a script may arrive as several signals: to the group, and passed on to us. */
    if (campaign->interrupt_count > 0 && uv_hrtime() - campaign->interrupted_ns < SAME_INTERRUPT_NS) {
        return;
    }
    campaign->interrupt_count++;
    campaign->interrupted_ns = uv_hrtime();
    uv_mutex_lock(&campaign->lock);
    campaign->stop = true;
    uv_mutex_unlock(&campaign->lock);
    if (campaign->interrupt_count == 1) {
        itr_progress_end(&campaign->progress);
        fprintf(stderr, "initrace: finishing the trials under way; interrupt again to end at once\n");
    } else {
        /* Ends every host too: they do not outlive this process (itrp_guard_enter). What was found is in the
         * folder already, and `initrace report` reads it. */
        fprintf(stderr, "initrace: ended at once; initrace report %s shows what was found\n", campaign->folder.path);
        itr_folder_close(&campaign->folder);
        _Exit(campaign->options->end_code != 0 ? campaign->options->end_code : 3);
    }
}

void itr_campaign_watch(struct itr_campaign *campaign) {
    uv_signal_start(&campaign->interrupts[0], on_interrupt, SIGINT);
    uv_signal_start(&campaign->interrupts[1], on_interrupt, SIGTERM);
    uv_timer_start(&campaign->show, on_show, SHOW_EVERY_MS, SHOW_EVERY_MS);
    uv_run(&campaign->loop, UV_RUN_DEFAULT);
    itr_progress_end(&campaign->progress);
}

void itr_campaign_watch_close(struct itr_campaign *campaign) {
    uv_close((uv_handle_t *)&campaign->slot_ended, NULL);
    uv_close((uv_handle_t *)&campaign->show, NULL);
    uv_close((uv_handle_t *)&campaign->interrupts[0], NULL);
    uv_close((uv_handle_t *)&campaign->interrupts[1], NULL);
    uv_run(&campaign->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&campaign->loop) != 0) {
        ITR_BUG("the campaign's loop still has handles");
    }
}

void itr_campaign_watch_open(struct itr_campaign *campaign) {
    if (uv_loop_init(&campaign->loop) != 0 ||
        uv_async_init(&campaign->loop, &campaign->slot_ended, on_slot_ended) != 0) {
        ITR_BUG("cannot make the campaign's loop");
    }
    uv_timer_init(&campaign->loop, &campaign->show);
    uv_signal_init(&campaign->loop, &campaign->interrupts[0]);
    uv_signal_init(&campaign->loop, &campaign->interrupts[1]);
    campaign->slot_ended.data = campaign->show.data = campaign;
    campaign->interrupts[0].data = campaign->interrupts[1].data = campaign;
}
