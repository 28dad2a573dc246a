/* Windows in words: where each opens and closes, what instruction does it, and how sure that is. */
#include "framework/report_locate.h"

#include "framework/instruction.h"
#include "framework/record_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PLACE_MAX = 320, CLAUSE_MAX = 240 };

static const struct itr_axis_point *point_at(const struct itr_located *located, uint32_t position) {
    return &located->sweep->axis->points[position];
}

/* "runtime.initsig+0x1c (signal_unix.go:137)". */
static void name_place(const struct itr_located *located, uint32_t position, char *out, size_t room) {
    if (!itr_axis_describe(located->sweep->axis, located->work->library_image, position, out, room)) {
        snprintf(out, room, "+0x%" PRIx32, point_at(located, position)->rva);
    }
}

static void describe(const struct itr_located *located, uint32_t position, char *out, size_t room) {
    const struct itr_image *image = located->work->library_image;
    if (image == NULL || !itr_instruction_describe(image, point_at(located, position)->rva, out, room)) {
        snprintf(out, room, "an instruction that cannot be read");
    }
}

/* Between two neighbours on the axis the thread may run instructions again that it had run before: only where
 * the later one follows directly is the earlier one what did it. */
static uint64_t run_again_between(const struct itr_located *located, uint32_t before, uint32_t after) {
    const struct itr_axis_point *a = point_at(located, before);
    const struct itr_axis_point *b = point_at(located, after);
    return b->first > a->first ? b->first - a->first - 1 : 0;
}

/* What happens between the last shot on one side and the first one on the other. */
static void explain_edge(struct itr_text *out, const struct itr_located *located, const char *verb, uint32_t before,
                         uint32_t after) {
    char place[PLACE_MAX];
    char clause[CLAUSE_MAX];
    uint64_t again = run_again_between(located, before, after);
    name_place(located, before, place, sizeof place);
    describe(located, before, clause, sizeof clause);
    itr_text_printf(out, "    %s %s: %s", verb, place, clause);
    if (after - before > 1) {
        itr_text_printf(out, ", or one of the %" PRIu32 " after it that no shot reached", after - before - 1);
    }
    if (again > after - before - 1) {
        itr_text_printf(out, ", or in the %" PRIu64 " instructions until the next new one, all of which had run before",
                        again - (after - before - 1));
    }
    itr_text_add(out, "\n");
}

static void add_edges(struct itr_text *out, const struct itr_located *located, const struct itr_window *window) {
    if (!window->opening.open) {
        explain_edge(out, located, "opened by", window->opening.outside, window->opening.inside);
    }
    if (!window->closing.open) {
        explain_edge(out, located, "closed by", window->closing.inside, window->closing.outside);
    }
    bool unsure = (!window->opening.open && !(window->opening.adjacent && window->opening.confirmed)) ||
                  (!window->closing.open && !(window->closing.adjacent && window->closing.confirmed));
    if (unsure) {
        itr_text_add(out, "    not every edge is confirmed to the instruction: the search was cut short, or the rate "
                          "changes slowly there\n");
    }
}

static void add_rate(struct itr_text *out, const char *where, uint64_t hits, uint64_t trials, double rate,
                     const struct itr_interval *ci95) {
    if (trials == 0) {
        itr_text_printf(out, "%s no shots", where);
        return;
    }
    itr_text_printf(out, "%s %.2f %% [%.2f, %.2f] (%" PRIu64 " of %" PRIu64 " shots)", where, 100 * rate, 100 * ci95->low,
                    100 * ci95->high, hits, trials);
}

static void add_window(struct itr_text *out, const struct itr_located *located, size_t index) {
    const struct itr_window *window = &located->windows.items[index];
    char from[PLACE_MAX];
    char to[PLACE_MAX];
    char signature[400];
    const char *name = located->signatures[window->signature];
    itr_escape_into(signature, sizeof signature, ITR_ESCAPE_TERMINAL, name, strlen(name));
    name_place(located, window->opening.inside, from, sizeof from);
    name_place(located, window->closing.inside, to, sizeof to);
    itr_text_printf(out, "  window %zu: %s\n    from %s%s to %s%s\n", index + 1, signature, from,
                    window->opening.open ? " (the first instruction that can be fired at)" : "",
                    to, window->closing.open ? " and on: open-ended" : "");
    add_edges(out, located, window);
    itr_text_add(out, "    ");
    add_rate(out, "inside", window->hits, window->trials, window->rate, &window->ci95);
    itr_text_add(out, "; ");
    add_rate(out, "outside", window->outside_hits, window->outside_trials, window->outside_rate, &window->outside_ci95);
    itr_text_add(out, "\n");
}

static void add_writes(struct itr_text *out, const struct itr_located *located) {
    for (uint32_t i = 0; i < located->write_count; i++) {
        const struct itr_located_write *write = &located->writes[i];
        char place[PLACE_MAX];
        if (write->position != UINT32_MAX) {
            name_place(located, write->position, place, sizeof place);
        } else {
            snprintf(place, sizeof place, "+0x%" PRIx64 ", which is not on the axis", write->rva);
        }
        itr_text_printf(out, "  watched %s: 0x%" PRIx64 " -> 0x%" PRIx64 " at %.3f ms by %s (%s thread)\n",
                        located->work->watch_names[write->watch], write->old_value, write->new_value,
                        (double)write->time_ns / 1e6, place, itr_role_name((uint32_t)write->role));
    }
}

static void add_none(struct itr_text *out, const struct itr_located *located) {
    const struct itr_windows *windows = &located->windows;
    if (windows->trials == 0) {
        itr_text_add(out, "  no shot landed: nothing is known\n");
        return;
    }
    itr_text_printf(out,
                    "  no window: %" PRIu64 " of %" PRIu64 " shots failed, at %" PRIu32 " of %" PRIu32
                    " instructions of the axis\n",
                    windows->failures, windows->trials, (uint32_t)located->samples.count,
                    (uint32_t)located->sweep->axis->count);
    if (located->sweep->count < located->sweep->axis->count) {
        itr_text_add(out, "    a window between two function entries would not be seen: try --sweep instructions, another "
                          "--target, or --thread main\n");
    }
}

void itr_report_located(struct itr_text *out, const struct itr_located *located, const struct itr_summary *summary,
                        const char *picture) {
    const struct itr_cell *cell = &summary->cells[located->cell];
    char title[ITR_TITLE_MAX];
    char clean[ITR_TITLE_MAX + 200];
    itr_cell_title(cell, title, sizeof title);
    itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, title, strlen(title));
    itr_text_printf(out, "%s: %s by %s to %s\n", clean, itr_event_name((uint32_t)cell->aim.event),
                    itr_delivery_name((uint32_t)cell->aim.delivery), itr_target_name((uint32_t)cell->aim.target));
    if (located->sweep == NULL) {
        itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, cell->skip, strlen(cell->skip));
        itr_text_printf(out, "  skipped: %s\n", clean);
        return;
    }
    itr_text_printf(out, "  along the %s thread: %" PRIu32 " instructions, %" PRIu32 " places to begin with\n",
                    itr_role_name((uint32_t)cell->aim.point.role), (uint32_t)located->sweep->axis->count,
                    located->sweep->count);
    for (size_t i = 0; i < located->windows.count; i++) {
        add_window(out, located, i);
    }
    if (located->windows.count == 0) {
        add_none(out, located);
    }
    if (located->windows.cut) {
        itr_text_printf(out, "  there are more than %d windows\n", (int)ITR_WINDOWS_MAX);
    }
    add_writes(out, located);
    itr_text_printf(out, "  %" PRIu64 " shots (and %" PRIu64 " at instructions that were not reached) in %" PRIu32
                         " rounds, %.1f s%s\n",
                    located->shots, located->missed, located->rounds, (double)located->elapsed_ns / 1e9,
                    located->complete ? "" : ": NOT finished");
    if (picture != NULL) {
        itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, picture, strlen(picture));
        itr_text_printf(out, "  picture: %s\n", clean);
    }
}

/* ---- JSON ---- */

static json_t *place_to_json(const struct itr_located *located, uint32_t position) {
    const struct itr_image *image = located->work->library_image;
    uint64_t rva = point_at(located, position)->rva;
    const char *symbol = NULL;
    const char *file = NULL;
    uint64_t offset = 0;
    uint32_t line = 0;
    char name[PLACE_MAX];
    char clause[CLAUSE_MAX];
    name_place(located, position, name, sizeof name);
    describe(located, position, clause, sizeof clause);
    json_t *json = json_pack("{s:I, s:o, s:s, s:s}", "position", (json_int_t)position, "rva", itr_json_hex(rva), "name", name,
                             "does", clause);
    if (json != NULL && image != NULL && itr_image_symbol_at(image, rva, &symbol, &offset)) {
        itr_record_put(&json, "symbol", itr_record_string(symbol, strlen(symbol)));
        itr_record_put(&json, "offset", json_integer((json_int_t)offset));
    }
    if (json != NULL && image != NULL && itr_image_line_at(image, rva, &file, &line)) {
        itr_record_put(&json, "file", itr_record_string(file, strlen(file)));
        itr_record_put(&json, "line", json_integer((json_int_t)line));
    }
    return json;
}

static json_t *edge_to_json(const struct itr_located *located, const struct itr_edge *edge, bool opening) {
    if (edge->open) {
        return json_pack("{s:b, s:o}", "open", 1, "inside", place_to_json(located, edge->inside));
    }
    uint32_t before = opening ? edge->outside : edge->inside;
    uint32_t after = opening ? edge->inside : edge->outside;
    return json_pack("{s:b, s:o, s:o, s:b, s:b, s:I}", "open", 0, "outside", place_to_json(located, edge->outside), "inside",
                     place_to_json(located, edge->inside), "adjacent", (int)edge->adjacent, "confirmed",
                     (int)edge->confirmed, "run_again_between", (json_int_t)run_again_between(located, before, after));
}

static json_t *real_or_null(double value) {
    return value != value ? json_null() : json_real(value); /* isnan() converts to float in mingw */
}

static json_t *window_to_json(const struct itr_located *located, const struct itr_window *window) {
    return json_pack("{s:s, s:o, s:o, s:I, s:I, s:o, s:[o, o], s:I, s:I, s:o, s:[o, o]}", "signature",
                     located->signatures[window->signature], "opening", edge_to_json(located, &window->opening, true),
                     "closing", edge_to_json(located, &window->closing, false), "hits", (json_int_t)window->hits,
                     "shots", (json_int_t)window->trials, "rate", real_or_null(window->rate), "rate_ci95",
                     real_or_null(window->ci95.low), real_or_null(window->ci95.high), "outside_hits",
                     (json_int_t)window->outside_hits, "outside_shots", (json_int_t)window->outside_trials,
                     "outside_rate", real_or_null(window->outside_rate), "outside_rate_ci95",
                     real_or_null(window->outside_ci95.low), real_or_null(window->outside_ci95.high));
}

static json_t *writes_to_json(const struct itr_located *located) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < located->write_count; i++) {
        const struct itr_located_write *write = &located->writes[i];
        itr_record_append(
            &list, json_pack("{s:o, s:o, s:o, s:I, s:s, s:o, s:o}", "variable",
                             itr_record_clean(located->work->watch_names[write->watch]),
                            "old", itr_json_hex(write->old_value), "new", itr_json_hex(write->new_value), "after_load_ns",
                            (json_int_t)write->time_ns, "thread", itr_role_name((uint32_t)write->role), "rva",
                            itr_json_hex(write->rva), "by",
                            write->position != UINT32_MAX ? place_to_json(located, write->position) : json_null()));
    }
    return list;
}

json_t *itr_located_to_json(const struct itr_located *located, const struct itr_summary *summary, const char *picture) {
    const struct itr_cell *cell = &summary->cells[located->cell];
    json_t *windows = json_array();
    json_t *json = itr_cell_to_json(cell); /* NULL when memory is out */
    for (size_t i = 0; i < located->windows.count; i++) {
        itr_record_append(&windows, window_to_json(located, &located->windows.items[i]));
    }
    if (json == NULL || located->sweep == NULL) {
        json_decref(windows);
        return json;
    }
    json_t *found = json_pack("{s:o, s:b, s:I, s:I, s:I, s:I, s:f, s:I, s:o, s:s?}", "windows", windows, "complete",
                              (int)located->complete, "shots", (json_int_t)located->shots, "missed",
                              (json_int_t)located->missed, "failures", (json_int_t)located->windows.failures, "rounds",
                              (json_int_t)located->rounds, "elapsed_s", (double)located->elapsed_ns / 1e9,
                              "axis_instructions", (json_int_t)located->sweep->axis->count, "writes",
                              writes_to_json(located), "picture", picture);
    if (found == NULL || json_object_update(json, found) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(found);
    return json;
}
