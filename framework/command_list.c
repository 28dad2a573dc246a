/* initrace list: the cases, or one of them in full. It reads case files and runs nothing. */
#include "framework/commands.h"

#include "framework/select.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_BYTES_MAX = 4 << 20 };

static json_t *strings_to_json(const struct itr_strings *strings) {
    json_t *list = json_array();
    for (size_t i = 0; i < strings->count; i++) {
        json_array_append_new(list, json_string(strings->items[i]));
    }
    return list;
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
        json_array_append_new(known, json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:o, s:f, s:f}", "outcome",
                                               itr_outcome_name((uint32_t)one->outcome), "signature", one->signature,
                                               "go", one->go, "system", one->system, "thread", one->thread, "at",
                                               strings_to_json(&one->at), "rate_min", one->rate_min, "rate_max",
                                               one->rate_max));
    }
    return json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "case", c->name, "summary",
                     c->summary, "linux", (int)c->on_linux, "windows", (int)c->on_windows, "runs_here", (int)here,
                     "why_not", why, "event", itr_event_name((uint32_t)c->base.event), "at", c->base.at, "points",
                     points, "controls", controls, "known", known, "threads", strings_to_json(&c->threads), "labels",
                     strings_to_json(&c->labels));
}

static void add_case_line(struct itr_text *out, const struct itr_case *c) {
    char why[160] = "";
    bool here = itr_case_runs_here(c, why, sizeof why);
    itr_text_printf(out, "%-28s %-10s %s%s%s\n", c->name, here ? "runs here" : "not here", c->summary,
                    here ? "" : " — ", here ? "" : why);
}

static void add_known(struct itr_text *out, const struct itr_known *known) {
    itr_text_printf(out, "    %s%s%s", itr_outcome_name((uint32_t)known->outcome), known->signature ? " " : "",
                    known->signature ? known->signature : "");
    itr_text_printf(out, ", Go %s, %s, %.3g to %.3g %%", known->go ? known->go : "any",
                    known->system ? known->system : "any system", 100 * known->rate_min, 100 * known->rate_max);
    for (size_t i = 0; i < known->at.count; i++) {
        itr_text_printf(out, "%s%s", i == 0 ? ", at " : " ", known->at.items[i]);
    }
    itr_text_printf(out, "%s%s\n", known->thread ? ", " : "", known->thread ? known->thread : "");
    if (known->note != NULL) {
        itr_text_printf(out, "      %s\n", known->note);
    }
}

static void add_case(struct itr_text *out, const struct itr_case *c) {
    char why[160] = "";
    bool here = itr_case_runs_here(c, why, sizeof why);
    itr_text_printf(out, "%s: %s\n  %s%s\n", c->name, c->summary, here ? "runs here" : "does not run here: ", why);
    for (size_t i = 0; i < c->threads.count; i++) {
        itr_text_printf(out, "  %s\n", c->threads.items[i]);
    }
    itr_text_printf(out, "  event %s, fired at %s, must end %s\n", itr_event_name((uint32_t)c->base.event), c->base.at,
                    itr_outcome_name((uint32_t)c->base.expect));
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
        add_known(out, &c->known[i]);
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

int itr_command_list(const struct itr_options *options, const struct itr_layout *layout) {
    struct itr_strings names = {0};
    struct itr_error error = {0};
    struct itr_text text = {.ceiling = PAGE_BYTES_MAX};
    int code = ITR_EXIT_EXPECTED;
    bool whole = true;
    json_t *list = json_array();
    if (options->words.count > 0) {
        json_decref(list);
        return list_one(options, layout, options->words.items[0]);
    }
    const char *folder = options->cases != NULL ? options->cases : layout->cases;
    if (itr_layout_folders(folder, &names, &error) != ITR_OK) {
        json_decref(list);
        return itr_complain(&error);
    }
    for (size_t i = 0; i < names.count; i++) {
        struct itr_case c;
        if (itr_find_case(options, layout, names.items[i], &c, &error) != ITR_OK) {
            code = itr_complain(&error);
            continue;
        }
        if (options->json) {
            whole = json_array_append_new(list, case_to_json(&c)) == 0 && whole;
        } else {
            add_case_line(&text, &c);
        }
        itr_case_release(&c);
    }
    itr_layout_release(&names);
    if (options->json && whole) {
        return itr_print_json(json_pack("{s:i, s:o}", "format", 1, "cases", list), code);
    }
    json_decref(list);
    return options->json ? itr_print_json(NULL, code) : print_text(&text, code);
}
