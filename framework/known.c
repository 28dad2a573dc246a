/* Reads and checks the files of known failures, and finds the one that a crash is. */
#include "framework/known.h"

#include "framework/casefile_values.h"
#include "framework/json.h"
#include "framework/layout.h"
#include "framework/match.h"
#include "framework/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP(call)                                                                                 \
    if (status == ITR_OK) {                                                                        \
        status = (call);                                                                           \
    }

static enum itr_status read_match(const struct itr_reader *outer, const json_t *object, size_t index,
                                  struct itr_known_match *match) {
    static const char *const keys[] = {"signature", "message", "functions", "signal", "exception", "address", NULL};
    char where[32];
    struct itr_reader reader = *outer;
    snprintf(where, sizeof where, "match[%zu]", index);
    reader.where = where;
    enum itr_status status = itr_read_keys(&reader, object, keys);
    STEP(json_object_size(object) > 0 ? ITR_OK : itr_bad_value(&reader, "", "at least one condition"))
    STEP(itr_read_string(&reader, object, "signature", false, &match->signature))
    STEP(itr_read_string(&reader, object, "message", false, &match->message))
    STEP(itr_read_strings(&reader, object, "functions", &match->functions))
    STEP(itr_read_string(&reader, object, "signal", false, &match->signal))
    STEP(itr_read_string(&reader, object, "exception", false, &match->exception))
    STEP(itr_read_string(&reader, object, "address", false, &match->address))
    return status;
}

static enum itr_status read_matches(const struct itr_reader *reader, const json_t *root,
                                    struct itr_known_failure *failure) {
    const json_t *list = json_object_get(root, "match");
    enum itr_status status = ITR_OK;
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > ITR_CASE_STRINGS_MAX) {
        return itr_bad_value(reader, "match", "a list of conditions, not empty");
    }
    failure->matches = calloc(json_array_size(list), sizeof *failure->matches);
    if (failure->matches == NULL) {
        return itr_out_of_memory(reader);
    }
    for (size_t i = 0; i < json_array_size(list) && status == ITR_OK; i++) {
        failure->match_count++;
        status = read_match(reader, json_array_get(list, i), i, &failure->matches[i]);
    }
    return status;
}

static enum itr_status check(const struct itr_reader *reader, const struct itr_known_failure *failure) {
    if (failure->summary == NULL) {
        return itr_bad_value(reader, "summary", "one sentence");
    }
    if (failure->system != NULL && strcmp(failure->system, "linux") != 0 && strcmp(failure->system, "windows") != 0) {
        return itr_bad_value(reader, "system", "linux or windows");
    }
    if (failure->go != NULL && !itr_go_range_is_sound(failure->go)) {
        return itr_bad_value(reader, "go", "a range of Go versions such as \">=1.20 <1.23\"");
    }
    return ITR_OK;
}

static enum itr_status read_root(const struct itr_reader *reader, const json_t *root, struct itr_known_failure *failure) {
    static const char *const keys[] = {"format", "summary", "printed_by", "go",    "system",
                                       "note",   "finding", "threads",    "match", NULL};
    const json_t *finding = json_object_get(root, "finding");
    enum itr_status status = itr_read_keys(reader, root, keys);
    if (status == ITR_OK && json_integer_value(json_object_get(root, "format")) != ITR_KNOWN_FORMAT) {
        status = itr_bad_value(reader, "format", "1");
    }
    if (status == ITR_OK && finding != NULL && !json_is_boolean(finding)) {
        status = itr_bad_value(reader, "finding", "true or false");
    }
    failure->finding = finding == NULL || json_is_true(finding);
    STEP(itr_read_string(reader, root, "summary", false, &failure->summary))
    STEP(itr_read_string(reader, root, "printed_by", false, &failure->printed_by))
    STEP(itr_read_string(reader, root, "go", false, &failure->go))
    STEP(itr_read_string(reader, root, "system", false, &failure->system))
    STEP(itr_read_string(reader, root, "note", false, &failure->note))
    STEP(itr_read_strings(reader, root, "threads", &failure->threads))
    STEP(check(reader, failure))
    STEP(read_matches(reader, root, failure))
    return status;
}

static void release_failure(struct itr_known_failure *failure) {
    for (size_t i = 0; i < failure->match_count; i++) {
        free(failure->matches[i].signature);
        free(failure->matches[i].message);
        itr_strings_release(&failure->matches[i].functions);
        free(failure->matches[i].signal);
        free(failure->matches[i].exception);
        free(failure->matches[i].address);
    }
    free(failure->matches);
    free(failure->name);
    free(failure->summary);
    free(failure->printed_by);
    free(failure->go);
    free(failure->system);
    free(failure->note);
    itr_strings_release(&failure->threads);
    *failure = (struct itr_known_failure){0};
}

void itr_known_release(struct itr_known_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        release_failure(&list->items[i]);
    }
    free(list->items);
    *list = (struct itr_known_list){0};
}

static enum itr_status read_file(const char *folder, const char *name, struct itr_known_failure *failure,
                                 struct itr_error *err) {
    char path[4096];
    json_t *root = NULL;
    struct itr_reader reader = {.file = path, .where = "", .err = err};
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    enum itr_status status = itr_json_read(path, ITR_KNOWN_FILE_BYTES_MAX, JSON_REJECT_DUPLICATES, &root, err);
    STEP(itr_string_set(&reader, &failure->name, name))
    STEP(read_root(&reader, root, failure))
    json_decref(root);
    return status;
}

static enum itr_status read_files(const char *folder, const struct itr_strings *names, struct itr_known_list *list,
                                  struct itr_error *err) {
    enum itr_status status = ITR_OK;
    if (names->count > ITR_KNOWN_FILES_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d known failures", folder, ITR_KNOWN_FILES_MAX);
    }
    list->items = calloc(names->count + 1, sizeof *list->items);
    if (list->items == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory reading %s", folder);
    }
    while (status == ITR_OK && list->count < names->count) {
        struct itr_known_failure *failure = &list->items[list->count];
        status = read_file(folder, names->items[list->count++], failure, err);
    }
    return status;
}

enum itr_status itr_known_read(const char *folder, struct itr_known_list *list, struct itr_error *err) {
    struct itr_strings names = {0};
    enum itr_status status = itr_layout_files(folder, ".json", &names, err);
    STEP(read_files(folder, &names, list, err))
    itr_layout_release(&names);
    if (status != ITR_OK) {
        itr_known_release(list);
    }
    return status;
}

/* ---- matching ---- */

/* 3 for the message that the signature has, 1 for another one. */
static size_t any_message(const struct itr_crash *crash, const char *pattern) {
    if (itr_matches(pattern, crash->message.text)) {
        return 3;
    }
    for (size_t i = 0; i < crash->message_count; i++) {
        if (itr_matches(pattern, crash->messages[i].text)) {
            return 1;
        }
    }
    return 0;
}

static bool is_in(const struct itr_stack *stack, const char *pattern) {
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (itr_matches(pattern, stack->frames[i].function)) {
            return true;
        }
    }
    return false;
}

static bool any_stack(const struct itr_crash *crash, const struct itr_strings *patterns) {
    for (size_t i = 0; i < crash->stack_count; i++) {
        size_t found = 0;
        while (found < patterns->count && is_in(&crash->stacks[i], patterns->items[found])) {
            found++;
        }
        if (found == patterns->count) {
            return true;
        }
    }
    return false;
}

/* How many conditions hold; 0 if one does not. */
static size_t weight(const struct itr_known_match *match, const struct itr_crash *crash) {
    char exception[32] = "";
    size_t held = 0;
    if (crash->has_exception) {
        itr_exception_short_name(crash->exception, exception, sizeof exception);
    }
    const char *address = crash->has_address ? itr_address_class(crash->address) : "";
    const struct {
        const char *pattern;
        const char *text;
    } all[] = {
        {match->signature, crash->signature}, {match->signal, crash->signal},
        {match->exception, exception},        {match->address, address},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].pattern != NULL && !itr_matches(all[i].pattern, all[i].text)) {
            return 0;
        }
        held += all[i].pattern != NULL ? 1 : 0;
    }
    if (match->message != NULL) {
        size_t message = any_message(crash, match->message);
        if (message == 0) {
            return 0;
        }
        held += message;
    }
    if (match->functions.count > 0) {
        if (!any_stack(crash, &match->functions)) {
            return 0;
        }
        held += match->functions.count;
    }
    return held;
}

const struct itr_known_failure *itr_known_find(const struct itr_known_list *list, const struct itr_crash *crash) {
    const struct itr_known_failure *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = 0; k < list->items[i].match_count; k++) {
            size_t held = weight(&list->items[i].matches[k], crash);
            if (held > most) {
                most = held;
                best = &list->items[i];
            }
        }
    }
    return best;
}
