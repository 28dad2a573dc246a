/* The texts that CreateProcess wants: one command line from many arguments, one sorted environment
 * block from the runner's own and what a process is given besides. It starts nothing. */
#include "framework/ledger.h"
#include "platform/platform.h"
#include "platform/windows/runner_windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Characters, CreateProcess's own limit. */
#define COMMAND_LINE_MAX 32767

struct text {
    wchar_t *at;
    size_t length;
    size_t room;
    bool failed; /* out of memory */
};

static void text_put(struct text *text, wchar_t character, size_t times) {
    if (text->room < text->length + times + 1) {
        size_t room = 2 * (text->length + times) + 256;
        wchar_t *at = realloc(text->at, room * sizeof *at);
        if (at == NULL) {
            text->failed = true;
            return;
        }
        text->at = at;
        text->room = room;
    }
    for (size_t i = 0; i < times; i++) {
        text->at[text->length++] = character;
    }
    text->at[text->length] = L'\0';
}

/* One argument, quoted so that CommandLineToArgvW and the C runtimes read it back: backslashes
 * count only before a quotation mark. */
static void text_put_argument(struct text *text, const wchar_t *argument) {
    size_t backslashes = 0;
    if (text->length > 0) {
        text_put(text, L' ', 1);
    }
    text_put(text, L'"', 1);
    for (; *argument != L'\0'; argument++) {
        if (*argument == L'\\') {
            backslashes++;
            continue;
        }
        text_put(text, L'\\', *argument == L'"' ? 2 * backslashes + 1 : backslashes);
        text_put(text, *argument, 1);
        backslashes = 0;
    }
    text_put(text, L'\\', 2 * backslashes);
    text_put(text, L'"', 1);
}

static bool text_put_utf8_argument(struct text *text, const char *argument) {
    wchar_t *wide = itrp_windows_wide(argument);
    if (wide == NULL) {
        return false;
    }
    text_put_argument(text, wide);
    free(wide);
    return !text->failed;
}

enum itr_status itrp_windows_make_command_line(wchar_t **out, const struct itrp_process_spec *spec,
                                               struct itr_error *err) {
    struct text line = {0};
    bool good = text_put_utf8_argument(&line, spec->program);
    for (const char *const *at = spec->arguments; good && at != NULL && *at != NULL; at++) {
        good = text_put_utf8_argument(&line, *at);
    }
    if (good && line.length < COMMAND_LINE_MAX) {
        *out = line.at;
        return ITR_OK;
    }
    free(line.at);
    if (good) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: its command line is longer than %d characters",
                        spec->program, COMMAND_LINE_MAX);
    }
    return itr_fail(err, ITR_E_USAGE, 0, "%s: its arguments are not UTF-8, or memory is out",
                    spec->program);
}

/* ---- environment ---- */

/* "K=V" strings, each allocated, freed with it. */
struct environment {
    wchar_t **entries;
    size_t count;
    size_t room;
};

/* Length of the name. A leading '=' belongs to it ("=C:=C:\dir"). */
static size_t name_length(const wchar_t *entry) {
    const wchar_t *end = wcschr(entry + (entry[0] == L'=' ? 1 : 0), L'=');
    return end != NULL ? (size_t)(end - entry) : wcslen(entry);
}

static int compare_names(const wchar_t *a, const wchar_t *b) {
    return CompareStringOrdinal(a, (int)name_length(a), b, (int)name_length(b), TRUE) - CSTR_EQUAL;
}

static int compare_entries(const void *a, const void *b) {
    return compare_names(*(wchar_t *const *)a, *(wchar_t *const *)b);
}

/* Takes `entry`, which was allocated; replaces the one of the same name. */
static bool environment_put(struct environment *environment, wchar_t *entry) {
    if (entry == NULL) {
        return false;
    }
    for (size_t i = 0; i < environment->count; i++) {
        if (compare_names(environment->entries[i], entry) == 0) {
            free(environment->entries[i]);
            environment->entries[i] = entry;
            return true;
        }
    }
    if (environment->count == environment->room) {
        size_t room = 2 * environment->room + 64;
        wchar_t **entries = realloc(environment->entries, room * sizeof *entries);
        if (entries == NULL) {
            free(entry);
            return false;
        }
        environment->entries = entries;
        environment->room = room;
    }
    environment->entries[environment->count++] = entry;
    return true;
}

static bool environment_put_own(struct environment *environment) {
    wchar_t *own = GetEnvironmentStringsW();
    bool good = own != NULL;
    for (const wchar_t *at = own; good && *at != L'\0'; at += wcslen(at) + 1) {
        good = environment_put(environment, wcsdup(at));
    }
    if (own != NULL) {
        FreeEnvironmentStringsW(own);
    }
    return good;
}

static void environment_release(struct environment *environment) {
    for (size_t i = 0; i < environment->count; i++) {
        free(environment->entries[i]);
    }
    free(environment->entries);
}

/* CreateProcess wants the block sorted by name, without regard to case. */
static void environment_write(struct environment *environment, struct text *block) {
    qsort(environment->entries, environment->count, sizeof environment->entries[0],
          compare_entries);
    for (size_t i = 0; i < environment->count; i++) {
        for (const wchar_t *at = environment->entries[i]; *at != L'\0'; at++) {
            text_put(block, *at, 1);
        }
        text_put(block, L'\0', 1);
    }
    text_put(block, L'\0', 1);
}

enum itr_status itrp_windows_make_environment(wchar_t **out, const struct itrp_process_spec *spec,
                                              HANDLE ledger, struct itr_error *err) {
    struct environment environment = {0};
    struct text block = {0};
    char name[64];
    snprintf(name, sizeof name, "%s=handle:0x%llx", ITR_LEDGER_VARIABLE,
             (unsigned long long)(uintptr_t)ledger);
    bool good = environment_put_own(&environment);
    for (const char *const *at = spec->environment; good && at != NULL && *at != NULL; at++) {
        good = environment_put(&environment, itrp_windows_wide(*at));
    }
    if (good && ledger != NULL) {
        good = environment_put(&environment, itrp_windows_wide(name));
    }
    if (good) {
        environment_write(&environment, &block);
    }
    environment_release(&environment);
    if (!good || block.failed) {
        free(block.at);
        return itr_fail(err, ITR_E_USAGE, 0, "%s: its environment is not UTF-8, or memory is out",
                        spec->program);
    }
    *out = block.at;
    return ITR_OK;
}
