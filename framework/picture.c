/* Draws a locate result. From the top: title, legend, windows, outcomes, functions, writes. */
#include "framework/picture.h"

#include <inttypes.h>
#include <string.h>

enum {
    LEFT = 50,
    WIDTH = 1100,
    LINE = 17,       /* a line of text */
    OUTCOMES = 170,  /* height of the columns */
    STRIP = 22,      /* of the functions */
    SLANTED = 120,   /* of their names below */
    COLUMN_MOST = 4, /* widest column */
    NAME_MOST = 26,  /* bytes of a slanted name */
    TIP_MOST = 40,   /* bytes of a signature in a column's tooltip: there are many */
    WINDOW_ROW = 3 * LINE + 8,
};

static const char style[] =
    "text{font:12px system-ui,sans-serif;fill:#1c2733}.t{font-size:16px;font-weight:600}"
    ".f{font-size:11px}.bg{fill:#fff}.plot{fill:#eef1f4}.even{fill:#9fb0c0}.odd{fill:#c9d3dc}"
    ".none{fill:#7d8995}.line{stroke:#1c2733;fill:none}.mark{stroke:#1c2733;stroke-dasharray:3 3}"
    ".s0{fill:#c3ccd4}.s1{fill:#d55e00}.s2{fill:#0072b2}.s3{fill:#009e73}.s4{fill:#cc79a7}"
    ".s5{fill:#e69f00}.s6{fill:#56b4e9}.s7{fill:#a89a00}.hit{fill:#000;fill-opacity:0}"
    "@media(prefers-color-scheme:dark){text{fill:#d6dde4}.bg{fill:#0f1419}.plot{fill:#1a2129}"
    ".even{fill:#4a5a69}.odd{fill:#33404c}.line,.mark{stroke:#d6dde4}.s0{fill:#52606c}.s2{fill:#"
    "3a9bd9}}";

/* Where the parts of one picture begin, in pixels from the top. */
struct layout {
    int legend;
    int windows;
    int outcomes;
    int strip;
    int writes;
    int height;
    size_t windows_shown;
    size_t writes_shown;
    size_t signatures;
};

struct column {
    uint64_t counts[ITR_SAMPLE_SIGNATURES_MAX];
    uint64_t trials;
    uint64_t missed;
    uint32_t from; /* positions of its samples */
    uint32_t to;
};

/* At most `most` bytes of a text, cut between characters. */
static void add_cut(struct itr_text *out, const char *label, size_t most) {
    size_t count = label != NULL ? strlen(label) : 0;
    size_t shown = count < most ? count : most;
    while (shown > 0 && shown < count && ((uint8_t)label[shown] & 0xc0) == 0x80) {
        shown--;
    }
    itr_text_escape(out, ITR_ESCAPE_XML_TEXT, label != NULL ? label : "", shown);
    if (shown < count) {
        itr_text_add(out, "…");
    }
}

static void add_label(struct itr_text *out, const char *label) {
    add_cut(out, label, ITR_PICTURE_LABEL_MAX);
}

static double x_of(const struct itr_picture *picture, uint64_t position) {
    return LEFT +
           (double)WIDTH * (double)position / (double)(picture->length > 0 ? picture->length : 1);
}

static struct layout lay_out(const struct itr_picture *picture) {
    struct layout layout = {.legend = 36 + (picture->subtitle != NULL ? LINE : 0)};
    layout.signatures = picture->signature_count < ITR_SAMPLE_SIGNATURES_MAX
                            ? picture->signature_count
                            : ITR_SAMPLE_SIGNATURES_MAX;
    layout.windows_shown = picture->window_count < ITR_PICTURE_WINDOWS_MAX
                               ? picture->window_count
                               : ITR_PICTURE_WINDOWS_MAX;
    layout.writes_shown = picture->write_count < ITR_PICTURE_WRITES_MAX ? picture->write_count
                                                                        : ITR_PICTURE_WRITES_MAX;
    layout.windows = layout.legend + (int)layout.signatures * LINE + 10;
    layout.outcomes = layout.windows + (int)layout.windows_shown * WINDOW_ROW +
                      (layout.windows_shown < picture->window_count ? LINE : 0);
    layout.strip = layout.outcomes + OUTCOMES + 6;
    layout.writes = layout.strip + STRIP + SLANTED + 2 * LINE;
    layout.height = layout.writes + ((int)layout.writes_shown + 1) * LINE + 10;
    return layout;
}

static void add_text(struct itr_text *out, double x, int y, const char *attributes,
                     const char *text) {
    itr_text_printf(out, "<text x=\"%.1f\" y=\"%d\"%s>", x, y, attributes);
    add_label(out, text);
    itr_text_add(out, "</text>\n");
}

static void draw_head(struct itr_text *out, const struct itr_picture *picture,
                      const struct layout *layout) {
    itr_text_printf(out,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                    "height=\"%d\" role=\"img\">\n<title>",
                    WIDTH + 2 * LEFT, layout->height, WIDTH + 2 * LEFT, layout->height);
    add_label(out, picture->title);
    itr_text_printf(
        out, "</title>\n<style>%s</style>\n<rect class=\"bg\" width=\"100%%\" height=\"100%%\"/>\n",
        style);
    add_text(out, LEFT, 26, " class=\"t\"", picture->title);
    if (picture->subtitle != NULL) {
        add_text(out, LEFT, 26 + LINE, "", picture->subtitle);
    }
    for (size_t i = 0; i < layout->signatures; i++) {
        int y = layout->legend + (int)i * LINE;
        itr_text_printf(out, "<rect class=\"s%zu\" x=\"%d\" y=\"%d\" width=\"12\" height=\"12\"/>",
                        i, LEFT, y);
        add_text(out, LEFT + 18, y + 10, "", picture->signatures[i]);
    }
}

/* ---- windows ---- */

static void draw_edge_line(struct itr_text *out, double x, int y, const char *anchor,
                           const char *word, const char *what, const char *otherwise) {
    itr_text_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\" class=\"f\">%s", x, y,
                    anchor, word);
    add_label(out, what != NULL ? what : otherwise);
    itr_text_add(out, "</text>\n");
}

static void draw_window(struct itr_text *out, const struct itr_picture *picture,
                        const struct itr_picture_window *window, const struct layout *layout,
                        int y) {
    double from = x_of(picture, window->from);
    double to = x_of(picture, (uint64_t)window->to + 1);
    double middle = (from + to) / 2;
    bool right = middle > LEFT + 0.55 * WIDTH;
    const char *anchor = right ? "end" : "start";
    double x = right ? (to > LEFT + WIDTH ? LEFT + WIDTH : to) : from;
    int foot = y + WINDOW_ROW - 6;
    if (window->from >= picture->length || window->to >= picture->length ||
        window->to < window->from) {
        return;
    }
    to = to - from < 1 ? from + 1 : to;
    itr_text_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">", x, y + 12, anchor);
    add_label(out, window->label);
    itr_text_add(out, "</text>\n");
    draw_edge_line(out, x, y + 12 + LINE - 3, anchor, "opens: ", window->opening,
                   "no edge, open from the beginning");
    draw_edge_line(out, x, y + 12 + 2 * (LINE - 3), anchor, "closes: ", window->closing,
                   "never, open-ended");
    itr_text_printf(out, "<rect class=\"s%u\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"4\"/>",
                    (unsigned)(window->signature % ITR_SAMPLE_SIGNATURES_MAX), from, foot - 4,
                    to - from);
    if (!window->open_before) {
        itr_text_printf(out, "<path class=\"line\" d=\"M%.1f %dV%d\"/>", from, foot - 5,
                        layout->outcomes + OUTCOMES);
    }
    if (!window->open_after) {
        itr_text_printf(out, "<path class=\"line\" d=\"M%.1f %dV%d\"/>", to, foot - 5,
                        layout->outcomes + OUTCOMES);
    }
    itr_text_add(out, "\n");
}

static void draw_windows(struct itr_text *out, const struct itr_picture *picture,
                         const struct layout *layout) {
    int y = layout->windows;
    for (size_t i = 0; i < layout->windows_shown; i++, y += WINDOW_ROW) {
        draw_window(out, picture, &picture->windows[i], layout, y);
    }
    if (layout->windows_shown < picture->window_count) {
        itr_text_printf(out, "<text x=\"%d\" y=\"%d\">and %zu more windows</text>\n", LEFT, y + 12,
                        picture->window_count - layout->windows_shown);
    }
}

/* ---- outcomes ---- */

static void fill_columns(const struct itr_picture *picture, struct column *columns) {
    for (size_t i = 0; i < picture->sample_count; i++) {
        const struct itr_sample *sample = &picture->samples[i];
        struct column *column;
        bool first;
        if (sample->position >= picture->length) {
            continue;
        }
        column = &columns[(uint64_t)sample->position * ITR_PICTURE_COLUMNS_MAX / picture->length];
        first = column->trials == 0 && column->missed == 0;
        column->from = first || sample->position < column->from ? sample->position : column->from;
        column->to = first || sample->position > column->to ? sample->position : column->to;
        column->missed += sample->missed;
        for (size_t k = 0; k < ITR_SAMPLE_SIGNATURES_MAX; k++) {
            column->counts[k] += sample->counts[k];
            column->trials += sample->counts[k];
        }
    }
}

static double column_width(const struct column *columns, size_t i) {
    size_t next = i + 1;
    while (next < ITR_PICTURE_COLUMNS_MAX && next < i + COLUMN_MOST && columns[next].trials == 0 &&
           columns[next].missed == 0) {
        next++;
    }
    return (double)(next - i) * WIDTH / ITR_PICTURE_COLUMNS_MAX;
}

/* All pieces of one signature in one path: failing ones stand at the bottom. */
static void draw_signature(struct itr_text *out, const struct column *columns, size_t signature,
                           const struct layout *layout) {
    bool any = false;
    for (size_t i = 0; i < ITR_PICTURE_COLUMNS_MAX; i++) {
        uint64_t below = 0;
        double scale;
        if (columns[i].counts[signature] == 0) {
            continue;
        }
        for (size_t k = 1; signature == 0 ? k < ITR_SAMPLE_SIGNATURES_MAX : k < signature; k++) {
            below += columns[i].counts[k];
        }
        scale = (double)OUTCOMES / (double)columns[i].trials;
        if (!any) {
            itr_text_printf(out, "<path class=\"s%zu\" d=\"", signature);
            any = true;
        }
        itr_text_printf(out, "M%.1f %.1fh%.1fv-%.1fh-%.1fz",
                        LEFT + (double)i * WIDTH / ITR_PICTURE_COLUMNS_MAX,
                        layout->outcomes + OUTCOMES - (double)below * scale,
                        column_width(columns, i), (double)columns[i].counts[signature] * scale,
                        column_width(columns, i));
    }
    itr_text_add(out, any ? "\"/>\n" : "");
}

/* The numbers of a column, for a pointer that rests on it. */
static void draw_tooltip(struct itr_text *out, const struct itr_picture *picture,
                         const struct column *column, double x, double width,
                         const struct layout *layout) {
    bool missed = column->trials == 0;
    itr_text_printf(out,
                    "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>",
                    missed ? "none" : "hit", x, layout->outcomes + (missed ? OUTCOMES - 4 : 0),
                    width, missed ? 4 : OUTCOMES);
    itr_text_printf(out, "%" PRIu32, column->from);
    if (column->to != column->from) {
        itr_text_printf(out, " – %" PRIu32, column->to);
    }
    for (size_t k = 0; k < ITR_SAMPLE_SIGNATURES_MAX; k++) {
        if (column->counts[k] > 0) {
            itr_text_printf(out, ", %" PRIu64 " ", column->counts[k]);
            add_cut(out, k < picture->signature_count ? picture->signatures[k] : "(other)",
                    TIP_MOST);
        }
    }
    if (column->missed > 0) {
        itr_text_printf(out, ", %" PRIu64 " not reached", column->missed);
    }
    itr_text_add(out, "</title></rect>\n");
}

static void draw_outcomes(struct itr_text *out, const struct itr_picture *picture,
                          const struct layout *layout) {
    struct column columns[ITR_PICTURE_COLUMNS_MAX];
    memset(columns, 0, sizeof columns);
    itr_text_printf(out, "<rect class=\"plot\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
                    LEFT, layout->outcomes, WIDTH, OUTCOMES);
    fill_columns(picture, columns);
    for (size_t k = 0; k < ITR_SAMPLE_SIGNATURES_MAX; k++) {
        draw_signature(out, columns, k, layout);
    }
    for (size_t i = 0; i < ITR_PICTURE_COLUMNS_MAX; i++) {
        if (columns[i].trials > 0 || columns[i].missed > 0) {
            draw_tooltip(out, picture, &columns[i],
                         LEFT + (double)i * WIDTH / ITR_PICTURE_COLUMNS_MAX,
                         column_width(columns, i), layout);
        }
    }
    add_text(out, LEFT - 6, layout->outcomes + 10, " text-anchor=\"end\"", "100 %");
    add_text(out, LEFT - 6, layout->outcomes + OUTCOMES, " text-anchor=\"end\"", "0 %");
}

/* ---- functions ---- */

/* Neighbours narrower than a pixel together are one piece. */
static void draw_strip(struct itr_text *out, const struct itr_picture *picture,
                       const struct layout *layout) {
    unsigned drawn = 0;
    for (size_t i = 0, next; i < picture->function_count; i = next) {
        const struct itr_picture_function *first = &picture->functions[i];
        double from = x_of(picture, first->from);
        double to = x_of(picture, first->to);
        for (next = i + 1; next < picture->function_count && to - from < 1; next++) {
            to = x_of(picture, picture->functions[next].to);
        }
        if (first->from >= picture->length || !(to > from) || to > LEFT + WIDTH + 0.5) {
            continue;
        }
        itr_text_printf(
            out, "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>",
            drawn++ % 2 == 0 ? "even" : "odd", from, layout->strip, to - from, STRIP);
        add_label(out, first->name != NULL ? first->name : "(no symbol)");
        if (next - i > 1) {
            itr_text_printf(out, " and %zu more", next - i - 1);
        }
        itr_text_add(out, "</title></rect>\n");
    }
}

static bool before(const struct itr_picture_function *a, const struct itr_picture_function *b) {
    return a->important != b->important ? a->important : a->to - a->from > b->to - b->from;
}

/* The names of the important, then the longest functions, as far as they do not meet. */
static void draw_names(struct itr_text *out, const struct itr_picture *picture,
                       const struct layout *layout) {
    const struct itr_picture_function *chosen[ITR_PICTURE_FUNCTIONS_MAX];
    size_t count = 0;
    while (count < ITR_PICTURE_FUNCTIONS_MAX) {
        const struct itr_picture_function *best = NULL;
        for (size_t i = 0; i < picture->function_count; i++) {
            const struct itr_picture_function *one = &picture->functions[i];
            double x = x_of(picture, ((uint64_t)one->from + one->to) / 2);
            bool fits = one->name != NULL && one->from < one->to && one->to <= picture->length;
            for (size_t k = 0; fits && k < count; k++) {
                double away = x - x_of(picture, ((uint64_t)chosen[k]->from + chosen[k]->to) / 2);
                fits = away >= 16 || away <= -16;
            }
            if (fits && (best == NULL || before(one, best))) {
                best = one;
            }
        }
        if (best == NULL) {
            break;
        }
        chosen[count++] = best;
    }
    for (size_t k = 0; k < count; k++) {
        double x = x_of(picture, ((uint64_t)chosen[k]->from + chosen[k]->to) / 2);
        itr_text_printf(out, "<text class=\"f\" transform=\"translate(%.1f %d) rotate(38)\">", x,
                        layout->strip + STRIP + 12);
        add_cut(out, chosen[k]->name, NAME_MOST);
        itr_text_add(out, "</text>\n");
    }
}

/* ---- writes, and the axis itself ---- */

static void draw_writes(struct itr_text *out, const struct itr_picture *picture,
                        const struct layout *layout) {
    for (size_t i = 0; i < layout->writes_shown; i++) {
        const struct itr_picture_write *write = &picture->writes[i];
        double x = x_of(picture, write->position) + 0.5;
        int y = layout->writes + (int)(i + 1) * LINE;
        if (write->position < picture->length) {
            itr_text_printf(out,
                            "<path class=\"mark\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" "
                            "class=\"f\">%zu</text>",
                            x, layout->outcomes, layout->strip + STRIP, x + 2,
                            layout->outcomes + 10 + (int)(i % 8) * 11, i + 1);
        }
        itr_text_printf(out, "<text x=\"%d\" y=\"%d\">%zu: ", LEFT, y, i + 1);
        add_label(out, write->variable);
        itr_text_printf(out, " 0x%" PRIx64 " → 0x%" PRIx64 " at %.3f ms</text>\n", write->old_value,
                        write->new_value, (double)write->time_ns / 1e6);
    }
    if (layout->writes_shown < picture->write_count) {
        itr_text_printf(out, "<text x=\"%d\" y=\"%d\">and %zu more writes</text>\n", LEFT,
                        layout->writes + (int)(layout->writes_shown + 1) * LINE,
                        picture->write_count - layout->writes_shown);
    }
}

static void draw_axis(struct itr_text *out, const struct itr_picture *picture,
                      const struct layout *layout) {
    int y = layout->strip + STRIP + SLANTED + LINE;
    itr_text_printf(
        out,
        "<text x=\"%d\" y=\"%d\">0</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%" PRIu32
        "</text>\n",
        LEFT, y, LEFT + WIDTH, y, picture->length);
    add_text(out, LEFT + WIDTH / 2.0, y, " text-anchor=\"middle\"", picture->axis);
}

void itr_picture_svg(struct itr_text *out, const struct itr_picture *picture) {
    struct layout layout = lay_out(picture);
    draw_head(out, picture, &layout);
    draw_outcomes(out, picture, &layout);
    draw_windows(out, picture, &layout);
    draw_strip(out, picture, &layout);
    draw_names(out, picture, &layout);
    draw_axis(out, picture, &layout);
    draw_writes(out, picture, &layout);
    itr_text_add(out, "</svg>\n");
}
