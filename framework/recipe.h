/* Edit recipes: small text files that say how sources of a Go distribution change, found by anchors instead of line
 * numbers, and their application to the texts of such files (docs/formats.md). It builds nothing. */
#ifndef INITRACE_FRAMEWORK_RECIPE_H
#define INITRACE_FRAMEWORK_RECIPE_H

#include "framework/changes.h"
#include "framework/source_text.h"

enum {
    ITR_RECIPE_BYTES_MAX = 64 * 1024,
    ITR_RECIPE_EDITS_MAX = 64,
    ITR_RECIPE_WAYS_MAX = 16,         /* alternatives of one edit */
    ITR_RECIPE_ANCHOR_LINES_MAX = 8,
    ITR_RECIPE_RACES_MAX = 16,
    ITR_RECIPE_WORD_MAX = 64,         /* bytes of a name, with the NUL */
    ITR_RECIPE_RANGE_MAX = 64,
};

enum itr_recipe_action {
    ITR_RECIPE_NONE, /* of a way that is not whole yet */
    ITR_RECIPE_REPLACE,
    ITR_RECIPE_DELETE,
    ITR_RECIPE_BEFORE, /* put the new lines before the anchor */
    ITR_RECIPE_AFTER,
    ITR_RECIPE_MOVE, /* the anchor's lines, to before or after the target */
    ITR_RECIPE_NOTHING,
};

/* Lines of text in a recipe. */
struct itr_recipe_lines {
    const struct itr_span *items;
    size_t count;
};

/* One way to do an edit; the first whose range has the version is taken. */
struct itr_recipe_way {
    char go[ITR_RECIPE_RANGE_MAX]; /* "": every version */
    enum itr_recipe_action action;
    struct itr_recipe_lines anchor;
    struct itr_recipe_lines text;   /* that is put in */
    struct itr_recipe_lines target; /* of a move */
    bool target_after;
    struct itr_span target_function; /* empty: anywhere in the file */
    bool has_text, has_target;
    unsigned line; /* of its action, in the recipe */
};

struct itr_recipe_edit {
    char file[ITR_CHANGES_PATH_MAX]; /* below GOROOT/src */
    struct itr_span function;        /* that the anchor lies in; empty: anywhere */
    unsigned line;
    struct itr_recipe_way *ways;
    size_t way_count;
};

/* `{0}` is empty. The owner calls itr_recipe_release(). */
struct itr_recipe {
    char name[ITR_RECIPE_WORD_MAX];
    char summary[256];
    char go[ITR_RECIPE_RANGE_MAX]; /* versions it holds for */
    char system[16];               /* "linux", "windows"; "": both */
    char races[ITR_RECIPE_RACES_MAX][ITR_RECIPE_WORD_MAX];
    size_t race_count;
    struct itr_recipe_edit *edits;
    size_t edit_count;
    char *bytes; /* what the spans point into */
    struct itr_span *spans;
    size_t span_count;
};

/* Reads the text of a recipe; `file` is what sentences call it. ITR_E_FORMAT, ITR_E_LIMIT, ITR_E_NO_MEMORY. */
enum itr_status itr_recipe_parse(const char *file, const void *bytes, size_t count, struct itr_recipe *recipe,
                                 struct itr_error *err) ITR_MUST_USE;
/* The same for a file. Also ITR_E_NOT_FOUND, ITR_E_SYSTEM. */
enum itr_status itr_recipe_read(const char *path, struct itr_recipe *recipe, struct itr_error *err) ITR_MUST_USE;
void itr_recipe_release(struct itr_recipe *recipe);

/* Does it hold for that version ("go1.26.10")? */
bool itr_recipe_holds(const struct itr_recipe *recipe, const char *version);

/* Makes its edits in files of that version. A second recipe sees what the first one made. ITR_E_UNSUPPORTED: the version
 * is out of its range; ITR_E_NOT_FOUND: no such file; ITR_E_USAGE: it does not fit (an anchor is not found exactly once,
 * edits overlap); ITR_E_LIMIT, ITR_E_SYSTEM, ITR_E_NO_MEMORY. */
enum itr_status itr_recipe_apply(const struct itr_recipe *recipe, const char *version, struct itr_changes *changes,
                                 struct itr_error *err) ITR_MUST_USE;

#endif
