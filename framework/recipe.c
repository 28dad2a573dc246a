/* Reads recipes: line by line, with a sentence for each mistake. What they do to a source is recipe_apply.c's. */
#include "framework/recipe.h"

#include "framework/match.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *file;
    unsigned line;
    struct itr_recipe *recipe;
    struct itr_recipe_edit *edit;    /* the last one; NULL: still in the head */
    struct itr_recipe_way *way;      /* its last way; NULL: none yet */
    struct itr_recipe_lines *target; /* where text lines go; NULL: nowhere */
    struct itr_error *err;
};

static enum itr_status bad(const struct parser *p, const char *expected) {
    return itr_fail(p->err, ITR_E_FORMAT, 0, "%s:%u: expected %s", p->file, p->line, expected);
}

static enum itr_status too_many(const struct parser *p, int most, const char *what) {
    return itr_fail(p->err, ITR_E_LIMIT, 0, "%s:%u: more than %d %s", p->file, p->line, most, what);
}

static enum itr_status out_of_memory(const struct parser *p) {
    return itr_fail(p->err, ITR_E_NO_MEMORY, 0, "%s: out of memory", p->file);
}

/* Takes the next word off the beginning. */
static struct itr_span next_word(struct itr_span *rest) {
    *rest = itr_source_trim(*rest);
    struct itr_span word = {rest->bytes, 0};
    while (word.length < rest->length && rest->bytes[word.length] != ' ' && rest->bytes[word.length] != '\t') {
        word.length++;
    }
    *rest = itr_source_trim((struct itr_span){rest->bytes + word.length, rest->length - word.length});
    return word;
}

static bool is_word(struct itr_span span, const char *word) {
    return span.length == strlen(word) && memcmp(span.bytes, word, span.length) == 0;
}

/* False: it does not fit, or is empty. */
static bool copy(struct itr_span span, char *out, size_t room) {
    if (span.length == 0 || span.length >= room) {
        return false;
    }
    memcpy(out, span.bytes, span.length);
    out[span.length] = '\0';
    return true;
}

static bool is_name(const char *text) {
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* ---- the head ---- */

static enum itr_status read_name(struct parser *p, struct itr_span rest) {
    char *name = p->recipe->name;
    return name[0] == '\0' && copy(rest, name, sizeof p->recipe->name) && is_name(name)
               ? ITR_OK
               : bad(p, "one name of lower-case letters, digits and \"-\" after \"recipe\"");
}

static enum itr_status read_summary(struct parser *p, struct itr_span rest) {
    struct itr_recipe *recipe = p->recipe;
    if (recipe->summary[0] != '\0' || rest.length == 0 || rest.length >= sizeof recipe->summary / 4 * 3 ||
        !itr_escape_into(recipe->summary, sizeof recipe->summary, ITR_ESCAPE_TERMINAL, rest.bytes, rest.length)) {
        return bad(p, "one sentence of at most 190 bytes after \"summary\"");
    }
    return ITR_OK;
}

static enum itr_status read_range(struct parser *p, struct itr_span rest, char *range, size_t room) {
    return range[0] == '\0' && copy(rest, range, room) && itr_go_range_is_sound(range)
               ? ITR_OK
               : bad(p, "one range of Go versions such as \">=1.20 <1.23\"");
}

static enum itr_status read_system(struct parser *p, struct itr_span rest) {
    if (p->recipe->system[0] != '\0' || !(is_word(rest, "linux") || is_word(rest, "windows"))) {
        return bad(p, "linux or windows after \"system\"");
    }
    (void)copy(rest, p->recipe->system, sizeof p->recipe->system);
    return ITR_OK;
}

static enum itr_status read_races(struct parser *p, struct itr_span rest) {
    struct itr_recipe *recipe = p->recipe;
    while (rest.length > 0) {
        struct itr_span word = next_word(&rest);
        if (recipe->race_count == ITR_RECIPE_RACES_MAX) {
            return too_many(p, ITR_RECIPE_RACES_MAX, "races");
        }
        char *race = recipe->races[recipe->race_count++];
        if (!copy(word, race, sizeof recipe->races[0]) ||
            race[strspn(race, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")] != '\0') {
            return bad(p, "names of races such as \"W1 SIGPIPE\"");
        }
    }
    return ITR_OK;
}

static enum itr_status read_head(struct parser *p, struct itr_span word, struct itr_span rest) {
    p->target = NULL;
    if (is_word(word, "recipe")) {
        return read_name(p, rest);
    } else if (p->recipe->name[0] == '\0') {
        return bad(p, "\"recipe NAME\" first");
    } else if (is_word(word, "summary")) {
        return read_summary(p, rest);
    } else if (is_word(word, "go")) {
        return read_range(p, rest, p->recipe->go, sizeof p->recipe->go);
    } else if (is_word(word, "system")) {
        return read_system(p, rest);
    } else if (is_word(word, "races")) {
        return read_races(p, rest);
    }
    return bad(p, "one of recipe, summary, go, system, races, edit");
}

/* ---- edits ---- */

/* What a way lacks, when the next one begins. */
static enum itr_status end_way(const struct parser *p) {
    const struct itr_recipe_way *way = p->way;
    const char *lacks = NULL;
    char text[96];
    if (p->edit == NULL) {
        return ITR_OK;
    } else if (way == NULL || way->action == ITR_RECIPE_NONE) {
        lacks = "an action: one of replace, delete, before, after, move, nothing";
    } else if (way->action != ITR_RECIPE_NOTHING && way->anchor.count == 0) {
        lacks = "an anchor: lines that begin with \"|\"";
    } else if (way->action == ITR_RECIPE_REPLACE && way->text.count == 0) {
        lacks = "\"with\" and lines that begin with \"|\"";
    } else if ((way->action == ITR_RECIPE_BEFORE || way->action == ITR_RECIPE_AFTER) && way->text.count == 0) {
        lacks = "\"insert\" and lines that begin with \"|\"";
    } else if (way->action == ITR_RECIPE_MOVE && way->target.count == 0) {
        lacks = "\"before\" or \"after\" with lines to move to";
    }
    snprintf(text, sizeof text, "%s", lacks != NULL ? lacks : "");
    return lacks == NULL ? ITR_OK
                         : itr_fail(p->err, ITR_E_FORMAT, 0, "%s:%u: this edit lacks %s", p->file,
                                    way != NULL && way->line > 0 ? way->line : p->edit->line, text);
}

/* "in FUNCTION", or nothing. */
static enum itr_status read_function(struct parser *p, struct itr_span rest, struct itr_span *function) {
    if (rest.length > 0) {
        struct itr_span in = next_word(&rest);
        *function = next_word(&rest);
        if (!is_word(in, "in") || function->length == 0 || function->length >= ITR_RECIPE_WORD_MAX || rest.length > 0) {
            return bad(p, "\"in FUNCTION\", or nothing, there");
        }
    }
    return ITR_OK;
}

static enum itr_status begin_edit(struct parser *p, struct itr_span rest) {
    struct itr_recipe *recipe = p->recipe;
    enum itr_status status = end_way(p);
    if (status == ITR_OK && recipe->edit_count == ITR_RECIPE_EDITS_MAX) {
        return too_many(p, ITR_RECIPE_EDITS_MAX, "edits");
    }
    struct itr_recipe_edit *grown =
        status == ITR_OK ? realloc(recipe->edits, (recipe->edit_count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        return status != ITR_OK ? status : out_of_memory(p);
    }
    recipe->edits = grown;
    p->edit = &recipe->edits[recipe->edit_count++];
    *p->edit = (struct itr_recipe_edit){.line = p->line};
    p->way = NULL;
    p->target = NULL;
    if (!copy(next_word(&rest), p->edit->file, sizeof p->edit->file) ||
        !itr_source_path_is_safe(p->edit->file, strlen(p->edit->file))) {
        return bad(p, "the path of a file below GOROOT/src, such as \"runtime/proc.go\", after \"edit\"");
    }
    return read_function(p, rest, &p->edit->function);
}

static enum itr_status add_way(struct parser *p) {
    struct itr_recipe_edit *edit = p->edit;
    if (edit->way_count == ITR_RECIPE_WAYS_MAX) {
        return too_many(p, ITR_RECIPE_WAYS_MAX, "alternatives in one edit");
    }
    struct itr_recipe_way *grown = realloc(edit->ways, (edit->way_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return out_of_memory(p);
    }
    edit->ways = grown;
    p->way = &edit->ways[edit->way_count++];
    *p->way = (struct itr_recipe_way){.line = 0};
    p->target = NULL;
    return ITR_OK;
}

static enum itr_status begin_when(struct parser *p, struct itr_span rest) {
    enum itr_status status = ITR_OK;
    if (p->edit->way_count > 0) {
        status = end_way(p);
        if (status == ITR_OK && p->way->go[0] == '\0') {
            return bad(p, "\"when\" before the first action of an edit that has any");
        }
    }
    status = status == ITR_OK ? add_way(p) : status;
    return status == ITR_OK ? read_range(p, rest, p->way->go, sizeof p->way->go) : status;
}

static enum itr_recipe_action action_of(struct itr_span word) {
    static const struct {
        const char *word;
        enum itr_recipe_action action;
    } actions[] = {
        {"replace", ITR_RECIPE_REPLACE}, {"delete", ITR_RECIPE_DELETE}, {"before", ITR_RECIPE_BEFORE},
        {"after", ITR_RECIPE_AFTER},     {"move", ITR_RECIPE_MOVE},     {"nothing", ITR_RECIPE_NOTHING},
    };
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (is_word(word, actions[i].word)) {
            return actions[i].action;
        }
    }
    return ITR_RECIPE_NONE;
}

static enum itr_status begin_action(struct parser *p, enum itr_recipe_action action, struct itr_span rest) {
    bool goes_before_or_after = action == ITR_RECIPE_BEFORE || action == ITR_RECIPE_AFTER;
    if (p->way != NULL && p->way->action == ITR_RECIPE_MOVE && goes_before_or_after && !p->way->has_target) {
        p->way->has_target = true;
        p->way->target_after = action == ITR_RECIPE_AFTER;
        p->target = &p->way->target;
        return read_function(p, rest, &p->way->target_function);
    }
    if (rest.length > 0) {
        return bad(p, "nothing, or \"|\" and a line of text, after the action");
    }
    if (p->way != NULL && p->way->action != ITR_RECIPE_NONE) {
        return bad(p, "one action in an edit: begin another one with \"edit\", or an alternative with \"when\"");
    }
    enum itr_status status = p->way == NULL ? add_way(p) : ITR_OK;
    if (status == ITR_OK) {
        p->way->action = action;
        p->way->line = p->line;
        p->target = action != ITR_RECIPE_NOTHING ? &p->way->anchor : NULL;
    }
    return status;
}

static enum itr_status begin_text(struct parser *p, struct itr_span word, struct itr_span rest) {
    enum itr_recipe_action action = p->way != NULL ? p->way->action : ITR_RECIPE_NONE;
    bool replaces = is_word(word, "with") && action == ITR_RECIPE_REPLACE;
    bool inserts = is_word(word, "insert") && (action == ITR_RECIPE_BEFORE || action == ITR_RECIPE_AFTER);
    if ((!replaces && !inserts) || p->way->has_text || rest.length > 0) {
        return bad(p, "one of edit, when, replace, with, delete, before, after, insert, move, nothing in its place");
    }
    p->way->has_text = true;
    p->target = &p->way->text;
    return ITR_OK;
}

static enum itr_status add_text(struct parser *p, struct itr_span text) {
    struct itr_recipe *recipe = p->recipe;
    struct itr_recipe_lines *lines = p->target;
    bool is_anchor = lines != NULL && (lines == &p->way->anchor || lines == &p->way->target);
    if (lines == NULL) {
        return bad(p, "no text there");
    }
    if (is_anchor && lines->count == ITR_RECIPE_ANCHOR_LINES_MAX) {
        return too_many(p, ITR_RECIPE_ANCHOR_LINES_MAX, "lines in an anchor");
    }
    if (text.length > 0 && text.bytes[0] == ' ') {
        text = (struct itr_span){text.bytes + 1, text.length - 1};
    }
    if (is_anchor && lines->count == 0 && itr_source_trim(text).length == 0) {
        return bad(p, "an anchor that does not begin with a blank line");
    }
    recipe->spans[recipe->span_count] = text; /* as many as lines at most; those of one text follow each other */
    lines->items = lines->count == 0 ? &recipe->spans[recipe->span_count] : lines->items;
    recipe->span_count++;
    lines->count++;
    return ITR_OK;
}

/* ---- lines ---- */

static enum itr_status read_line(struct parser *p, struct itr_span line) {
    struct itr_span rest = itr_source_trim(line);
    enum itr_status status = ITR_OK;
    if (rest.length == 0 || rest.bytes[0] == '#') {
        return ITR_OK;
    }
    const char *bar = memchr(rest.bytes, '|', rest.length);
    struct itr_span before = {rest.bytes, bar != NULL ? (size_t)(bar - rest.bytes) : rest.length};
    struct itr_span word = next_word(&before);
    bool is_edit = is_word(word, "edit");
    if (word.length > 0 && p->edit == NULL && !is_edit) {
        word = next_word(&rest);
        return read_head(p, word, rest); /* a "|" of a summary is its own */
    }
    if (is_edit && bar == NULL) {
        return p->recipe->name[0] != '\0' ? begin_edit(p, before) : bad(p, "\"recipe NAME\" first");
    } else if (word.length > 0 && is_word(word, "when") && bar == NULL) {
        return begin_when(p, before);
    } else if (word.length > 0) {
        enum itr_recipe_action action = action_of(word);
        status = action != ITR_RECIPE_NONE ? begin_action(p, action, before) : begin_text(p, word, before);
    }
    if (status == ITR_OK && bar != NULL) {
        size_t length = (size_t)(line.bytes + line.length - (bar + 1));
        status = add_text(p, (struct itr_span){bar + 1, length});
    }
    return status;
}

static enum itr_status check_whole(struct parser *p) {
    const struct itr_recipe *recipe = p->recipe;
    const char *lacks = recipe->name[0] == '\0'      ? "\"recipe NAME\""
                        : recipe->summary[0] == '\0' ? "\"summary\" and a sentence"
                        : recipe->go[0] == '\0'      ? "\"go\" and a range of versions"
                        : recipe->race_count == 0    ? "\"races\" and their names"
                        : recipe->edit_count == 0    ? "at least one \"edit\""
                                                     : NULL;
    if (lacks != NULL) {
        return itr_fail(p->err, ITR_E_FORMAT, 0, "%s: expected %s", p->file, lacks);
    }
    return end_way(p);
}

enum itr_status itr_recipe_parse(const char *file, const void *bytes, size_t count, struct itr_recipe *recipe,
                                 struct itr_error *err) {
    struct parser p = {.file = file, .recipe = recipe, .err = err};
    struct itr_source lines = {0};
    *recipe = (struct itr_recipe){0};
    if (count > ITR_RECIPE_BYTES_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d bytes", file, ITR_RECIPE_BYTES_MAX);
    }
    recipe->bytes = malloc(count + 1);
    if (recipe->bytes == NULL) {
        return out_of_memory(&p);
    }
    if (count > 0) {
        memcpy(recipe->bytes, bytes, count);
    }
    recipe->bytes[count] = '\0';
    enum itr_status status = itr_source_split(&lines, file, recipe->bytes, count, err);
    if (status == ITR_OK) {
        recipe->spans = calloc(lines.line_count + 1, sizeof *recipe->spans);
        status = recipe->spans != NULL ? ITR_OK : out_of_memory(&p);
    }
    for (size_t i = 0; i < lines.line_count && status == ITR_OK; i++) {
        p.line = (unsigned)i + 1;
        status = memchr(lines.lines[i].bytes, '\0', lines.lines[i].length) == NULL ? read_line(&p, lines.lines[i])
                                                                                 : bad(&p, "text without NUL bytes");
    }
    status = status == ITR_OK ? check_whole(&p) : status;
    itr_source_release(&lines);
    if (status != ITR_OK) {
        itr_recipe_release(recipe);
    }
    return status;
}

enum itr_status itr_recipe_read(const char *path, struct itr_recipe *recipe, struct itr_error *err) {
    *recipe = (struct itr_recipe){0};
    errno = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        int code = errno;
        return itr_fail(err, code == ENOENT ? ITR_E_NOT_FOUND : ITR_E_SYSTEM, code, "%s: %s", path, strerror(code));
    }
    char *bytes = malloc(ITR_RECIPE_BYTES_MAX + 1);
    size_t count = bytes != NULL ? fread(bytes, 1, ITR_RECIPE_BYTES_MAX + 1, file) : 0;
    enum itr_status status =
        bytes == NULL       ? itr_fail(err, ITR_E_NO_MEMORY, 0, "%s: out of memory", path)
        : ferror(file) != 0 ? itr_fail(err, ITR_E_SYSTEM, 0, "%s: cannot be read", path)
                            : itr_recipe_parse(path, bytes, count, recipe, err);
    fclose(file);
    free(bytes);
    return status;
}

void itr_recipe_release(struct itr_recipe *recipe) {
    for (size_t i = 0; i < recipe->edit_count; i++) {
        free(recipe->edits[i].ways);
    }
    free(recipe->edits);
    free(recipe->spans);
    free(recipe->bytes);
    *recipe = (struct itr_recipe){0};
}

bool itr_recipe_holds(const struct itr_recipe *recipe, const char *version) {
    return itr_go_in_range(version, recipe->go);
}
