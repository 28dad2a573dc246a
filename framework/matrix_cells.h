/* From cases to the cells of a matrix: the controls of all of them first, then each at all its points, with all versions. It runs
 * nothing and builds nothing. */
#ifndef INITRACE_FRAMEWORK_MATRIX_CELLS_H
#define INITRACE_FRAMEWORK_MATRIX_CELLS_H

#include "framework/options.h"
#include "framework/select.h"

/* Trials of a cell where no --count or --control-count says otherwise: of such that fire at random over the whole start, of all
 * others, of controls. With them five versions of a system's cases take some minutes on two processors. */
enum { ITR_MATRIX_TIME_COUNT = 300, ITR_MATRIX_COUNT = 40, ITR_MATRIX_CONTROL_COUNT = 15 };

/* The points of a case: its own default, those that it names, and those at which it knows failures here, each once. Borrowed from the
 * case; up to `most` go to `list`. Returns how many went. */
size_t itr_matrix_points(const struct itr_case *c, const char **list, size_t most);

/* Adds the cells of the cases that the command line names, or else of all cases of this system that load a Go library. `base` says
 * what is asked of each (versions, arm, environment); its points, controls and counts are not looked at. What was not asked for by
 * name and cannot be had here (a point that needs a debugger) is left out and told on stderr. ITR_E_UNSUPPORTED: nothing
 * is left; and what itr_select() gives. */
ITR_MUST_USE enum itr_status itr_matrix_cells(const struct itr_options *options, const struct itr_layout *layout,
                                              const struct itr_selection *base, struct itr_cells *cells, struct itr_error *err);

#endif
