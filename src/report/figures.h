/* The figures of a report: what each shows, its data, its gnuplot script and its caption. */
#ifndef PLSTAR_REPORT_FIGURES_H
#define PLSTAR_REPORT_FIGURES_H

#include "plstar/study.h"
#include "report/facts.h"
#include "report/text.h"

enum { PLS_RUN_FIGURES = 10, PLS_FIGURE_BLOCKS = 4, PLS_FIGURE_COLUMNS = 6, PLS_LABEL_SIZE = 128 };

/* Those of runs, then one a quantity of studies. */
enum { PLS_FIGURE_COUNT = PLS_RUN_FIGURES + PLS_QUANTITY_COUNT };

typedef struct pls_figure_column {
    const char *name;    /* in the data file */
    const char *heading; /* in the page, HTML; NULL = not shown there */
    bool is_count;       /* a step or an index */
    bool is_eigenvalue;  /* shown as below the floor where it is */
} pls_figure_column;

/* A table of numbers: one block of the data file. */
typedef struct pls_figure_block {
    const char *title;          /* "end of the run", NULL if there is only one block */
    char label[PLS_LABEL_SIZE]; /* the title of blocks whose titles come from the run */
    int64_t rows, all_rows;     /* all_rows > rows where rows were thinned for drawing */
    int columns;
    pls_figure_column column[PLS_FIGURE_COLUMNS];
    double *values;   /* rows x columns */
    int floor_column; /* floor of the eigenvalues in the same row; -1 if there is none */
} pls_figure_block;

typedef struct pls_figure {
    const char *name;  /* of its files */
    const char *title; /* plain text */
    int blocks;
    pls_figure_block block[PLS_FIGURE_BLOCKS];
    pls_text script;  /* of gnuplot */
    pls_text caption; /* HTML */
    pls_text drawing; /* inline SVG; empty if it could not be drawn */
} pls_figure;

typedef struct pls_figures {
    int count;
    pls_figure figure[PLS_FIGURE_COUNT];
} pls_figures;

/* The name of the which-th of all figures that there can be. */
const char *pls_figure_name(int which);

/* Composes the figures that have something to show; nothing is written or drawn yet.
 * *figures must be zeroed and is to be released also after an error. */
pls_status pls_figures_compose(pls_context *context, const pls_report_run *run,
                               const pls_report_facts *facts, pls_figures *figures);
void pls_figures_release(pls_context *context, pls_figures *figures);

/* Title, terminal and style of a figure, the first lines of its script. */
void pls_figure_start_script(pls_figure *figure);

/* The content of a figure's data file. */
void pls_figure_write_data(pls_text *text, const pls_figure *figure);

/* An eigenvalue in HTML: a number, or that it lies below its floor. */
void pls_text_eigenvalue(pls_text *text, double value, double floor_value);

#endif
