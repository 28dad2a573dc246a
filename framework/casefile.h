/* A case: what a folder's case.json says, checked. It reads that one file and touches nothing else. */
#ifndef INITRACE_FRAMEWORK_CASEFILE_H
#define INITRACE_FRAMEWORK_CASEFILE_H

#include "framework/error.h"
#include "framework/event.h"
#include "framework/group.h"
#include "framework/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ITR_CASE_FORMAT 1

enum {
    ITR_CASE_STRINGS_MAX = 64,    /* entries of any list in a case file */
    ITR_AXES_MAX = 6,             /* of a case */
    ITR_AXIS_VALUES_MAX = 64,     /* of an axis: the bits of a mask in struct itr_axes_where */
    ITR_COMBINATIONS_MAX = 4096,  /* of a case, those that are left out included */
    ITR_AXIS_VARIABLES_MAX = 8,   /* environment that one value sets */
    ITR_AXIS_NAME_MAX = 24,       /* bytes of an axis's name */
    ITR_AXIS_VALUE_NAME_MAX = 48, /* and of a value's */
};

/* The keys that say what is run, as bits. */
enum {
    ITR_SETS_HOST = 1u << 0,
    ITR_SETS_LIBRARY = 1u << 1,
    ITR_SETS_FUNCTION = 1u << 2,
    ITR_SETS_EVENT = 1u << 3,
    ITR_SETS_DELIVERY = 1u << 4,
    ITR_SETS_TARGET = 1u << 5,
    ITR_SETS_AT = 1u << 6,
    ITR_SETS_HOLD = 1u << 7,
    ITR_SETS_HANDLER = 1u << 8,
    ITR_SETS_FLAGS = 1u << 9,
    ITR_SETS_ENVIRONMENT = 1u << 10,
    ITR_SETS_EXPECT = 1u << 11,
};

struct itr_strings {
    char **items;
    size_t count;
};

/* One way to run a case: the case itself, one of its controls (the case with changes), or the changes that a value of an axis
 * stands for, where only what `sets` names has a meaning. */
struct itr_variant {
    char *name;    /* NULL: the case itself, or changes; else the control's name */
    uint32_t sets; /* ITR_SETS_…: the keys that its own object has */
    bool on_axes;  /* a control that is run in every combination, not in the base one alone */
    char *host;    /* program of the build's libexec folder, without suffix */
    char *library; /* library's name without suffix; NULL: none is loaded */
    char *function; /* called once after the load; NULL: none */
    int event;     /* enum itr_event; ITR_EVENT_NONE: nothing is fired */
    int delivery;  /* enum itr_delivery; ITR_DELIVERY_NONE: the system's default */
    int target;    /* enum itr_target */
    char *at;      /* default fire point */
    uint64_t hold_ns;
    uint32_t handler_flags; /* ITR_HANDLER_… */
    uint32_t host_flags;    /* ITR_HOST_… */
    struct itr_strings environment; /* "K=V" */
    enum itr_outcome expect;
};

/* A named point: its spelling for the core, and what of the variant it changes. */
struct itr_case_point {
    char *name;
    char *at;
    int delivery; /* -1: as the variant says */
    int target;   /* -1: as the variant says */
    uint64_t hold_ns; /* 0: as the variant says */
    bool gate;    /* fired at by the host's gate, not by a debugger */
};

/* A named value of an axis: what of the case it changes, and where there is such a value. */
struct itr_case_axis_value {
    char *name;
    struct itr_variant changes;
    bool on_linux;
    bool on_windows;
    char *go; /* version range; NULL: every version */
};

/* What a case is run with in several ways, its usual value first. */
struct itr_case_axis {
    char *name;
    struct itr_case_axis_value *values;
    size_t count;
    uint32_t sets; /* keys that any of its values changes; no other axis changes them, but for env and its other variables */
};

/* Some of the combinations: bit V of `values[A]` lets the axis A have its value V. 0: any. */
struct itr_axes_where {
    uint64_t values[ITR_AXES_MAX];
};

/* What a good trial of some combinations ends in. */
struct itr_expectation {
    struct itr_axes_where where;
    enum itr_outcome expect;
    char *note; /* who says so */
};

/* In which trials at exact points a known failure shows. */
enum itr_known_gate {
    ITR_KNOWN_ALL,        /* both kinds */
    ITR_KNOWN_AT_GATES,   /* those fired by the host's gate */
    ITR_KNOWN_NO_GATES,   /* all others */
};

/* A failure that is known, and where. */
struct itr_known {
    char *go;      /* version range: ">=1.14 <1.28"; NULL: every version */
    char *system;  /* "linux", "wine", "windows"; NULL: each the case runs on */
    struct itr_strings at;       /* point names; empty: every point */
    struct itr_strings controls; /* controls it shows in too; empty: only in the case itself */
    struct itr_axes_where where;      /* combinations it shows in */
    enum itr_known_gate gate;
    enum itr_outcome outcome;
    char *signature; /* pattern with `*`; NULL: every signature of that outcome */
    double rate_min; /* share of the shots at that point that must and may end so */
    double rate_max;
    char *thread;  /* public thread */
    char *note;
};

struct itr_case {
    char *name;   /* the folder's name */
    char *folder; /* absolute path */
    char *summary;
    int group; /* enum itr_group */
    struct itr_strings threads; /* public threads */
    bool on_linux;
    bool on_windows;
    struct itr_variant base;
    struct itr_variant *controls;
    size_t control_count;
    struct itr_case_point *points;
    size_t point_count;
    struct itr_case_axis *axes;
    size_t axis_count;
    struct itr_axes_where *excludes; /* combinations that make no sense */
    size_t exclude_count;
    struct itr_expectation *expectations; /* the last one that holds counts */
    size_t expectation_count;
    struct itr_known *known;
    size_t known_count;
    struct itr_strings labels;
    uint64_t deadline_ns; /* longest life of a host */
    uint64_t quiet_ns;    /* a waiting host with an event under way and no processor use for this long hangs */
};

/* Reads FOLDER/case.json. On failure nothing is left to release, and the error names file, key and
 * what was expected. On success give `*result` to itr_case_release(). */
enum itr_status itr_case_read(const char *folder, struct itr_case *result, struct itr_error *err) ITR_MUST_USE;
/* The same for the file's bytes; the folder is not looked at. */
enum itr_status itr_case_parse(const char *folder, const void *bytes, size_t count, struct itr_case *result,
                               struct itr_error *err) ITR_MUST_USE;
void itr_case_release(struct itr_case *c);

/* The control of that name, NULL if there is none. Borrowed from the case. */
const struct itr_variant *itr_case_control(const struct itr_case *c, const char *name);
/* The point of that name, NULL if the case names none such. */
const struct itr_case_point *itr_case_point_named(const struct itr_case *c, const char *name);

/* The axis of that name, and its value of that name: an index, or -1 if there is none. */
int itr_case_axis_named(const struct itr_case *c, const char *name);
int itr_case_axis_value_named(const struct itr_case_axis *axis, const char *name);
/* The axis whose values change one of these keys (ITR_SETS_…); NULL if there is none. */
const struct itr_case_axis *itr_case_axis_of(const struct itr_case *c, uint32_t sets);

#endif
