/* Settings from defaults, files and options: every value goes through the same checks. */
#include "cli/settings.h"

#include "cli/paths.h"
#include "cli/scalar.h"
#include "cli/settings_giver.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *settings_place(const giver *from, const value *given, char place[PLACE_SIZE]) {
    if (from->file != NULL) {
        snprintf(place, PLACE_SIZE, "%s:%d:%d", from->file, given->line, given->column);
    } else {
        snprintf(place, PLACE_SIZE, "%s", from->spelled != NULL ? from->spelled : "");
    }
    return place;
}

/* ---- what was expected --------------------------------------------------------------------- */

static void describe_range(const setting *entry, char *text, size_t size) {
    size_t used = 0;
    if (entry->least > -1e15) {
        used += (size_t)snprintf(text, size, " %s %g",
                                 (entry->flags & SETTING_POSITIVE) != 0 ? "greater than" : "from",
                                 entry->least);
    }
    if (entry->most < 1e15) {
        used += (size_t)snprintf(text + used, size - used, " to %g", entry->most);
    }
    if (entry->zero != NULL) {
        snprintf(text + used, size - used, ", or \"%s\",", entry->zero);
    }
}

static void describe_expected(const setting *entry, char *text, size_t size) {
    char range[100] = "";
    describe_range(entry, range, sizeof range);
    switch (entry->type) {
    case SETTING_BOOLEAN:
        snprintf(text, size, "true or false");
        break;
    case SETTING_INTEGER:
        snprintf(text, size, "a whole number%s", range);
        break;
    case SETTING_SEED:
        snprintf(text, size, "a whole number from 0 below 2^64");
        break;
    case SETTING_NUMBER:
        snprintf(text, size, "a number%s", range);
        break;
    case SETTING_SHARE:
        snprintf(text, size, "a share such as 5%% or 0.05, at most 100%%,");
        break;
    case SETTING_BYTES:
        snprintf(text, size, "a number of bytes such as 512MB or 1GiB, or \"%s\",", entry->zero);
        break;
    case SETTING_CHOICE: {
        size_t used = (size_t)snprintf(text, size, "one of");
        for (int i = 0; entry->names[i] != NULL && used < size; i++) {
            used += (size_t)snprintf(text + used, size - used, "%s %s", i > 0 ? "," : "",
                                     entry->names[i]);
        }
        break;
    }
    case SETTING_INTEGERS:
        snprintf(text, size, "a list of whole numbers%s such as [1, 8, 8]", range);
        break;
    case SETTING_NAMES: {
        size_t used = (size_t)snprintf(text, size, "a list of");
        for (int i = 0; entry->names[i] != NULL && used < size; i++) {
            used += (size_t)snprintf(text + used, size - used, "%s %s", i > 0 ? "," : "",
                                     entry->names[i]);
        }
        break;
    }
    case SETTING_FACTORS:
        snprintf(text, size, "a list of positive numbers with at most three decimals, [0.5, 1.5]");
        break;
    case SETTING_LAYERS:
        snprintf(text, size, "a list such as [{type: dense, width: 64, activation: tanh}]");
        break;
    case SETTING_STEP:
        snprintf(text, size,
                 "a number greater than 0, critical:C with C greater than 0, or theorem");
        break;
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_SOURCE:
        snprintf(text, size, "a text");
        break;
    }
}

static pls_status fail_value(const giver *from, const setting *entry, const value *given) {
    char place[PLACE_SIZE], expected[600];
    describe_expected(entry, expected, sizeof expected);
    settings_place(from, given, place);
    if (given->kind != VALUE_SCALAR) {
        return cli_fail(from->program, PLS_ERROR_CONFIG, "%s: %s is %s; %s was expected", place,
                        entry->key, yaml_kind_name(given->kind), expected);
    }
    if (given->text[0] == '\0' && !given->quoted) {
        return cli_fail(from->program, PLS_ERROR_CONFIG, "%s: %s has no value; %s was expected",
                        place, entry->key, expected);
    }
    return cli_fail(from->program, PLS_ERROR_CONFIG, "%s: %s is %s%s%s; %s was expected", place,
                    entry->key, given->quoted ? "the text \"" : "", given->text,
                    given->quoted ? "\"" : "", expected);
}

/* ---- values of each type ------------------------------------------------------------------- */

static bool in_range(const setting *entry, double number) {
    bool above =
        (entry->flags & SETTING_POSITIVE) != 0 ? number > entry->least : number >= entry->least;
    return above && number <= entry->most;
}

static bool take_integer(const setting *entry, const char *text, int64_t *out) {
    int64_t number = 0;
    if (!scalar_integer(text, &number) || !in_range(entry, (double)number)) {
        return false;
    }
    *out = number;
    return true;
}

static bool take_number(const setting *entry, const char *text, double *out) {
    double number = 0.0;
    bool known =
        entry->type == SETTING_SHARE ? scalar_share(text, &number) : scalar_number(text, &number);
    if (!known || !in_range(entry, number)) {
        return false;
    }
    *out = number;
    return true;
}

static bool take_choice(const setting *entry, const char *text, int *out) {
    for (int i = 0; entry->names[i] != NULL; i++) {
        if (strcmp(entry->names[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool take_step(const char *text, step_size *out) {
    static const char critical[] = "critical:";
    step_size step = {STEP_NUMBER, 0.0};
    if (strcmp(text, "theorem") == 0) {
        *out = (step_size){STEP_THEOREM, 0.0};
        return true;
    }
    if (strncmp(text, critical, sizeof critical - 1) == 0) {
        step.rule = STEP_CRITICAL;
        text += sizeof critical - 1;
    }
    if (!scalar_number(text, &step.number) || step.number <= 0.0) {
        return false;
    }
    *out = step;
    return true;
}

/* True when the scalar was good; text and paths are not for this function. */
static bool take_scalar(const setting *entry, settings *all, const value *given) {
    void *field = setting_field(entry, all);
    const char *text = given->text;
    bool words = entry->type == SETTING_CHOICE || entry->type == SETTING_STEP ||
                 entry->type == SETTING_SHARE || entry->type == SETTING_BYTES;
    if (entry->zero != NULL && strcmp(text, entry->zero) == 0) {
        memset(field, 0,
               entry->type == SETTING_INTEGER || entry->type == SETTING_BYTES ? sizeof(int64_t)
                                                                              : sizeof(double));
        return true;
    }
    if (given->quoted && !words) {
        return false;
    }
    switch (entry->type) {
    case SETTING_BOOLEAN:
        return scalar_boolean(text, field);
    case SETTING_INTEGER:
        return take_integer(entry, text, field);
    case SETTING_SEED:
        return scalar_seed(text, field);
    case SETTING_NUMBER:
    case SETTING_SHARE:
        return take_number(entry, text, field);
    case SETTING_BYTES:
        return scalar_bytes(text, field);
    case SETTING_CHOICE:
        return take_choice(entry, text, field);
    case SETTING_STEP:
        return take_step(text, field);
    default:
        return false;
    }
}

static pls_status take_text(const giver *from, const setting *entry, const char *text) {
    char **field = setting_field(entry, from->all);
    char *copy = NULL;
    pls_status status = PLS_OK;
    if (entry->type == SETTING_PATH) {
        status = path_in_folder(from->program, from->folder, text, &copy);
    } else if (entry->type == SETTING_SOURCE) {
        status = source_in_folder(from->program, from->folder, text, &copy);
    } else {
        status = cli_format(from->program, &copy, "%s", text);
    }
    if (status == PLS_OK) {
        free(*field);
        *field = copy;
    }
    return status;
}

/* A number with at most three decimals, in thousandths. */
static bool take_factor(const char *text, int64_t *out) {
    double number = 0.0;
    bool known = scalar_number(text, &number) && number > 0.0 && number < 1e9;
    double thousandths = known ? round(1000.0 * number) : 0.0;
    if (!known || thousandths < 1.0 || fabs(thousandths - 1000.0 * number) > 1e-6 * thousandths) {
        return false;
    }
    *out = (int64_t)thousandths;
    return true;
}

static bool take_item(const setting *entry, const char *text, int64_t *out) {
    int index = 0;
    switch (entry->type) {
    case SETTING_NAMES:
        if (!take_choice(entry, text, &index)) {
            return false;
        }
        *out = index;
        return true;
    case SETTING_FACTORS:
        return take_factor(text, out);
    default:
        return take_integer(entry, text, out);
    }
}

static pls_status take_integers(const giver *from, const setting *entry, const value *given) {
    pls_status status = PLS_OK;
    integer_list *field = setting_field(entry, from->all);
    int64_t *values = NULL;
    if (given->kind != VALUE_LIST) {
        return fail_value(from, entry, given);
    }
    CLI_TRY(cli_allocate(from->program, given->count, sizeof *values, entry->key, &values));
    for (int64_t i = 0; i < given->count; i++) {
        const value *item = &given->items[i];
        bool quoted = item->quoted && entry->type != SETTING_NAMES;
        if (item->kind != VALUE_SCALAR || quoted || !take_item(entry, item->text, &values[i])) {
            status = fail_value(from, entry, item);
            goto cleanup;
        }
    }
    free(field->values);
    *field = (integer_list){values, given->count};
    values = NULL;
cleanup:
    free(values);
    return status;
}

/* ---- one setting, one section, one file ---------------------------------------------------- */

static pls_status take(const giver *from, int index, const value *given) {
    const setting *entry = settings_at(index);
    pls_status status = PLS_OK;
    switch (entry->type) {
    case SETTING_INTEGERS:
    case SETTING_NAMES:
    case SETTING_FACTORS:
        CLI_TRY(take_integers(from, entry, given));
        break;
    case SETTING_LAYERS:
        if (given->kind != VALUE_LIST || given->count == 0) {
            return fail_value(from, entry, given);
        }
        CLI_TRY(settings_take_layers(from, given, setting_field(entry, from->all)));
        break;
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_SOURCE: {
        bool optional = entry->text[0] == '\0';
        if (given->kind != VALUE_SCALAR || (given->text[0] == '\0' && !optional)) {
            return fail_value(from, entry, given);
        }
        CLI_TRY(take_text(from, entry, given->text));
        break;
    }
    default:
        if (given->kind != VALUE_SCALAR || !take_scalar(entry, from->all, given)) {
            return fail_value(from, entry, given);
        }
    }
    from->all->origins[index] = (unsigned char)from->origin;
cleanup:
    return status;
}

static pls_status take_section(const giver *from, const char *section, const value *given);

static pls_status take_default(cli *program, settings *all, int index) {
    const setting *entry = settings_at(index);
    const char *text = settings_default(entry, all->command);
    giver from = {.program = program, .all = all, .origin = ORIGIN_DEFAULT, .spelled = entry->key};
    value given = {0};
    pls_status status = PLS_OK;
    if (settings_is_list(entry)) {
        CLI_TRY(yaml_read_text(program, entry->key, text, &given));
    } else {
        CLI_TRY(cli_format(program, &given.text, "%s", text));
    }
    CLI_TRY(take(&from, index, &given));
cleanup:
    yaml_release(&given);
    return status;
}

/* An architecture from a file stands for itself: nothing of the former one remains. */
static pls_status take_model_file(const giver *from, const value *given) {
    static const char *const architecture[] = {
        "model.input", "model.parameterization", "model.sigma_w", "model.sigma_b",
        "model.bias",  "model.layers",           "model.width"};
    pls_status status = PLS_OK;
    char *path = NULL, *folder = NULL;
    value root = {0};
    CLI_TRY(path_in_folder(from->program, from->folder, given->text, &path));
    CLI_TRY(folder_of(from->program, path, &folder));
    CLI_TRY(yaml_read_file(from->program, path, &root));
    for (size_t i = 0; i < sizeof architecture / sizeof *architecture; i++) {
        CLI_TRY(take_default(from->program, from->all, settings_find(architecture[i])));
    }
    giver file = *from;
    file.file = path;
    file.folder = folder;
    if (root.kind != VALUE_MAP) {
        status = cli_fail(from->program, PLS_ERROR_CONFIG,
                          "%s: is %s; a map with input, layers and so on was expected", path,
                          yaml_kind_name(root.kind));
        goto cleanup;
    }
    CLI_TRY(take_section(&file, "model", &root));
cleanup:
    yaml_release(&root);
    free(folder);
    free(path);
    return status;
}

static pls_status take_section(const giver *from, const char *section, const value *given) {
    char place[PLACE_SIZE], key[200];
    pls_status status = PLS_OK;
    if (given->kind == VALUE_SCALAR && given->text[0] != '\0' && strcmp(section, "model") == 0) {
        return take_model_file(from, given);
    }
    if (given->kind != VALUE_MAP) {
        return cli_fail(from->program, PLS_ERROR_CONFIG,
                        "%s: %s is %s; a map of settings%s was "
                        "expected",
                        settings_place(from, given, place), section,
                        given->kind == VALUE_SCALAR && given->text[0] == '\0'
                            ? "empty"
                            : yaml_kind_name(given->kind),
                        strcmp(section, "model") == 0 ? " or the path of a file with one" : "");
    }
    for (int64_t i = 0; i < given->count; i++) {
        snprintf(key, sizeof key, "%s.%s", section, given->keys[i].text);
        int index = settings_find(key);
        if (index < 0) {
            return settings_unknown(from->program, settings_place(from, &given->keys[i], place),
                                    key);
        }
        CLI_TRY(take(from, index, &given->items[i]));
    }
cleanup:
    return status;
}

pls_status settings_read(cli *program, settings *all, const char *path) {
    pls_status status = PLS_OK;
    char place[PLACE_SIZE];
    char *folder = NULL;
    value root = {0};
    CLI_TRY(folder_of(program, path, &folder));
    giver from = {.program = program,
                  .all = all,
                  .origin = ORIGIN_FILE,
                  .file = path,
                  .spelled = path,
                  .folder = folder};
    CLI_TRY(yaml_read_file(program, path, &root));
    if (root.kind != VALUE_MAP) {
        status = cli_fail(program, PLS_ERROR_CONFIG,
                          "%s: is %s; a map with sections such as model, data, train, monitor was "
                          "expected",
                          settings_place(&from, &root, place), yaml_kind_name(root.kind));
        goto cleanup;
    }
    for (int64_t i = 0; i < root.count; i++) {
        const char *key = root.keys[i].text;
        int index = strchr(key, '.') == NULL ? settings_find(key) : -1;
        if (settings_is_section(key)) {
            CLI_TRY(take_section(&from, key, &root.items[i]));
        } else if (index >= 0) {
            CLI_TRY(take(&from, index, &root.items[i]));
        } else {
            status = settings_unknown(program, settings_place(&from, &root.keys[i], place), key);
            goto cleanup;
        }
    }
cleanup:
    yaml_release(&root);
    free(folder);
    return status;
}

pls_status settings_assign(cli *program, settings *all, const char *spelled, const char *key,
                           const char *text) {
    pls_status status = PLS_OK;
    value given = {0};
    giver from = {.program = program, .all = all, .origin = ORIGIN_OPTION, .spelled = spelled};
    char *list = NULL;
    int index = settings_find(key);
    bool section = settings_is_section(key);
    if (index < 0 && !section) {
        return settings_unknown(program, spelled, key);
    }
    if (section) {
        CLI_TRY(yaml_read_text(program, spelled, text, &given));
    } else if (settings_is_list(settings_at(index))) {
        bool bare = settings_at(index)->type != SETTING_LAYERS && strpbrk(text, "[{") == NULL;
        CLI_TRY(cli_format(program, &list, bare ? "[%s]" : "%s", text)); /* 8,16 is [8, 16] */
        CLI_TRY(yaml_read_text(program, spelled, list, &given));
    } else {
        CLI_TRY(cli_format(program, &given.text, "%s", text));
    }
    CLI_TRY(section ? take_section(&from, key, &given) : take(&from, index, &given));
cleanup:
    free(list);
    yaml_release(&given);
    return status;
}

pls_status settings_defaults(cli *program, command which, settings *all) {
    pls_status status = PLS_OK;
    *all = (settings){.command = which};
    for (int i = 0; settings_at(i) != NULL; i++) {
        CLI_TRY(take_default(program, all, i));
    }
cleanup:
    return status;
}

void settings_release(settings *all) {
    for (int i = 0; settings_at(i) != NULL; i++) {
        void *field = setting_field(settings_at(i), all);
        switch (settings_at(i)->type) {
        case SETTING_TEXT:
        case SETTING_PATH:
        case SETTING_SOURCE:
            free(*(char **)field);
            break;
        case SETTING_INTEGERS:
        case SETTING_NAMES:
        case SETTING_FACTORS:
            free(((integer_list *)field)->values);
            break;
        case SETTING_LAYERS:
            free(((layer_list *)field)->values);
            break;
        default:
            break;
        }
    }
    *all = (settings){0};
}

origin settings_origin(const settings *all, const char *key) {
    return (origin)all->origins[settings_find(key)];
}

/* ---- what settings say about one another --------------------------------------------------- */

/* Measuring goes by steps or by share of time: the one given later wins. */
static pls_status settle_monitor(cli *program, settings *all) {
    origin every = settings_origin(all, "monitor.every");
    origin budget = settings_origin(all, "monitor.budget");
    if (all->monitor.every == 0 || all->monitor.budget == 0.0) {
        return PLS_OK;
    }
    if (every == budget) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "monitor.every and monitor.budget are both given; the kernel is measured "
                        "every so many steps or by share of the time: leave one out");
    }
    if (every > budget) {
        all->monitor.budget = 0.0;
    } else {
        all->monitor.every = 0;
    }
    return PLS_OK;
}

/* Split products are what matrix units make of float32 numbers. */
static pls_status settle_gram(cli *program, const settings *all) {
    if (all->monitor.gram == PLS_GRAM_SPLIT && all->precision == PLS_F64) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "monitor.gram: split computes products of f32 data, but precision is f64; "
                        "choose precision: f32, or monitor.gram: f64");
    }
    return PLS_OK;
}

/* What needs the kernel itself. */
static pls_status settle_matrix_free(cli *program, const settings *all) {
    bool trains = all->command == COMMAND_TRAIN || all->command == COMMAND_SOLVE;
    const char *needs = all->monitor.trace                ? "monitor.trace: true"
                        : all->monitor.full != 0          ? "monitor.spectrum: full"
                        : trains && all->train.linearized ? "train.linearized: true"
                        : trains && all->train.step_size.rule == STEP_THEOREM
                            ? "train.step_size: theorem"
                        : trains && all->train.optimizer == PLS_OPTIMIZER_LM ? "train.optimizer: lm"
                                                                             : NULL;
    if (all->monitor.method != PLS_KERNEL_MATRIX_FREE || needs == NULL) {
        return PLS_OK;
    }
    return cli_fail(program, PLS_ERROR_CONFIG,
                    "%s needs the kernel itself, which monitor.method: matrix_free does not form; "
                    "choose one of the two",
                    needs);
}

bool settings_are_of_system(const settings *all) {
    return all->command == COMMAND_SOLVE ||
           (all->command == COMMAND_AUDIT && all->audit.of == AUDIT_SYSTEM);
}

pls_status settings_settle_subject(cli *program, settings *all) {
    bool network = false, system = false;
    for (int i = 0; settings_key(i) != NULL; i++) {
        const char *key = settings_key(i);
        bool given = settings_origin(all, key) != ORIGIN_DEFAULT;
        system = system || (given && strncmp(key, "system.", 7) == 0);
        network =
            network || (given && (strncmp(key, "model.", 6) == 0 || strncmp(key, "data.", 5) == 0));
    }
    if (all->command != COMMAND_AUDIT || all->audit.of != AUDIT_AUTOMATIC) {
        return PLS_OK;
    }
    if (network && system) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "settings of a network (model, data) and of a system are both given; say "
                        "which is meant by audit.of: network, or audit.of: system");
    }
    all->audit.of = system ? AUDIT_SYSTEM : AUDIT_NETWORK;
    return PLS_OK;
}

/* A section that the command has no use for was meant for another one. */
static pls_status settle_sections(cli *program, const settings *all) {
    bool solve = all->command == COMMAND_SOLVE;
    for (int i = 0; settings_key(i) != NULL && all->command != COMMAND_INFO; i++) {
        const char *key = settings_key(i);
        if (!settings_applies(key, all->command) && settings_origin(all, key) != ORIGIN_DEFAULT) {
            return cli_fail(program, PLS_ERROR_CONFIG,
                            "%s is given, but plstar %s works on a %s; leave it out, or use plstar "
                            "%s",
                            key, cli_command_name(all->command),
                            solve ? "system of equations" : "network with data",
                            solve ? "train" : "solve");
        }
    }
    return PLS_OK;
}

/* Both files or none, and only where there is a matrix A. */
static pls_status settle_system(cli *program, const settings *all) {
    bool a = all->system.a[0] != '\0', y = all->system.y[0] != '\0';
    if (a != y) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "system.%s is given without system.%s; F(w) = A w = y needs both files",
                        a ? "a" : "y", a ? "y" : "a");
    }
    if (a && all->system.type != PLS_PLANTED_LINEAR) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "system.a and system.y are those of a linear system; choose system.type: "
                        "linear, or leave them out");
    }
    if (a && all->system.noise != 0.0) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "system.noise is added to a y that is drawn, not to one from a file");
    }
    return PLS_OK;
}

/* A layer takes its width or its channels, whichever it has. */
static void settle_widths(settings *all) {
    bool wanted = settings_origin(all, "model.width") >= settings_origin(all, "model.layers");
    for (int64_t i = 0; wanted && all->model.width > 0 && i + 1 < all->model.layers.count; i++) {
        pls_layer_spec *layer = &all->model.layers.values[i];
        layer->width = all->model.width;
        layer->channels = all->model.width;
    }
    all->model.width = 0;
}

static pls_status settle_paths(cli *program, settings *all) {
    char here[4096];
    pls_status status = PLS_OK;
    if (getcwd(here, sizeof here) == NULL) {
        return cli_fail(program, PLS_ERROR_FILE, "the current folder cannot be read: %s",
                        strerror(errno));
    }
    char **files[] = {&all->model.tensors, &all->system.a, &all->system.y};
    char *settled = NULL;
    CLI_TRY(source_in_folder(program, here, all->data.source, &settled));
    free(all->data.source);
    all->data.source = settled;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CLI_TRY(path_in_folder(program, here, *files[i], &settled));
        free(*files[i]);
        *files[i] = settled;
    }
cleanup:
    return status;
}

pls_status settings_settle(cli *program, settings *all) {
    pls_status status = PLS_OK;
    CLI_TRY(settle_monitor(program, all));
    CLI_TRY(settle_sections(program, all));
    CLI_TRY(settle_gram(program, all));
    CLI_TRY(settle_matrix_free(program, all));
    CLI_TRY(settle_system(program, all));
    settle_widths(all);
    if (settings_origin(all, "data.seed") == ORIGIN_DEFAULT) {
        all->data.seed = all->seed;
    }
    if (settings_origin(all, "data.samples") == ORIGIN_DEFAULT &&
        strcmp(all->data.source, "digits") != 0) {
        all->data.samples = 0;
    }
    int64_t rank = all->model.input.count;
    if (rank != 0 && rank != 1 && rank != 3) {
        status = cli_fail(program, PLS_ERROR_CONFIG,
                          "model.input has %lld numbers; [d] or [channels, height, width] was "
                          "expected",
                          (long long)rank);
        goto cleanup;
    }
    bool covered = all->train.loss == PLS_LOSS_SQUARE && all->train.optimizer == PLS_OPTIMIZER_GD;
    if (all->train.step_size.rule == STEP_THEOREM && !covered) {
        status = cli_fail(program, PLS_ERROR_CONFIG,
                          "train.step_size: the theorem's step size is that of gradient descent on "
                          "the square loss; give a number, or train.loss: square and "
                          "train.optimizer: gd");
        goto cleanup;
    }
    CLI_TRY(settle_paths(program, all));
cleanup:
    return status;
}
