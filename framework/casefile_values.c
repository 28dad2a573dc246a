/* Reads the typed values that a case file is made of: strings, words of closed sets, lengths of time, lists,
 * flags. What the keys mean is casefile.c's. */
#include "framework/casefile_values.h"

#include "framework/point.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum itr_status itr_bad_value(const struct itr_reader *reader, const char *key, const char *expected) {
    const char *dot = reader->where[0] != '\0' && key[0] != '\0' ? "." : "";
    return itr_fail(reader->err, ITR_E_FORMAT, 0, "%s: key \"%s%s%s\": expected %s", reader->file,
                    reader->where, dot, key, expected);
}

enum itr_status itr_out_of_memory(const struct itr_reader *reader) {
    return itr_fail(reader->err, ITR_E_NO_MEMORY, 0, "%s: out of memory", reader->file);
}

enum itr_status itr_string_set(const struct itr_reader *reader, char **out, const char *text) {
    char *copy = text != NULL ? strdup(text) : NULL;
    if (text != NULL && copy == NULL) {
        return itr_out_of_memory(reader);
    }
    free(*out);
    *out = copy;
    return ITR_OK;
}

enum itr_status itr_read_string(const struct itr_reader *reader, const json_t *object, const char *key,
                                bool nullable, char **out) {
    const json_t *value = json_object_get(object, key);
    if (value == NULL) {
        return ITR_OK;
    }
    if (nullable && json_is_null(value)) {
        return itr_string_set(reader, out, NULL);
    }
    if (!json_is_string(value) || json_string_value(value)[0] == '\0' ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        return itr_bad_value(reader, key, nullable ? "a string or null" : "a string");
    }
    return itr_string_set(reader, out, json_string_value(value));
}

enum itr_status itr_read_word(const struct itr_reader *reader, const json_t *object, const char *key,
                              int (*of)(const char *), const char *expected, bool nullable, int *out) {
    const json_t *value = json_object_get(object, key);
    if (value == NULL) {
        return ITR_OK;
    }
    if (nullable && json_is_null(value)) {
        *out = 0;
        return ITR_OK;
    }
    int found = json_is_string(value) ? of(json_string_value(value)) : -1;
    if (found < 0) {
        return itr_bad_value(reader, key, expected);
    }
    *out = found;
    return ITR_OK;
}

enum itr_status itr_read_duration(const struct itr_reader *reader, const json_t *object, const char *key,
                                  uint64_t *out) {
    const json_t *value = json_object_get(object, key);
    if (value != NULL && !(json_is_string(value) && itr_duration_parse(json_string_value(value), out))) {
        return itr_bad_value(reader, key, "a length of time such as \"60ms\" or \"10s\"");
    }
    return ITR_OK;
}

void itr_strings_release(struct itr_strings *strings) {
    for (size_t i = 0; i < strings->count; i++) {
        free(strings->items[i]);
    }
    free(strings->items);
    *strings = (struct itr_strings){0};
}

enum itr_status itr_strings_add(const struct itr_reader *reader, struct itr_strings *strings,
                                const char *text) {
    char **grown = realloc(strings->items, (strings->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return itr_out_of_memory(reader);
    }
    strings->items = grown;
    strings->items[strings->count] = strdup(text);
    if (strings->items[strings->count] == NULL) {
        return itr_out_of_memory(reader);
    }
    strings->count++;
    return ITR_OK;
}

enum itr_status itr_read_strings(const struct itr_reader *reader, const json_t *object, const char *key,
                                 struct itr_strings *out) {
    const json_t *list = json_object_get(object, key);
    if (list == NULL) {
        return ITR_OK;
    }
    if (!json_is_array(list) || json_array_size(list) > ITR_CASE_STRINGS_MAX) {
        return itr_bad_value(reader, key, "a list of strings");
    }
    itr_strings_release(out);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item)) {
            return itr_bad_value(reader, key, "a list of strings");
        }
        enum itr_status status = itr_strings_add(reader, out, json_string_value(item));
        if (status != ITR_OK) {
            return status;
        }
    }
    return ITR_OK;
}

enum itr_status itr_read_keys(const struct itr_reader *reader, const json_t *object,
                              const char *const *known) {
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(object)) {
        return itr_bad_value(reader, "", "an object");
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        bool found = false;
        for (size_t i = 0; known[i] != NULL && !found; i++) {
            found = strcmp(known[i], key) == 0;
        }
        if (!found) {
            char expected[400] = "one of";
            for (size_t i = 0; known[i] != NULL; i++) {
                size_t used = strlen(expected);
                snprintf(expected + used, sizeof expected - used, "%s %s", i > 0 ? "," : "", known[i]);
            }
            return itr_bad_value(reader, key, expected);
        }
    }
    return ITR_OK;
}

enum itr_status itr_read_flags(const struct itr_reader *reader, const json_t *object, const char *key,
                               const struct itr_flag *flags, const char *expected, uint32_t *out) {
    const json_t *list = json_object_get(object, key);
    if (list == NULL) {
        return ITR_OK;
    }
    *out = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *word = json_string_value(json_array_get(list, i));
        const struct itr_flag *flag = flags;
        while (word != NULL && flag->name != NULL && strcmp(flag->name, word) != 0) {
            flag++;
        }
        if (word == NULL || flag->name == NULL) {
            return itr_bad_value(reader, key, expected);
        }
        *out |= flag->bit;
    }
    return json_is_array(list) ? ITR_OK : itr_bad_value(reader, key, expected);
}

enum itr_status itr_read_environment(const struct itr_reader *reader, const json_t *object, const char *key,
                                     struct itr_strings *out) {
    const json_t *map = json_object_get(object, key);
    const char *name = NULL;
    json_t *value = NULL;
    if (map == NULL) {
        return ITR_OK;
    }
    if (!json_is_object(map) || json_object_size(map) > ITR_CASE_STRINGS_MAX) {
        return itr_bad_value(reader, key, "an object of strings");
    }
    itr_strings_release(out);
    json_object_foreach((json_t *)(uintptr_t)map, name, value) {
        char variable[1024];
        if (!json_is_string(value) || name[0] == '\0' || strchr(name, '=') != NULL ||
            snprintf(variable, sizeof variable, "%s=%s", name, json_string_value(value)) >=
                (int)sizeof variable) {
            return itr_bad_value(reader, key, "an object of strings");
        }
        enum itr_status status = itr_strings_add(reader, out, variable);
        if (status != ITR_OK) {
            return status;
        }
    }
    return ITR_OK;
}
