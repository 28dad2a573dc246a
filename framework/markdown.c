/* Escapes for Markdown. */
#include "framework/markdown.h"

#include <string.h>

static bool clean(struct itr_text *to, const char *text) {
    return itr_text_escape(to, ITR_ESCAPE_TERMINAL, text, strlen(text));
}

/* A backslash before each of these signs. */
static bool add_escaped(struct itr_text *out, const char *text, const char *signs) {
    bool whole = true;
    while (*text != '\0') {
        size_t length = strcspn(text, signs);
        whole = itr_text_append(out, text, length) && whole;
        text += length;
        if (*text != '\0') {
            whole = itr_text_printf(out, "\\%c", *text++) && whole;
        }
    }
    return whole;
}

bool itr_markdown_add(struct itr_text *out, const char *text) {
    struct itr_text line = {0};
    bool whole = clean(&line, text);
    whole = add_escaped(out, itr_text_string(&line), "\\`*_{}[]()<>#+!|~&$") && whole;
    itr_text_release(&line);
    return whole;
}

static bool add_ticks(struct itr_text *out, size_t count) {
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        whole = itr_text_add(out, "`") && whole;
    }
    return whole;
}

/* A span begins and ends with one backtick more than stand together anywhere in it; spaces keep them apart. */
bool itr_markdown_code(struct itr_text *out, const char *text, bool in_table) {
    struct itr_text line = {0};
    bool whole = clean(&line, text);
    const char *string = line.length > 0 ? itr_text_string(&line) : " ";
    size_t longest = 0;
    size_t run = 0;
    for (const char *at = string; *at != '\0'; at++) {
        run = *at == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    whole = add_ticks(out, longest + 1) && whole;
    whole = itr_text_add(out, longest > 0 ? " " : "") && whole;
    whole = add_escaped(out, string, in_table ? "|" : "") && whole;
    whole = itr_text_add(out, longest > 0 ? " " : "") && whole;
    whole = add_ticks(out, longest + 1) && whole;
    itr_text_release(&line);
    return whole;
}
