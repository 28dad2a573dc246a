/* Fuzzes edit recipes and patches, and what they make of a source. Input: the text of a recipe or a unified diff, a NUL,
 * the text of src/runtime/a.go. Both readers get it; what they refuse comes with a sentence. */
#include "framework/fuzz/fuzz.h"

#include "framework/match.h"
#include "framework/overlay.h"
#include "framework/patch.h"
#include "framework/recipe.h"

#define VERSION "go1.22.12"

static void check_refusal(enum itr_status status, const struct itr_error *err) {
    FUZZ_CHECK(status == err->status);
    FUZZ_CHECK((status == ITR_OK) == (err->text[0] == '\0'));
    FUZZ_CHECK(strchr(err->text, '\n') == NULL && strchr(err->text, 0x1b) == NULL);
}

static void check_lines(const struct itr_recipe *recipe, const struct itr_recipe_lines *lines, size_t most) {
    FUZZ_CHECK(lines->count <= most);
    FUZZ_CHECK(lines->count == 0 || (lines->items >= recipe->spans &&
                                     lines->items + lines->count <= recipe->spans + recipe->span_count));
}

static void check_recipe(const struct itr_recipe *recipe) {
    FUZZ_CHECK(recipe->name[0] != '\0' && recipe->summary[0] != '\0' && itr_go_range_is_sound(recipe->go));
    FUZZ_CHECK(recipe->edit_count > 0 && recipe->edit_count <= ITR_RECIPE_EDITS_MAX);
    for (size_t i = 0; i < recipe->edit_count; i++) {
        const struct itr_recipe_edit *edit = &recipe->edits[i];
        FUZZ_CHECK(itr_source_path_is_safe(edit->file, strlen(edit->file)));
        FUZZ_CHECK(edit->way_count > 0 && edit->way_count <= ITR_RECIPE_WAYS_MAX);
        for (size_t k = 0; k < edit->way_count; k++) {
            FUZZ_CHECK(edit->ways[k].action != ITR_RECIPE_NONE);
            check_lines(recipe, &edit->ways[k].anchor, ITR_RECIPE_ANCHOR_LINES_MAX);
            check_lines(recipe, &edit->ways[k].target, ITR_RECIPE_ANCHOR_LINES_MAX);
            check_lines(recipe, &edit->ways[k].text, recipe->span_count);
        }
    }
}

static void check_changes(struct itr_changes *changes) {
    for (size_t i = 0; i < changes->count; i++) {
        const struct itr_changed_file *file = changes->files[i];
        FUZZ_CHECK(itr_source_path_is_safe(file->path, strlen(file->path)));
        FUZZ_CHECK(i == 0 || strcmp(changes->files[i - 1]->path, file->path) < 0);
        FUZZ_CHECK(file->text == NULL || (file->count <= ITR_SOURCE_BYTES_MAX && file->text[file->count] == '\0'));
    }
    uint64_t hash = itr_changes_hash(changes);
    changes->root = "/go";
    json_t *overlay = itr_overlay_json(changes, "/folder");
    FUZZ_CHECK(overlay != NULL && hash == itr_changes_hash(changes));
    json_decref(overlay);
}

static void try_recipe(const char *text, const uint8_t *source, size_t count) {
    struct itr_changes changes = {0};
    struct itr_recipe recipe;
    struct itr_error err = {0};
    enum itr_status status = itr_recipe_parse("recipe", text, strlen(text), &recipe, &err);
    check_refusal(status, &err);
    if (status != ITR_OK) {
        return;
    }
    check_recipe(&recipe);
    status = itr_changes_give(&changes, "runtime/a.go", source, count, &err);
    status = status == ITR_OK ? itr_recipe_apply(&recipe, VERSION, &changes, &err) : status;
    check_refusal(status, &err);
    if (status == ITR_OK) {
        check_changes(&changes);
    }
    itr_changes_release(&changes);
    itr_recipe_release(&recipe);
}

static void try_patch(const char *text, const uint8_t *source, size_t count) {
    struct itr_changes changes = {0};
    struct itr_error err = {0};
    enum itr_status status = itr_changes_give(&changes, "runtime/a.go", source, count, &err);
    status = status == ITR_OK ? itr_patch_apply("patch", text, strlen(text), VERSION, &changes, &err) : status;
    check_refusal(status, &err);
    if (status == ITR_OK) {
        check_changes(&changes);
    }
    itr_changes_release(&changes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    char *text = fuzz_string(&in, '\0');
    uint8_t *source = fuzz_copy(in.bytes, in.count);
    try_recipe(text, source, in.count);
    try_patch(text, source, in.count);
    free(source);
    free(text);
    return 0;
}
