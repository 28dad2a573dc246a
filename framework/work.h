/* What a cell needs to be run on this machine: paths, environment, symbols, the request that all its
 * trials share. Made from the cell alone, so that a replay makes the same. */
#ifndef INITRACE_FRAMEWORK_WORK_H
#define INITRACE_FRAMEWORK_WORK_H

#include "framework/cell.h"
#include "framework/classify.h"
#include "framework/images.h"
#include "framework/layout.h"
#include "framework/run.h"

struct itr_work {
    char program[1400];
    char library[1400]; /* "" without one */
    char *environment_text;
    const char *environment[64]; /* "K=V", NULL-terminated, into environment_text */
    struct itr_ledger_request request;
    struct itr_setup setup;
    struct itrp_debug_plan debug; /* setup.debug, where the cell is debugged */
    char watch_names[ITRP_DEBUG_WATCHES_MAX][ITR_POINT_SYMBOL_ROOM];
    struct itr_images own;                 /* files that were read for this one alone */
    const struct itr_image *library_image; /* NULL where there are no symbols */
    char library_hash[20];                 /* as of itr_hash_file(); "" without a library */
    char symbols_trouble[400];       /* one line: why there are none, or what of them was left out; "" */
    struct itr_modules modules;
    char library_name[ITR_NAME_MAX];
    char host_name[ITR_NAME_MAX];
};

/* On success give it to itr_work_close(), before `images`, which has what was read before and keeps what is read now; NULL: the
 * files are read for this one alone. Must stay where it is: parts point into each other. */
enum itr_status itr_work_open(struct itr_work *work, const struct itr_cell *cell, const struct itr_layout *layout,
                              struct itr_images *images, struct itr_error *err) ITR_MUST_USE;
void itr_work_close(struct itr_work *work);

/* Turns the cell's symbols into addresses of its library: the point's rva and what is to be watched. What the
 * library does not have is no error: cell->skip says so then, and the cell is not to be run. */
enum itr_status itr_work_resolve(struct itr_work *work, struct itr_cell *cell, struct itr_error *err) ITR_MUST_USE;

/* Runs `trials` trials without a shot and sets the cell's init times (median and 95th percentile of
 * load-begin to init-done). Fails if the host does not even pass without a shot. */
enum itr_status itr_work_calibrate(struct itr_work *work, struct itr_cell *cell, struct itr_slot *slot,
                                   uint32_t trials, struct itr_error *err) ITR_MUST_USE;

#endif
