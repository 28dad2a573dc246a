/* Splits, searches and rewrites the text of one source file. */
#include "framework/source_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static bool begins_with(struct itr_span span, const char *word) {
    size_t length = strlen(word);
    return span.length >= length && memcmp(span.bytes, word, length) == 0;
}

static struct itr_span skip(struct itr_span span, size_t count) {
    return (struct itr_span){span.bytes + count, span.length - count};
}

static bool same(struct itr_span a, struct itr_span b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

struct itr_span itr_source_indent(struct itr_span line) {
    size_t length = 0;
    while (length < line.length && is_blank(line.bytes[length])) {
        length++;
    }
    return (struct itr_span){line.bytes, length};
}

struct itr_span itr_source_trim(struct itr_span line) {
    line = skip(line, itr_source_indent(line).length);
    while (line.length > 0 && is_blank(line.bytes[line.length - 1])) {
        line.length--;
    }
    return line;
}

bool itr_source_path_is_safe(const char *path, size_t length) {
    size_t begin = 0;
    for (size_t i = 0; i <= length; i++) {
        char c = i < length ? path[i] : '/';
        if ((unsigned char)c < ' ' || c == 0x7f || c == '\\' || c == ':' || c == '"') {
            return false;
        }
        if (c == '/') {
            size_t part = i - begin;
            if (part == 0 || (path[begin] == '.' && (part == 1 || (part == 2 && path[begin + 1] == '.')))) {
                return false;
            }
            begin = i + 1;
        }
    }
    size_t at = 0;
    size_t step = 1;
    while (at < length && step > 0) {
        step = itr_utf8_length(path + at, length - at, NULL);
        at += step;
    }
    return step > 0; /* no system's JSON has other names */
}

enum itr_status itr_source_split(struct itr_source *source, const char *name, const void *bytes, size_t count,
                                 struct itr_error *err) {
    size_t lines = 0;
    *source = (struct itr_source){.name = name, .bytes = bytes, .count = count};
    if (count > ITR_SOURCE_BYTES_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d bytes", name, ITR_SOURCE_BYTES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        lines += source->bytes[i] == '\n' || i + 1 == count ? 1 : 0;
    }
    source->lines = calloc(lines + 1, sizeof *source->lines);
    if (source->lines == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "%s: out of memory", name);
    }
    for (size_t at = 0; at < count;) {
        const char *begin = source->bytes + at;
        const char *stop = memchr(begin, '\n', count - at);
        size_t length = stop != NULL ? (size_t)(stop - begin) : count - at;
        bool crlf = stop != NULL && length > 0 && begin[length - 1] == '\r';
        source->crlf = source->line_count == 0 ? crlf : source->crlf;
        source->lines[source->line_count++] = (struct itr_span){begin, length - (crlf ? 1 : 0)};
        at += length + (stop != NULL ? 1 : 0);
    }
    return ITR_OK;
}

void itr_source_release(struct itr_source *source) {
    free(source->lines);
    *source = (struct itr_source){0};
}

/* ---- functions ---- */

/* The type of a receiver "(c *T[P])": the last word without its star and parameters. */
static struct itr_span receiver_type(struct itr_span receiver) {
    const char *bracket = receiver.length > 0 ? memchr(receiver.bytes, '[', receiver.length) : NULL;
    size_t end = bracket != NULL ? (size_t)(bracket - receiver.bytes) : receiver.length;
    size_t begin = end;
    while (begin > 0 && receiver.bytes[begin - 1] != ' ' && receiver.bytes[begin - 1] != '*') {
        begin--;
    }
    return (struct itr_span){receiver.bytes + begin, end - begin};
}

/* Is the line the head of Go's function `name`, of the type `type` (empty: of none)? */
static bool is_go_head(struct itr_span line, struct itr_span type, struct itr_span name) {
    if (!begins_with(line, "func ")) {
        return false;
    }
    line = skip(line, 5);
    if (begins_with(line, "(")) {
        const char *close = memchr(line.bytes, ')', line.length);
        size_t length = close != NULL ? (size_t)(close - line.bytes) : 0;
        if (close == NULL || length < 1 || !same(receiver_type((struct itr_span){line.bytes + 1, length - 1}), type)) {
            return false;
        }
        line = skip(line, length + 1);
        line = skip(line, itr_source_indent(line).length);
    } else if (type.length > 0) {
        return false;
    }
    return line.length > name.length && memcmp(line.bytes, name.bytes, name.length) == 0 &&
           (line.bytes[name.length] == '(' || line.bytes[name.length] == '[');
}

/* "TEXT runtime·needm(SB),…", "TEXT ·needm<ABIInternal>(SB),…", "TEXT needm<>(SB),…" */
static bool is_assembler_head(struct itr_span line, struct itr_span name) {
    static const char dot[] = "\xc2\xb7";
    if (!begins_with(line, "TEXT") || line.length < 5 || !is_blank(line.bytes[4])) {
        return false;
    }
    line = itr_source_trim(skip(line, 4));
    for (size_t i = 0; i + 1 < line.length && line.bytes[i] != '('; i++) {
        if (memcmp(line.bytes + i, dot, 2) == 0) {
            line = skip(line, i + 2);
            break;
        }
    }
    return line.length > name.length && memcmp(line.bytes, name.bytes, name.length) == 0 &&
           (line.bytes[name.length] == '(' || line.bytes[name.length] == '<');
}

static bool ends_with(struct itr_span span, const char *word) {
    size_t length = strlen(word);
    return span.length >= length && memcmp(span.bytes + span.length - length, word, length) == 0;
}

/* A declaration without a body, or one with all of it, stands on one line. */
static bool is_one_line(struct itr_span head) {
    size_t open = 0;
    for (size_t i = 0; i < head.length; i++) {
        if (head.bytes[i] == '/' && i + 1 < head.length && head.bytes[i + 1] == '/') {
            head.length = i;
            break;
        }
        open += head.bytes[i] == '(' ? 1 : 0;
        open -= head.bytes[i] == ')' && open > 0 ? 1 : 0;
    }
    return open == 0 && !ends_with(itr_source_trim(head), "{");
}

static size_t end_of(const struct itr_source *source, size_t first, bool assembler) {
    size_t at = first + 1;
    if (!assembler && is_one_line(source->lines[first])) {
        return at;
    }
    while (at < source->line_count && !begins_with(source->lines[at], assembler ? "TEXT" : "}")) {
        at++;
    }
    return at < source->line_count && !assembler ? at + 1 : at;
}

size_t itr_source_function(const struct itr_source *source, struct itr_span name, size_t *first, size_t *end) {
    size_t found = 0;
    size_t length = strlen(source->name);
    bool assembler = length > 2 && strcmp(source->name + length - 2, ".s") == 0;
    struct itr_span type = {name.bytes, 0};
    const char *dot = name.length > 0 && !assembler ? memchr(name.bytes, '.', name.length) : NULL;
    if (dot != NULL) {
        type.length = (size_t)(dot - name.bytes);
        name = skip(name, type.length + 1);
    }
    for (size_t i = 0; i < source->line_count; i++) {
        if (assembler ? is_assembler_head(source->lines[i], name) : is_go_head(source->lines[i], type, name)) {
            if (found++ == 0) {
                *first = i;
                *end = end_of(source, i, assembler);
            }
        }
    }
    return found;
}

/* ---- lines ---- */

static bool equal_lines(struct itr_span have, struct itr_span wanted, enum itr_line_compare compare) {
    return compare == ITR_LINES_EXACT ? same(have, wanted) : same(itr_source_trim(have), itr_source_trim(wanted));
}

bool itr_source_matches(const struct itr_source *source, size_t first, const struct itr_span *lines, size_t count,
                        enum itr_line_compare compare) {
    if (first > source->line_count || count > source->line_count - first) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!equal_lines(source->lines[first + i], lines[i], compare)) {
            return false;
        }
    }
    return true;
}

/* Knuth, Morris and Pratt: text that repeats itself costs no more than other text. */
static void find_borders(const struct itr_span *lines, size_t count, enum itr_line_compare compare, size_t *borders) {
    size_t border = 0;
    borders[0] = 0;
    for (size_t i = 1; i < count; i++) {
        while (border > 0 && !equal_lines(lines[i], lines[border], compare)) {
            border = borders[border - 1];
        }
        border += equal_lines(lines[i], lines[border], compare) ? 1 : 0;
        borders[i] = border;
    }
}

size_t itr_source_find(const struct itr_source *source, size_t first, size_t end, const struct itr_span *lines,
                       size_t count, enum itr_line_compare compare, size_t *borders,
                       size_t places[ITR_SOURCE_PLACES_MAX]) {
    size_t found = 0;
    size_t equal = 0;
    if (count == 0) {
        return 0;
    }
    find_borders(lines, count, compare, borders);
    for (size_t i = first; i < end; i++) {
        while (equal > 0 && !equal_lines(source->lines[i], lines[equal], compare)) {
            equal = borders[equal - 1];
        }
        equal += equal_lines(source->lines[i], lines[equal], compare) ? 1 : 0;
        if (equal == count) {
            if (found < ITR_SOURCE_PLACES_MAX) {
                places[found] = i + 1 - count;
            }
            found++;
            equal = borders[equal - 1];
        }
    }
    return found;
}

void itr_source_times(size_t found, const size_t places[ITR_SOURCE_PLACES_MAX], char *out, size_t room) {
    size_t named = found < ITR_SOURCE_PLACES_MAX ? found : ITR_SOURCE_PLACES_MAX;
    int used = snprintf(out, room, "%zu time%s", found, found == 1 ? "" : "s");
    for (size_t i = 0; i < named && used > 0 && (size_t)used < room; i++) {
        const char *before = i == 0 ? (found == 1 ? " (line " : " (lines ") : i + 1 == found ? " and " : ", ";
        const char *behind = i + 1 < named ? "" : found > named ? ", …)" : ")";
        used += snprintf(out + used, room - (size_t)used, "%s%zu%s", before, places[i] + 1, behind);
    }
}

/* ---- new text ---- */

static int compare_edits(const void *left, const void *right) {
    const struct itr_line_edit *a = left;
    const struct itr_line_edit *b = right;
    if (a->first != b->first) {
        return a->first < b->first ? -1 : 1;
    }
    if ((a->removed == 0) != (b->removed == 0)) {
        return a->removed == 0 ? -1 : 1;
    }
    if (a->follows != b->follows) {
        return a->follows ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order ? 1 : 0;
}

/* Whatever follows begins on a line of its own. */
static void end_line(const struct itr_source *source, struct itr_text *text) {
    if (text->length > 0 && text->data[text->length - 1] != '\n') {
        itr_text_add(text, source->crlf ? "\r\n" : "\n");
    }
}

static void keep_lines(const struct itr_source *source, size_t first, size_t end, struct itr_text *text) {
    if (first < end) {
        const char *begin = source->lines[first].bytes;
        const char *stop = end < source->line_count ? source->lines[end].bytes : source->bytes + source->count;
        end_line(source, text);
        itr_text_append(text, begin, (size_t)(stop - begin));
    }
}

static void put_lines(const struct itr_source *source, const struct itr_line_edit *edit, struct itr_text *text) {
    for (size_t i = 0; i < edit->count; i++) {
        end_line(source, text);
        if (itr_source_trim(edit->lines[i]).length > 0) {
            itr_text_append(text, edit->indent.bytes, edit->indent.length);
        }
        itr_text_append(text, edit->lines[i].bytes, edit->lines[i].length);
        itr_text_add(text, source->crlf ? "\r\n" : "\n");
    }
}

enum itr_status itr_source_rewrite(const struct itr_source *source, struct itr_line_edit *edits, size_t count,
                                   bool open_end, struct itr_text *text, struct itr_error *err) {
    size_t at = 0;
    if (count > 1) {
        qsort(edits, count, sizeof *edits, compare_edits);
    }
    text->ceiling = ITR_SOURCE_BYTES_MAX;
    for (size_t i = 0; i < count; i++) {
        if (edits[i].first < at || edits[i].first + edits[i].removed > source->line_count) {
            ITR_BUG("edits of %s overlap", source->name);
        }
        keep_lines(source, at, edits[i].first, text);
        put_lines(source, &edits[i], text);
        at = edits[i].first + edits[i].removed;
    }
    keep_lines(source, at, source->line_count, text);
    if (text->no_memory) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "%s: out of memory", source->name);
    }
    if (text->truncated) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d bytes", source->name, ITR_SOURCE_BYTES_MAX);
    }
    if (open_end && text->length > 0 && text->data[text->length - 1] == '\n') {
        text->data[--text->length] = '\0';
        if (text->length > 0 && text->data[text->length - 1] == '\r') {
            text->data[--text->length] = '\0';
        }
    }
    return ITR_OK;
}
