/* Combinations of the values of a case's axes: which there are, what each is called, what of the case it changes. Pure: it
 * reads a case and gives values; which of them can be run on this machine is select.h's. */
#ifndef INITRACE_FRAMEWORK_COMBINATION_H
#define INITRACE_FRAMEWORK_COMBINATION_H

#include "framework/casefile.h"

/* A value of each axis, by index. Beyond the case's axes it is 0. */
struct itr_combination {
    uint8_t value[ITR_AXES_MAX];
};

enum itr_axes_form {
    ITR_AXES_QUICK, /* the base combination, and each other value alone in it */
    ITR_AXES_ALL,   /* the product of the axes */
    ITR_AXES_BASE,  /* the first value of each axis */
    ITR_AXES_FORM_COUNT
};

/* Which combinations are wanted. `{0}` is the quick form of all values. */
struct itr_axes_choice {
    enum itr_axes_form form;
    struct itr_axes_where only;
};

/* Owned; `{0}` is none. Free `items`. */
struct itr_combinations {
    struct itr_combination *items;
    size_t count;
};

/* "quick", "all", "base"; -1 for another word. */
int itr_axes_form_of(const char *word);

/* Reads "NAME=VALUE,VALUE" into `only`, which keeps the values that were chosen of that axis before. ITR_E_USAGE, naming --axis
 * and what there is, for others than the case has. */
enum itr_status itr_axes_choose(struct itr_axes_where *only, const struct itr_case *c, const char *text,
                                struct itr_error *err) ITR_MUST_USE;

/* The combinations of a system's ("linux" or "windows") values. The first is the base: of those that the case does not leave out,
 * the one that comes first, where the last axis changes fastest. In the quick form a value which the base cannot have comes with the
 * combination that differs least from it. A case without axes has one combination. None: all are left out. */
enum itr_status itr_combinations(const struct itr_case *c, const struct itr_axes_choice *choice, const char *family,
                                 struct itr_combinations *list, struct itr_error *err) ITR_MUST_USE;

/* The base combination alone, without memory of its own; false: all are left out. */
bool itr_combination_base(const struct itr_case *c, const char *family, struct itr_combination *base);

bool itr_where_holds(const struct itr_axes_where *where, const struct itr_combination *combination);
/* Has that Go ("go1.26.10") all values? True for NULL, no Go. */
bool itr_combination_has_go(const struct itr_case *c, const struct itr_combination *combination, const char *go);

/* Bytes of the names of all axes and values, as "AXIS=VALUE" with one byte between two. */
enum { ITR_COMBINATION_TEXT_MAX = ITR_AXES_MAX * (ITR_AXIS_NAME_MAX + ITR_AXIS_VALUE_NAME_MAX + 2) };

/* "handler=after event=SIGURG", with `between` for the space; "" without axes. */
void itr_combination_name(const struct itr_case *c, const struct itr_combination *combination, char between,
                          char out[ITR_COMBINATION_TEXT_MAX]);

enum { ITR_COMBINED_ENVIRONMENT_MAX = ITR_CASE_STRINGS_MAX + ITR_AXES_MAX * ITR_AXIS_VARIABLES_MAX };

/* A variant made of others. All strings are borrowed from the case; it lives as long. */
struct itr_combined {
    struct itr_variant variant; /* its `environment` points into the next */
    char *environment[ITR_COMBINED_ENVIRONMENT_MAX];
    uint32_t by_axes; /* ITR_SETS_…: what an axis has set, and no control after it */
};

/* The case, changed by the values of the combination, then by the control (NULL: none). What a combination must end in is what
 * the case's expectations say, unless the control says so itself. */
void itr_combine(const struct itr_case *c, const struct itr_combination *combination, const struct itr_variant *control,
                 struct itr_combined *out);

#endif
