/* plstar audit: the claims of the theory, one after the other. */
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/run.h"
#include "cli/summary.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VERDICT_SIZE = PLS_CLAIM_TEXT + 32 };

typedef struct audit_run {
    cli *program;
    settings settings;
    experiment experiment;
    char *folder;
    pls_claim_result *results;
    int count;                /* of them */
    int violated;             /* laws */
    int64_t samples, outputs; /* that are looked at */
    double seconds;
} audit_run;

/* ---- which claims ------------------------------------------------------------------------------
 */

/* "8" is asked for by 8, and so is "8'". */
static bool is_asked(const char *list, const char *claim) {
    size_t number = strcspn(claim, "'");
    for (const char *at = list; *at != '\0';) {
        size_t length = strcspn(at, ", ");
        bool same = length == strlen(claim) && strncmp(at, claim, length) == 0;
        bool all_parts = length == number && strncmp(at, claim, number) == 0;
        if (same || all_parts) {
            return true;
        }
        at += length + strspn(at + length, ", ");
    }
    return list[0] == '\0';
}

static int count_asked(const char *list) {
    int count = 0;
    for (int i = 0; pls_audit_claim(i) != NULL; i++) {
        count += is_asked(list, pls_audit_claim(i));
    }
    return count;
}

static bool is_claim(const char *word, size_t length) {
    for (int i = 0; pls_audit_claim(i) != NULL; i++) {
        const char *claim = pls_audit_claim(i);
        if ((strlen(claim) == length && strncmp(claim, word, length) == 0) ||
            (strcspn(claim, "'") == length && strncmp(claim, word, length) == 0)) {
            return true;
        }
    }
    return false;
}

static pls_status check_claims(cli *program, const char *list) {
    bool named = list[0] == '\0';
    for (const char *at = list + strspn(list, ", "); *at != '\0';) {
        size_t length = strcspn(at, ", ");
        named = true;
        if (!is_claim(at, length)) {
            return cli_fail(program, PLS_ERROR_CONFIG,
                            "audit.claims: %.*s is not a claim; numbers from 1 to 18 were "
                            "expected, such as 7,8",
                            (int)length, at);
        }
        at += length + strspn(at + length, ", ");
    }
    if (!named) {
        return cli_fail(
            program, PLS_ERROR_CONFIG,
            "audit.claims: \"%s\" names no claim; numbers such as 7,8 were expected, or "
            "nothing at all for all of them",
            list);
    }
    return PLS_OK;
}

/* A slope needs two widths; what else can be wrong, the table of settings says. */
static pls_status check_widths(cli *program, const settings *all) {
    return all->audit.widths.count >= 2
               ? PLS_OK
               : cli_fail(program, PLS_ERROR_CONFIG,
                          "audit.widths: %lld width%s given; a slope needs at least two, such as "
                          "[64, 128, 256]",
                          (long long)all->audit.widths.count,
                          all->audit.widths.count == 1 ? " is" : "s are");
}

static pls_audit_options options_of(const settings *all) {
    pls_audit_options options = pls_audit_options_defaults();
    options.seed = all->seed;
    options.equations = all->audit.equations;
    options.steps = all->audit.steps;
    options.runs = all->audit.runs;
    options.batch = all->audit.batch;
    options.delta = all->audit.delta;
    options.radius = all->audit.radius;
    options.directions = all->audit.directions;
    options.widths = all->audit.widths.values;
    options.width_count = all->audit.widths.count;
    options.seeds = all->audit.seeds;
    return options;
}

/* ---- files
 * --------------------------------------------------------------------------------------- */

/* null for what is not finite, which JSON cannot say. */
static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *constants_json(const pls_claim_result *result) {
    json_t *list = json_array();
    for (int i = 0; list != NULL && i < result->constant_count; i++) {
        const pls_claim_constant *constant = &result->constants[i];
        json_t *item =
            json_pack("{s:s, s:o, s:s}", "name", constant->name, "value", number(constant->value),
                      "evidence", pls_evidence_name(constant->evidence));
        if (item == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* "holds", "violated", or "not applicable: why". */
static const char *verdict_text(const pls_claim_result *result, char text[VERDICT_SIZE]) {
    bool applies = result->verdict != PLS_VERDICT_NOT_APPLICABLE;
    snprintf(text, VERDICT_SIZE, "%s%s%s", pls_verdict_name(result->verdict), applies ? "" : ": ",
             applies ? "" : result->detail);
    return text;
}

static json_t *claim_json(const pls_claim_result *result) {
    char verdict[VERDICT_SIZE];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:s, s:f}",
                     "number", result->claim, "title", result->title, "kind",
                     pls_claim_kind_name(result->kind), "verdict", verdict_text(result, verdict),
                     "compared", result->formula, "measured", number(result->measured), "relation",
                     result->at_least ? ">=" : "<=", "bound", number(result->bound), "margin",
                     number(result->margin), "error", number(result->error), "instances",
                     (json_int_t)result->instances, "constants", constants_json(result), "detail",
                     result->detail, "seconds", result->seconds);
}

static pls_status write_json(audit_run *run) {
    json_t *list = json_array();
    char *text = NULL, *path = NULL;
    pls_status status = PLS_OK;
    for (int i = 0; list != NULL && i < run->count; i++) {
        json_t *item = claim_json(&run->results[i]);
        if (item == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    text = list != NULL ? json_dumps(list, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    if (text == NULL) {
        status =
            cli_fail(run->program, PLS_ERROR_MEMORY, "there is not enough memory for claims.json");
        goto cleanup;
    }
    CLI_TRY(file_path(run->program, run->folder, "claims.json", &path));
    CLI_TRY(file_replace(run->program, path, text, (int64_t)strlen(text)));
cleanup:
    json_decref(list);
    free(text);
    free(path);
    return status;
}

static void write_field(double x, FILE *stream) {
    if (isnan(x)) {
        fputc(',', stream);
    } else {
        fprintf(stream, ",%.17g", x);
    }
}

/* Text in quotes, doubled within. */
static void write_quoted(const char *text, FILE *stream) {
    fputs(",\"", stream);
    for (; *text != '\0'; text++) {
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, stream);
    }
    fputc('"', stream);
}

static pls_status write_csv(audit_run *run) {
    char *text = NULL, *path = NULL;
    size_t size = 0;
    pls_status status = PLS_OK;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL) {
        return cli_fail(run->program, PLS_ERROR_MEMORY,
                        "there is not enough memory for claims.csv");
    }
    fputs("number,kind,measured,bound,margin,error,verdict,relation,compared,instances,title,"
          "detail\n",
          stream);
    for (int i = 0; i < run->count; i++) {
        const pls_claim_result *result = &run->results[i];
        char verdict[VERDICT_SIZE];
        fprintf(stream, "%s,%s", result->claim, pls_claim_kind_name(result->kind));
        write_field(result->measured, stream);
        write_field(result->bound, stream);
        write_field(result->margin, stream);
        write_field(result->error, stream);
        write_quoted(verdict_text(result, verdict), stream);
        fprintf(stream, ",%s",
                result->verdict == PLS_VERDICT_NOT_APPLICABLE ? ""
                : result->at_least                            ? ">="
                                                              : "<=");
        write_quoted(result->formula, stream);
        fprintf(stream, ",%lld", (long long)result->instances);
        write_quoted(result->title, stream);
        write_quoted(result->detail, stream);
        fputc('\n', stream);
    }
    fclose(stream);
    CLI_TRY(file_path(run->program, run->folder, "claims.csv", &path));
    CLI_TRY(file_replace(run->program, path, text, (int64_t)size));
cleanup:
    free(text);
    free(path);
    return status;
}

static int count_verdicts(const audit_run *run, pls_verdict verdict) {
    int count = 0;
    for (int i = 0; i < run->count; i++) {
        count += run->results[i].verdict == verdict;
    }
    return count;
}

static pls_status summarize(audit_run *run, pls_status so_far) {
    summary made = {0};
    pls_status status = PLS_OK;
    CLI_TRY(summary_create(run->program, &made));
    summary_describe(&made, &run->settings, &run->experiment);
    summary_integer(&made, "audited_samples", run->samples);
    summary_integer(&made, "audited_equations", run->samples * run->outputs);
    summary_integer(&made, "claims_checked", run->count);
    summary_integer(&made, "claims_hold", count_verdicts(run, PLS_VERDICT_HOLDS));
    summary_integer(&made, "claims_violated", count_verdicts(run, PLS_VERDICT_VIOLATED));
    summary_integer(&made, "claims_not_applicable",
                    count_verdicts(run, PLS_VERDICT_NOT_APPLICABLE));
    summary_integer(&made, "laws_violated", run->violated);
    for (int i = 0; i < run->count; i++) {
        char name[32];
        snprintf(name, sizeof name, "claim %s", run->results[i].claim);
        summary_seconds(&made, name, run->results[i].seconds);
    }
    if (so_far != PLS_OK) {
        summary_note(&made, "the audit ended early: %s", cli_error_text(run->program, so_far));
    }
    CLI_TRY(summary_write(&made, run->folder));
cleanup:
    summary_destroy(&made);
    return status;
}

/* ---- for people
 * ---------------------------------------------------------------------------------- */

static void print_head(const audit_run *run) {
    bool of_system = settings_are_of_system(&run->settings);
    run_print_head(&run->experiment);
    if (!of_system) {
        printf("audited     the first %lld of these samples, %lld equations, in f64 "
               "(audit.equations)\n",
               (long long)run->samples, (long long)(run->samples * run->outputs));
    }
    putchar('\n');
}

/* Whether the numbers agree with the claim, but by less than they are known to. */
static bool is_within_error(const pls_claim_result *result) {
    return result->verdict == PLS_VERDICT_HOLDS && result->margin < result->error;
}

static void print_claim(const pls_claim_result *result) {
    printf("%-3s %-7s %-14s %s\n", result->claim, pls_claim_kind_name(result->kind),
           pls_verdict_name(result->verdict), result->title);
    if (result->verdict != PLS_VERDICT_NOT_APPLICABLE) {
        printf("            %s\n            measured %.6g, bound %.6g, margin %.3g, error %.1e%s\n",
               result->formula, result->measured, result->bound, result->margin, result->error,
               is_within_error(result) ? " (holds within the error)" : "");
    }
    for (int i = 0; i < result->constant_count; i++) {
        const pls_claim_constant *constant = &result->constants[i];
        printf("%s%s = %.4g (%s)%s", i == 0 ? "            " : ", ", constant->name,
               constant->value, pls_evidence_name(constant->evidence),
               i + 1 == result->constant_count ? "\n" : "");
    }
    if (result->detail[0] != '\0') {
        printf("            ");
        cli_write_wrapped(stdout, result->detail, 12, 96);
    }
}

static void print_end(const audit_run *run, const char *report) {
    printf("\n%d of %d claims hold, %d violated (%d of them laws), %d not applicable; %.3g s\n",
           count_verdicts(run, PLS_VERDICT_HOLDS), run->count,
           count_verdicts(run, PLS_VERDICT_VIOLATED), run->violated,
           count_verdicts(run, PLS_VERDICT_NOT_APPLICABLE), run->seconds);
    printf("folder      %s\n", run->folder);
    if (report != NULL) {
        printf("report      %s\n", report);
    }
}

/* ---- the command
 * --------------------------------------------------------------------------------- */

static void look_at_subject(audit_run *run) {
    pls_audit_options options = options_of(&run->settings);
    run->outputs = pls_system_outputs(run->experiment.system);
    run->samples =
        pls_audit_samples(&options, pls_system_samples(run->experiment.system), run->outputs);
}

static pls_status check_all(audit_run *run) {
    pls_audit_options options = options_of(&run->settings);
    pls_audit_subject subject = {.system = run->experiment.system};
    bool shows = !run->program->quiet && !run->program->json;
    pls_status status = PLS_OK;
    if (!settings_are_of_system(&run->settings)) {
        subject.model = &run->experiment.model;
        subject.data = &run->experiment.data;
    }
    for (int i = 0; pls_audit_claim(i) != NULL; i++) {
        pls_claim_result *result = &run->results[run->count];
        if (!is_asked(run->settings.audit.claims, pls_audit_claim(i))) {
            continue;
        }
        cli_say(run->program, "claim %s: %s", pls_audit_claim(i), pls_audit_claim_title(i));
        CLI_TRY(pls_audit_check(&subject, &options, i, result));
        run->count++;
        run->violated += result->verdict == PLS_VERDICT_VIOLATED && result->kind == PLS_CLAIM_LAW;
        CLI_TRY(write_json(run));
        CLI_TRY(write_csv(run));
        if (shows) {
            print_claim(result);
            fflush(stdout);
        }
    }
cleanup:
    return status;
}

static pls_status say_interrupted(const audit_run *run) {
    if (run->count == 0) {
        return cli_fail(run->program, PLS_CANCELLED,
                        "interrupted before the first claim was checked");
    }
    return cli_fail(run->program, PLS_CANCELLED,
                    "interrupted; %d of %d claims are checked, and their verdicts are in %s; ask "
                    "for the others by --claims",
                    run->count, count_asked(run->settings.audit.claims), run->folder);
}

static pls_status run_audit(audit_run *run, const command_line *given) {
    double start = cli_seconds();
    char *report = NULL, error[CLI_ERROR_SIZE];
    pls_status status = PLS_OK;
    CLI_TRY(run_settings(run->program, given, &run->settings));
    CLI_TRY(check_claims(run->program, run->settings.audit.claims));
    CLI_TRY(check_widths(run->program, &run->settings));
    CLI_TRY(experiment_create(run->program, &run->settings, &run->experiment));
    CLI_TRY(run_folder(run->program, given, &run->settings, &run->folder));
    CLI_TRY(cli_allocate(run->program, pls_audit_claims(), sizeof *run->results, "the claims",
                         &run->results));
    look_at_subject(run);
    if (!run->program->quiet && !run->program->json) {
        print_head(run);
    }
    pls_status checked = check_all(run);
    run->seconds = cli_seconds() - start;
    run->program->listening = false; /* what follows is short and must not be cut off */
    snprintf(error, sizeof error, "%s", cli_error_text(run->program, checked));
    CLI_TRY(summarize(run, checked));
    if (run->count > 0) {
        run_report(run->program, &run->settings, run->folder, &report);
    }
    status = checked == PLS_OK ? PLS_OK : cli_fail(run->program, checked, "%s", error);
    if (status == PLS_CANCELLED) {
        status = say_interrupted(run);
    }
    if (status == PLS_OK && !run->program->quiet && !run->program->json) {
        print_end(run, report);
    }
    if (status == PLS_OK && run->violated > 0) {
        status = cli_fail(run->program, PLS_ERROR_NUMERIC,
                          "%d law%s of the theory %s violated beyond the numerical error: a "
                          "premise is false, or this program is wrong; see %s/claims.csv",
                          run->violated, run->violated == 1 ? "" : "s",
                          run->violated == 1 ? "is" : "are", run->folder);
    }
cleanup:
    free(report);
    return status;
}

pls_status command_audit(cli *program, const command_line *given) {
    audit_run run = {.program = program};
    pls_status status = run_audit(&run, given);
    free(run.results);
    free(run.folder);
    experiment_destroy(program, &run.experiment);
    settings_release(&run.settings);
    return status;
}
