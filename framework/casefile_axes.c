/* Reads the axes of a case, the combinations that it leaves out and what some of them must end in. What they
 * multiply out to is combination.c's. */
#include "framework/casefile_parts.h"

#include "framework/combination.h"
#include "framework/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AXIS_NAME_WORDS "a name of small letters, digits and -, up to 24"
#define VALUE_NAME_WORDS "a name of letters, digits and - . _ + # @ / :, up to 48"

/* ---- names: they stand in titles, in --axis NAME=VALUE,VALUE and in file names ---- */

static bool is_name(const char *name, size_t most, const char *allowed) {
    size_t length = strlen(name);
    return length > 0 && length <= most && strspn(name, allowed) == length && name[0] != '-';
}

static bool is_axis_name(const char *name) {
    return is_name(name, ITR_AXIS_NAME_MAX, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

static bool is_value_name(const char *name) {
    return is_name(name, ITR_AXIS_VALUE_NAME_MAX,
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._+#@/:");
}

/* ---- values ---- */

/* `object` holds the changes; `reader` says where it is. */
static enum itr_status read_value(const struct itr_reader *reader, const json_t *object, const struct itr_case *c,
                                  struct itr_case_axis *axis, const char *name) {
    static const char *const keys[] = {ITR_VARIANT_KEYS, "os", "go", NULL};
    struct itr_case_axis_value *value = &axis->values[axis->count++];
    *value = (struct itr_case_axis_value){.on_linux = true, .on_windows = true};
    enum itr_status status = itr_string_set(reader, &value->name, name);
    ITR_STEP(itr_read_keys(reader, object, keys))
    ITR_STEP(itr_variant_read(reader, object, &value->changes))
    ITR_STEP(itr_systems_read(reader, object, "os", &value->on_linux, &value->on_windows))
    ITR_STEP(itr_read_string(reader, object, "go", false, &value->go))
    if (status != ITR_OK) {
        return status;
    }
    axis->sets |= value->changes.sets;
    if (value->go != NULL && !itr_go_range_is_sound(value->go)) {
        return itr_bad_value(reader, "go", "a range of Go versions such as \">=1.20 <1.23\"");
    }
    if (value->changes.environment.count > ITR_AXIS_VARIABLES_MAX) {
        return itr_bad_value(reader, "env", "up to 8 variables");
    }
    return value->changes.at != NULL ? itr_point_check(reader, c, "at", value->changes.at) : ITR_OK;
}

/* {"before": {…}, "after": {…}} */
static enum itr_status read_named(const struct itr_reader *outer, json_t *map, const struct itr_case *c, struct itr_case_axis *axis) {
    const char *name = NULL;
    json_t *object = NULL;
    enum itr_status status = ITR_OK;
    json_object_foreach(map, name, object) {
        char where[128];
        struct itr_reader reader = *outer;
        if (!is_value_name(name)) {
            return itr_bad_value(outer, name, VALUE_NAME_WORDS);
        }
        snprintf(where, sizeof where, "%s.%s", outer->where, name);
        reader.where = where;
        ITR_STEP(read_value(&reader, object, c, axis, name))
    }
    return status;
}

/* "event": ["SIGUSR1", "SIGUSR2"]: the axis's name is the key, and each word is its value's name. */
static enum itr_status read_words(const struct itr_reader *reader, const json_t *list, const struct itr_case *c,
                                  struct itr_case_axis *axis) {
    static const char *const keys[] = {"event", "delivery", "target", "at"};
    bool is_key = false;
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        is_key = is_key || strcmp(axis->name, keys[i]) == 0;
    }
    if (!is_key) {
        return itr_bad_value(reader, "", "an object of values by name (a list is for the axes event, delivery, target and at)");
    }
    for (size_t i = 0; i < json_array_size(list) && status == ITR_OK; i++) {
        json_t *word = json_array_get(list, i);
        const char *name = json_string_value(word);
        if (name == NULL || strlen(name) != json_string_length(word) || !is_value_name(name) ||
            itr_case_axis_value_named(axis, name) >= 0) {
            return itr_bad_value(reader, "", "a list of words, each once, and each " VALUE_NAME_WORDS);
        }
        json_t *object = json_pack("{s:O}", axis->name, word);
        status = object != NULL ? read_value(reader, object, c, axis, name) : itr_out_of_memory(reader);
        json_decref(object);
    }
    return status;
}

/* ---- axes ---- */

static enum itr_status read_axis(const struct itr_reader *outer, const char *name, json_t *json, struct itr_case *c) {
    char where[64];
    struct itr_reader reader = *outer;
    size_t count = json_is_array(json) ? json_array_size(json) : json_object_size(json);
    struct itr_case_axis *axis = &c->axes[c->axis_count];
    if (!is_axis_name(name)) {
        reader.where = "axes";
        return itr_bad_value(&reader, name, AXIS_NAME_WORDS);
    }
    snprintf(where, sizeof where, "axes.%s", name);
    reader.where = where;
    if (count == 0 || count > ITR_AXIS_VALUES_MAX) {
        return itr_bad_value(&reader, "", "an object of values by name, or a list of words, from one to 64");
    }
    *axis = (struct itr_case_axis){.values = calloc(count, sizeof *axis->values)};
    c->axis_count++;
    enum itr_status status = axis->values != NULL ? itr_string_set(&reader, &axis->name, name) : itr_out_of_memory(&reader);
    ITR_STEP(json_is_array(json) ? read_words(&reader, json, c, axis) : read_named(&reader, json, c, axis))
    return status;
}

/* Do two values set one variable? */
static bool share_variable(const struct itr_variant *a, const struct itr_variant *b) {
    for (size_t i = 0; i < a->environment.count; i++) {
        size_t length = strcspn(a->environment.items[i], "=") + 1;
        for (size_t k = 0; k < b->environment.count; k++) {
            if (strncmp(a->environment.items[i], b->environment.items[k], length) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool share_variables(const struct itr_case_axis *a, const struct itr_case_axis *b) {
    bool share = false;
    for (size_t i = 0; i < a->count && !share; i++) {
        for (size_t k = 0; k < b->count && !share; k++) {
            share = share_variable(&a->values[i].changes, &b->values[k].changes);
        }
    }
    return share;
}

/* In a combination each axis is heard: no two change the same. */
static enum itr_status check_apart(const struct itr_reader *outer, const struct itr_case *c) {
    struct itr_reader reader = *outer;
    reader.where = "axes";
    for (size_t i = 0; i < c->axis_count; i++) {
        for (size_t k = 0; k < i; k++) {
            uint32_t both = c->axes[i].sets & c->axes[k].sets;
            if ((both & ~(uint32_t)ITR_SETS_ENVIRONMENT) != 0 || share_variables(&c->axes[i], &c->axes[k])) {
                char expected[128];
                snprintf(expected, sizeof expected, "no key and no variable that the axis %s changes too", c->axes[k].name);
                return itr_bad_value(&reader, c->axes[i].name, expected);
            }
        }
    }
    return ITR_OK;
}

static enum itr_status check_product(const struct itr_reader *reader, const struct itr_case *c) {
    size_t product = 1;
    for (size_t i = 0; i < c->axis_count; i++) {
        product *= c->axes[i].count; /* at most 64 times the ceiling */
        if (product > ITR_COMBINATIONS_MAX) {
            return itr_bad_value(reader, "axes", "axes with up to 4096 combinations");
        }
    }
    return ITR_OK;
}

/* Each system of the case has a base, and all Go versions have it: without it nothing is varied. */
static enum itr_status check_base_of(const struct itr_reader *reader, const struct itr_case *c, const char *family) {
    struct itr_combination base;
    char expected[128] = "";
    bool any = itr_combination_base(c, family, &base);
    if (!any) {
        snprintf(expected, sizeof expected, "axes with a combination for %s that \"exclude\" does not name", family);
    }
    for (size_t i = 0; i < c->axis_count && any; i++) {
        if (c->axes[i].values[base.value[i]].go != NULL) {
            snprintf(expected, sizeof expected, "axes whose first combination (for %s) is for every Go version", family);
        }
    }
    return expected[0] != '\0' ? itr_bad_value(reader, "axes", expected) : ITR_OK;
}

/* ---- some of the combinations ---- */

static enum itr_status take_value(const struct itr_reader *reader, const struct itr_case_axis *axis, const json_t *json,
                                  uint64_t *mask) {
    const char *name = json_string_value(json);
    int value = name != NULL ? itr_case_axis_value_named(axis, name) : -1;
    if (value < 0) {
        return itr_bad_value(reader, axis->name, "the name of one of that axis's values, or a list of some");
    }
    *mask |= UINT64_C(1) << value;
    return ITR_OK;
}

/* `object` itself is the choice. */
static enum itr_status read_choice(const struct itr_reader *reader, const struct itr_case *c, const json_t *object,
                                   struct itr_axes_where *where) {
    const char *name = NULL;
    json_t *json = NULL;
    if (!json_is_object(object) || json_object_size(object) == 0) {
        return itr_bad_value(reader, "", "an object of axes, each with the name of a value or a list of some");
    }
    json_object_foreach((json_t *)(uintptr_t)object, name, json) {
        int axis = itr_case_axis_named(c, name);
        if (axis < 0) {
            return itr_bad_value(reader, name, "the name of one of this case's axes");
        }
        enum itr_status status = ITR_OK;
        for (size_t i = 0; i < json_array_size(json); i++) {
            ITR_STEP(take_value(reader, &c->axes[axis], json_array_get(json, i), &where->values[axis]))
        }
        if (json_array_size(json) == 0) {
            status = take_value(reader, &c->axes[axis], json, &where->values[axis]);
        }
        if (status != ITR_OK) {
            return status;
        }
    }
    return ITR_OK;
}

enum itr_status itr_where_read(const struct itr_reader *reader, const struct itr_case *c, const json_t *object,
                               const char *key, struct itr_axes_where *where) {
    char place[64];
    struct itr_reader inner = *reader;
    const json_t *choice = json_object_get(object, key);
    snprintf(place, sizeof place, "%s%s%s", reader->where, reader->where[0] != '\0' ? "." : "", key);
    inner.where = place;
    *where = (struct itr_axes_where){{0}};
    return choice != NULL ? read_choice(&inner, c, choice, where) : ITR_OK;
}

/* The list below a key of the root, with room for it in `*items`; NULL and `*count` 0 where there is none. */
static enum itr_status begin_list(const struct itr_reader *reader, const json_t *root, const char *key, size_t bytes,
                                  const json_t **list, void **items) {
    *list = json_object_get(root, key);
    if (*list == NULL) {
        return ITR_OK;
    }
    if (!json_is_array(*list) || json_array_size(*list) > ITR_CASE_STRINGS_MAX) {
        return itr_bad_value(reader, key, "a list of objects, up to 64");
    }
    *items = calloc(json_array_size(*list) + 1, bytes);
    return *items != NULL ? ITR_OK : itr_out_of_memory(reader);
}

static enum itr_status read_excludes(const struct itr_reader *outer, const json_t *root, struct itr_case *c) {
    const json_t *list = NULL;
    void *items = NULL;
    enum itr_status status = begin_list(outer, root, "exclude", sizeof *c->excludes, &list, &items);
    c->excludes = items;
    for (size_t i = 0; i < json_array_size(list) && status == ITR_OK; i++) {
        char where[32];
        struct itr_reader reader = *outer;
        snprintf(where, sizeof where, "exclude[%zu]", i);
        reader.where = where;
        status = read_choice(&reader, c, json_array_get(list, i), &c->excludes[c->exclude_count++]);
    }
    return status;
}

static enum itr_status read_expectations(const struct itr_reader *outer, const json_t *root, struct itr_case *c) {
    static const char *const keys[] = {"where", "expect", "note", NULL};
    const json_t *list = NULL;
    void *items = NULL;
    enum itr_status status = begin_list(outer, root, "expectations", sizeof *c->expectations, &list, &items);
    c->expectations = items;
    for (size_t i = 0; i < json_array_size(list) && status == ITR_OK; i++) {
        char where[40];
        int expect = -1;
        struct itr_reader reader = *outer;
        const json_t *object = json_array_get(list, i);
        struct itr_expectation *one = &c->expectations[c->expectation_count++];
        snprintf(where, sizeof where, "expectations[%zu]", i);
        reader.where = where;
        status = itr_read_keys(&reader, object, keys);
        ITR_STEP(json_object_get(object, "where") != NULL ? ITR_OK : itr_bad_value(&reader, "where", "an object of axes"))
        ITR_STEP(itr_where_read(&reader, c, object, "where", &one->where))
        ITR_STEP(itr_read_word(&reader, object, "expect", itr_outcome_of, "an outcome such as \"lost\"", false, &expect))
        ITR_STEP(expect >= 0 ? ITR_OK : itr_bad_value(&reader, "expect", "an outcome such as \"lost\""))
        ITR_STEP(itr_read_string(&reader, object, "note", false, &one->note))
        one->expect = expect >= 0 ? (enum itr_outcome)expect : ITR_OUTCOME_DELIVERED;
    }
    return status;
}

/* ---- all of it ---- */

enum itr_status itr_axes_read(const struct itr_reader *reader, const json_t *root, struct itr_case *c) {
    json_t *map = json_object_get(root, "axes");
    const char *name = NULL;
    json_t *json = NULL;
    enum itr_status status = ITR_OK;
    if (map != NULL && (!json_is_object(map) || json_object_size(map) == 0 || json_object_size(map) > ITR_AXES_MAX)) {
        return itr_bad_value(reader, "axes", "an object of axes by name, from one to 6");
    }
    c->axes = calloc(json_object_size(map) + 1, sizeof *c->axes);
    if (c->axes == NULL) {
        return itr_out_of_memory(reader);
    }
    json_object_foreach(map, name, json) {
        ITR_STEP(read_axis(reader, name, json, c))
    }
    ITR_STEP(check_apart(reader, c))
    ITR_STEP(check_product(reader, c))
    ITR_STEP(read_excludes(reader, root, c))
    ITR_STEP(read_expectations(reader, root, c))
    ITR_STEP(c->on_linux ? check_base_of(reader, c, "linux") : ITR_OK)
    ITR_STEP(c->on_windows ? check_base_of(reader, c, "windows") : ITR_OK)
    return status;
}

void itr_axes_release(struct itr_case *c) {
    for (size_t i = 0; i < c->axis_count; i++) {
        for (size_t k = 0; k < c->axes[i].count; k++) {
            free(c->axes[i].values[k].name);
            free(c->axes[i].values[k].go);
            itr_variant_release(&c->axes[i].values[k].changes);
        }
        free(c->axes[i].name);
        free(c->axes[i].values);
    }
    for (size_t i = 0; i < c->expectation_count; i++) {
        free(c->expectations[i].note);
    }
    free(c->axes);
    free(c->excludes);
    free(c->expectations);
}
