/* Draws progress. It counts nothing itself. */
#include "framework/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define PLAIN_EVERY_NS UINT64_C(30000000000)

void itr_progress_begin(struct itr_progress *progress, bool on) {
    *progress = (struct itr_progress){.on = on, .begin_ns = uv_hrtime()};
    progress->last_ns = progress->begin_ns;
    progress->terminal = uv_guess_handle(2) == UV_TTY;
}

static void draw(struct itr_progress *progress, const struct itr_progress_state *state, double rate) {
    char bar[21];
    double share = state->total > 0 ? (double)state->done / (double)state->total : 0;
    size_t filled = (size_t)(share * 20 + 0.5);
    memset(bar, '-', 20);
    memset(bar, '#', filled < 20 ? filled : 20);
    bar[20] = '\0';
    double left = rate > 0 && state->total > state->done ? (double)(state->total - state->done) / rate : 0;
    fprintf(stderr, "\r\033[K[%s] %" PRIu64 "/%" PRIu64 "  %.0f/s  %" PRIu64 " not as expected  ETA %.0f s  %.60s", bar,
            state->done, state->total, rate, state->failures, left, state->title);
    fflush(stderr);
    progress->drawn = true;
}

void itr_progress_show(struct itr_progress *progress, const struct itr_progress_state *state) {
    uint64_t now_ns = uv_hrtime();
    double elapsed_s = (double)(now_ns - progress->begin_ns) / 1e9;
    double rate = elapsed_s > 0 ? (double)state->done / elapsed_s : 0;
    if (!progress->on) {
        return;
    }
    if (progress->terminal) {
        draw(progress, state, rate);
    } else if (now_ns - progress->last_ns >= PLAIN_EVERY_NS) {
        progress->last_ns = now_ns;
        fprintf(stderr, "initrace: %" PRIu64 "/%" PRIu64 " trials, %.0f/s, %" PRIu64 " not as expected, now %s\n",
                state->done, state->total, rate, state->failures, state->title);
    }
}

void itr_progress_end(struct itr_progress *progress) {
    if (progress->drawn) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
    progress->drawn = false;
}
