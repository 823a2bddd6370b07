/* plstar info: what this program is and what it finds here. */
#include "cli/commands.h"
#include "cli/summary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char digits[] =
    "digits: 1,797 images of 8 x 8 pixels, \"Optical Recognition of Handwritten Digits\" by "
    "E. Alpaydin and C. Kaynak (UCI, 1998), CC BY 4.0";

/* One device: its name, its description and memory, or why it is not there. */
static pls_status describe_device(cli *program, const char *name, int threads, json_t *list) {
    pls_device_options options = {name, threads};
    pls_device *device = NULL;
    int64_t available = 0, total = 0;
    pls_status status = PLS_OK;
    json_t *entry = NULL;
    if (pls_device_open(program->context, &options, &device) != PLS_OK) {
        entry = json_pack("{s:s, s:b, s:s}", "name", name, "available", 0, "description",
                          pls_error_text(program->context));
        pls_error_clear(program->context);
    } else {
        CLI_TRY(pls_device_memory(device, &available, &total));
        entry = json_pack("{s:s, s:b, s:s, s:I, s:I}", "name", pls_device_name(device), "available",
                          1, "description", pls_device_description(device), "memory_available",
                          (json_int_t)available, "memory_total", (json_int_t)total);
    }
    if (json_array_append_new(list, entry) != 0) {
        status = cli_fail(program, PLS_ERROR_MEMORY, "there is not enough memory for the list");
    }
cleanup:
    pls_device_close(device);
    return status;
}

static json_t *settings_list(void) {
    json_t *list = json_array();
    for (int i = 0; settings_key(i) != NULL; i++) {
        json_array_append_new(list, json_string(settings_key(i)));
    }
    return list;
}

static void print_devices(const json_t *devices) {
    size_t index;
    json_t *entry;
    json_array_foreach(devices, index, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));
        const char *description = json_string_value(json_object_get(entry, "description"));
        if (json_is_true(json_object_get(entry, "available"))) {
            double available =
                (double)json_integer_value(json_object_get(entry, "memory_available"));
            double total = (double)json_integer_value(json_object_get(entry, "memory_total"));
            printf("  %-10s %s\n  %-10s %.1f GB of %.1f GB memory available\n", name, description,
                   "", available / 1e9, total / 1e9);
        } else {
            printf("  %-10s not here:\n             %s\n", name, description);
        }
    }
}

static void print_settings(void) {
    int column = 0;
    for (int i = 0; settings_key(i) != NULL; i++) {
        int length = (int)strlen(settings_key(i));
        if (column > 0 && column + length + 2 > 78) {
            printf(",\n");
            column = 0;
        }
        column += printf("%s%s", column == 0 ? "  " : ", ", settings_key(i));
    }
    putchar('\n');
}

static void print_libraries(const json_t *versions) {
    const char *name;
    json_t *version;
    json_object_foreach((json_t *)versions, name, version) {
        printf("  %-10s %s\n", name, json_string_value(version));
    }
}

pls_status command_info(cli *program, const command_line *given) {
    settings all = {0};
    json_t *devices = json_array(), *object = NULL, *versions = summary_versions();
    pls_status status = PLS_OK;
    CLI_TRY(settings_defaults(program, COMMAND_INFO, &all));
    CLI_TRY(options_apply(program, given, &all));
    if (devices == NULL || versions == NULL) {
        status = cli_fail(program, PLS_ERROR_MEMORY, "there is not enough memory for the list");
        goto cleanup;
    }
    if (strcmp(all.device, "auto") == 0) {
        CLI_TRY(describe_device(program, "cpu", (int)all.threads, devices));
        CLI_TRY(describe_device(program, "cuda", (int)all.threads, devices));
    } else {
        CLI_TRY(describe_device(program, all.device, (int)all.threads, devices));
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (program->json) {
        object = json_pack("{s:s, s:O, s:O, s:I, s:[s], s:o}", "version", pls_version(), "versions",
                           versions, "devices", devices, "processors", (json_int_t)processors,
                           "data", digits, "settings", settings_list());
        CLI_TRY(summary_print(program, object));
    } else {
        printf("plstar %s\n\nDevices (%ld processors online):\n", pls_version(), processors);
        print_devices(devices);
        printf("\nLibraries:\n");
        print_libraries(versions);
        printf("\nBuilt-in data:\n  digits     1,797 images of 8 x 8 pixels, \"Optical Recognition "
               "of Handwritten\n             Digits\" by E. Alpaydin and C. Kaynak (UCI, 1998), "
               "CC BY 4.0\n");
        printf("\nSettings (`plstar train --help settings` explains them):\n");
        print_settings();
    }
cleanup:
    json_decref(object);
    json_decref(versions);
    json_decref(devices);
    settings_release(&all);
    return status;
}
