/* Lists of layers: `model.layers` as people write it.
 *
 * Each type of layer has its own keys; one table says which, and everything that reads, explains or
 * writes a layer goes by it. */
#include "cli/scalar.h"
#include "cli/settings_giver.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef enum layer_key { KEY_WIDTH, KEY_CHANNELS, KEY_KERNEL, KEY_SIZE, KEY_ACTIVATION } layer_key;

static const char *const key_names[] = {[KEY_WIDTH] = "width",
                                        [KEY_CHANNELS] = "channels",
                                        [KEY_KERNEL] = "kernel",
                                        [KEY_SIZE] = "size",
                                        [KEY_ACTIVATION] = "activation"};
enum { KEYS = sizeof key_names / sizeof *key_names };

#define BIT(key) (1u << (key))
/* The keys of a type. All but the activation must be given. */
static const unsigned keys_of[PLS_LAYER_TYPE_COUNT] = {
    [PLS_LAYER_DENSE] = BIT(KEY_WIDTH) | BIT(KEY_ACTIVATION),
    [PLS_LAYER_RESIDUAL_DENSE] = BIT(KEY_WIDTH) | BIT(KEY_ACTIVATION),
    [PLS_LAYER_CONV] = BIT(KEY_CHANNELS) | BIT(KEY_KERNEL) | BIT(KEY_ACTIVATION),
    [PLS_LAYER_RESIDUAL_CONV] = BIT(KEY_CHANNELS) | BIT(KEY_KERNEL) | BIT(KEY_ACTIVATION),
    [PLS_LAYER_AVERAGE_POOL] = BIT(KEY_SIZE),
    [PLS_LAYER_GLOBAL_AVERAGE_POOL] = 0,
    [PLS_LAYER_FLATTEN] = 0,
};

static bool has_key(pls_layer_type type, layer_key key) {
    return (keys_of[type] & BIT(key)) != 0;
}

static int64_t *number_of(pls_layer_spec *layer, layer_key key) {
    return key == KEY_WIDTH      ? &layer->width
           : key == KEY_CHANNELS ? &layer->channels
           : key == KEY_KERNEL   ? &layer->kernel
                                 : &layer->size;
}

/* "type, width, activation" */
static void list_keys(pls_layer_type type, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "type");
    for (int key = 0; key < KEYS && used < size; key++) {
        if (has_key(type, (layer_key)key)) {
            used += (size_t)snprintf(text + used, size - used, ", %s", key_names[key]);
        }
    }
}

static const value *find_key(const value *map, const char *key) {
    for (int64_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i].text, key) == 0) {
            return &map->items[i];
        }
    }
    return NULL;
}

static const char *text_of(const value *given) {
    return given->kind == VALUE_SCALAR ? given->text : yaml_kind_name(given->kind);
}

/* The name that is nearest to `text` among `count` of them. */
static int nearest_name(const char *text, const char *(*name)(int index), int count) {
    char lower[40];
    size_t length = 0;
    int best = 0, least = 0;
    for (; text[length] != '\0' && length + 1 < sizeof lower; length++) {
        lower[length] = (char)tolower((unsigned char)text[length]);
    }
    lower[length] = '\0';
    for (int i = 0; i < count; i++) {
        int distance = cli_edit_distance(lower, name(i));
        if (i == 0 || distance < least) {
            best = i;
            least = distance;
        }
    }
    return best;
}

static const char *type_name(int index) {
    return pls_layer_type_name((pls_layer_type)index);
}

static const char *activation_name(int index) {
    return pls_activation_name((pls_activation)index);
}

static pls_status take_type(const giver *from, const char *name, const value *given,
                            pls_layer_type *type) {
    char place[PLACE_SIZE];
    const char *text = text_of(given);
    for (int i = 0; i < PLS_LAYER_TYPE_COUNT; i++) {
        if (strcmp(text, type_name(i)) == 0) {
            *type = (pls_layer_type)i;
            return PLS_OK;
        }
    }
    return cli_fail(from->program, PLS_ERROR_CONFIG,
                    "%s: %s.type is %s; the nearest there is %s (dense, conv, residual_dense, "
                    "residual_conv, average_pool, global_average_pool, flatten)",
                    settings_place(from, given, place), name, text,
                    type_name(nearest_name(text, type_name, PLS_LAYER_TYPE_COUNT)));
}

static pls_status take_activation(const giver *from, const char *name, const value *given,
                                  pls_activation *activation) {
    char place[PLACE_SIZE];
    const char *text = text_of(given);
    for (int i = 0; i < PLS_ACTIVATION_COUNT; i++) {
        if (strcmp(text, activation_name(i)) == 0) {
            *activation = (pls_activation)i;
            return PLS_OK;
        }
    }
    return cli_fail(from->program, PLS_ERROR_CONFIG,
                    "%s: %s.activation is %s; the nearest there is %s (identity, tanh, sigmoid, "
                    "erf, softplus, swish, gelu, sin, relu)",
                    settings_place(from, given, place), name, text,
                    activation_name(nearest_name(text, activation_name, PLS_ACTIVATION_COUNT)));
}

/* A width of "outputs" is taken as 0. */
static pls_status take_number(const giver *from, const char *name, layer_key key,
                              const value *given, int64_t *number) {
    char place[PLACE_SIZE];
    bool plain = given->kind == VALUE_SCALAR && !given->quoted;
    if (key == KEY_WIDTH && given->kind == VALUE_SCALAR && strcmp(given->text, "outputs") == 0) {
        *number = 0;
        return PLS_OK;
    }
    if (plain && scalar_integer(given->text, number) && *number >= 1) {
        return PLS_OK;
    }
    return cli_fail(from->program, PLS_ERROR_CONFIG,
                    "%s: %s.%s is %s; a whole number from 1 below 2^63%s was expected",
                    settings_place(from, given, place), name, key_names[key], text_of(given),
                    key == KEY_WIDTH ? ", or \"outputs\"," : "");
}

static pls_status take_key(const giver *from, const char *name, const value *spelled,
                           const value *given, pls_layer_spec *layer) {
    char place[PLACE_SIZE], keys[100];
    for (int i = 0; i < KEYS; i++) {
        layer_key key = (layer_key)i;
        if (!has_key(layer->type, key) || strcmp(spelled->text, key_names[key]) != 0) {
            continue;
        }
        return key == KEY_ACTIVATION ? take_activation(from, name, given, &layer->activation)
                                     : take_number(from, name, key, given, number_of(layer, key));
    }
    list_keys(layer->type, keys, sizeof keys);
    return cli_fail(from->program, PLS_ERROR_CONFIG,
                    "%s: %s.%s is not a known key; a layer of type %s has %s",
                    settings_place(from, spelled, place), name, spelled->text,
                    pls_layer_type_name(layer->type), keys);
}

static pls_status check_complete(const giver *from, const char *name, const value *given,
                                 const pls_layer_spec *layer) {
    char place[PLACE_SIZE], keys[100];
    for (int key = 0; key < KEY_ACTIVATION; key++) {
        if (has_key(layer->type, (layer_key)key) && find_key(given, key_names[key]) == NULL) {
            list_keys(layer->type, keys, sizeof keys);
            return cli_fail(from->program, PLS_ERROR_CONFIG,
                            "%s: %s has no %s; a layer of type %s has %s",
                            settings_place(from, given, place), name, key_names[key],
                            pls_layer_type_name(layer->type), keys);
        }
    }
    return PLS_OK;
}

static pls_status take_layer(const giver *from, int64_t index, const value *given,
                             pls_layer_spec *layer) {
    char name[64], place[PLACE_SIZE];
    pls_status status = PLS_OK;
    snprintf(name, sizeof name, "model.layers[%lld]", (long long)index);
    if (given->kind != VALUE_MAP) {
        return cli_fail(from->program, PLS_ERROR_CONFIG,
                        "%s: %s is %s; {type: dense, width: N, activation: NAME} was expected",
                        settings_place(from, given, place), name, yaml_kind_name(given->kind));
    }
    *layer = (pls_layer_spec){.type = PLS_LAYER_DENSE, .activation = PLS_IDENTITY};
    const value *type = find_key(given, "type");
    if (type != NULL) {
        CLI_TRY(take_type(from, name, type, &layer->type));
    }
    for (int64_t i = 0; i < given->count; i++) {
        if (strcmp(given->keys[i].text, "type") != 0) {
            CLI_TRY(take_key(from, name, &given->keys[i], &given->items[i], layer));
        }
    }
    CLI_TRY(check_complete(from, name, given, layer));
cleanup:
    return status;
}

pls_status settings_take_layers(const giver *from, const value *given, layer_list *list) {
    pls_layer_spec *layers = NULL;
    pls_status status = PLS_OK;
    CLI_TRY(cli_allocate(from->program, given->count, sizeof *layers, "model.layers", &layers));
    for (int64_t i = 0; i < given->count; i++) {
        CLI_TRY(take_layer(from, i, &given->items[i], &layers[i]));
    }
    free(list->values);
    *list = (layer_list){layers, given->count};
    layers = NULL;
cleanup:
    free(layers);
    return status;
}

void settings_write_layers(const layer_list *list, FILE *stream) {
    for (int64_t i = 0; i < list->count; i++) {
        pls_layer_spec layer = list->values[i];
        fprintf(stream, "\n    - {type: %s", pls_layer_type_name(layer.type));
        for (int key = 0; key < KEY_ACTIVATION; key++) {
            if (!has_key(layer.type, (layer_key)key)) {
                continue;
            }
            int64_t number = *number_of(&layer, (layer_key)key);
            if (number == 0) {
                fprintf(stream, ", %s: outputs", key_names[key]);
            } else {
                fprintf(stream, ", %s: %" PRId64, key_names[key], number);
            }
        }
        if (has_key(layer.type, KEY_ACTIVATION)) {
            fprintf(stream, ", activation: %s", pls_activation_name(layer.activation));
        }
        fputc('}', stream);
    }
}
