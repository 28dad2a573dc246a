/* Reads and writes an arm's words. Whether its files are there, and whether they fit, is for those who build it. */
#include "framework/arm.h"

#include "framework/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum key { RECIPE, PATCH, OVERLAY, FLAG, ENV, LIBRARY, NAME, KEYS };

static const char *const keys[KEYS] = {"recipe", "patch", "overlay", "flag", "env", "library", "name"};

#define EXPECTED "recipe=, patch=, overlay=, flag=, env=, library= or name="

/* The key that begins at `text` ("recipe="), KEYS: none. */
static enum key key_at(const char *text) {
    for (int i = 0; i < KEYS; i++) {
        size_t length = strlen(keys[i]);
        if (strncmp(text, keys[i], length) == 0 && text[length] == '=') {
            return (enum key)i;
        }
    }
    return KEYS;
}

/* Bytes up to the comma that ends a value, or to the end. */
static size_t value_bytes(const char *text) {
    const char *at = text;
    while (*at != '\0' && !(*at == ',' && key_at(at + 1) != KEYS)) {
        at++;
    }
    return (size_t)(at - text);
}

/* What looks like a key that there is not, ",pacth=" in "x,pacth=y". */
static bool has_foreign_key(const char *value) {
    for (const char *at = strchr(value, ','); at != NULL; at = strchr(at + 1, ',')) {
        size_t word = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz-");
        if (word > 0 && at[1 + word] == '=') {
            return true;
        }
    }
    return false;
}

static enum itr_status out_of_memory(const char *option, struct itr_error *err) {
    return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory reading %s", option);
}

static enum itr_status add(const char *option, const char *key, struct itr_strings *list, char *value, struct itr_error *err) {
    if (list->count >= ITR_ARM_ITEMS_MAX) {
        free(value);
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d times %s=", option, ITR_ARM_ITEMS_MAX, key);
    }
    char **grown = realloc(list->items, (list->count + 1) * sizeof *grown);
    if (grown == NULL) {
        free(value);
        return out_of_memory(option, err);
    }
    list->items = grown;
    list->items[list->count++] = value;
    return ITR_OK;
}

static enum itr_status set_once(const char *option, const char *key, char **to, char *value, struct itr_error *err) {
    if (*to != NULL) {
        free(value);
        return itr_fail(err, ITR_E_USAGE, 0, "%s: %s= twice: expected it once", option, key);
    }
    *to = value;
    return ITR_OK;
}

static bool is_label(const char *text) {
    for (const char *at = text; *at != '\0';) {
        uint32_t code = 0;
        size_t bytes = itr_utf8_length(at, strlen(at), &code);
        if (bytes == 0 || code < 0x20 || code == 0x7f) {
            return false;
        }
        at += bytes;
    }
    return text[0] != '\0';
}

static enum itr_status set_label(const char *option, struct itr_arm_spec *arm, const char *value, struct itr_error *err) {
    if (arm->label[0] != '\0') {
        return itr_fail(err, ITR_E_USAGE, 0, "%s: name= twice: expected it once", option);
    }
    if (!is_label(value) || strlen(value) >= sizeof arm->label) {
        return itr_fail(err, ITR_E_USAGE, 0, "%s: name=: expected up to %zu bytes of printable UTF-8", option,
                        sizeof arm->label - 1);
    }
    memcpy(arm->label, value, strlen(value) + 1);
    return ITR_OK;
}

/* Takes the value over. */
static enum itr_status set_key(const char *option, struct itr_arm_spec *arm, enum key key, char *value, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    if (value[0] == '\0' || (key != ENV && key != FLAG && has_foreign_key(value))) {
        status = value[0] == '\0'
                     ? itr_fail(err, ITR_E_USAGE, 0, "%s: nothing after %s=", option, keys[key])
                     : itr_fail(err, ITR_E_USAGE, 0, "%s: %s=%.200s: expected " EXPECTED " after a comma", option, keys[key], value);
        free(value);
        return status;
    }
    switch (key) {
    case RECIPE:
        return add(option, keys[key], &arm->recipes, value, err);
    case PATCH:
        return add(option, keys[key], &arm->patches, value, err);
    case FLAG:
        return add(option, keys[key], &arm->flags, value, err);
    case ENV:
        return add(option, keys[key], &arm->environment, value, err);
    case OVERLAY:
        return set_once(option, keys[key], &arm->overlay, value, err);
    case LIBRARY:
        return set_once(option, keys[key], &arm->library, value, err);
    case NAME:
        status = set_label(option, arm, value, err);
        break;
    case KEYS:
        ITR_BUG("no key");
    }
    free(value);
    return status;
}

static char *copy_bytes(const char *text, size_t count) {
    char *copy = malloc(count + 1);
    if (copy != NULL) {
        memcpy(copy, text, count);
        copy[count] = '\0';
    }
    return copy;
}

static enum itr_status set_go(const char *option, const char *text, size_t count, struct itr_arm_spec *arm,
                              struct itr_error *err) {
    bool is_path = memchr(text, '/', count) != NULL || memchr(text, '\\', count) != NULL;
    if (memchr(text, ',', count) != NULL || (!is_path && memchr(text, '=', count) != NULL)) {
        return itr_fail(err, ITR_E_USAGE, 0, "%s %.200s: expected a Go version or a GOROOT, and after a comma " EXPECTED, option,
                        text);
    }
    arm->go = copy_bytes(text, count);
    return arm->go != NULL ? ITR_OK : out_of_memory(option, err);
}

static enum itr_status read_words(const char *option, const char *text, struct itr_arm_spec *arm, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    if (key_at(text) == KEYS) {
        size_t count = value_bytes(text);
        status = count > 0 ? set_go(option, text, count, arm, err)
                           : itr_fail(err, ITR_E_USAGE, 0, "%s \"%.200s\": expected a Go version, a GOROOT, or " EXPECTED, option,
                                      text);
        text += count + (text[count] == ',' ? 1 : 0);
    }
    while (status == ITR_OK && *text != '\0') {
        enum key key = key_at(text);
        if (key == KEYS) {
            ITR_BUG("a value ends where no key begins");
        }
        text += strlen(keys[key]) + 1;
        size_t count = value_bytes(text);
        char *value = copy_bytes(text, count);
        status = value != NULL ? set_key(option, arm, key, value, err) : out_of_memory(option, err);
        text += count + (text[count] == ',' ? 1 : 0);
    }
    return status;
}

enum itr_status itr_arm_parse(const char *option, const char *text, struct itr_arm_spec *arm, struct itr_error *err) {
    *arm = (struct itr_arm_spec){0};
    if (strlen(text) >= ITR_ARM_TEXT_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d bytes", option, ITR_ARM_TEXT_MAX - 1);
    }
    enum itr_status status = read_words(option, text, arm, err);
    if (status == ITR_OK) {
        status = itr_arm_check(option, arm, err);
    }
    if (status == ITR_OK) {
        itr_arm_name(arm);
    } else {
        itr_arm_release(arm);
    }
    return status;
}

void itr_arm_release(struct itr_arm_spec *arm) {
    itr_layout_release(&arm->recipes);
    itr_layout_release(&arm->patches);
    itr_layout_release(&arm->flags);
    itr_layout_release(&arm->environment);
    free(arm->go);
    free(arm->overlay);
    free(arm->library);
    *arm = (struct itr_arm_spec){0};
}

bool itr_arm_is_plain(const struct itr_arm_spec *arm) {
    return arm->recipes.count == 0 && arm->patches.count == 0 && arm->flags.count == 0 && arm->overlay == NULL &&
           arm->library == NULL;
}

/* ---- what goes together ---- */

/* "-o" in "-o", "-o=x", "--o=x". */
static bool is_flag(const char *word, const char *name) {
    size_t length = strlen(name);
    word += word[0] == '-' && word[1] == '-' ? 1 : 0;
    return strncmp(word, name, length) == 0 && (word[length] == '\0' || word[length] == '=');
}

static enum itr_status check_flag(const char *option, const char *word, struct itr_error *err) {
    static const char *const own[] = {"-o", "-C", "-n", "-buildmode"};
    static const char *const valued[] = {"-asmflags", "-compiler", "-gccgoflags", "-gcflags", "-installsuffix", "-ldflags", "-mod",
                                         "-modfile",  "-p",        "-pgo",        "-pkgdir",  "-tags",          "-toolexec", "-covermode",
                                         "-coverpkg"};
    if (word[0] != '-' || word[1] == '\0' || strpbrk(word, "\r\n") != NULL) {
        return itr_fail(err, ITR_E_USAGE, 0, "%s: \"%.200s\" is no flag of go build, one word with its value, such as -race or -gcflags=all=-N",
                        option, word);
    }
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (is_flag(word, own[i])) {
            return itr_fail(err, ITR_E_USAGE, 0, "%s: %s is for initrace itself to give to go build", option, own[i]);
        }
    }
    for (size_t i = 0; i < sizeof valued / sizeof valued[0]; i++) {
        if (is_flag(word, valued[i]) && strchr(word, '=') == NULL) { /* it would take the next word for its value */
            return itr_fail(err, ITR_E_USAGE, 0, "%s: %s without a value: expected both in one word, %s=VALUE", option, valued[i],
                            valued[i]);
        }
    }
    return !is_flag(word, "-overlay") ? ITR_OK
                                      : itr_fail(err, ITR_E_USAGE, 0, "%s: -overlay is given as overlay=FILE or --overlay FILE", option);
}

enum itr_status itr_arm_check(const char *option, const struct itr_arm_spec *arm, struct itr_error *err) {
    const struct itr_strings *lists[] = {&arm->recipes, &arm->patches, &arm->flags, &arm->environment};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (lists[i]->count > ITR_ARM_ITEMS_MAX) {
            return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d of one kind", option, ITR_ARM_ITEMS_MAX);
        }
    }
    bool built = arm->go != NULL || arm->recipes.count > 0 || arm->patches.count > 0 || arm->flags.count > 0 || arm->overlay != NULL;
    if (arm->library != NULL && built) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "%s: library= is a file that is there already: no Go, recipe, patch, overlay or flag goes with it", option);
    }
    for (size_t i = 0; i < arm->environment.count; i++) {
        const char *word = arm->environment.items[i];
        if (word[0] == '=' || strchr(word, '=') == NULL || strpbrk(word, "\r\n") != NULL) {
            return itr_fail(err, ITR_E_USAGE, 0, "%s: env=%.200s: expected NAME=VALUE, on one line", option, word);
        }
    }
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < arm->flags.count && status == ITR_OK; i++) {
        status = check_flag(option, arm->flags.items[i], err);
    }
    return status;
}

/* ---- label and text ---- */

/* Without an allocation, which could fail. */
static void add_bytes(struct itr_arm_spec *arm, const char *bytes, size_t count) {
    size_t used = strlen(arm->label);
    if (used > 0 && used + 1 < sizeof arm->label) {
        arm->label[used++] = '+';
        arm->label[used] = '\0';
    }
    (void)itr_escape_into(arm->label + used, sizeof arm->label - used, ITR_ESCAPE_TERMINAL, bytes, count); /* or its beginning */
}

/* The name of a file, without folders and `suffix`; of what is no path, all of it. */
static void add_part(struct itr_arm_spec *arm, const char *word, const char *suffix) {
    size_t length = strlen(word);
    while (length > 1 && (word[length - 1] == '/' || word[length - 1] == '\\')) {
        length--;
    }
    size_t from = length;
    while (from > 0 && word[from - 1] != '/' && word[from - 1] != '\\') {
        from--;
    }
    from = from < length ? from : 0; /* "/" */
    size_t end = strlen(suffix);
    if (length - from > end && memcmp(word + length - end, suffix, end) == 0) {
        length -= end;
    }
    add_bytes(arm, word + from, length - from);
}

static void add_whole(struct itr_arm_spec *arm, const char *word) {
    add_bytes(arm, word, strlen(word));
}

void itr_arm_name(struct itr_arm_spec *arm) {
    if (arm->label[0] != '\0') {
        return;
    }
    if (arm->go != NULL) {
        add_part(arm, arm->go, "");
    }
    for (size_t i = 0; i < arm->recipes.count; i++) {
        add_part(arm, arm->recipes.items[i], ".recipe");
    }
    for (size_t i = 0; i < arm->patches.count; i++) {
        add_part(arm, arm->patches.items[i], "");
    }
    if (arm->overlay != NULL) {
        add_part(arm, arm->overlay, "");
    }
    for (size_t i = 0; i < arm->flags.count; i++) {
        add_whole(arm, arm->flags.items[i]);
    }
    for (size_t i = 0; i < arm->environment.count; i++) {
        add_whole(arm, arm->environment.items[i]);
    }
    if (arm->library != NULL) {
        add_part(arm, arm->library, "");
    }
    if (arm->label[0] == '\0') {
        snprintf(arm->label, sizeof arm->label, "plain");
    }
}

static void add_word(struct itr_text *out, size_t *words, const char *key, const char *value) {
    (void)itr_text_printf(out, "%s%s%s%s", (*words)++ > 0 ? "," : "", key, key[0] != '\0' ? "=" : "", value);
}

void itr_arm_text(const struct itr_arm_spec *arm, const char *go, struct itr_text *out) {
    const struct itr_strings *lists[KEYS] = {[RECIPE] = &arm->recipes, [PATCH] = &arm->patches, [FLAG] = &arm->flags,
                                             [ENV] = &arm->environment};
    const char *const single[KEYS] = {[OVERLAY] = arm->overlay, [LIBRARY] = arm->library};
    size_t words = 0;
    go = go != NULL ? go : arm->go;
    if (go != NULL) {
        add_word(out, &words, "", go);
    }
    for (int key = 0; key < KEYS; key++) {
        for (size_t i = 0; lists[key] != NULL && i < lists[key]->count; i++) {
            add_word(out, &words, keys[key], lists[key]->items[i]);
        }
        if (single[key] != NULL) {
            add_word(out, &words, keys[key], single[key]);
        }
    }
}
