/* campaign.json: what a campaign is made of, and on which machine. What is in a cell is cell.c's. */
#include "framework/campaign_parts.h"

#include "platform/platform.h"

#include <string.h>
#include <time.h>

static json_t *machine_to_json(void) {
    uv_utsname_t system;
    uv_cpu_info_t *processors = NULL;
    int processor_count = 0;
    char model[128] = "";
    if (uv_os_uname(&system) != 0) {
        memset(&system, 0, sizeof system);
    }
    if (uv_cpu_info(&processors, &processor_count) == 0) {
        snprintf(model, sizeof model, "%s", processor_count > 0 && processors[0].model ? processors[0].model : "");
        uv_free_cpu_info(processors, processor_count);
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:I}", "system", itrp_system_name(), "kernel", system.release,
                     "kernel_version", system.version, "processor", model, "processors", processor_count, "c_library",
                     itrp_c_library(), "memory_bytes", (json_int_t)uv_get_total_memory());
}

enum itr_status itr_campaign_write(struct itr_campaign *campaign, struct itr_error *err) {
    const struct itr_campaign_options *options = campaign->options;
    json_t *cells = json_array();
    json_t *command = json_array();
    char when[32];
    time_t now = time(NULL);
    struct tm utc = {0};
    for (size_t i = 0; i < campaign->summary->count; i++) {
        if (json_array_append_new(cells, itr_cell_to_json(&campaign->summary->cells[i])) != 0) {
            json_decref(cells);
            json_decref(command);
            return itr_fail(err, ITR_E_FORMAT, 0, "%s: a name or path is not UTF-8, or memory is out",
                            campaign->summary->cells[i].case_name);
        }
    }
    for (int i = 0; i < options->argument_count; i++) {
        json_array_append_new(command, json_string(options->arguments[i]));
    }
    const struct tm *broken = gmtime(&now);
    utc = broken != NULL ? *broken : utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_t *json = json_pack(
        "{s:i, s:s, s:s, s:o, s:o, s:i, s:I, s:b, s:o, s:{s:s, s:s, s:s}, s:o}", "format", ITR_CAMPAIGN_FORMAT,
        "initrace", ITR_VERSION, "started", when, "command", command, "seed", itr_json_hex(options->seed), "jobs",
        (int)options->jobs, "duration_ns", (json_int_t)options->duration_ns, "until_fail", (int)options->until_fail,
        "machine", machine_to_json(), "versions", "c_compiler", __VERSION__, "libuv", uv_version_string(), "jansson",
        JANSSON_VERSION, "cells", cells);
    bool whole = json != NULL && (options->plan == NULL || json_object_set(json, "plan", (json_t *)options->plan) == 0);
    enum itr_status status = whole ? itr_folder_write_json(campaign->folder.path, "campaign.json", json, err)
                                   : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for campaign.json");
    json_decref(json);
    return status;
}
