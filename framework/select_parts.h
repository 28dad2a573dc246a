/* What the files of select share: what was chosen for the cell that is being made. For select*.c only. */
#ifndef INITRACE_FRAMEWORK_SELECT_PARTS_H
#define INITRACE_FRAMEWORK_SELECT_PARTS_H

#include "framework/select.h"

/* All borrowed but `versions`. */
struct itr_choice {
    const struct itr_case *c;
    const struct itr_selection *selection;
    const struct itr_layout *layout;
    struct itr_strings versions; /* Gos, once `has_versions` */
    bool has_versions;
    const struct itr_variant *control; /* NULL: the case itself */
    const struct itr_combination *combination;
    const struct itr_combined *combined;
    const struct itr_variant *variant; /* that of `combined` */
    enum itr_event handles; /* the combination's event, also where the control fires none */
    bool may_skip;  /* the combination is not the base one: it need not fit everywhere */
    const char *at; /* as asked for */
    const char *go; /* NULL: none */
    struct itr_error *err;
};

/* A control has its own point: it is what the case is held against, not another place to fire. */
bool itr_choice_is_sweep(const struct itr_choice *choice);
/* Sets the cell's aim, its debugger and what belongs to them; or `skip`, where the choice allows it. */
enum itr_status itr_choice_aim(const struct itr_choice *choice, struct itr_cell *cell) ITR_MUST_USE;

#endif
