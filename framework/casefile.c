/* Reads and checks case.json: every key is known, every value of the right kind, or the file is
 * refused with a sentence. It does not know what can be run here. */
#include "framework/casefile.h"
#include "framework/casefile_parts.h"

#include "framework/json.h"
#include "framework/ledger.h"
#include "framework/match.h"
#include "framework/point.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20 }; /* bytes of a case file */

/* `*is` is -1 where the key is not there. */
static enum itr_status read_truth(const struct itr_reader *reader, const json_t *object, const char *key, int *is) {
    const json_t *value = json_object_get(object, key);
    *is = value == NULL ? -1 : json_is_true(value) ? 1 : 0;
    return value == NULL || json_is_boolean(value) ? ITR_OK : itr_bad_value(reader, key, "true or false");
}

/* ---- controls ---- */

static enum itr_status read_controls(const struct itr_reader *outer, const json_t *root, struct itr_case *c) {
    static const char *const keys[] = {ITR_VARIANT_KEYS, "axes", NULL};
    json_t *map = json_object_get(root, "controls");
    const char *name = NULL;
    json_t *object = NULL;
    if (map == NULL) {
        return ITR_OK;
    }
    if (!json_is_object(map) || json_object_size(map) > ITR_CASE_STRINGS_MAX) {
        return itr_bad_value(outer, "controls", "an object of controls by name");
    }
    c->controls = calloc(json_object_size(map) + 1, sizeof *c->controls);
    if (c->controls == NULL) {
        return itr_out_of_memory(outer);
    }
    json_object_foreach(map, name, object) {
        char where[128];
        struct itr_reader reader = *outer;
        struct itr_variant *control = &c->controls[c->control_count++];
        snprintf(where, sizeof where, "controls.%s", name);
        reader.where = where;
        enum itr_status status = itr_read_keys(&reader, object, keys);
        int on_axes = 0;
        ITR_STEP(itr_variant_copy(&reader, &c->base, control))
        ITR_STEP(itr_string_set(&reader, &control->name, name))
        ITR_STEP(itr_variant_read(&reader, object, control))
        ITR_STEP(read_truth(&reader, object, "axes", &on_axes))
        control->on_axes = on_axes == 1;
        if (status != ITR_OK) {
            return status;
        }
    }
    return ITR_OK;
}

/* ---- points ---- */

/* Whether a place can have a gate at all is the same for every library. */
static enum itr_status check_gate(const struct itr_reader *reader, const struct itr_case_point *named) {
    struct itr_point point;
    bool fits = !named->gate || (itr_point_parse(named->at, &point, NULL) == ITR_OK &&
                                 point.kind == ITR_POINT_SYMBOL && point.nth == 1);
    return fits ? ITR_OK : itr_bad_value(reader, "gate", "false, or a point SYMBOL[+OFFSET][@THREAD], the first time, for it");
}

static enum itr_status check_spelling(const struct itr_reader *reader, const char *key, const char *at) {
    struct itr_point point;
    struct itr_error why = {0};
    return itr_point_parse(at, &point, &why) == ITR_OK ? ITR_OK : itr_bad_value(reader, key, why.text);
}

enum itr_status itr_point_check(const struct itr_reader *reader, const struct itr_case *c, const char *key, const char *at) {
    return itr_case_point_named(c, at) != NULL ? ITR_OK : check_spelling(reader, key, at);
}

static enum itr_status read_points(const struct itr_reader *outer, const json_t *root, struct itr_case *c) {
    static const char *const keys[] = {"at", "delivery", "target", "hold", "gate", NULL};
    json_t *map = json_object_get(root, "points");
    const char *name = NULL;
    json_t *value = NULL;
    if (map == NULL) {
        return ITR_OK;
    }
    if (!json_is_object(map) || json_object_size(map) > ITR_CASE_STRINGS_MAX) {
        return itr_bad_value(outer, "points", "an object of fire points by name");
    }
    c->points = calloc(json_object_size(map) + 1, sizeof *c->points);
    if (c->points == NULL) {
        return itr_out_of_memory(outer);
    }
    json_object_foreach(map, name, value) {
        char where[128];
        struct itr_reader reader = *outer;
        struct itr_case_point *point = &c->points[c->point_count++];
        enum itr_status status = itr_string_set(outer, &point->name, name);
        point->delivery = point->target = -1;
        snprintf(where, sizeof where, "points.%s", name);
        reader.where = where;
        if (json_is_string(value)) {
            ITR_STEP(itr_string_set(&reader, &point->at, json_string_value(value)))
        } else {
            ITR_STEP(itr_read_keys(&reader, value, keys))
            ITR_STEP(itr_read_string(&reader, value, "at", false, &point->at))
            ITR_STEP(itr_read_word(&reader, value, "delivery", itr_delivery_of,
                                   "kill, tgkill, sigqueue, timer, console or ctrl-routine", false,
                                   &point->delivery))
            ITR_STEP(itr_read_word(&reader, value, "target", itr_target_of, "process, main, caller or init",
                                   false, &point->target))
            ITR_STEP(itr_read_duration(&reader, value, "hold", &point->hold_ns))
            int gate = 0;
            ITR_STEP(read_truth(&reader, value, "gate", &gate))
            point->gate = gate == 1;
        }
        if (status == ITR_OK && point->at == NULL) {
            status = itr_bad_value(&reader, "at", "a fire point");
        }
        ITR_STEP(check_spelling(&reader, "at", point->at))
        ITR_STEP(check_gate(&reader, point))
        if (status != ITR_OK) {
            return status;
        }
    }
    return ITR_OK;
}

/* ---- known failures ---- */

static enum itr_status read_rate(const struct itr_reader *reader, const json_t *object,
                                 struct itr_known *known) {
    const json_t *rate = json_object_get(object, "rate");
    known->rate_min = 0;
    known->rate_max = 1;
    if (rate == NULL) {
        return ITR_OK;
    }
    if (!json_is_array(rate) || json_array_size(rate) != 2 || !json_is_number(json_array_get(rate, 0)) ||
        !json_is_number(json_array_get(rate, 1))) {
        return itr_bad_value(reader, "rate",
                             "two numbers from 0 to 1, the smallest and the largest share of failing shots");
    }
    known->rate_min = json_number_value(json_array_get(rate, 0));
    known->rate_max = json_number_value(json_array_get(rate, 1));
    if (!(known->rate_min >= 0 && known->rate_min <= known->rate_max && known->rate_max <= 1)) {
        return itr_bad_value(reader, "rate", "two numbers from 0 to 1, the smaller first");
    }
    return ITR_OK;
}

static enum itr_status check_names(const struct itr_reader *reader, const struct itr_case *c,
                                   const struct itr_known *known) {
    for (size_t i = 0; i < known->at.count; i++) {
        if (itr_point_check(reader, c, "at", known->at.items[i]) != ITR_OK) {
            return ITR_E_FORMAT;
        }
    }
    for (size_t i = 0; i < known->controls.count; i++) {
        if (itr_case_control(c, known->controls.items[i]) == NULL) {
            return itr_bad_value(reader, "controls", "names of this case's controls");
        }
    }
    if (known->system != NULL && strcmp(known->system, "linux") != 0 && strcmp(known->system, "wine") != 0 &&
        strcmp(known->system, "windows") != 0) {
        return itr_bad_value(reader, "system", "linux, wine or windows");
    }
    if (known->go != NULL && !itr_go_range_is_sound(known->go)) {
        return itr_bad_value(reader, "go", "a range of Go versions such as \">=1.20 <1.23\"");
    }
    return ITR_OK;
}

static enum itr_status read_known(const struct itr_reader *outer, const json_t *root, struct itr_case *c) {
    static const char *const keys[] = {"go",   "system", "at",     "controls", "outcome",
                                       "rate", "thread", "note",   "signature", "gate", "where", NULL};
    const json_t *list = json_object_get(root, "known");
    if (list == NULL) {
        return ITR_OK;
    }
    if (!json_is_array(list) || json_array_size(list) > ITR_CASE_STRINGS_MAX) {
        return itr_bad_value(outer, "known", "a list of known failures");
    }
    c->known = calloc(json_array_size(list) + 1, sizeof *c->known);
    if (c->known == NULL) {
        return itr_out_of_memory(outer);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        char where[32];
        int outcome = -1;
        struct itr_reader reader = *outer;
        const json_t *object = json_array_get(list, i);
        struct itr_known *known = &c->known[c->known_count++];
        snprintf(where, sizeof where, "known[%zu]", i);
        reader.where = where;
        enum itr_status status = itr_read_keys(&reader, object, keys);
        ITR_STEP(itr_read_string(&reader, object, "go", false, &known->go))
        ITR_STEP(itr_read_string(&reader, object, "system", false, &known->system))
        ITR_STEP(itr_read_strings(&reader, object, "at", &known->at))
        ITR_STEP(itr_read_strings(&reader, object, "controls", &known->controls))
        ITR_STEP(itr_read_word(&reader, object, "outcome", itr_outcome_of, "an outcome such as \"lost\"",
                               false, &outcome))
        ITR_STEP(outcome >= 0 ? ITR_OK : itr_bad_value(&reader, "outcome", "an outcome such as \"lost\""))
        ITR_STEP(itr_read_string(&reader, object, "signature", false, &known->signature))
        ITR_STEP(itr_read_string(&reader, object, "thread", false, &known->thread))
        ITR_STEP(itr_read_string(&reader, object, "note", false, &known->note))
        ITR_STEP(read_rate(&reader, object, known))
        int gate = -1;
        ITR_STEP(read_truth(&reader, object, "gate", &gate))
        known->gate = gate < 0 ? ITR_KNOWN_ALL : gate > 0 ? ITR_KNOWN_AT_GATES : ITR_KNOWN_NO_GATES;
        known->outcome = outcome >= 0 ? (enum itr_outcome)outcome : ITR_OUTCOME_LOST;
        ITR_STEP(check_names(&reader, c, known))
        ITR_STEP(itr_where_read(&reader, c, object, "where", &known->where))
        if (status != ITR_OK) {
            return status;
        }
    }
    return ITR_OK;
}

/* ---- the file ---- */

enum itr_status itr_systems_read(const struct itr_reader *reader, const json_t *object, const char *key, bool *on_linux,
                                 bool *on_windows) {
    struct itr_strings systems = {0};
    enum itr_status status = itr_read_strings(reader, object, key, &systems);
    bool found[2] = {false, false};
    for (size_t i = 0; i < systems.count && status == ITR_OK; i++) {
        if (strcmp(systems.items[i], "linux") == 0) {
            found[0] = true;
        } else if (strcmp(systems.items[i], "windows") == 0) {
            found[1] = true;
        } else {
            status = itr_bad_value(reader, key, "a list of linux and windows");
        }
    }
    itr_strings_release(&systems);
    if (status == ITR_OK && json_object_get(object, key) != NULL) {
        *on_linux = found[0];
        *on_windows = found[1];
    }
    if (status == ITR_OK && !*on_linux && !*on_windows) {
        status = itr_bad_value(reader, key, "a list of linux and windows, not empty");
    }
    return status;
}

static enum itr_status check_base(const struct itr_reader *reader, const struct itr_case *c) {
    if (c->base.host == NULL) {
        return itr_bad_value(reader, "host", "the name of a host program");
    }
    enum itr_status status = itr_point_check(reader, c, "at", c->base.at);
    for (size_t i = 0; i < c->control_count; i++) {
        ITR_STEP(itr_point_check(reader, c, "controls", c->controls[i].at))
    }
    return status;
}

static enum itr_status read_root(const struct itr_reader *reader, const json_t *root, struct itr_case *c) {
    static const char *const keys[] = {"format", "summary", "threads", "os",     "points", "controls", "known",
                                       "labels", "deadline", "quiet",  "ctest",  "group", "axes", "exclude", "expectations",
                                       ITR_VARIANT_KEYS, NULL};
    enum itr_status status = itr_read_keys(reader, root, keys);
    if (status == ITR_OK && json_integer_value(json_object_get(root, "format")) != ITR_CASE_FORMAT) {
        status = itr_bad_value(reader, "format", "1");
    }
    c->base.target = ITR_TARGET_PROCESS;
    c->base.expect = ITR_OUTCOME_DELIVERED;
    c->base.handler_flags = ITR_HANDLER_ONSTACK | ITR_HANDLER_RESTART;
    c->base.host_flags = ITR_HOST_RECORD_EXCEPTIONS;
    c->deadline_ns = UINT64_C(10000000000);
    c->quiet_ns = UINT64_C(300000000);
    ITR_STEP(itr_string_set(reader, &c->base.at, "time"))
    ITR_STEP(itr_read_string(reader, root, "summary", false, &c->summary))
    ITR_STEP(c->summary != NULL ? ITR_OK : itr_bad_value(reader, "summary", "one sentence"))
    ITR_STEP(itr_read_strings(reader, root, "threads", &c->threads))
    ITR_STEP(itr_read_strings(reader, root, "labels", &c->labels))
    ITR_STEP(itr_read_word(reader, root, "group", itr_group_of, ITR_GROUP_NAMES, false, &c->group))
    ITR_STEP(itr_systems_read(reader, root, "os", &c->on_linux, &c->on_windows))
    ITR_STEP(itr_read_duration(reader, root, "deadline", &c->deadline_ns))
    ITR_STEP(itr_read_duration(reader, root, "quiet", &c->quiet_ns))
    ITR_STEP(itr_variant_read(reader, root, &c->base))
    ITR_STEP(read_points(reader, root, c))
    ITR_STEP(read_controls(reader, root, c))
    ITR_STEP(check_base(reader, c))
    ITR_STEP(itr_axes_read(reader, root, c))
    ITR_STEP(read_known(reader, root, c))
    return status;
}

/* The folder's own name: its last component, whether a separator ends the path or not. */
static enum itr_status set_name(const struct itr_reader *reader, char **out, const char *folder) {
    size_t end = strlen(folder);
    while (end > 1 && (folder[end - 1] == '/' || folder[end - 1] == '\\')) {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && folder[begin - 1] != '/' && folder[begin - 1] != '\\') {
        begin--;
    }
    enum itr_status status = itr_string_set(reader, out, folder + begin);
    if (status == ITR_OK) {
        (*out)[end - begin] = '\0';
    }
    return status;
}

/* Takes `root` over. */
static enum itr_status read_case(const char *folder, const char *path, json_t *root, struct itr_case *result,
                                 struct itr_error *err) {
    struct itr_case c = {0};
    struct itr_reader reader = {.file = path, .where = "", .err = err};
    enum itr_status status = set_name(&reader, &c.name, folder);
    if (status == ITR_OK) {
        status = itr_string_set(&reader, &c.folder, folder);
    }
    if (status == ITR_OK) {
        status = read_root(&reader, root, &c);
    }
    json_decref(root);
    if (status != ITR_OK) {
        itr_case_release(&c);
        return status;
    }
    *result = c;
    return ITR_OK;
}

enum itr_status itr_case_parse(const char *folder, const void *bytes, size_t count, struct itr_case *result,
                               struct itr_error *err) {
    char path[4096];
    json_t *root = NULL;
    snprintf(path, sizeof path, "%s/case.json", folder);
    enum itr_status status = itr_json_parse(path, 1, bytes, count, JSON_REJECT_DUPLICATES, &root, err);
    return status == ITR_OK ? read_case(folder, path, root, result, err) : status;
}

enum itr_status itr_case_read(const char *folder, struct itr_case *result, struct itr_error *err) {
    char path[4096];
    json_t *root = NULL;
    snprintf(path, sizeof path, "%s/case.json", folder);
    enum itr_status status = itr_json_read(path, FILE_MAX, JSON_REJECT_DUPLICATES, &root, err);
    return status == ITR_OK ? read_case(folder, path, root, result, err) : status;
}

void itr_case_release(struct itr_case *c) {
    free(c->name);
    free(c->folder);
    free(c->summary);
    itr_strings_release(&c->threads);
    itr_strings_release(&c->labels);
    itr_variant_release(&c->base);
    for (size_t i = 0; i < c->control_count; i++) {
        itr_variant_release(&c->controls[i]);
    }
    for (size_t i = 0; i < c->point_count; i++) {
        free(c->points[i].name);
        free(c->points[i].at);
    }
    for (size_t i = 0; i < c->known_count; i++) {
        free(c->known[i].go);
        free(c->known[i].system);
        itr_strings_release(&c->known[i].at);
        itr_strings_release(&c->known[i].controls);
        free(c->known[i].signature);
        free(c->known[i].thread);
        free(c->known[i].note);
    }
    itr_axes_release(c);
    free(c->controls);
    free(c->points);
    free(c->known);
    *c = (struct itr_case){0};
}

const struct itr_variant *itr_case_control(const struct itr_case *c, const char *name) {
    for (size_t i = 0; i < c->control_count; i++) {
        if (strcmp(c->controls[i].name, name) == 0) {
            return &c->controls[i];
        }
    }
    return NULL;
}

const struct itr_case_point *itr_case_point_named(const struct itr_case *c, const char *name) {
    for (size_t i = 0; i < c->point_count; i++) {
        if (strcmp(c->points[i].name, name) == 0) {
            return &c->points[i];
        }
    }
    return NULL;
}
