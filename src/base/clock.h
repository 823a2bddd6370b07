/* Wall-clock time for progress and budgets; no result depends on it. */
#ifndef PLSTAR_BASE_CLOCK_H
#define PLSTAR_BASE_CLOCK_H

/* Seconds since some fixed moment, never going back. */
double pls_clock(void);

#endif
