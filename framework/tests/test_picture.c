/* Unit tests of picture.c. */
#include "framework/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const signatures[] = {"as expected", "lost <SIGURG> & \"more\"", "hang"};
static const struct itr_picture_function functions[] = {
    {"_rt0_amd64_lib", 0, 20, false},    {"runtime.mallocinit", 20, 500, false},
    {"runtime.initsig", 500, 600, true}, {NULL, 600, 601, false},
    {"runtime.main", 601, 1000, false},
};
static const struct itr_picture_window windows[] = {
    {1, 540, 699, false, false, "lost: 100 % inside, 0 % outside", "runtime.initsig+0x1c <a>",
     "runtime.main"},
    {2, 700, 999, false, true, "hang: 97 %", "runtime.main+0x4", NULL},
};
static const struct itr_picture_write writes[] = {{545, "runtime.signalsOK", 0, 1, 1234567}};

static struct itr_sample samples[1000];

static struct itr_picture example(void) {
    memset(samples, 0, sizeof samples);
    for (uint32_t i = 0; i < 1000; i++) {
        samples[i].position = i;
        samples[i].counts[i < 540 ? 0 : i < 700 ? 1 : 2] = 20;
        samples[i].counts[0] += i >= 700 && i % 30 == 0;
    }
    samples[100].counts[0] = 0;
    samples[100].missed = 3;
    return (struct itr_picture){
        .title = "sigurg-during-init, go1.26.10 <&>",
        .subtitle = "SIGURG to the main thread",
        .axis = "instructions of the init thread, by first execution",
        .length = 1000,
        .functions = functions,
        .function_count = 5,
        .samples = samples,
        .sample_count = 1000,
        .signatures = signatures,
        .signature_count = 3,
        .windows = windows,
        .window_count = 2,
        .writes = writes,
        .write_count = 1,
    };
}

static size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word)) {
        count++;
    }
    return count;
}

/* Tags open and close in order, attributes are quoted, and no bare & or < is in a text. */
static void assert_well_formed(const char *xml) {
    char open[32][16];
    size_t depth = 0;
    for (const char *at = xml; *at != '\0'; at++) {
        if (*at == '&') {
            assert_true(strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&lt;", 4) == 0 ||
                        strncmp(at, "&gt;", 4) == 0 || strncmp(at, "&#", 2) == 0 ||
                        strncmp(at, "&quot;", 6) == 0);
        }
        if (*at != '<') {
            continue;
        }
        const char *end = strchr(at, '>');
        const char *next = strchr(at + 1, '<');
        size_t name = strcspn(at + 1 + (at[1] == '/'), " />");
        assert_non_null(end);
        assert_true(next == NULL || next > end);
        assert_true(name > 0 && name < 16);
        if (at[1] == '/') {
            assert_true(depth > 0);
            depth--;
            assert_int_equal(strlen(open[depth]), name);
            assert_memory_equal(open[depth], at + 2, name);
        } else if (end[-1] != '/') {
            assert_true(depth < 32);
            memcpy(open[depth], at + 1, name);
            open[depth++][name] = '\0';
        }
    }
    assert_int_equal(depth, 0);
}

static void draw(struct itr_text *out, const struct itr_picture *picture) {
    itr_text_reset(out);
    itr_picture_svg(out, picture);
    assert_false(out->truncated || out->no_memory);
    assert_well_formed(itr_text_string(out));
}

static void everything_is_on_it_and_escaped(void **state) {
    struct itr_text out = {.ceiling = ITR_PICTURE_BYTES_MAX};
    struct itr_picture picture = example();
    const char *file = getenv("INITRACE_TEST_PICTURE");
    const char *svg;
    (void)state;
    draw(&out, &picture);
    svg = itr_text_string(&out);
    assert_int_equal(strncmp(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\"", 39), 0);
    assert_non_null(strstr(svg, "go1.26.10 &lt;&amp;&gt;"));
    assert_non_null(strstr(svg, "lost &lt;SIGURG&gt; &amp; \"more\""));
    assert_non_null(strstr(svg, "opens: runtime.initsig+0x1c &lt;a&gt;"));
    assert_non_null(strstr(svg, "closes: runtime.main<"));
    assert_non_null(strstr(svg, "closes: never, open-ended"));
    assert_non_null(strstr(svg, "1: runtime.signalsOK 0x0 → 0x1 at 1.235 ms"));
    assert_non_null(strstr(svg, "prefers-color-scheme:dark"));
    assert_non_null(strstr(svg, ", 3 not reached"));
    assert_non_null(strstr(svg, "<title>540, 20 lost"));
    assert_int_equal(count_of(svg, "<script"), 0);
    assert_int_equal(count_of(svg, "href"), 0);
    assert_int_equal(count_of(svg, "class=\"line\""), 3);    /* three edges, one end is open */
    assert_int_equal(count_of(svg, ">runtime.initsig<"), 2); /* a tooltip and a name */
    if (file != NULL) {                                      /* for a person who wants to look */
        FILE *stream = fopen(file, "wb");
        assert_non_null(stream);
        fwrite(svg, 1, out.length, stream);
        fclose(stream);
    }
    itr_text_release(&out);
}

static void nothing_at_all_is_a_picture_too(void **state) {
    struct itr_text out = {.ceiling = ITR_PICTURE_BYTES_MAX};
    struct itr_picture picture = {0};
    (void)state;
    draw(&out, &picture);
    itr_text_release(&out);
}

/* What stands outside the axis is left out. */
static void positions_beyond_the_axis_are_not_drawn(void **state) {
    struct itr_text out = {.ceiling = ITR_PICTURE_BYTES_MAX};
    struct itr_picture picture = example();
    (void)state;
    picture.length = 400;
    draw(&out, &picture);
    assert_int_equal(count_of(itr_text_string(&out), "class=\"line\""), 0);
    assert_int_equal(count_of(itr_text_string(&out), "class=\"mark\""), 0);
    assert_null(strstr(itr_text_string(&out), "<title>540"));
    itr_text_release(&out);
}

/* The worst that can come: a million samples of all signatures, long and hostile names. */
static void the_size_is_bounded(void **state) {
    enum { MANY = 100000, WINDOWS = 40, WRITES = 300 };
    struct itr_text out = {.ceiling = ITR_PICTURE_BYTES_MAX};
    struct itr_picture picture = example();
    struct itr_sample *many = calloc(MANY, sizeof *many);
    struct itr_picture_function *spans = calloc(MANY, sizeof *spans);
    static struct itr_picture_window more_windows[WINDOWS];
    static struct itr_picture_write more_writes[WRITES];
    static char name[2000];
    const char *names[ITR_SAMPLE_SIGNATURES_MAX];
    (void)state;
    assert_true(many != NULL && spans != NULL);
    memset(name, '&', sizeof name - 1);
    for (size_t i = 0; i < ITR_SAMPLE_SIGNATURES_MAX; i++) {
        names[i] = name;
    }
    for (uint32_t i = 0; i < MANY; i++) {
        many[i].position = i;
        many[i].missed = UINT32_MAX;
        memset(many[i].counts, 0x7f, sizeof many[i].counts);
        spans[i] = (struct itr_picture_function){name, i, i + 1, true};
    }
    for (size_t i = 0; i < WINDOWS; i++) {
        more_windows[i] = (struct itr_picture_window){1, 5, 9, false, false, name, name, name};
    }
    for (size_t i = 0; i < WRITES; i++) {
        more_writes[i] = (struct itr_picture_write){7, name, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    }
    picture = (struct itr_picture){name, name,  name, MANY,         spans,   MANY,        many,
                                   MANY, names, 8,    more_windows, WINDOWS, more_writes, WRITES};
    for (size_t i = 0; i < 7; i++) {
        names[i] = i % 2 ? "\xff\xfe\x1b]0;" : name;
    }
    itr_text_reset(&out);
    itr_picture_svg(&out, &picture);
    print_message("%lu bytes\n", (unsigned long)out.length);
    assert_false(out.truncated || out.no_memory);
    assert_well_formed(itr_text_string(&out));
    assert_non_null(strstr(itr_text_string(&out), "and 28 more windows"));
    assert_non_null(strstr(itr_text_string(&out), "and 276 more writes"));
    itr_text_release(&out);
    free(many);
    free(spans);
}

static void a_text_that_is_too_small_says_so(void **state) {
    struct itr_text out = {.ceiling = 3000};
    struct itr_picture picture = example();
    (void)state;
    itr_picture_svg(&out, &picture);
    assert_true(out.truncated);
    itr_text_release(&out);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_on_it_and_escaped),
        cmocka_unit_test(nothing_at_all_is_a_picture_too),
        cmocka_unit_test(positions_beyond_the_axis_are_not_drawn),
        cmocka_unit_test(the_size_is_bounded),
        cmocka_unit_test(a_text_that_is_too_small_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
