/* Unit tests of text.c: ceilings, refused memory, escaping of hostile bytes, the hash. */
#include "framework/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int allocations_left;

static void *failing_reallocate(void *pointer, size_t bytes) {
    return allocations_left-- > 0 ? realloc(pointer, bytes) : NULL;
}

#define ASSERT_TEXT(text, expected) assert_string_equal(itr_text_string(text), expected)

static void escaped_is(enum itr_escape how, const char *bytes, size_t count, const char *expected) {
    struct itr_text text = {0};
    char fixed[512];

    assert_true(itr_text_escape(&text, how, bytes, count));
    ASSERT_TEXT(&text, expected);
    assert_int_equal(text.length, strlen(expected));
    assert_true(itr_escape_into(fixed, sizeof fixed, how, bytes, count));
    assert_string_equal(fixed, expected);
    itr_text_release(&text);
}

#define ESCAPED(how, literal, expected) \
    escaped_is(ITR_ESCAPE_##how, literal, sizeof(literal) - 1, expected)

static void an_empty_text_is_an_empty_string(void **state) {
    struct itr_text text = {0};

    (void)state;
    ASSERT_TEXT(&text, "");
    assert_true(itr_text_append(&text, NULL, 0));
    assert_true(itr_text_escape(&text, ITR_ESCAPE_HTML, NULL, 0));
    assert_null(text.data);
    itr_text_reset(&text);
    itr_text_release(&text);
    itr_text_release(&text);
}

static void appends_and_prints_in_order(void **state) {
    struct itr_text text = {0};

    (void)state;
    assert_true(itr_text_add(&text, "a"));
    assert_true(itr_text_append(&text, "b\0c", 3));
    assert_true(itr_text_printf(&text, "%d-%s", 12, "x"));
    assert_int_equal(text.length, 8);
    assert_memory_equal(text.data, "ab\0c12-x", 9);
    itr_text_reset(&text);
    ASSERT_TEXT(&text, "");
    assert_true(itr_text_printf(&text, "%s", ""));
    ASSERT_TEXT(&text, "");
    itr_text_release(&text);
}

static void grows_far_and_stays_whole(void **state) {
    struct itr_text text = {0};

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        assert_true(itr_text_printf(&text, "%04u", i));
    }
    assert_int_equal(text.length, 40000);
    assert_memory_equal(text.data + 4 * 1234, "1234", 4);
    assert_true(text.capacity < 200000);
    itr_text_release(&text);
}

static void the_ceiling_cuts_and_closes(void **state) {
    struct itr_text text = {.ceiling = 5};

    (void)state;
    assert_true(itr_text_add(&text, "abc"));
    assert_false(itr_text_add(&text, "defg"));
    ASSERT_TEXT(&text, "abcde");
    assert_true(text.truncated);
    assert_false(text.no_memory);
    assert_true(text.capacity <= 6);
    itr_text_reset(&text);
    assert_false(text.truncated);
    assert_true(itr_text_add(&text, "12345"));
    assert_false(text.truncated);
    assert_false(itr_text_printf(&text, "%d", 6));
    ASSERT_TEXT(&text, "12345");
    itr_text_release(&text);
    assert_int_equal(text.ceiling, 5);
}

static void nothing_follows_what_was_cut(void **state) {
    struct itr_text text = {.ceiling = 4};

    (void)state;
    assert_false(itr_text_escape(&text, ITR_ESCAPE_TERMINAL, "ab\x1b", 3));
    ASSERT_TEXT(&text, "ab");
    assert_false(itr_text_add(&text, "c"));
    assert_false(itr_text_printf(&text, "c"));
    assert_false(itr_text_escape(&text, ITR_ESCAPE_TERMINAL, "c", 1));
    ASSERT_TEXT(&text, "ab");
    itr_text_release(&text);
}

static void printf_is_cut_at_the_ceiling(void **state) {
    struct itr_text text = {.ceiling = 6};

    (void)state;
    assert_false(itr_text_printf(&text, "%s", "abcdefghij"));
    ASSERT_TEXT(&text, "abcdef");
    assert_true(text.truncated);
    itr_text_release(&text);
}

static void a_cut_never_splits_a_character(void **state) {
    static const char euro[] = "ab\xe2\x82\xac";

    (void)state;
    for (size_t ceiling = 2; ceiling < 5; ceiling++) {
        struct itr_text text = {.ceiling = ceiling};
        assert_false(itr_text_add(&text, euro));
        ASSERT_TEXT(&text, "ab");
        itr_text_release(&text);
        assert_false(itr_text_printf(&text, "%s", euro));
        ASSERT_TEXT(&text, "ab");
        itr_text_release(&text);
    }
    for (size_t ceiling = 5; ceiling < 8; ceiling++) {
        struct itr_text text = {.ceiling = ceiling};
        assert_int_equal(itr_text_add(&text, "ab\xe2\x82\xac\xc3\xa4"), ceiling == 7);
        ASSERT_TEXT(&text, ceiling == 7 ? "ab\xe2\x82\xac\xc3\xa4" : euro);
        itr_text_release(&text);
    }
}

static void a_cut_of_bytes_that_are_no_utf8_ends(void **state) {
    struct itr_text text = {.ceiling = 6};

    (void)state;
    assert_false(itr_text_append(&text, "\x80\x80\x80\x80\x80\x80\x80\x80", 8));
    assert_int_equal(text.length, 6);
    itr_text_release(&text);
    assert_false(itr_text_append(&text, "\xff\xff\xff\xff\xff\xff\xff\xff", 8));
    assert_in_range(text.length, 3, 6);
    itr_text_release(&text);
}

static void refused_memory_is_remembered_and_harmless(void **state) {
    (void)state;
    for (int allowed = 0; allowed < 4; allowed++) {
        struct itr_text text = {.reallocate = failing_reallocate};
        bool whole = true;
        allocations_left = allowed;
        for (int i = 0; i < 1000 && whole; i++) {
            whole = itr_text_add(&text, "0123456789");
        }
        assert_false(whole);
        assert_true(text.no_memory);
        assert_false(text.truncated);
        assert_int_equal(text.length % 10, 0);
        assert_int_equal(strlen(itr_text_string(&text)), text.length);
        assert_false(itr_text_printf(&text, "x"));
        allocations_left = 1;
        itr_text_reset(&text);
        assert_true(itr_text_printf(&text, "x"));
        ASSERT_TEXT(&text, "x");
        itr_text_release(&text);
    }
}

static void refused_memory_stops_printf_and_escape(void **state) {
    struct itr_text text = {.reallocate = failing_reallocate};

    (void)state;
    allocations_left = 0;
    assert_false(itr_text_printf(&text, "%d", 1));
    assert_true(text.no_memory);
    itr_text_reset(&text);
    allocations_left = 0;
    assert_false(itr_text_escape(&text, ITR_ESCAPE_HTML, "<", 1));
    assert_true(text.no_memory);
    ASSERT_TEXT(&text, "");
    itr_text_release(&text);
}

static void impossible_lengths_are_refused(void **state) {
    struct itr_text text = {.ceiling = SIZE_MAX};

    (void)state;
    assert_true(itr_text_add(&text, "abc"));
    assert_false(itr_text_append(&text, "x", SIZE_MAX - 3)); /* length + count + NUL overflows */
    ASSERT_TEXT(&text, "abc");
    itr_text_release(&text);
}

static void terminal_commands_become_visible(void **state) {
    (void)state;
    ESCAPED(TERMINAL, "\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m");
    ESCAPED(TERMINAL, "\x1b]0;title\x07", "\\x1b]0;title\\x07");
    ESCAPED(TERMINAL, "a\b\rb\0c\x7f", "a\\x08\\x0db\\x00c\\x7f");
    ESCAPED(TERMINAL,
            "\xc2\x9b"
            "31m",
            "\\xc2\\x9b31m"); /* CSI as UTF-8 */
    ESCAPED(TERMINAL,
            "\x9b"
            "31m",
            "\\x9b31m"); /* CSI as a raw C1 byte */
    ESCAPED(TERMINAL, "a\tb\nc", "a\tb\\x0ac");
    ESCAPED(TERMINAL_LINES, "a\tb\r\nc", "a\tb\\x0d\nc");
}

static void text_of_any_script_stays(void **state) {
    static const char *const samples[] = {
        "plain & <text> \"quoted\" 'so' `too` \\ back\\slash C:\\go\\bin",
        "\xc2\xa0\xc2\xa9 \xc3\xa4\xc3\xb6\xc3\xbc \xd0\xb4\xd0\xb0 \xe6\x97\xa5\xe6\x9c\xac",
        "\xf0\x9f\x98\x80",
        "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae",         /* Persian with a zero width non-joiner */
        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", /* emoji with a zero width joiner */
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        escaped_is(ITR_ESCAPE_TERMINAL, samples[i], strlen(samples[i]), samples[i]);
        escaped_is(ITR_ESCAPE_UTF8, samples[i], strlen(samples[i]), samples[i]);
    }
}

/* NOLINTBEGIN(misc-misleading-bidirectional): they are what is tested */
static void hidden_and_reordering_characters_become_visible(void **state) {
    (void)state;
    ESCAPED(TERMINAL,
            "a\xe2\x80\xae"
            "b",
            "a\\xe2\\x80\\xaeb");                                           /* U+202E */
    ESCAPED(TERMINAL, "\xe2\x81\xa6", "\\xe2\\x81\\xa6");                   /* U+2066 */
    ESCAPED(TERMINAL, "\xe2\x80\x8e\xd8\x9c", "\\xe2\\x80\\x8e\\xd8\\x9c"); /* LRM, ALM */
    ESCAPED(TERMINAL, "\xe2\x80\xa8", "\\xe2\\x80\\xa8");                   /* line separator */
    ESCAPED(HTML, "\xe2\x80\xae", "\\xe2\\x80\\xae");
    ESCAPED(XML_TEXT, "\xe2\x80\xae", "\\xe2\\x80\\xae");
    ESCAPED(UTF8, "\xe2\x80\xae\xef\xbb\xbf", "\\xe2\\x80\\xae\\xef\\xbb\\xbf");
    ESCAPED(TERMINAL, "\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"); /* tag */
}

/* NOLINTEND(misc-misleading-bidirectional) */

static void invalid_utf8_becomes_visible_byte_by_byte(void **state) {
    (void)state;
    ESCAPED(UTF8, "\xff\xfe", "\\xff\\xfe");
    ESCAPED(UTF8, "\xc0\xaf", "\\xc0\\xaf");                   /* overlong slash */
    ESCAPED(UTF8, "\xe0\x80\xaf", "\\xe0\\x80\\xaf");          /* overlong slash */
    ESCAPED(UTF8, "\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
    ESCAPED(UTF8, "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
    ESCAPED(UTF8, "a\xe2\x82", "a\\xe2\\x82");                 /* cut off at the end */
    ESCAPED(UTF8,
            "\xe2\x82"
            "a",
            "\\xe2\\x82"
            "a"); /* cut off in the middle */
    ESCAPED(UTF8, "\x80\xbf", "\\x80\\xbf");
}

static void an_escape_cannot_be_forged(void **state) {
    (void)state;
    ESCAPED(TERMINAL, "\\x1b", "\\x5cx1b");
    ESCAPED(TERMINAL, "\\\\x", "\\\\x5cx");
    ESCAPED(TERMINAL, "\\", "\\");
    ESCAPED(HTML, "\\x41", "\\x5cx41");
}

static void xml_gets_entities_and_no_forbidden_character(void **state) {
    (void)state;
    ESCAPED(XML_TEXT, "<a b=\"c\">&'\n\t\r]]>", "&lt;a b=\"c\"&gt;&amp;'\n\t&#13;]]&gt;");
    ESCAPED(XML_ATTRIBUTE, "<a b=\"c\">&'\n\t\r",
            "&lt;a b=&quot;c&quot;&gt;&amp;&#39;&#10;&#9;&#13;");
    ESCAPED(XML_TEXT, "\0\x01\x0b\x1f", "\\x00\\x01\\x0b\\x1f");
    ESCAPED(XML_TEXT, "\xef\xbf\xbe\xef\xbf\xbf", "\\xef\\xbf\\xbe\\xef\\xbf\\xbf");
}

static void html_cannot_leave_its_place(void **state) {
    (void)state;
    ESCAPED(HTML, "</pre><script>alert('x')</script>",
            "&lt;/pre&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
    ESCAPED(HTML, "\"` onload=x\r\n", "&quot;&#96; onload=x\\x0d\n");
}

static void json_text_is_utf8_with_line_ends(void **state) {
    (void)state;
    ESCAPED(UTF8, "a\r\n\"b\"\\c\0", "a\r\n\"b\"\\c\\x00");
}

/* The growing text says the same, and reads no byte too many. */
static void grows_to(enum itr_escape how, const unsigned char in[2], const char *expected) {
    static struct itr_text text;
    unsigned char *exact = malloc(2);

    assert_non_null(exact);
    memcpy(exact, in, 2);
    itr_text_reset(&text);
    assert_true(itr_text_escape(&text, how, exact, 2));
    assert_string_equal(itr_text_string(&text), expected);
    free(exact);
    if (in[0] == 0xff && in[1] == 0xff) {
        itr_text_release(&text);
    }
}

/* Every pair of bytes through every kind: the result is UTF-8 without anything hidden, and the
 * bytes can be had back from it. */
static void all_pairs_of_bytes_come_out_harmless(void **state) {
    char out[64];

    (void)state;
    for (int how = ITR_ESCAPE_TERMINAL; how <= ITR_ESCAPE_UTF8; how++) {
        for (unsigned pair = 0; pair < 65536; pair++) {
            unsigned char in[2] = {(unsigned char)(pair >> 8), (unsigned char)pair};
            size_t length;
            assert_true(itr_escape_into(out, sizeof out, (enum itr_escape)how, in, 2));
            grows_to((enum itr_escape)how, in, out);
            length = strlen(out);
            for (size_t i = 0; i < length;) {
                uint32_t code = 0;
                size_t step = itr_utf8_length(out + i, length - i, &code);
                assert_true(step > 0);
                assert_false(code < 0x20 && code != '\t' && code != '\n' && code != '\r');
                assert_false(code >= 0x7f && code < 0xa0);
                i += step;
            }
            if (how == ITR_ESCAPE_TERMINAL) {
                unsigned char back[8];
                size_t count = 0;
                for (size_t i = 0; i < length; count++) {
                    unsigned value;
                    if (out[i] == '\\' && out[i + 1] == 'x') {
                        char digits[3] = {out[i + 2], out[i + 3], 0};
                        value = (unsigned)strtoul(digits, NULL, 16);
                        i += 4;
                    } else {
                        value = (unsigned char)out[i++];
                    }
                    back[count] = (unsigned char)value;
                }
                assert_int_equal(count, 2);
                assert_memory_equal(back, in, 2);
            }
        }
    }
}

static void a_fixed_array_is_cut_between_escapes(void **state) {
    char out[8];

    (void)state;
    assert_false(itr_escape_into(out, sizeof out, ITR_ESCAPE_TERMINAL, "abc\x1b\x1b", 5));
    assert_string_equal(out, "abc\\x1b");
    assert_false(itr_escape_into(out, 4, ITR_ESCAPE_TERMINAL, "\x1b", 1));
    assert_string_equal(out, "");
    assert_false(itr_escape_into(out, 1, ITR_ESCAPE_TERMINAL, "a", 1));
    assert_string_equal(out, "");
    assert_true(itr_escape_into(out, 1, ITR_ESCAPE_TERMINAL, "", 0));
    assert_true(itr_escape_into(NULL, 0, ITR_ESCAPE_TERMINAL, "", 0));
    assert_false(itr_escape_into(NULL, 0, ITR_ESCAPE_TERMINAL, "a", 1));
}

static void utf8_is_decoded(void **state) {
    uint32_t code = 0;

    (void)state;
    assert_int_equal(itr_utf8_length("\xf0\x9f\x98\x80", 4, &code), 4);
    assert_int_equal(code, 0x1f600);
    assert_int_equal(itr_utf8_length("\xf4\x8f\xbf\xbf", 4, &code), 4);
    assert_int_equal(code, 0x10ffff);
    assert_int_equal(itr_utf8_length("\xf0\x9f\x98", 3, &code), 0);
    assert_int_equal(itr_utf8_length("\0", 1, &code), 1);
    assert_int_equal(code, 0);
    assert_int_equal(itr_utf8_length("", 0, NULL), 0);
}

/* Published with FNV (draft-eastlake-fnv, test vectors of 64-bit FNV-1a). */
static void the_hash_is_fnv_1a(void **state) {
    uint64_t hash = ITR_HASH64_START;

    (void)state;
    assert_true(itr_hash64(hash, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(itr_hash64(hash, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(itr_hash64(hash, "foobar", 6) == UINT64_C(0x85944171f73967e8));
    hash = itr_hash64(hash, "foo", 3);
    assert_true(itr_hash64(hash, "bar", 3) == UINT64_C(0x85944171f73967e8));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_text_is_an_empty_string),
        cmocka_unit_test(appends_and_prints_in_order),
        cmocka_unit_test(grows_far_and_stays_whole),
        cmocka_unit_test(the_ceiling_cuts_and_closes),
        cmocka_unit_test(nothing_follows_what_was_cut),
        cmocka_unit_test(printf_is_cut_at_the_ceiling),
        cmocka_unit_test(a_cut_never_splits_a_character),
        cmocka_unit_test(a_cut_of_bytes_that_are_no_utf8_ends),
        cmocka_unit_test(refused_memory_is_remembered_and_harmless),
        cmocka_unit_test(refused_memory_stops_printf_and_escape),
        cmocka_unit_test(impossible_lengths_are_refused),
        cmocka_unit_test(terminal_commands_become_visible),
        cmocka_unit_test(text_of_any_script_stays),
        cmocka_unit_test(hidden_and_reordering_characters_become_visible),
        cmocka_unit_test(invalid_utf8_becomes_visible_byte_by_byte),
        cmocka_unit_test(an_escape_cannot_be_forged),
        cmocka_unit_test(xml_gets_entities_and_no_forbidden_character),
        cmocka_unit_test(html_cannot_leave_its_place),
        cmocka_unit_test(json_text_is_utf8_with_line_ends),
        cmocka_unit_test(all_pairs_of_bytes_come_out_harmless),
        cmocka_unit_test(a_fixed_array_is_cut_between_escapes),
        cmocka_unit_test(utf8_is_decoded),
        cmocka_unit_test(the_hash_is_fnv_1a),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
