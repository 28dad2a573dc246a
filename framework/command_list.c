/* initrace list: the cases, or one of them in full. It reads case files and runs nothing. */
#include "framework/commands.h"

#include "framework/record_parts.h"
#include "framework/select.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES_MAX = 4 << 20 };

static json_t *strings_to_json(const struct itr_strings *strings) {
    json_t *list = json_array();
    for (size_t i = 0; i < strings->count; i++) {
        json_array_append_new(list, json_string(strings->items[i]));
    }
    return list;
}

static json_int_t combinations_here(const struct itr_case *c, enum itr_axes_form form) {
    char why[160];
    return itr_case_runs_here(c, why, sizeof why) ? (json_int_t)itr_case_combinations_here(c, form) : 0;
}

static json_t *axes_to_json(const struct itr_case *c) {
    json_t *axes = json_object();
    for (size_t i = 0; i < c->axis_count; i++) {
        json_t *values = json_array();
        for (size_t k = 0; k < c->axes[i].count; k++) {
            json_array_append_new(values, json_string(c->axes[i].values[k].name));
        }
        json_object_set_new(axes, c->axes[i].name, values);
    }
    return axes;
}

/* {"handler": ["after", "none"]} */
static json_t *where_to_json(const struct itr_case *c, const struct itr_axes_where *where) {
    json_t *object = json_object();
    for (size_t i = 0; i < c->axis_count; i++) {
        json_t *values = json_array();
        for (size_t k = 0; k < c->axes[i].count; k++) {
            if ((where->values[i] >> k & 1) != 0) {
                json_array_append_new(values, json_string(c->axes[i].values[k].name));
            }
        }
        if (where->values[i] != 0) {
            json_object_set(object, c->axes[i].name, values);
        }
        json_decref(values);
    }
    return object;
}

static json_t *case_to_json(const struct itr_case *c) {
    char why[160] = "";
    bool here = itr_case_runs_here(c, why, sizeof why);
    json_t *points = json_object();
    json_t *controls = json_array();
    json_t *known = json_array();
    for (size_t i = 0; i < c->point_count; i++) {
        json_object_set_new(points, c->points[i].name, json_string(c->points[i].at));
    }
    for (size_t i = 0; i < c->control_count; i++) {
        json_array_append_new(controls, json_string(c->controls[i].name));
    }
    for (size_t i = 0; i < c->known_count; i++) {
        const struct itr_known *one = &c->known[i];
        json_array_append_new(known, json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:o, s:f, s:f, s:o}", "outcome",
                                               itr_outcome_name((uint32_t)one->outcome), "signature", one->signature,
                                               "go", one->go, "system", one->system, "thread", one->thread, "at",
                                               strings_to_json(&one->at), "rate_min", one->rate_min, "rate_max",
                                               one->rate_max, "where", where_to_json(c, &one->where)));
    }
    return json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s?, s:o, s:{s:I, s:I}}", "case", c->name, "summary",
                     c->summary, "linux", (int)c->on_linux, "windows", (int)c->on_windows, "runs_here", (int)here,
                     "why_not", why, "event", itr_event_name((uint32_t)c->base.event), "at", c->base.at, "points",
                     points, "controls", controls, "known", known, "threads", strings_to_json(&c->threads), "labels",
                     strings_to_json(&c->labels), "group", c->group != ITR_GROUP_NONE ? itr_group_name(c->group) : NULL, "axes",
                     axes_to_json(c), "combinations", "quick", combinations_here(c, ITR_AXES_QUICK), "all",
                     combinations_here(c, ITR_AXES_ALL));
}

static void add_case_line(struct itr_text *out, const struct itr_case *c, const char *indent) {
    char why[160] = "";
    bool here = itr_case_runs_here(c, why, sizeof why);
    itr_text_printf(out, "%s%-28s %-10s %s%s%s\n", indent, c->name, here ? "runs here" : "not here", c->summary,
                    here ? "" : " — ", here ? "" : why);
}

/* " handler=after,none" for each axis that is named. */
static void add_where(struct itr_text *out, const struct itr_case *c, const struct itr_axes_where *where) {
    for (size_t i = 0; i < c->axis_count; i++) {
        bool first = true;
        for (size_t k = 0; k < c->axes[i].count && where->values[i] != 0; k++) {
            if ((where->values[i] >> k & 1) != 0) {
                itr_text_printf(out, "%s%s%s%s", first ? " " : ",", first ? c->axes[i].name : "", first ? "=" : "",
                                c->axes[i].values[k].name);
                first = false;
            }
        }
    }
}

static void add_known(struct itr_text *out, const struct itr_case *c, const struct itr_known *known) {
    itr_text_printf(out, "    %s%s%s", itr_outcome_name((uint32_t)known->outcome), known->signature ? " " : "",
                    known->signature ? known->signature : "");
    itr_text_printf(out, ", Go %s, %s, %.3g to %.3g %%", known->go ? known->go : "any",
                    known->system ? known->system : "any system", 100 * known->rate_min, 100 * known->rate_max);
    for (size_t i = 0; i < known->at.count; i++) {
        itr_text_printf(out, "%s%s", i == 0 ? ", at " : " ", known->at.items[i]);
    }
    add_where(out, c, &known->where);
    itr_text_printf(out, "%s%s\n", known->thread ? ", " : "", known->thread ? known->thread : "");
    if (known->note != NULL) {
        itr_text_printf(out, "      %s\n", known->note);
    }
}

/* "    handler: before, after, none" and so on, the usual value first. */
static void add_axes(struct itr_text *out, const struct itr_case *c) {
    if (c->axis_count == 0) {
        return;
    }
    itr_text_printf(out, "  axes (--axis NAME=VALUE,…), %" PRIu64 " combinations here, %" PRIu64 " with --axes all:\n",
                    (uint64_t)combinations_here(c, ITR_AXES_QUICK), (uint64_t)combinations_here(c, ITR_AXES_ALL));
    for (size_t i = 0; i < c->axis_count; i++) {
        itr_text_printf(out, "    %s:", c->axes[i].name);
        for (size_t k = 0; k < c->axes[i].count; k++) {
            const struct itr_case_axis_value *value = &c->axes[i].values[k];
            itr_text_printf(out, "%s %s%s%s%s%s", k > 0 ? "," : "", value->name, value->on_linux && value->on_windows ? "" : " (",
                            value->on_linux && value->on_windows ? "" : value->on_linux ? "linux)" : "windows)",
                            value->go != NULL ? ", Go " : "", value->go != NULL ? value->go : "");
        }
        itr_text_add(out, "\n");
    }
    for (size_t i = 0; i < c->expectation_count; i++) {
        itr_text_add(out, i == 0 ? "  of some combinations another end is expected:\n" : "");
        itr_text_add(out, "   ");
        add_where(out, c, &c->expectations[i].where);
        itr_text_printf(out, " must end %s\n", itr_outcome_name((uint32_t)c->expectations[i].expect));
        if (c->expectations[i].note != NULL) {
            itr_text_printf(out, "      %s\n", c->expectations[i].note);
        }
    }
}

static void add_case(struct itr_text *out, const struct itr_case *c) {
    char why[160] = "";
    bool here = itr_case_runs_here(c, why, sizeof why);
    itr_text_printf(out, "%s: %s\n", c->name, c->summary);
    if (c->group != ITR_GROUP_NONE) {
        itr_text_printf(out, "  group %s: %s\n", itr_group_name(c->group), itr_group_title(c->group));
    }
    itr_text_printf(out, "  %s%s\n", here ? "runs here" : "does not run here: ", why);
    for (size_t i = 0; i < c->threads.count; i++) {
        itr_text_printf(out, "  %s\n", c->threads.items[i]);
    }
    itr_text_printf(out, "  event %s, fired at %s, must end %s\n", itr_event_name((uint32_t)c->base.event), c->base.at,
                    itr_outcome_name((uint32_t)c->base.expect));
    add_axes(out, c);
    itr_text_printf(out, "  points (--at): time, PHASE[+TIME], CALL#N%s\n", c->point_count > 0 ? ", and" : "");
    for (size_t i = 0; i < c->point_count; i++) {
        itr_text_printf(out, "    %-20s %s%s\n", c->points[i].name, c->points[i].at, c->points[i].gate ? ", by a gate" : "");
    }
    itr_text_add(out, "  controls (--control):\n");
    for (size_t i = 0; i < c->control_count; i++) {
        const struct itr_variant *v = &c->controls[i];
        itr_text_printf(out, "    %-20s event %s at %s, library %s, must end %s\n", v->name,
                        itr_event_name((uint32_t)v->event), v->at, v->library ? v->library : "none", itr_outcome_name((uint32_t)v->expect));
    }
    itr_text_printf(out, "  known failures:%s\n", c->known_count == 0 ? " none" : "");
    for (size_t i = 0; i < c->known_count; i++) {
        add_known(out, c, &c->known[i]);
    }
}

/* What case files say is theirs: none of it reaches a terminal as anything but text. */
static int print_text(struct itr_text *text, int code) {
    struct itr_text clean = {.ceiling = PAGE_BYTES_MAX};
    itr_text_escape(&clean, ITR_ESCAPE_TERMINAL_LINES, itr_text_string(text), text->length);
    fputs(itr_text_string(&clean), stdout);
    bool whole = !text->no_memory && !clean.no_memory && !text->truncated && !clean.truncated;
    itr_text_release(&clean);
    itr_text_release(text);
    if (!whole) {
        struct itr_error error = {0};
        itr_fail(&error, ITR_E_LIMIT, 0, "the list was cut: it is too long, or memory was refused");
        return itr_complain(&error);
    }
    return code;
}

static int list_one(const struct itr_options *options, const struct itr_layout *layout, const char *name) {
    struct itr_case c;
    struct itr_error error = {0};
    int code = ITR_EXIT_EXPECTED;
    if (itr_find_case(options, layout, name, &c, &error) != ITR_OK) {
        return itr_complain(&error);
    }
    if (options->json) {
        code = itr_print_json(case_to_json(&c), code);
    } else {
        struct itr_text text = {.ceiling = PAGE_BYTES_MAX};
        add_case(&text, &c);
        code = print_text(&text, code);
    }
    itr_case_release(&c);
    return code;
}

/* All cases of a folder, and what went wrong with those that cannot be read. */
struct listing {
    struct itr_case *cases;
    size_t count;
    int code;
};

static enum itr_status read_all(struct listing *listing, const struct itr_options *options, const struct itr_layout *layout,
                                struct itr_error *err) {
    struct itr_strings names = {0};
    enum itr_status status = itr_layout_folders(options->cases != NULL ? options->cases : layout->cases, &names, err);
    if (status == ITR_OK) {
        listing->cases = calloc(names.count + 1, sizeof *listing->cases);
        status = listing->cases != NULL ? ITR_OK : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for the list");
    }
    for (size_t i = 0; i < names.count && status == ITR_OK; i++) {
        struct itr_error error = {0};
        if (itr_find_case(options, layout, names.items[i], &listing->cases[listing->count], &error) == ITR_OK) {
            listing->count++;
        } else {
            listing->code = itr_complain(&error);
        }
    }
    itr_layout_release(&names);
    return status;
}

struct group_count {
    size_t cases;
    size_t here;
};

static struct group_count count_group(const struct listing *listing, int group) {
    struct group_count count = {0};
    char why[160];
    for (size_t i = 0; i < listing->count; i++) {
        bool in = listing->cases[i].group == group;
        count.cases += in ? 1 : 0;
        count.here += in && itr_case_runs_here(&listing->cases[i], why, sizeof why) ? 1 : 0;
    }
    return count;
}

/* What is in no group comes last; where nothing is in one, no title is needed. */
static void add_group(struct itr_text *out, const struct listing *listing, int group, bool titled) {
    struct group_count count = count_group(listing, group);
    if (count.cases == 0) {
        return;
    }
    if (titled) {
        itr_text_printf(out, "%s%s (%s): %zu %s, %zu here\n", out->length > 0 ? "\n" : "", itr_group_title(group),
                        itr_group_name(group), count.cases, count.cases == 1 ? "case" : "cases", count.here);
    }
    for (size_t i = 0; i < listing->count; i++) {
        if (listing->cases[i].group == group) {
            add_case_line(out, &listing->cases[i], titled ? "  " : "");
        }
    }
}

static int print_list(const struct listing *listing) {
    struct itr_text text = {.ceiling = PAGE_BYTES_MAX};
    bool titled = count_group(listing, ITR_GROUP_NONE).cases < listing->count;
    for (int group = ITR_GROUP_NONE + 1; group < ITR_GROUP_COUNT; group++) {
        add_group(&text, listing, group, titled);
    }
    add_group(&text, listing, ITR_GROUP_NONE, titled);
    return print_text(&text, listing->code);
}

static json_t *list_to_json(const struct listing *listing) {
    json_t *cases = json_array();
    json_t *groups = json_array();
    for (size_t i = 0; i < listing->count; i++) {
        itr_record_append(&cases, case_to_json(&listing->cases[i]));
    }
    for (int group = ITR_GROUP_NONE + 1; group < ITR_GROUP_COUNT; group++) {
        struct group_count count = count_group(listing, group);
        itr_record_append(&groups, json_pack("{s:s, s:s, s:I, s:I}", "group", itr_group_name(group), "title", itr_group_title(group),
                                             "cases", (json_int_t)count.cases, "run_here", (json_int_t)count.here));
    }
    return json_pack("{s:i, s:o, s:o}", "format", 1, "cases", cases, "groups", groups);
}

int itr_command_list(const struct itr_options *options, const struct itr_layout *layout) {
    struct listing listing = {.code = ITR_EXIT_EXPECTED};
    struct itr_error error = {0};
    if (options->words.count > 0) {
        return list_one(options, layout, options->words.items[0]);
    }
    int code = read_all(&listing, options, layout, &error) != ITR_OK ? itr_complain(&error)
               : options->json ? itr_print_json(list_to_json(&listing), listing.code)
                               : print_list(&listing);
    for (size_t i = 0; i < listing.count; i++) {
        itr_case_release(&listing.cases[i]);
    }
    free(listing.cases);
    return code;
}
