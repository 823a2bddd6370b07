/* libyaml's documents, turned into trees that the settings can read.
 *
 * An alias (*name) repeats the node it names, so a small file can mean a huge or endless tree:
 * depth and number of values are limited. */
#include "cli/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

enum { MAXIMUM_DEPTH = 16, MAXIMUM_VALUES = 100000 };

typedef struct reading {
    cli *program;
    const char *origin;
    yaml_document_t *document;
    int64_t values;
} reading;

const char *yaml_kind_name(value_kind kind) {
    static const char *const names[] = {
        [VALUE_SCALAR] = "a single value", [VALUE_LIST] = "a list", [VALUE_MAP] = "a map"};
    return names[kind];
}

void yaml_release(value *root) {
    for (int64_t i = 0; i < root->count; i++) {
        if (root->items != NULL) {
            yaml_release(&root->items[i]);
        }
        if (root->keys != NULL) {
            yaml_release(&root->keys[i]);
        }
    }
    free(root->items);
    free(root->keys);
    free(root->text);
    *root = (value){0};
}

static pls_status fail_at(const reading *state, yaml_mark_t mark, const char *what) {
    return cli_fail(state->program, PLS_ERROR_CONFIG, "%s:%zu:%zu: %s", state->origin,
                    mark.line + 1, mark.column + 1, what);
}

static pls_status convert(reading *state, int index, int depth, value *out);

static pls_status convert_scalar(reading *state, const yaml_node_t *node, value *out) {
    pls_status status = PLS_OK;
    size_t length = node->data.scalar.length;
    if (memchr(node->data.scalar.value, '\0', length) != NULL) {
        return fail_at(state, node->start_mark, "a text holds a zero byte");
    }
    CLI_TRY(cli_allocate(state->program, (int64_t)length + 1, 1, "the configuration", &out->text));
    memcpy(out->text, node->data.scalar.value, length);
    out->quoted = node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
cleanup:
    return status;
}

static pls_status convert_list(reading *state, const yaml_node_t *node, int depth, value *out) {
    pls_status status = PLS_OK;
    const yaml_node_item_t *first = node->data.sequence.items.start;
    out->kind = VALUE_LIST;
    int64_t count = node->data.sequence.items.top - first;
    CLI_TRY(
        cli_allocate(state->program, count, sizeof *out->items, "the configuration", &out->items));
    out->count = count;
    for (int64_t i = 0; i < count; i++) {
        CLI_TRY(convert(state, first[i], depth + 1, &out->items[i]));
    }
cleanup:
    return status;
}

static pls_status refuse_repeated_keys(const reading *state, const value *map) {
    for (int64_t i = 0; i < map->count; i++) {
        for (int64_t j = 0; j < i; j++) {
            if (strcmp(map->keys[i].text, map->keys[j].text) == 0) {
                return cli_fail(state->program, PLS_ERROR_CONFIG,
                                "%s:%d:%d: %s is given twice, first on line %d", state->origin,
                                map->keys[i].line, map->keys[i].column, map->keys[i].text,
                                map->keys[j].line);
            }
        }
    }
    return PLS_OK;
}

static pls_status convert_map(reading *state, const yaml_node_t *node, int depth, value *out) {
    pls_status status = PLS_OK;
    const yaml_node_pair_t *first = node->data.mapping.pairs.start;
    out->kind = VALUE_MAP;
    int64_t count = node->data.mapping.pairs.top - first;
    if (count > 1000) {
        return fail_at(state, node->start_mark, "a map has more than 1,000 keys");
    }
    CLI_TRY(
        cli_allocate(state->program, count, sizeof *out->keys, "the configuration", &out->keys));
    out->count = count;
    CLI_TRY(
        cli_allocate(state->program, count, sizeof *out->items, "the configuration", &out->items));
    for (int64_t i = 0; i < count; i++) {
        CLI_TRY(convert(state, first[i].key, depth + 1, &out->keys[i]));
        if (out->keys[i].kind != VALUE_SCALAR) {
            status =
                cli_fail(state->program, PLS_ERROR_CONFIG,
                         "%s:%d:%d: a key is %s; a name was expected", state->origin,
                         out->keys[i].line, out->keys[i].column, yaml_kind_name(out->keys[i].kind));
            goto cleanup;
        }
        CLI_TRY(convert(state, first[i].value, depth + 1, &out->items[i]));
    }
    CLI_TRY(refuse_repeated_keys(state, out));
cleanup:
    return status;
}

static pls_status convert(reading *state, int index, int depth, value *out) {
    const yaml_node_t *node = yaml_document_get_node(state->document, index);
    out->line = (int)node->start_mark.line + 1;
    out->column = (int)node->start_mark.column + 1;
    if (depth > MAXIMUM_DEPTH || ++state->values > MAXIMUM_VALUES) {
        return fail_at(state, node->start_mark,
                       "the values are nested deeper than 16 levels or more than 100,000");
    }
    switch (node->type) {
    case YAML_SEQUENCE_NODE:
        return convert_list(state, node, depth, out);
    case YAML_MAPPING_NODE:
        return convert_map(state, node, depth, out);
    default:
        return convert_scalar(state, node, out);
    }
}

static pls_status fail_parsing(const reading *state, const yaml_parser_t *parser) {
    if (parser->error == YAML_MEMORY_ERROR) {
        return cli_fail(state->program, PLS_ERROR_MEMORY,
                        "%s: there is not enough memory to read it", state->origin);
    }
    if (parser->error == YAML_READER_ERROR) {
        return cli_fail(state->program, PLS_ERROR_CONFIG, "%s: is not YAML: %s at byte %zu",
                        state->origin, parser->problem, parser->problem_offset);
    }
    return cli_fail(state->program, PLS_ERROR_CONFIG, "%s:%zu:%zu: is not YAML: %s%s%s",
                    state->origin, parser->problem_mark.line + 1, parser->problem_mark.column + 1,
                    parser->problem, parser->context != NULL ? " " : "",
                    parser->context != NULL ? parser->context : "");
}

/* The one document that a parser holds. */
static pls_status read_document(reading *state, yaml_parser_t *parser, value *root) {
    pls_status status = PLS_OK;
    yaml_document_t document, second;
    bool have_document = false, have_second = false;
    *root = (value){0};
    if (!yaml_parser_load(parser, &document)) {
        status = fail_parsing(state, parser);
        goto cleanup;
    }
    have_document = true;
    state->document = &document;
    if (yaml_document_get_root_node(&document) == NULL) {
        root->kind = VALUE_MAP;
        goto cleanup;
    }
    CLI_TRY(convert(state, 1, 0, root));
    if (!yaml_parser_load(parser, &second)) {
        status = fail_parsing(state, parser);
        goto cleanup;
    }
    have_second = true;
    const yaml_node_t *more = yaml_document_get_root_node(&second);
    if (more != NULL) {
        status = fail_at(state, more->start_mark, "a second document begins; one was expected");
    }
cleanup:
    if (have_second) {
        yaml_document_delete(&second);
    }
    if (have_document) {
        yaml_document_delete(&document);
    }
    if (status != PLS_OK) {
        yaml_release(root);
    }
    return status;
}

static pls_status open_file(cli *program, const char *path, FILE **out) {
    struct stat information;
    FILE *stream = fopen(path, "rb");
    int reason = errno;
    if (stream != NULL && fstat(fileno(stream), &information) == 0 &&
        S_ISDIR(information.st_mode)) {
        fclose(stream);
        stream = NULL;
        reason = EISDIR;
    }
    if (stream == NULL) {
        return cli_fail(program, PLS_ERROR_FILE, "%s: cannot be read: %s", path, strerror(reason));
    }
    *out = stream;
    return PLS_OK;
}

pls_status yaml_read_file(cli *program, const char *path, value *root) {
    pls_status status = PLS_OK;
    reading state = {.program = program, .origin = path};
    FILE *stream = NULL;
    yaml_parser_t parser;
    bool have_parser = false;
    CLI_TRY(open_file(program, path, &stream));
    if (!yaml_parser_initialize(&parser)) {
        status =
            cli_fail(program, PLS_ERROR_MEMORY, "%s: there is not enough memory to read it", path);
        goto cleanup;
    }
    have_parser = true;
    yaml_parser_set_input_file(&parser, stream);
    CLI_TRY(read_document(&state, &parser, root));
cleanup:
    if (have_parser) {
        yaml_parser_delete(&parser);
    }
    if (stream != NULL) {
        fclose(stream);
    }
    return status;
}

pls_status yaml_read_text(cli *program, const char *origin, const char *text, value *root) {
    pls_status status = PLS_OK;
    reading state = {.program = program, .origin = origin};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return cli_fail(program, PLS_ERROR_MEMORY, "%s: there is not enough memory to read it",
                        origin);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    status = read_document(&state, &parser, root);
    yaml_parser_delete(&parser);
    return status;
}
