/* Names and titles of groups. */
#include "framework/group.h"

#include <string.h>

static const struct {
    const char *name;
    const char *title;
} groups[ITR_GROUP_COUNT] = {
    [ITR_GROUP_NONE] = {"none", "Other cases"},
#define ITR_GROUP_ROW(code, name, title) [ITR_GROUP_##code] = {name, title},
    ITR_GROUPS(ITR_GROUP_ROW)
#undef ITR_GROUP_ROW
};

int itr_group_of(const char *name) {
    for (int i = ITR_GROUP_NONE + 1; i < ITR_GROUP_COUNT; i++) {
        if (strcmp(groups[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *itr_group_name(int group) {
    return group > ITR_GROUP_NONE && group < ITR_GROUP_COUNT ? groups[group].name : groups[ITR_GROUP_NONE].name;
}

const char *itr_group_title(int group) {
    return group > ITR_GROUP_NONE && group < ITR_GROUP_COUNT ? groups[group].title : groups[ITR_GROUP_NONE].title;
}
