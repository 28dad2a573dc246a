/* From cases and arms to the cells of a comparison and their groups: which controls, which points, which other cases. It runs
 * nothing and builds nothing. */
#ifndef INITRACE_FRAMEWORK_COMPARE_CELLS_H
#define INITRACE_FRAMEWORK_COMPARE_CELLS_H

#include "framework/compare.h"
#include "framework/options.h"
#include "framework/select.h"

/* An arm with its libraries. Borrowed strings. */
struct itr_compare_arm {
    const char *go;                         /* the folder of its libraries, as in struct itr_cell; NULL with `library` */
    const char *library;                    /* a file instead, absolute */
    const char *label;                      /* of what changes that Go, as in struct itr_cell; NULL: nothing does */
    const char *name;                       /* how reports call the arm */
    const struct itr_strings *environment;
};

/* Adds the groups of one case that is compared: its controls, and its points: those of --at, else the located ones that show
 * each known failure of the baseline's, and time. */
ITR_MUST_USE enum itr_status itr_compare_add_case(const struct itr_options *options, const struct itr_layout *layout,
                                                  const struct itr_case *c, const struct itr_compare_arm *arms, size_t arm_count,
                                                  struct itr_cells *cells, struct itr_compare *compare, struct itr_error *err);
/* Adds one for a case that is to stay as it is. */
ITR_MUST_USE enum itr_status itr_compare_add_guard(const struct itr_options *options, const struct itr_layout *layout,
                                                   const struct itr_case *c, const struct itr_compare_arm *arms,
                                                   size_t arm_count, struct itr_cells *cells, struct itr_compare *compare,
                                                   struct itr_error *err);
/* Controls first, then points, then the guard; each kind in the order it was added. */
void itr_compare_sort(struct itr_compare *compare);

#endif
