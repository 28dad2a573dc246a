/* Reads unified diffs hunk by hunk, places the hunks and rewrites the files. */
#include "framework/patch.h"

#include "framework/source_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct patch {
    const char *version;
    struct itr_source text; /* of the diff */
    size_t at;              /* its next line */
    bool in_git_head;       /* behind a line "diff --git" */
    struct itr_changes *changes;
    struct itr_error *err;

    /* Of the file at hand. */
    struct itr_source source;
    struct itr_changed_file *file;
    bool creates, removes;
    struct itr_line_edit edits[ITR_PATCH_HUNKS_MAX];
    size_t edit_count;
    size_t next; /* line behind the last hunk */
    bool open_end;

    struct itr_span *old_lines; /* of the hunk at hand; room for all lines of the diff */
    struct itr_span *new_lines; /* of all hunks of the file */
    size_t new_used;
    size_t *borders; /* room for as many */
};

struct hunk {
    size_t line; /* of the diff, from 0 */
    size_t old_start;
    size_t old_count;
    size_t new_count;
    struct itr_span *new_lines;
    bool open_end; /* its last new line has no end */
};

static enum itr_status fails(const struct patch *p, enum itr_status status, size_t line, const char *what) {
    return itr_fail(p->err, status, 0, "%s:%zu: %s", p->text.name, line + 1, what);
}

static bool begins(struct itr_span line, const char *word) {
    size_t length = strlen(word);
    return line.length >= length && memcmp(line.bytes, word, length) == 0;
}

/* ---- file heads ---- */

/* Path of a "--- " or "+++ " line below src; "" for /dev/null. False: `p->err` says why. */
static enum itr_status read_path(const struct patch *p, size_t line, const char *prefix, char *path, size_t room) {
    struct itr_span name = p->text.lines[line];
    char what[ITR_CHANGES_PATH_MAX + 128];
    name = (struct itr_span){name.bytes + 4, name.length - 4};
    const char *tab = name.length > 0 ? memchr(name.bytes, '\t', name.length) : NULL;
    name.length = tab != NULL ? (size_t)(tab - name.bytes) : name.length;
    name = itr_source_trim(name);
    path[0] = '\0';
    if (name.length == 9 && begins(name, "/dev/null")) {
        return ITR_OK;
    }
    if (begins(name, prefix)) {
        name = (struct itr_span){name.bytes + 2, name.length - 2};
    }
    if (!begins(name, "src/") || name.length - 4 >= room || !itr_source_path_is_safe(name.bytes + 4, name.length - 4)) {
        char shown[ITR_CHANGES_PATH_MAX];
        (void)itr_escape_into(shown, sizeof shown, ITR_ESCAPE_TERMINAL, name.bytes, name.length);
        snprintf(what, sizeof what, "\"%s\" is no file below src/: only those can be changed through an overlay", shown);
        return fails(p, ITR_E_USAGE, line, what);
    }
    memcpy(path, name.bytes + 4, name.length - 4);
    path[name.length - 4] = '\0';
    return ITR_OK;
}

static enum itr_status begin_file(struct patch *p) {
    char old_path[ITR_CHANGES_PATH_MAX];
    char new_path[ITR_CHANGES_PATH_MAX];
    char what[ITR_CHANGES_PATH_MAX + 96];
    size_t line = p->at;
    enum itr_status status = read_path(p, line, "a/", old_path, sizeof old_path);
    status = status == ITR_OK ? read_path(p, line + 1, "b/", new_path, sizeof new_path) : status;
    if (status != ITR_OK) {
        return status;
    }
    const char *path = new_path[0] != '\0' ? new_path : old_path;
    p->creates = old_path[0] == '\0';
    p->removes = new_path[0] == '\0';
    p->edit_count = p->next = p->new_used = 0;
    p->in_git_head = false;
    p->open_end = false;
    p->at += 2;
    if (path[0] == '\0' || (!p->creates && !p->removes && strcmp(old_path, new_path) != 0)) {
        return fails(p, ITR_E_UNSUPPORTED, line, "one file that becomes another: only changed, new and removed files can be used");
    }
    status = itr_changes_file(p->changes, path, &p->file, p->err);
    if (status == ITR_OK && p->creates == (p->file->text != NULL)) {
        snprintf(what, sizeof what, "%s is %s in the sources of %s", path, p->creates ? "there already" : "not",
                 p->version);
        return fails(p, ITR_E_USAGE, line, what);
    }
    return status == ITR_OK ? itr_source_split(&p->source, p->file->path, p->file->text != NULL ? p->file->text : "",
                                               p->file->count, p->err)
                            : status;
}

/* ---- hunks ---- */

static bool read_number(struct itr_span *rest, size_t *number) {
    size_t digits = 0;
    *number = 0;
    while (digits < rest->length && rest->bytes[digits] >= '0' && rest->bytes[digits] <= '9' && digits < 9) {
        *number = 10 * *number + (size_t)(rest->bytes[digits] - '0');
        digits++;
    }
    *rest = (struct itr_span){rest->bytes + digits, rest->length - digits};
    return digits > 0;
}

/* "-12,7" or "-12" after a mark. */
static bool read_range(struct itr_span *rest, char mark, size_t *start, size_t *count) {
    if (rest->length == 0 || rest->bytes[0] != mark) {
        return false;
    }
    *rest = (struct itr_span){rest->bytes + 1, rest->length - 1};
    *count = 1;
    if (!read_number(rest, start)) {
        return false;
    }
    if (rest->length > 0 && rest->bytes[0] == ',') {
        *rest = (struct itr_span){rest->bytes + 1, rest->length - 1};
        if (!read_number(rest, count)) {
            return false;
        }
    }
    *rest = itr_source_trim(*rest);
    return true;
}

static enum itr_status read_hunk_lines(struct patch *p, struct hunk *hunk, size_t old_left, size_t new_left) {
    while (old_left > 0 || new_left > 0) {
        if (p->at == p->text.line_count) {
            return fails(p, ITR_E_FORMAT, hunk->line, "this hunk ends before all its lines are there");
        }
        struct itr_span line = p->text.lines[p->at];
        char mark = line.length > 0 ? line.bytes[0] : ' '; /* mail programs cut the blank off a blank line */
        struct itr_span text = line.length > 0 ? (struct itr_span){line.bytes + 1, line.length - 1} : line;
        bool is_old = mark == ' ' || mark == '-';
        bool is_new = mark == ' ' || mark == '+';
        if (mark == '\\') {
            hunk->open_end = hunk->open_end || new_left == 0;
        } else if ((!is_old && !is_new) || (is_old && old_left == 0) || (is_new && new_left == 0)) {
            return fails(p, ITR_E_FORMAT, p->at, "this line is none of the hunk's, whose head says that more are to come");
        }
        if (is_old) {
            p->old_lines[hunk->old_count++] = text;
            old_left--;
        }
        if (is_new) {
            hunk->new_lines[hunk->new_count++] = text;
            new_left--;
        }
        p->at++;
    }
    return ITR_OK;
}

static enum itr_status read_hunk(struct patch *p, struct hunk *hunk) {
    struct itr_span rest = p->text.lines[p->at];
    size_t old_left = 0;
    size_t new_start = 0;
    size_t new_left = 0;
    *hunk = (struct hunk){.line = p->at, .new_lines = p->new_lines + p->new_used};
    rest = itr_source_trim((struct itr_span){rest.bytes + 2, rest.length - 2});
    if (!read_range(&rest, '-', &hunk->old_start, &old_left) || !read_range(&rest, '+', &new_start, &new_left) ||
        !begins(rest, "@@") || old_left + new_left == 0) {
        return fails(p, ITR_E_FORMAT, p->at, "expected the head of a hunk such as \"@@ -12,7 +12,9 @@\"");
    }
    p->at++;
    enum itr_status status = read_hunk_lines(p, hunk, old_left, new_left);
    p->new_used += hunk->new_count;
    /* The mark behind the last line: of the old text alone if that was an old one. */
    if (status == ITR_OK && p->at < p->text.line_count && begins(p->text.lines[p->at], "\\")) {
        hunk->open_end = hunk->open_end || !begins(p->text.lines[p->at - 1], "-");
        p->at++;
    }
    return status;
}

static enum itr_status place_hunk(struct patch *p, const struct hunk *hunk, size_t *first) {
    size_t places[ITR_SOURCE_PLACES_MAX];
    char times[96];
    char what[ITR_CHANGES_PATH_MAX + 256];
    *first = hunk->old_start > 0 ? hunk->old_start - 1 : 0;
    if (hunk->old_count == 0) {
        *first = 0; /* of a new file */
        return p->creates && p->edit_count == 0
                   ? ITR_OK
                   : fails(p, ITR_E_USAGE, hunk->line, "this hunk has no old line that shows where it belongs");
    }
    if (!itr_source_matches(&p->source, *first, p->old_lines, hunk->old_count, ITR_LINES_EXACT)) {
        size_t found = itr_source_find(&p->source, 0, p->source.line_count, p->old_lines, hunk->old_count,
                                       ITR_LINES_EXACT, p->borders, places);
        if (found != 1) {
            itr_source_times(found, places, times, sizeof times);
            snprintf(what, sizeof what, "the %zu old lines of this hunk are not at line %zu of %s of %s, and were found %s, expected once",
                     hunk->old_count, hunk->old_start, p->source.name, p->version, times);
            return fails(p, ITR_E_USAGE, hunk->line, what);
        }
        *first = places[0];
    }
    if (*first < p->next) {
        snprintf(what, sizeof what, "this hunk belongs at line %zu of %s, before the end of the one before it", *first + 1,
                 p->source.name);
        return fails(p, ITR_E_USAGE, hunk->line, what);
    }
    return ITR_OK;
}

static enum itr_status add_hunk(struct patch *p) {
    struct hunk hunk;
    size_t first = 0;
    if (p->edit_count == ITR_PATCH_HUNKS_MAX) {
        return fails(p, ITR_E_LIMIT, p->at, "too many hunks for one file");
    }
    enum itr_status status = read_hunk(p, &hunk);
    status = status == ITR_OK ? place_hunk(p, &hunk, &first) : status;
    if (status == ITR_OK) {
        p->edits[p->edit_count] = (struct itr_line_edit){.first = first, .removed = hunk.old_count,
                                                         .lines = hunk.new_lines, .count = hunk.new_count,
                                                         .order = (unsigned)p->edit_count};
        p->edit_count++;
        p->next = first + hunk.old_count;
        p->open_end = hunk.open_end && p->next == p->source.line_count;
    }
    return status;
}

/* ---- files ---- */

static enum itr_status rewrite(struct patch *p) {
    struct itr_text text = {0};
    enum itr_status status =
        itr_source_rewrite(&p->source, p->edits, p->edit_count, p->open_end, &text, p->err);
    if (status == ITR_OK && text.data == NULL) {
        text.data = calloc(1, 1);
        status = text.data != NULL ? ITR_OK : itr_fail(p->err, ITR_E_NO_MEMORY, 0, "%s: out of memory", p->text.name);
    }
    if (status != ITR_OK) {
        itr_text_release(&text);
        return status;
    }
    itr_changes_set(p->file, text.data, text.length);
    return ITR_OK;
}

static enum itr_status remove_file(struct patch *p, size_t line) {
    if (p->edit_count != 1 || p->edits[0].removed != p->source.line_count || p->edits[0].count != 0) {
        return fails(p, ITR_E_USAGE, line, "this removes a file, but not just the lines that it has");
    }
    itr_changes_set(p->file, NULL, 0);
    return ITR_OK;
}

static enum itr_status apply_file(struct patch *p) {
    size_t line = p->at;
    enum itr_status status = begin_file(p);
    while (status == ITR_OK && p->at < p->text.line_count && begins(p->text.lines[p->at], "@@ ")) {
        status = add_hunk(p);
    }
    if (status == ITR_OK && p->edit_count == 0) {
        status = fails(p, ITR_E_FORMAT, line, "expected a hunk after the two lines that name a file");
    }
    if (status == ITR_OK) {
        status = p->removes ? remove_file(p, line) : rewrite(p);
    }
    itr_source_release(&p->source);
    return status;
}

/* What stands between files: words of a mail, git's extended heads. */
static enum itr_status read_between(struct patch *p) {
    static const char *const refused[] = {"rename from ", "rename to ", "copy from ", "copy to ", "GIT binary patch",
                                          "Binary files "};
    struct itr_span line = p->text.lines[p->at];
    p->in_git_head = p->in_git_head || begins(line, "diff --git ");
    for (size_t i = 0; p->in_git_head && i < sizeof refused / sizeof refused[0]; i++) {
        if (begins(line, refused[i])) {
            return fails(p, ITR_E_UNSUPPORTED, p->at, "renames, copies and binary files cannot be used: only changed, new and removed files of text");
        }
    }
    if (begins(line, "@@ -")) {
        return fails(p, ITR_E_FORMAT, p->at, "a hunk without the lines \"--- a/src/…\" and \"+++ b/src/…\" before it");
    }
    p->at++;
    return ITR_OK;
}

static enum itr_status apply(struct patch *p) {
    enum itr_status status = ITR_OK;
    size_t files = 0;
    while (p->at < p->text.line_count && status == ITR_OK) {
        bool head = begins(p->text.lines[p->at], "--- ") && p->at + 1 < p->text.line_count &&
                    begins(p->text.lines[p->at + 1], "+++ ");
        status = head ? apply_file(p) : read_between(p);
        files += head ? 1 : 0;
    }
    return status == ITR_OK && files == 0
               ? itr_fail(p->err, ITR_E_FORMAT, 0, "%s: expected a unified diff, with lines \"--- a/src/…\" and \"+++ b/src/…\"",
                          p->text.name)
               : status;
}

enum itr_status itr_patch_apply(const char *name, const void *bytes, size_t count, const char *version,
                                struct itr_changes *changes, struct itr_error *err) {
    struct patch *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "%s: out of memory", name);
    }
    p->version = version;
    p->changes = changes;
    p->err = err;
    enum itr_status status = itr_source_split(&p->text, name, bytes, count, err);
    if (status == ITR_OK) {
        size_t room = p->text.line_count + 1;
        p->old_lines = calloc(room, sizeof *p->old_lines);
        p->new_lines = calloc(room, sizeof *p->new_lines);
        p->borders = calloc(room, sizeof *p->borders);
        status = p->old_lines != NULL && p->new_lines != NULL && p->borders != NULL
                     ? apply(p)
                     : itr_fail(err, ITR_E_NO_MEMORY, 0, "%s: out of memory", name);
    }
    itr_source_release(&p->text);
    free(p->old_lines);
    free(p->new_lines);
    free(p->borders);
    free(p);
    return status;
}

enum itr_status itr_patch_apply_file(const char *path, const char *version, struct itr_changes *changes,
                                     struct itr_error *err) {
    errno = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        int code = errno;
        return itr_fail(err, code == ENOENT ? ITR_E_NOT_FOUND : ITR_E_SYSTEM, code, "%s: %s", path, strerror(code));
    }
    char *bytes = malloc(ITR_PATCH_BYTES_MAX + 1);
    size_t count = bytes != NULL ? fread(bytes, 1, ITR_PATCH_BYTES_MAX + 1, file) : 0;
    enum itr_status status = bytes == NULL       ? itr_fail(err, ITR_E_NO_MEMORY, 0, "%s: out of memory", path)
                             : ferror(file) != 0 ? itr_fail(err, ITR_E_SYSTEM, 0, "%s: cannot be read", path)
                                                 : itr_patch_apply(path, bytes, count, version, changes, err);
    fclose(file);
    free(bytes);
    return status;
}
