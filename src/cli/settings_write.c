/* Settings as YAML, and as help. */
#include "cli/scalar.h"
#include "cli/settings_giver.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Text in double quotes, escaped as both YAML and JSON know it. */
static void write_text(const char *text, FILE *stream) {
    fputc('"', stream);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            fprintf(stream, "\\%c", *c);
        } else if (*c < 0x20 || *c == 0x7f) {
            fprintf(stream, "\\u%04x", *c);
        } else {
            fputc(*c, stream);
        }
    }
    fputc('"', stream);
}

static void write_integers(const integer_list *list, FILE *stream) {
    fputc('[', stream);
    for (int64_t i = 0; i < list->count; i++) {
        fprintf(stream, "%s%" PRId64, i > 0 ? ", " : "", list->values[i]);
    }
    fputc(']', stream);
}

static void write_names(const integer_list *list, const char *const *names, FILE *stream) {
    fputc('[', stream);
    for (int64_t i = 0; i < list->count; i++) {
        fprintf(stream, "%s%s", i > 0 ? ", " : "", names[list->values[i]]);
    }
    fputc(']', stream);
}

static void write_factors(const integer_list *list, FILE *stream) {
    fputc('[', stream);
    for (int64_t i = 0; i < list->count; i++) {
        fprintf(stream, "%s%g", i > 0 ? ", " : "", (double)list->values[i] / 1000.0);
    }
    fputc(']', stream);
}

static void write_number(double number, FILE *stream) {
    char text[32];
    scalar_write_number(number, text);
    fputs(text, stream);
}

static void write_step(step_size step, FILE *stream) {
    if (step.rule == STEP_THEOREM) {
        fputs("theorem", stream);
        return;
    }
    fputs(step.rule == STEP_CRITICAL ? "critical:" : "", stream);
    write_number(step.number, stream);
}

static void write_value(const setting *entry, const settings *all, FILE *stream) {
    const void *field = setting_value(entry, all);
    switch (entry->type) {
    case SETTING_BOOLEAN:
        fputs(*(const bool *)field ? "true" : "false", stream);
        break;
    case SETTING_INTEGER:
    case SETTING_BYTES:
        if (entry->zero != NULL && *(const int64_t *)field == 0) {
            fputs(entry->zero, stream);
        } else {
            fprintf(stream, "%" PRId64, *(const int64_t *)field);
        }
        break;
    case SETTING_SEED:
        fprintf(stream, "%" PRIu64, *(const uint64_t *)field);
        break;
    case SETTING_NUMBER:
    case SETTING_SHARE:
        if (entry->zero != NULL && *(const double *)field == 0.0) {
            fputs(entry->zero, stream);
        } else {
            write_number(*(const double *)field, stream);
        }
        break;
    case SETTING_CHOICE:
        fputs(entry->names[*(const int *)field], stream);
        break;
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_SOURCE:
        write_text(*(char *const *)field, stream);
        break;
    case SETTING_INTEGERS:
        write_integers(field, stream);
        break;
    case SETTING_NAMES:
        write_names(field, entry->names, stream);
        break;
    case SETTING_FACTORS:
        write_factors(field, stream);
        break;
    case SETTING_LAYERS:
        settings_write_layers(field, stream);
        break;
    case SETTING_STEP:
        write_step(*(const step_size *)field, stream);
        break;
    }
}

/* Length of "section." in a key, 0 at the top level. */
static int section_length(const char *key) {
    const char *dot = strchr(key, '.');
    return dot != NULL ? (int)(dot - key) + 1 : 0;
}

static bool starts_section(int index) {
    const char *key = settings_at(index)->key;
    int length = section_length(key);
    return length > 0 &&
           (index == 0 || strncmp(settings_at(index - 1)->key, key, (size_t)length) != 0);
}

void settings_write(const settings *all, const char *version, FILE *stream) {
    const char *name = cli_command_name(all->command);
    fprintf(stream,
            "# All settings of a run of plstar %s. `plstar %s config.yaml` repeats it;\n"
            "# `plstar %s --help settings` explains them.\n",
            version, name, name);
    for (int i = 0; settings_at(i) != NULL; i++) {
        const setting *entry = settings_at(i);
        int length = section_length(entry->key);
        if (!settings_is_used(entry->key, all->command)) {
            continue;
        }
        if (starts_section(i)) {
            fprintf(stream, "%.*s:\n", length - 1, entry->key);
        }
        if ((entry->flags & SETTING_UNWRITTEN) == 0) {
            const char *gap = entry->type == SETTING_LAYERS ? "" : " ";
            fprintf(stream, "%s%s:%s", length > 0 ? "  " : "", entry->key + length, gap);
            write_value(entry, all, stream);
            fputc('\n', stream);
        }
    }
}

static char *value_text(const setting *entry, const settings *all) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream != NULL) {
        write_value(entry, all, stream);
        fclose(stream);
    }
    return text;
}

const char *settings_fixed_difference(const settings *before, const settings *after) {
    const char *found = NULL;
    for (int i = 0; settings_at(i) != NULL && found == NULL; i++) {
        const setting *entry = settings_at(i);
        if ((entry->flags & (SETTING_RESUMABLE | SETTING_UNWRITTEN)) == 0) {
            char *first = value_text(entry, before), *second = value_text(entry, after);
            if (first == NULL || second == NULL || strcmp(first, second) != 0) {
                found = entry->key;
            }
            free(first);
            free(second);
        }
    }
    return found;
}

void settings_help(command which, FILE *stream) {
    fputs("Settings, for the configuration file and --set KEY=VALUE. In a file the part\n"
          "before the dot is a section:\n\n"
          "  data:\n"
          "    samples: 200\n"
          "  train: {steps: 500, step_size: critical:0.5}\n\n"
          "Relative paths in a file start from that file's folder; `model: FILE` and\n"
          "`--set model=FILE` take the section model from a file of its own. JSON is YAML.\n",
          stream);
    for (int i = 0; settings_at(i) != NULL; i++) {
        const setting *entry = settings_at(i);
        const char *text = settings_default(entry, which);
        if (i == 0 || starts_section(i)) {
            fputc('\n', stream);
        }
        char *line = NULL;
        size_t size = 0;
        FILE *memory = open_memstream(&line, &size);
        if (memory == NULL) {
            return;
        }
        fprintf(memory, "%s", entry->help);
        if (entry->names != NULL) {
            fputs(" (", memory);
            for (int n = 0; entry->names[n] != NULL; n++) {
                fprintf(memory, "%s%s", n > 0 ? ", " : "", entry->names[n]);
            }
            fputs(")", memory);
        }
        fclose(memory);
        fprintf(stream, "  %s%s%s\n", entry->key, text[0] != '\0' ? ": " : "", text);
        fprintf(stream, "%*s", 6, "");
        cli_write_wrapped(stream, line, 6, 78);
        free(line);
    }
}
