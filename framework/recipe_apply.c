/* Makes a recipe's edits in the texts of source files: picks the alternative of the version, finds the anchors, refuses
 * what overlaps. It reads no recipe. */
#include "framework/recipe.h"

#include "framework/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one edit comes to in its file. */
struct placed {
    unsigned number; /* of the edit, from 1 */
    unsigned line;   /* in the recipe */
    bool removes;    /* the lines at `first` go away */
    size_t first, end;
    bool moves;
    size_t target_first, target_end;
    struct itr_span moved[ITR_RECIPE_ANCHOR_LINES_MAX];
};

struct work {
    const struct itr_recipe *recipe;
    const char *version;
    struct itr_source source; /* the file at hand */
    struct placed placed[ITR_RECIPE_EDITS_MAX];
    size_t placed_count;
    struct itr_line_edit edits[2 * ITR_RECIPE_EDITS_MAX];
    size_t edit_count;
    struct itr_error *err;
};

/* "NAME: edit 2 (line 14): runtime/proc.go of go1.26.10: …" */
static enum itr_status misfit(const struct work *work, unsigned number, unsigned line, const char *what) {
    return itr_fail(work->err, ITR_E_USAGE, 0, "recipe %s: edit %u (line %u): %s of %s: %s", work->recipe->name, number,
                    line, work->source.name, work->version, what);
}

/* A name or the first line of an anchor, cut and fit for a terminal, in quotation marks. */
static void quote(struct itr_span text, char *out, size_t room) {
    enum { SHOWN_BYTES = 70 };
    char shown[SHOWN_BYTES];
    text = itr_source_trim(text);
    bool whole = itr_escape_into(shown, sizeof shown, ITR_ESCAPE_TERMINAL, text.bytes, text.length);
    snprintf(out, room, "\"%s%s\"", shown, whole ? "" : "…");
}

/* Finds an anchor, and the lines in which it has to lie. */
static enum itr_status find_anchor(const struct work *work, const struct itr_recipe_lines *anchor,
                                   struct itr_span function, unsigned number, unsigned line, size_t *first, size_t *end) {
    size_t places[ITR_SOURCE_PLACES_MAX];
    size_t borders[ITR_RECIPE_ANCHOR_LINES_MAX];
    char name[96] = "the file";
    char text[96];
    char times[96];
    char what[400];
    size_t from = 0;
    size_t to = work->source.line_count;
    if (function.length > 0) {
        size_t found = itr_source_function(&work->source, function, &from, &to);
        quote(function, name, sizeof name);
        if (found != 1) {
            snprintf(what, sizeof what, "the function %s was found %zu times, expected once", name, found);
            return misfit(work, number, line, what);
        }
    }
    size_t found =
        itr_source_find(&work->source, from, to, anchor->items, anchor->count, ITR_LINES_TRIMMED, borders, places);
    if (found != 1) {
        quote(anchor->items[0], text, sizeof text);
        itr_source_times(found, places, times, sizeof times);
        snprintf(what, sizeof what, "the anchor %s%s was found %s in %s, expected once", text,
                 anchor->count > 1 ? " and what follows it" : "", times, name);
        return misfit(work, number, line, what);
    }
    *first = places[0];
    *end = places[0] + anchor->count;
    return ITR_OK;
}

static const struct itr_recipe_way *pick(const struct itr_recipe_edit *edit, const char *version) {
    for (size_t i = 0; i < edit->way_count; i++) {
        if (edit->ways[i].go[0] == '\0' || itr_go_in_range(version, edit->ways[i].go)) {
            return &edit->ways[i];
        }
    }
    return NULL;
}

static void add_edit(struct work *work, const struct itr_line_edit *edit) {
    work->edits[work->edit_count] = *edit;
    work->edits[work->edit_count].order = (unsigned)work->edit_count;
    work->edit_count++;
}

/* The moved lines lose the indentation of the first of them, and get that of where they go. */
static void move_lines(struct work *work, const struct itr_recipe_way *way, struct placed *one) {
    size_t depth = itr_source_indent(work->source.lines[one->first]).length;
    size_t target = way->target_after ? one->target_end - 1 : one->target_first;
    for (size_t i = 0; i < way->anchor.count; i++) {
        struct itr_span line = work->source.lines[one->first + i];
        size_t cut = itr_source_indent(line).length;
        cut = cut < depth ? cut : depth;
        one->moved[i] = (struct itr_span){line.bytes + cut, line.length - cut};
    }
    add_edit(work, &(struct itr_line_edit){.first = one->first, .removed = way->anchor.count});
    add_edit(work, &(struct itr_line_edit){.first = way->target_after ? one->target_end : one->target_first,
                                           .lines = one->moved, .count = way->anchor.count,
                                           .indent = itr_source_indent(work->source.lines[target]),
                                           .follows = way->target_after});
}

static void change_lines(struct work *work, const struct itr_recipe_way *way, const struct placed *one) {
    bool after = way->action == ITR_RECIPE_AFTER;
    struct itr_line_edit edit = {
        .first = after ? one->end : one->first,
        .removed = one->removes ? way->anchor.count : 0,
        .lines = way->text.items,
        .count = way->text.count,
        .indent = itr_source_indent(work->source.lines[after ? one->end - 1 : one->first]),
        .follows = after,
    };
    add_edit(work, &edit);
}

/* ITR_OK without a place: the edit does nothing in this version. */
static enum itr_status place(struct work *work, unsigned number) {
    const struct itr_recipe_edit *edit = &work->recipe->edits[number - 1];
    const struct itr_recipe_way *way = pick(edit, work->version);
    if (way == NULL) {
        return misfit(work, number, edit->line, "none of the edit's alternatives holds for that version");
    }
    if (way->action == ITR_RECIPE_NOTHING) {
        return ITR_OK;
    }
    struct placed *one = &work->placed[work->placed_count];
    *one = (struct placed){.number = number, .line = way->line, .moves = way->action == ITR_RECIPE_MOVE};
    one->removes = one->moves || way->action == ITR_RECIPE_REPLACE || way->action == ITR_RECIPE_DELETE;
    enum itr_status status =
        find_anchor(work, &way->anchor, edit->function, number, way->line, &one->first, &one->end);
    if (status == ITR_OK && one->moves) {
        status = find_anchor(work, &way->target, way->target_function, number, way->line, &one->target_first,
                             &one->target_end);
    }
    if (status != ITR_OK) {
        return status;
    }
    work->placed_count++;
    if (one->moves) {
        move_lines(work, way, one);
    } else {
        change_lines(work, way, one);
    }
    return ITR_OK;
}

/* ---- overlaps ---- */

static bool meet(size_t first, size_t end, size_t other_first, size_t other_end) {
    return first < other_end && other_first < end;
}

/* No edit may take away what another one takes away, or holds on to. */
static bool overlap(const struct placed *a, const struct placed *b) {
    return ((a->removes || b->removes) && meet(a->first, a->end, b->first, b->end)) ||
           (a->removes && b->moves && meet(a->first, a->end, b->target_first, b->target_end)) ||
           (b->removes && a->moves && meet(b->first, b->end, a->target_first, a->target_end));
}

static enum itr_status check_overlaps(const struct work *work) {
    char what[128];
    for (size_t i = 0; i < work->placed_count; i++) {
        const struct placed *one = &work->placed[i];
        if (one->moves && meet(one->first, one->end, one->target_first, one->target_end)) {
            return misfit(work, one->number, one->line, "it would move lines to where they are");
        }
        for (size_t k = 0; k < i; k++) {
            if (overlap(one, &work->placed[k])) {
                snprintf(what, sizeof what, "it overlaps edit %u (line %u), at line %zu", work->placed[k].number,
                         work->placed[k].line, one->first + 1);
                return misfit(work, one->number, one->line, what);
            }
        }
    }
    return ITR_OK;
}

/* ---- one file ---- */

static enum itr_status rewrite(struct work *work, struct itr_changed_file *file) {
    struct itr_text text = {0};
    enum itr_status status = itr_source_rewrite(&work->source, work->edits, work->edit_count, false, &text, work->err);
    if (status == ITR_OK && text.data == NULL) { /* all lines are gone */
        text.data = calloc(1, 1);
        status = text.data != NULL ? ITR_OK : itr_fail(work->err, ITR_E_NO_MEMORY, 0, "%s: out of memory", file->path);
    }
    if (status != ITR_OK) {
        itr_text_release(&text);
        return status;
    }
    itr_changes_set(file, text.data, text.length);
    return ITR_OK;
}

/* All edits of the file that the edit `number` is the first of. */
static enum itr_status apply_to_file(struct work *work, unsigned number, struct itr_changes *changes) {
    const struct itr_recipe *recipe = work->recipe;
    const char *path = recipe->edits[number - 1].file;
    struct itr_changed_file *file = NULL;
    enum itr_status status = itr_changes_file(changes, path, &file, work->err);
    if (status == ITR_OK && file->text == NULL) {
        return itr_fail(work->err, ITR_E_NOT_FOUND, 0, "recipe %s: edit %u (line %u): there is no %s in the sources of %s",
                        recipe->name, number, recipe->edits[number - 1].line, path, work->version);
    }
    work->placed_count = work->edit_count = 0;
    status = status == ITR_OK ? itr_source_split(&work->source, path, file->text, file->count, work->err) : status;
    for (unsigned i = number; i <= recipe->edit_count && status == ITR_OK; i++) {
        if (strcmp(recipe->edits[i - 1].file, path) == 0) {
            status = place(work, i);
        }
    }
    status = status == ITR_OK ? check_overlaps(work) : status;
    if (status == ITR_OK && work->edit_count > 0) {
        status = rewrite(work, file);
    }
    itr_source_release(&work->source);
    return status;
}

/* Only the first edit of a file has it done. A file that no edit changes in this version is not looked for. */
static bool begins_file(const struct itr_recipe *recipe, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(recipe->edits[i].file, recipe->edits[index].file) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_needed(const struct itr_recipe *recipe, const char *version, const char *file) {
    for (size_t i = 0; i < recipe->edit_count; i++) {
        const struct itr_recipe_way *way = pick(&recipe->edits[i], version);
        if (strcmp(recipe->edits[i].file, file) == 0 && (way == NULL || way->action != ITR_RECIPE_NOTHING)) {
            return true;
        }
    }
    return false;
}

enum itr_status itr_recipe_apply(const struct itr_recipe *recipe, const char *version, struct itr_changes *changes,
                                 struct itr_error *err) {
    enum itr_status status = ITR_OK;
    if (!itr_recipe_holds(recipe, version)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "recipe %s holds for Go %s, not for %s", recipe->name, recipe->go,
                        version);
    }
    struct work *work = malloc(sizeof *work);
    if (work == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "recipe %s: out of memory", recipe->name);
    }
    *work = (struct work){.recipe = recipe, .version = version, .err = err};
    for (unsigned i = 0; i < recipe->edit_count && status == ITR_OK; i++) {
        if (begins_file(recipe, i) && is_needed(recipe, version, recipe->edits[i].file)) {
            status = apply_to_file(work, i + 1, changes);
        }
    }
    free(work);
    return status;
}
