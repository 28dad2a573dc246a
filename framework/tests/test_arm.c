/* Unit tests of arm.c: an arm's words, each sentence that refuses them, ceilings, labels, and that what is written is read
 * back, also of words that chance made. */
#include "framework/arm.h"
#include "framework/random.h"
#include "framework/tests/scratch.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct itr_arm_spec arm;
static struct itr_error error;

static int set_up(void **state) {
    (void)state;
    error = (struct itr_error){0};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_arm_release(&arm);
    return 0;
}

static void assert_parsed(const char *text) {
    itr_arm_release(&arm);
    if (itr_arm_parse("--candidate", text, &arm, &error) != ITR_OK) {
        fail_msg("%s: %s", text, error.text);
    }
}

/* The sentence begins with the option and has this in it; nothing is left to be released. */
static void assert_refused(enum itr_status status, const char *text, const char *part) {
    static const struct itr_arm_spec none;
    enum itr_status got = itr_arm_parse("--candidate", text, &arm, &error);
    if (got != status || error.status != status) {
        fail_msg("%s: %s: %s", text, itr_status_name(got), error.text);
    }
    assert_int_equal(strncmp(error.text, "--candidate", 11), 0);
    assert_contains(error.text, part);
    assert_true(strlen(error.text) < sizeof error.text - 1);
    assert_memory_equal(&arm, &none, sizeof none);
}

static void assert_items(const struct itr_strings *list, const char *const *items) {
    size_t count = 0;
    for (; items[count] != NULL; count++) {
        assert_true(count < list->count);
        assert_string_equal(list->items[count], items[count]);
    }
    assert_int_equal(list->count, count);
}

#define ITEMS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- words ---- */

static void each_key_goes_to_its_place(void **state) {
    (void)state;
    assert_parsed("1.26.10,recipe=needm-waits,recipe=./own.recipe,patch=a.diff,overlay=o.json,flag=-race,env=A=1,name=mine");
    assert_string_equal(arm.go, "1.26.10");
    assert_items(&arm.recipes, ITEMS("needm-waits", "./own.recipe"));
    assert_items(&arm.patches, ITEMS("a.diff"));
    assert_items(&arm.flags, ITEMS("-race"));
    assert_items(&arm.environment, ITEMS("A=1"));
    assert_string_equal(arm.overlay, "o.json");
    assert_null(arm.library);
    assert_string_equal(arm.label, "mine");
    assert_false(itr_arm_is_plain(&arm));
}

static void a_go_may_stand_alone_or_be_left_out(void **state) {
    (void)state;
    assert_parsed("/usr/local/go");
    assert_string_equal(arm.go, "/usr/local/go");
    assert_true(itr_arm_is_plain(&arm));
    assert_parsed("/home/a=b/go");
    assert_string_equal(arm.go, "/home/a=b/go");
    assert_parsed("C:\\a=b\\go");
    assert_string_equal(arm.go, "C:\\a=b\\go");
    assert_parsed("recipe=x");
    assert_null(arm.go);
    assert_items(&arm.recipes, ITEMS("x"));
    assert_parsed("recipe"); /* no key without its = */
    assert_string_equal(arm.go, "recipe");
    assert_parsed("env=A=1");
    assert_true(itr_arm_is_plain(&arm)); /* the hosts' environment changes no library */
    assert_parsed("library=/tmp/x.so");
    assert_string_equal(arm.library, "/tmp/x.so");
    assert_false(itr_arm_is_plain(&arm));
}

static void a_comma_ends_a_value_only_before_a_key(void **state) {
    (void)state;
    assert_parsed("1.26,env=GODEBUG=a=1,b=2,env=B=,,flag=-tags=x,y,flag=-gcflags=all=-N -l");
    assert_items(&arm.environment, ITEMS("GODEBUG=a=1,b=2", "B=,"));
    assert_items(&arm.flags, ITEMS("-tags=x,y", "-gcflags=all=-N -l"));
    assert_parsed("patch=a,b.diff");
    assert_items(&arm.patches, ITEMS("a,b.diff"));
    assert_parsed("env=A=x,recipe");
    assert_items(&arm.environment, ITEMS("A=x,recipe"));
}

static void words_that_are_none_are_refused(void **state) {
    static const struct {
        const char *text;
        const char *part;
    } rows[] = {
        {"", "expected a Go version, a GOROOT, or recipe="},
        {",recipe=x", "expected a Go version, a GOROOT, or recipe="},
        {"1.26,", "1.26,: expected a Go version or a GOROOT, and after a comma recipe="},
        {"1.26,1.27", "after a comma recipe="},
        {"1.26,recpie=x", "1.26,recpie=x: expected"},
        {"recpie=x", "recpie=x: expected"},
        {"1.26,recipe=x,pacth=y", "recipe=x,pacth=y: expected recipe="},
        {"1.26,overlay=o,goo=y", "overlay=o,goo=y"},
        {"1.26,recipe=", "nothing after recipe="},
        {"1.26,recipe=,patch=x", "nothing after recipe="},
        {"1.26,name=", "nothing after name="},
        {"1.26,env=", "nothing after env="},
        {"1.26,env=A", "env=A: expected NAME=VALUE"},
        {"1.26,env==A", "env==A: expected NAME=VALUE"},
        {"1.26,env=A=1\nB=2", "expected NAME=VALUE, on one line"},
        {"1.26,overlay=a,overlay=b", "overlay= twice"},
        {"library=a,library=b", "library= twice"},
        {"1.26,name=a,name=b", "name= twice"},
        {"1.26,name=\n", "printable UTF-8"},
        {"1.26,name=\xff", "printable UTF-8"},
        {"1.26,name=\x7f", "printable UTF-8"},
        {"1.26,library=x", "library= is a file that is there already"},
        {"library=x,recipe=y", "no Go, recipe, patch, overlay or flag"},
        {"library=x,patch=y", "library="},
        {"library=x,overlay=y", "library="},
        {"library=x,flag=-race", "library="},
        {"1.26,flag=race", "\"race\" is no flag of go build"},
        {"1.26,flag=-", "is no flag of go build"},
        {"1.26,flag=-a\n-b", "is no flag of go build"},
        {"1.26,flag=-o=x", "-o is for initrace itself"},
        {"1.26,flag=-o", "-o is for initrace itself"},
        {"1.26,flag=--o=x", "-o is for initrace itself"},
        {"1.26,flag=-C=x", "-C is for initrace itself"},
        {"1.26,flag=-n", "-n is for initrace itself"},
        {"1.26,flag=-buildmode=exe", "-buildmode is for initrace itself"},
        {"1.26,flag=-overlay=x", "overlay=FILE or --overlay FILE"},
        {"1.26,flag=-gcflags", "-gcflags=VALUE"},
        {"1.26,flag=--ldflags", "-ldflags=VALUE"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_refused(ITR_E_USAGE, rows[i].text, rows[i].part);
    }
    assert_parsed("1.26,flag=-overlayed"); /* no flag of that name: go build's to say */
    assert_parsed("1.26,flag=-oo");
}

/* A sentence is whole whatever a word's length. */
static void long_words_are_cut_in_the_sentence(void **state) {
    static const char *const before[] = {"x,", "1.26,x", "recipe=a,x=", "env=", "1.26,name=", "1.26,recpie=", "flag="};
    char text[ITR_ARM_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(before); i++) {
        memset(text, 'x', sizeof text);
        memcpy(text, before[i], strlen(before[i]));
        text[sizeof text - 1] = '\0';
        assert_refused(ITR_E_USAGE, text, strcmp(before[i], "flag=") == 0 ? "such as -race" : "expected");
    }
}

/* ---- ceilings ---- */

static void there_are_ceilings(void **state) {
    static const char *const keys[] = {"recipe", "patch", "flag", "env"};
    static const char *const values[] = {"x", "x", "-x", "A=1"};
    char text[ITR_ARM_TEXT_MAX + 1];
    char part[64];
    (void)state;
    for (size_t k = 0; k < COUNT(keys); k++) {
        struct itr_text words = {0};
        for (int i = 0; i < ITR_ARM_ITEMS_MAX; i++) {
            itr_text_printf(&words, "%s%s=%s", i > 0 ? "," : "", keys[k], values[k]);
        }
        assert_parsed(itr_text_string(&words));
        itr_arm_release(&arm);
        itr_text_printf(&words, ",%s=%s", keys[k], values[k]);
        snprintf(part, sizeof part, "more than %d times %s=", ITR_ARM_ITEMS_MAX, keys[k]);
        assert_refused(ITR_E_LIMIT, itr_text_string(&words), part);
        itr_text_release(&words);
    }
    memset(text, 'x', sizeof text);
    text[ITR_ARM_TEXT_MAX] = '\0';
    assert_refused(ITR_E_LIMIT, text, "more than 4095 bytes");
    text[ITR_ARM_TEXT_MAX - 1] = '\0';
    assert_parsed(text);
    memcpy(text, "name=", 5);
    text[5 + ITR_ARM_LABEL_MAX - 1] = '\0';
    assert_parsed(text);
    assert_int_equal(strlen(arm.label), ITR_ARM_LABEL_MAX - 1);
    itr_arm_release(&arm);
    text[5 + ITR_ARM_LABEL_MAX - 1] = 'x';
    text[5 + ITR_ARM_LABEL_MAX] = '\0';
    assert_refused(ITR_E_USAGE, text, "up to 63 bytes");
}

/* Of options, whose lists have no ceiling of their own. */
static void what_options_make_is_checked_too(void **state) {
    char word[] = "-x";
    char *words[ITR_ARM_ITEMS_MAX + 1];
    struct itr_arm_spec made = {.flags = {.items = words, .count = ITR_ARM_ITEMS_MAX}};
    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        words[i] = word;
    }
    assert_int_equal(itr_arm_check("--build-flag", &made, &error), ITR_OK);
    assert_int_equal(error.status, ITR_OK);
    made.flags.count++;
    assert_int_equal(itr_arm_check("--build-flag", &made, &error), ITR_E_LIMIT);
    assert_contains(error.text, "--build-flag: more than 16");
    word[0] = 'y';
    made.flags.count = 1;
    assert_int_equal(itr_arm_check("--build-flag", &made, &error), ITR_E_USAGE);
    assert_contains(error.text, "--build-flag: \"yx\" is no flag");
}

/* ---- labels ---- */

static void a_label_is_made_of_what_differs(void **state) {
    static const struct {
        const char *text;
        const char *label;
    } rows[] = {
        {"1.26", "1.26"},
        {"/usr/lib/go-1.19", "go-1.19"},
        {"/usr/lib/go-1.19/", "go-1.19"},
        {"C:\\go\\tip\\", "tip"},
        {"/", "/"},
        {"1.26,recipe=needm-waits", "1.26+needm-waits"},
        {"1.26,recipe=/a/b/own.recipe,patch=x/fix.diff", "1.26+own+fix.diff"},
        {"recipe=.recipe", ".recipe"},
        {"1.26,overlay=/a/o.json,flag=-gcflags=all=-N -l,env=GODEBUG=a/b=1", "1.26+o.json+-gcflags=all=-N -l+GODEBUG=a/b=1"},
        {"library=/tmp/dir/lib.so", "lib.so"},
        {"patch=a\x1b[31m.diff", "a\\x1b[31m.diff"},
        {"1.26,name=1.26", "1.26"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_parsed(rows[i].text);
        assert_string_equal(arm.label, rows[i].label);
    }
    struct itr_arm_spec none = {0};
    itr_arm_name(&none);
    assert_string_equal(none.label, "plain");
    snprintf(none.label, sizeof none.label, "kept");
    itr_arm_name(&none);
    assert_string_equal(none.label, "kept");
}

/* Cut between characters: it goes into JSON. */
static void a_long_label_is_cut_between_characters(void **state) {
    char text[256] = "patch=";
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        size_t used = 6;
        memset(text + used, 'a', shift);
        for (used += shift; used + 3 < sizeof text; used += 3) {
            memcpy(text + used, "\xe2\x82\xac", 4);
        }
        assert_parsed(text);
        size_t bytes = strlen(arm.label);
        assert_in_range(bytes, ITR_ARM_LABEL_MAX - 4, ITR_ARM_LABEL_MAX - 1);
        for (size_t at = 0; at < bytes;) {
            size_t length = itr_utf8_length(arm.label + at, bytes - at, NULL);
            assert_true(length > 0);
            at += length;
        }
    }
}

/* ---- back ---- */

static void assert_same_list(const struct itr_strings *a, const struct itr_strings *b) {
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->items[i], b->items[i]);
    }
}

static void assert_same_word(const char *a, const char *b) {
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL) {
        assert_string_equal(a, b);
    }
}

/* What was parsed is written, read again and the same, but for a label that name= gave. */
static void assert_round_trip(void) {
    struct itr_text text = {0};
    struct itr_arm_spec back;
    itr_arm_text(&arm, NULL, &text);
    if (text.length > 0) { /* name= alone: nothing to say */
        if (itr_arm_parse("back", itr_text_string(&text), &back, &error) != ITR_OK) {
            fail_msg("%s: %s", itr_text_string(&text), error.text);
        }
        assert_same_word(arm.go, back.go);
        assert_same_word(arm.overlay, back.overlay);
        assert_same_word(arm.library, back.library);
        assert_same_list(&arm.recipes, &back.recipes);
        assert_same_list(&arm.patches, &back.patches);
        assert_same_list(&arm.flags, &back.flags);
        assert_same_list(&arm.environment, &back.environment);
        itr_arm_release(&back);
    }
    itr_text_release(&text);
}

static void what_is_written_is_read_back(void **state) {
    static const char *const texts[] = {
        "1.26", "recipe=a", "env=GODEBUG=a=1,b=2,recipe=c", "library=x", "/a=b,flag=-x,env=A=,flag=-y", "name=x",
        "overlay=o,patch=p,patch=q,1.26",
    };
    struct itr_text text = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_parsed(texts[i]);
        assert_round_trip();
    }
    assert_parsed("1.26,env=A=1,patch=p,recipe=r,overlay=o,flag=-x,name=n");
    itr_arm_text(&arm, "/other/go", &text);
    assert_string_equal(itr_text_string(&text), "/other/go,recipe=r,patch=p,overlay=o,flag=-x,env=A=1");
    itr_text_release(&text);
}

/* Words of an arm's own parts and of any bytes, in any order: read and the same again, or refused in one whole sentence. */
static void hostile_words_are_read_or_refused(void **state) {
    static const char *const parts[] = {"recipe=", "patch=", "overlay=", "flag=-", "env=", "library=", "name=", ",", ",", ",", "=",
                                        "1.26", "/", "\\", "-", "x", "go", "A=1", " ", "\n", "\xe2\x82\xac", "\xff", "'"};
    struct itr_random random = itr_random_seed(7);
    size_t read = 0;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[512] = "";
        size_t used = 0;
        uint64_t words = itr_random_below(&random, 14);
        for (uint64_t i = 0; i < words; i++) {
            const char *part = parts[itr_random_below(&random, COUNT(parts))];
            char byte[2] = {(char)(1 + itr_random_below(&random, 255)), '\0'};
            used += (size_t)snprintf(text + used, sizeof text - used, "%s", itr_random_below(&random, 20) == 0 ? byte : part);
        }
        error = (struct itr_error){0};
        if (itr_arm_parse("--candidate", text, &arm, &error) == ITR_OK) {
            read++;
            assert_true(arm.label[0] != '\0');
            assert_round_trip();
        } else {
            assert_true(error.text[0] != '\0' && strlen(error.text) < sizeof error.text - 1);
        }
        itr_arm_release(&arm);
    }
    assert_true(read > 1000); /* it is not all refused at its first byte */
}

int main(void) {
#define ARM_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ARM_TEST(each_key_goes_to_its_place),
        ARM_TEST(a_go_may_stand_alone_or_be_left_out),
        ARM_TEST(a_comma_ends_a_value_only_before_a_key),
        ARM_TEST(words_that_are_none_are_refused),
        ARM_TEST(long_words_are_cut_in_the_sentence),
        ARM_TEST(there_are_ceilings),
        ARM_TEST(what_options_make_is_checked_too),
        ARM_TEST(a_label_is_made_of_what_differs),
        ARM_TEST(a_long_label_is_cut_between_characters),
        ARM_TEST(what_is_written_is_read_back),
        ARM_TEST(hostile_words_are_read_or_refused),
    };
    return cmocka_run_group_tests_name("arm", tests, NULL, NULL);
}
