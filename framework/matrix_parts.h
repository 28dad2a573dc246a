/* What the files of the matrix share. Not for others. */
#ifndef INITRACE_FRAMEWORK_MATRIX_PARTS_H
#define INITRACE_FRAMEWORK_MATRIX_PARTS_H

#include "framework/matrix.h"

struct itr_matrix_making {
    struct itr_matrix *matrix;
    const struct itr_summary *summary;
    struct itr_error *err;
};

/* Room for one entry more; NULL when memory is out. The list is the caller's also then. */
void *itr_matrix_grow(void *list, size_t count, size_t bytes);
/* Says so. */
enum itr_status itr_matrix_no_memory(const struct itr_matrix_making *making);

/* Of filled tables: the questions, their answers, and what of it is a change (matrix_changes.c). */
enum itr_status itr_matrix_find_changes(const struct itr_matrix_making *making) ITR_MUST_USE;

#endif
