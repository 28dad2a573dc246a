/* Every recipe that comes with the program, against the sources of every Go that the build knows: it fits, changes what it
 * names and gives a whole overlay, or says that the version is out of its range. No Go is run. */
#include "framework/layout.h"
#include "framework/overlay.h"
#include "framework/recipe.h"
#include "framework/tests/scratch.h"

#if !defined INITRACE_RECIPES || !defined INITRACE_LIBRARIES
#error "INITRACE_RECIPES and INITRACE_LIBRARIES name the folders of recipes and of libraries"
#endif

enum { SKIPPED = 77, ROOT_MAX = 1024 };

static size_t misfits, fitted, refused, known_roots;

/* The GOROOT that the libraries of a version were built with; false: none, or it is gone. */
static bool read_root(const char *version, char *root) {
    char folder[2 * ROOT_MAX];
    snprintf(folder, sizeof folder, "%s/%s", INITRACE_LIBRARIES, version);
    char *text = scratch_read(folder, "GOROOT");
    if (text != NULL) {
        snprintf(root, ROOT_MAX, "%.*s", (int)strcspn(text, "\r\n"), text);
    }
    free(text);
    return text != NULL && scratch_exists(root, "src/runtime/proc.go");
}

static void misfit(const char *recipe, const char *version, const char *what) {
    misfits++;
    print_error("%s, %s: %s\n", recipe, version, what);
}

static void check_result(const struct itr_recipe *recipe, const char *version, const struct itr_changes *changes) {
    json_t *overlay = itr_overlay_json(changes, "/folder");
    json_t *replace = json_object_get(overlay, "Replace");
    size_t changed = 0;
    for (size_t i = 0; i < changes->count; i++) {
        changed += changes->files[i]->changed ? 1 : 0;
        if (!changes->files[i]->in_goroot || changes->files[i]->text == NULL) {
            misfit(recipe->name, version, "it adds or removes a file");
        }
    }
    if (changed == 0 || json_object_size(replace) != changed) {
        misfit(recipe->name, version, "nothing changed, or the overlay lacks a file");
    }
    json_decref(overlay);
}

static void check_recipe(const char *name, const char *version, const char *root) {
    char path[2 * ROOT_MAX];
    struct itr_recipe recipe;
    struct itr_changes changes = {.root = root};
    struct itr_error error = {0};
    snprintf(path, sizeof path, "%s/%s.recipe", INITRACE_RECIPES, name);
    if (itr_recipe_read(path, &recipe, &error) != ITR_OK) {
        misfit(name, version, error.text);
        return;
    }
    if (strcmp(recipe.name, name) != 0) {
        misfit(name, version, "the file has another name than the recipe in it");
    }
    bool holds = itr_recipe_holds(&recipe, version);
    enum itr_status status = itr_recipe_apply(&recipe, version, &changes, &error);
    if (status != (holds ? ITR_OK : ITR_E_UNSUPPORTED)) {
        misfit(name, version, error.text);
    } else if (holds) {
        fitted++;
        check_result(&recipe, version, &changes);
    } else {
        refused++;
        if (strstr(error.text, recipe.go) == NULL || strstr(error.text, version) == NULL || changes.count > 0) {
            misfit(name, version, "it does not say what it holds for");
        }
    }
    itr_changes_release(&changes);
    itr_recipe_release(&recipe);
}

static void each_fits_each_go(void **state) {
    struct itr_strings versions = {0};
    struct itr_strings recipes = {0};
    struct itr_error error = {0};
    (void)state;
    assert_int_equal(itr_layout_folders(INITRACE_LIBRARIES, &versions, &error), ITR_OK);
    assert_int_equal(itr_layout_files(INITRACE_RECIPES, ".recipe", &recipes, &error), ITR_OK);
    assert_true(recipes.count > 0);
    for (size_t i = 0; i < versions.count; i++) {
        char root[ROOT_MAX];
        if (strncmp(versions.items[i], "go", 2) != 0 || !read_root(versions.items[i], root)) {
            continue;
        }
        known_roots++;
        for (size_t k = 0; k < recipes.count; k++) {
            check_recipe(recipes.items[k], versions.items[i], root);
        }
    }
    print_message("%u recipes, %u Gos: %u fit, %u are out of range\n", (unsigned)recipes.count, (unsigned)known_roots,
                  (unsigned)fitted, (unsigned)refused);
    itr_layout_release(&versions);
    itr_layout_release(&recipes);
    assert_int_equal(misfits, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_fits_each_go)};
    int failed = cmocka_run_group_tests_name("recipes", tests, NULL, NULL);
    return failed == 0 && known_roots == 0 ? SKIPPED : failed;
}
