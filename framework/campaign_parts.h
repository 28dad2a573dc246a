/* What the parts of a campaign share: its state, from the preparation to the report. For campaign*.c
 * only. */
#ifndef INITRACE_FRAMEWORK_CAMPAIGN_PARTS_H
#define INITRACE_FRAMEWORK_CAMPAIGN_PARTS_H

#include "framework/campaign.h"
#include "framework/folder.h"
#include "framework/pace.h"
#include "framework/progress.h"
#include "framework/sweep.h"
#include "framework/work.h"

#include <uv.h>

/* What a cell has beside its place in the summary. */
struct itr_campaign_cell {
    struct itr_work *work;
    bool borrows_work;       /* it is an earlier cell's */
    struct itr_sweep *sweep; /* NULL: the cell is none */
    size_t axis_of;          /* the cell whose axis the sweep fires along; most often its own */
    struct itr_pace pace;    /* with the campaign's lock: what the window of a calibrated cell follows */
    uint32_t examined;       /* hanging hosts; under the lock */
};

/* A core file that evidence has. */
struct itr_campaign_core {
    uint64_t trial;
    uint64_t bytes;
};

/* A hanging host that was left to a person. */
struct itr_campaign_kept {
    uint64_t trial;
    uint32_t process; /* 0: about to be */
};

enum { ITR_CAMPAIGN_CORES_MAX = 256 };

/* A trial that a slot is to run. */
struct itr_campaign_job {
    size_t cell;
    uint64_t trial;
    size_t part;                   /* of the rounds under way */
    struct itr_rounds_trial place; /* in it */
};

/* A trial of rounds that the folder of a resumed campaign has. */
struct itr_campaign_past {
    uint64_t trial;
    size_t cell;
    enum itr_outcome outcome;
    const char *signature; /* the tally's */
};

struct itr_campaign {
    const struct itr_campaign_options *options;
    const struct itr_layout *layout;
    struct itr_summary *summary;
    struct itr_campaign_cell *parts; /* one a cell */
    struct itr_images images;        /* of their hosts and libraries */
    uint64_t begin_ns;
    struct itr_folder folder;
    unsigned char *done; /* resume: a bit for each trial that the folder has; NULL: none */
    uint64_t done_room;
    struct itr_campaign_past *past; /* the same for trials of rounds, by number */
    size_t past_count;
    size_t past_room;

    uv_mutex_t lock; /* all below, the folder and the summary */
    size_t cell;     /* the one that trials are taken from */
    uint64_t taken;  /* trials of it that were taken */
    uint64_t cell_begin_ns;
    uint64_t by_time_trials; /* trials of finished cells, when running by time */
    uint64_t finished;
    uint64_t failures;
    const struct itr_campaign_rounds *rounds; /* trials are taken from these */
    size_t round_count;                       /* 0: from the cells */
    uv_cond_t round_noted;                    /* another trial may be taken now, or none any more */
    bool stop;    /* take no more trials */
    bool failed;  /* `error` has the first failure of the tool that ends the campaign */
    struct itr_error error;
    struct itr_campaign_core cores[ITR_CAMPAIGN_CORES_MAX]; /* oldest first */
    size_t core_count;
    uint64_t core_bytes;
    struct itr_campaign_kept kept[ITR_KEEP_HUNG_MAX];
    size_t kept_count;

    uv_loop_t loop;
    uv_async_t slot_ended;
    uv_timer_t show;
    uv_signal_t interrupts[2];
    int interrupt_count;
    uint64_t interrupted_ns; /* the last one */
    uint32_t slots_running;
    struct itr_progress progress;
};

/* With the lock held: no trial is taken any more, as the tool failed; trials are taken from the next cell. */
void itr_campaign_give_up(struct itr_campaign *campaign, const struct itr_error *error);
void itr_campaign_next_cell(struct itr_campaign *campaign);

/* Runs a trial in a slot, whose folder is `directory`, and does all that is to be done about it (campaign_trial.c). */
void itr_campaign_run_trial(struct itr_campaign *campaign, struct itr_slot *slot, const char *directory,
                            const struct itr_campaign_job *job);

/* Fills in parts, folder, done, the cells' windows and the summary's tallies. Also on failure the caller
 * closes and frees what there is. */
enum itr_status itr_campaign_prepare(struct itr_campaign *campaign, struct itr_error *err) ITR_MUST_USE;

/* Do they differ only in what is fired? Then they share a calibration, and an axis. */
bool itr_campaign_same_host(const struct itr_cell *a, const struct itr_cell *b);
/* Room for one cell more, which is empty. */
enum itr_status itr_campaign_grow(struct itr_campaign *campaign, struct itr_error *err) ITR_MUST_USE;

/* Writes campaign.json, anew where it is there (campaign_file.c). */
enum itr_status itr_campaign_write(struct itr_campaign *campaign, struct itr_error *err) ITR_MUST_USE;

/* ---- campaign_sweeps.c ---- */

bool itr_campaign_is_sweep(const struct itr_cell *cell);
/* Gives each cell its trial numbers, one after the other. */
void itr_campaign_number_trials(struct itr_summary *summary);
enum itr_status itr_campaign_trace_sweeps(struct itr_campaign *campaign, struct itr_error *err) ITR_MUST_USE;
/* Those of a campaign that is resumed, from its folder. */
enum itr_status itr_campaign_read_sweeps(struct itr_campaign *campaign, struct itr_error *err) ITR_MUST_USE;

/* Counts a trial at its place, where its cell is a sweep. */
void itr_campaign_count_place(struct itr_campaign *campaign, size_t cell, const struct itr_row *row);

/* Trials in rounds (campaign_rounds.c). While the folder is read, and after that; then with the lock held. */
enum itr_status itr_campaign_remember(struct itr_campaign *campaign, size_t cell, const struct itr_row *row,
                                      struct itr_error *err) ITR_MUST_USE;
void itr_campaign_remembered(struct itr_campaign *campaign);
bool itr_campaign_take_round(struct itr_campaign *campaign, struct itr_campaign_job *job);
void itr_campaign_note_round(struct itr_campaign *campaign, const struct itr_campaign_job *job, enum itr_outcome outcome,
                             const char *signature);
bool itr_campaign_rounds_are_over(const struct itr_campaign *campaign);

/* The main thread's loop: before the first slot starts; until the last one has ended, which `slot_ended` is sent for; after
 * all of them were joined. An interrupt sets `stop`, a second one ends the program. */
void itr_campaign_watch_open(struct itr_campaign *campaign);
void itr_campaign_watch(struct itr_campaign *campaign);
void itr_campaign_watch_close(struct itr_campaign *campaign);

#endif
