/* Fuzzes the escaping of untrusted bytes and the bounded text. Input: how (a byte), a ceiling (two bytes), the bytes. */
#include "framework/fuzz/fuzz.h"

enum { HOW_COUNT = ITR_ESCAPE_UTF8 + 1 };

static unsigned hex_digit(char digit) {
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* Every \xHH is an escape: the bytes can be had back. */
static void check_reversible(const struct itr_text *text, const uint8_t *bytes, size_t count) {
    const char *at = itr_text_string(text);
    size_t i = 0;
    while (*at != '\0') {
        unsigned byte = (unsigned char)*at;
        FUZZ_CHECK(i < count);
        if (at[0] == '\\' && at[1] == 'x') {
            byte = hex_digit(at[2]) << 4 | hex_digit(at[3]);
            at += 3;
        }
        FUZZ_CHECK(bytes[i] == byte);
        at++;
        i++;
    }
    FUZZ_CHECK(i == count);
}

/* No quote, bracket or ampersand that is not the beginning of an entity. */
static void check_markup(const char *text, bool quotes) {
    for (; *text != '\0'; text++) {
        FUZZ_CHECK(*text != '<' && *text != '>' && (!quotes || *text != '"'));
        if (*text == '&') {
            size_t name = strspn(text + 1, "#abcdefghijklmnopqrstuvwxyz0123456789");
            FUZZ_CHECK(name > 0 && text[1 + name] == ';');
        }
    }
}

static void check_escaped(const struct itr_text *text, enum itr_escape how, const uint8_t *bytes, size_t count) {
    static const char *const allowed[HOW_COUNT] = {"\t", "\t\n", "\t\n", "", "\t\n", "\t\n\r"};
    fuzz_check_clean(itr_text_string(text), text->length, allowed[how]);
    FUZZ_CHECK(strlen(itr_text_string(text)) == text->length);
    if (how == ITR_ESCAPE_XML_TEXT || how == ITR_ESCAPE_XML_ATTRIBUTE || how == ITR_ESCAPE_HTML) {
        check_markup(itr_text_string(text), how != ITR_ESCAPE_XML_TEXT);
    } else {
        check_reversible(text, bytes, count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    enum itr_escape how = (enum itr_escape)(fuzz_number(&in, 1) % HOW_COUNT);
    size_t ceiling = fuzz_number(&in, 2) % 300 + 1;
    struct itr_text whole = {0};
    struct itr_text cut = {.ceiling = ceiling};
    struct itr_text raw = {.ceiling = ceiling};
    uint8_t *bytes = fuzz_copy(in.bytes, in.count);
    char *fixed = malloc(ceiling + 1);
    FUZZ_CHECK(fixed != NULL);
    if (itr_text_escape(&whole, how, bytes, in.count)) {
        check_escaped(&whole, how, bytes, in.count);
    }
    bool fits = itr_text_escape(&cut, how, bytes, in.count);
    FUZZ_CHECK(fits == !cut.truncated && cut.length <= ceiling && cut.length <= whole.length);
    FUZZ_CHECK(memcmp(itr_text_string(&cut), itr_text_string(&whole), cut.length) == 0);
    FUZZ_CHECK(itr_escape_into(fixed, ceiling + 1, how, bytes, in.count) == fits);
    FUZZ_CHECK(strncmp(fixed, itr_text_string(&whole), strlen(fixed)) == 0 && strlen(fixed) <= ceiling);
    fits = itr_text_append(&raw, bytes, in.count);
    FUZZ_CHECK(fits == (in.count <= ceiling) && raw.length <= in.count);
    FUZZ_CHECK(raw.length == 0 || memcmp(raw.data, bytes, raw.length) == 0);
    itr_text_reset(&raw);
    itr_text_printf(&raw, "%s|%s", itr_text_string(&cut), fixed);
    FUZZ_CHECK(raw.length <= ceiling);
    itr_text_release(&whole);
    itr_text_release(&cut);
    itr_text_release(&raw);
    free(fixed);
    free(bytes);
    return 0;
}
