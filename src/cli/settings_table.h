/* What a setting is; shared by the files that read, write and explain the table. */
#ifndef PLSTAR_CLI_SETTINGS_TABLE_H
#define PLSTAR_CLI_SETTINGS_TABLE_H

#include "cli/settings.h"

typedef enum setting_type {
    SETTING_BOOLEAN,  /* bool */
    SETTING_INTEGER,  /* int64_t */
    SETTING_SEED,     /* uint64_t */
    SETTING_NUMBER,   /* double */
    SETTING_SHARE,    /* double, 0 .. 1, also as "5%" */
    SETTING_BYTES,    /* int64_t, also as "512MB" */
    SETTING_CHOICE,   /* int, index in `names` */
    SETTING_TEXT,     /* char * */
    SETTING_PATH,     /* char *, relative to where it was written */
    SETTING_SOURCE,   /* char *, a data source: paths after its "kind:" */
    SETTING_INTEGERS, /* integer_list */
    SETTING_NAMES,    /* integer_list, indices in `names` */
    SETTING_FACTORS,  /* integer_list, numbers in thousandths */
    SETTING_LAYERS,   /* layer_list */
    SETTING_STEP,     /* step_size */
} setting_type;

enum {
    SETTING_RESUMABLE = 1, /* may change when a run is resumed: no step depends on it */
    SETTING_UNWRITTEN = 2, /* a shorthand for other settings */
    SETTING_POSITIVE = 4   /* greater than `least`, not equal */
};

typedef struct setting {
    const char *key;
    setting_type type;
    unsigned flags;
    size_t offset;            /* in struct settings */
    const char *text;         /* default */
    const char *kernel_text;  /* default of `plstar kernel` where it is another */
    const char *solve_text;   /* the same of `plstar solve` */
    double least, most;       /* of numbers; of each number of a list */
    const char *const *names; /* of a choice, up to NULL */
    const char *zero;         /* the word for 0 */
    const char *help;
} setting;

/* Entry `index`, NULL past the last. Settings of a section stand together. */
const setting *settings_at(int index);

/* Index of a key, -1 if there is none. */
int settings_find(const char *key);

/* Whether a name is a section, "train". */
bool settings_is_section(const char *name);

/* The default of a setting for a command. */
const char *settings_default(const setting *entry, command which);

/* Whether a command can do with a setting: `solve` with system, the others with model and data. */
bool settings_applies(const char *key, command which);

/* Whether it looks at it, so that config.yaml holds it: only `study` at the section study. */
bool settings_is_used(const char *key, command which);

/* The sentence about a key that is not in the table. `spelled` is the key as the person wrote it.
 */
pls_status settings_unknown(cli *program, const char *place, const char *spelled);

/* Whether its value is a list. */
static inline bool settings_is_list(const setting *entry) {
    return entry->type == SETTING_INTEGERS || entry->type == SETTING_NAMES ||
           entry->type == SETTING_FACTORS || entry->type == SETTING_LAYERS;
}

static inline void *setting_field(const setting *entry, settings *all) {
    return (char *)all + entry->offset;
}

static inline const void *setting_value(const setting *entry, const settings *all) {
    return (const char *)all + entry->offset;
}

#endif
