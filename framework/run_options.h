/* What the commands that fire shots (run, locate) make of their common options. */
#ifndef INITRACE_FRAMEWORK_RUN_OPTIONS_H
#define INITRACE_FRAMEWORK_RUN_OPTIONS_H

#include "framework/arm.h"
#include "framework/campaign.h"
#include "framework/options.h"
#include "framework/select.h"

/* ITR_E_USAGE, naming the option, for values outside their sets. Ask before anything else here. */
enum itr_status itr_run_check(const struct itr_options *options, struct itr_error *err) ITR_MUST_USE;

/* Borrowed strings, as long as `options`. */
void itr_run_selection(const struct itr_options *options, struct itr_selection *selection);

/* Replaces each GOROOT in --go by the name of its libraries, which are built if need be; with --recipe and the like each
 * --go, or all that the build knew, by those of the changed one, whose label goes to `label` (ITR_ARM_LABEL_MAX bytes; ""
 * where nothing is changed). Selections that were made of the options before are no longer good. */
enum itr_status itr_run_provide_go(struct itr_options *options, const struct itr_layout *layout, char *label,
                                   struct itr_error *err) ITR_MUST_USE;

/* Adds the cells of the cases that the command line names, or of the ad-hoc one made from --host and --library. */
enum itr_status itr_run_cells(const struct itr_options *options, const struct itr_layout *layout,
                              const struct itr_selection *selection, struct itr_cells *cells,
                              struct itr_error *err) ITR_MUST_USE;

/* Asked before the first trial, also of a campaign that goes on: ITR_E_UNSUPPORTED with the reason where cells are
 * recorded and cannot be. */
enum itr_status itr_run_check_recorder(const struct itr_cell *cells, size_t count, struct itr_error *err) ITR_MUST_USE;

/* The same where hanging hosts are to be kept and none of the cells' can be. */
enum itr_status itr_run_check_keep(const struct itr_options *options, const struct itr_cell *cells, size_t count,
                                   struct itr_error *err) ITR_MUST_USE;

/* Cells, seed and rest of the campaign in --output that is to go on, with its libraries marked as in use. */
enum itr_status itr_run_resume(const struct itr_options *options, const struct itr_layout *layout, struct itr_cells *cells,
                               struct itr_campaign_options *campaign, struct itr_error *err) ITR_MUST_USE;

/* All but the folder: seed, jobs and the like. A random seed where none is given. */
void itr_run_campaign_options(const struct itr_options *options, int argc, char **argv,
                              struct itr_campaign_options *campaign);

#endif
