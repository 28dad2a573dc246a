/* What reports of a campaign must be whatever the campaign's folder says. For fuzz targets of records only. */
#ifndef INITRACE_FRAMEWORK_FUZZ_SUMMARY_CHECKS_H
#define INITRACE_FRAMEWORK_FUZZ_SUMMARY_CHECKS_H

#include "framework/fuzz/fuzz.h"
#include "framework/report.h"

/* Well enough formed: tags end, no bracket in a value, every ampersand begins an entity. */
FUZZ_UNUSED static void fuzz_check_markup(const char *text) {
    while (*text != '\0') {
        if (*text == '&') {
            size_t name = strspn(text + 1, "#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
            FUZZ_CHECK(name > 0 && text[1 + name] == ';');
        }
        FUZZ_CHECK(*text != '>');
        if (*text++ != '<') {
            continue;
        }
        char quote = '\0';
        for (; *text != '>' || quote != '\0'; text++) {
            FUZZ_CHECK(*text != '\0' && *text != '<');
            if (*text == quote) {
                quote = '\0';
            } else if (quote == '\0' && (*text == '"' || *text == '\'')) {
                quote = *text;
            }
        }
        text++;
    }
}

FUZZ_UNUSED static void fuzz_check_reports(const struct itr_summary *summary) {
    struct itr_text text = {0};
    itr_report_text(&text, summary, false);
    fuzz_check_clean(itr_text_string(&text), text.length, "\n\t");
    itr_text_reset(&text);
    itr_report_text(&text, summary, true);
    fuzz_check_clean(itr_text_string(&text), text.length, "\n\t\x1b");
    itr_text_reset(&text);
    itr_report_junit(&text, summary);
    fuzz_check_clean(itr_text_string(&text), text.length, "\n\t");
    if (!text.truncated) {
        fuzz_check_markup(itr_text_string(&text));
    }
    itr_text_reset(&text);
    itr_report_html(&text, summary);
    fuzz_check_clean(itr_text_string(&text), text.length, "\n\t");
    itr_text_release(&text);
    json_t *json = itr_summary_to_json(summary);
    FUZZ_CHECK(json != NULL);
    char *dump = json_dumps(json, JSON_COMPACT);
    FUZZ_CHECK(dump != NULL);
    free(dump);
    json_decref(json);
    int code = itr_summary_exit_code(summary);
    FUZZ_CHECK(code == 0 || code == 1 || code == 3 || code == 4);
}

#endif
