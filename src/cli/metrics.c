/* metrics.csv: %.17g carries every double; a number that was not measured is an empty field. */
#include "cli/metrics.h"

#include "cli/files.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char header[] = "step,loss,gradient_norm,pl_ratio,distance,lambda_min,"
                             "lambda_min_lower,lambda_max,kernel_change,lambda_min_upper,"
                             "kernel_floor,condition_number,kernel_alignment,effective_rank,"
                             "linear_distance,linear_loss\n";

enum { NUMBERS = 15 };

/* The fields of a record in the order of the columns after `step`. */
static void list_fields(pls_record *record, double *fields[NUMBERS]) {
    double *list[NUMBERS] = {
        &record->loss,           &record->gradient_norm,    &record->pl_ratio,
        &record->distance,       &record->lambda_min,       &record->lambda_min_lower,
        &record->lambda_max,     &record->kernel_change,    &record->lambda_min_upper,
        &record->kernel_floor,   &record->condition_number, &record->kernel_alignment,
        &record->effective_rank, &record->linear_distance,  &record->linear_loss,
    };
    memcpy(fields, list, sizeof list);
}

static pls_status fail_writing(cli *program, const metrics *made) {
    return cli_fail(program, PLS_ERROR_FILE, "%s: cannot be written: %s", made->path,
                    strerror(errno));
}

static pls_status open_file(cli *program, const char *folder, const char *mode, metrics *made) {
    pls_status status = PLS_OK;
    if (made->path == NULL) {
        CLI_TRY(file_path(program, folder, "metrics.csv", &made->path));
    }
    made->stream = fopen(made->path, mode);
    if (made->stream == NULL) {
        status = fail_writing(program, made);
    }
cleanup:
    return status;
}

static void remember(metrics *made, const pls_record *record) {
    if (made->rows == 0) {
        made->first = *record;
    }
    made->last = *record;
    if (record->measured) {
        made->measured = *record;
    }
    made->rows++;
}

pls_status metrics_start(cli *program, const char *folder, metrics *made) {
    pls_status status = PLS_OK;
    *made = (metrics){.measured = {.step = -1}};
    CLI_TRY(open_file(program, folder, "wb", made));
    if (fputs(header, made->stream) == EOF || fflush(made->stream) != 0) {
        status = fail_writing(program, made);
    }
cleanup:
    return status;
}

/* One line without its newline; false when it is no row. */
static bool parse_row(const char *line, pls_record *record) {
    double *fields[NUMBERS];
    char *end = NULL;
    list_fields(record, fields);
    *record = (pls_record){.step = strtoll(line, &end, 10)};
    if (end == line) {
        return false;
    }
    for (int i = 0; i < NUMBERS; i++) {
        if (*end++ != ',') {
            return false;
        }
        char *start = end;
        *fields[i] = strtod(start, &end);
        *fields[i] = end == start ? NAN : *fields[i];
    }
    record->measured = !isnan(record->lambda_max);
    return *end == '\0';
}

/* Keeps the whole rows before `step`; *kept = bytes up to their end. */
static pls_status keep_rows(cli *program, char *text, int64_t step, metrics *made, int64_t *kept) {
    char *line = text + sizeof header - 1;
    int number = 2;
    if (strncmp(text, header, sizeof header - 1) != 0) {
        return cli_fail(program, PLS_ERROR_DATA, "%s:1: the columns are not those of plstar %s",
                        made->path, pls_version());
    }
    for (char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n'), number++) {
        pls_record record;
        *end = '\0';
        bool good = parse_row(line, &record);
        *end = '\n';
        if (!good) {
            return cli_fail(program, PLS_ERROR_DATA, "%s:%d: is not a row of numbers", made->path,
                            number);
        }
        if (record.step >= step) {
            break;
        }
        remember(made, &record);
        line = end + 1;
    }
    *kept = line - text;
    return PLS_OK;
}

pls_status metrics_resume(cli *program, const char *folder, int64_t step, metrics *made) {
    pls_status status = PLS_OK;
    char *text = NULL;
    int64_t size = 0, kept = 0;
    *made = (metrics){.measured = {.step = -1}};
    CLI_TRY(file_path(program, folder, "metrics.csv", &made->path));
    CLI_TRY(file_read(program, made->path, &text, &size));
    CLI_TRY(keep_rows(program, text, step, made, &kept));
    CLI_TRY(file_replace(program, made->path, text, kept));
    CLI_TRY(open_file(program, folder, "ab", made));
cleanup:
    free(text);
    return status;
}

pls_status metrics_append(cli *program, metrics *made, const pls_record *record) {
    pls_record copy = *record;
    double *fields[NUMBERS];
    list_fields(&copy, fields);
    fprintf(made->stream, "%" PRId64, record->step);
    for (int i = 0; i < NUMBERS; i++) {
        if (isfinite(*fields[i])) {
            fprintf(made->stream, ",%.17g", *fields[i]);
        } else {
            fputc(',', made->stream);
        }
    }
    fputc('\n', made->stream);
    if (fflush(made->stream) != 0 || ferror(made->stream) != 0) {
        return fail_writing(program, made);
    }
    remember(made, record);
    return PLS_OK;
}

pls_status metrics_close(cli *program, metrics *made) {
    pls_status status = PLS_OK;
    if (made->stream != NULL && fclose(made->stream) != 0) {
        status = fail_writing(program, made);
    }
    made->stream = NULL;
    free(made->path);
    made->path = NULL;
    return status;
}
