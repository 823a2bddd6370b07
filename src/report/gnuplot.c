/* Running gnuplot: a child process whose output is read through a pipe until it ends, closes the
 * pipe or its time is up. It gets a process group of its own, so that an interrupt typed at the
 * terminal, which may be what led to this report, does not stop the drawing. */
#include "report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The gnuplot command that goes to a folder, "cd '...'"; quotes within are doubled. */
static bool write_change(const char *folder, char *command, size_t size) {
    char whole[PATH_MAX];
    if (realpath(folder, whole) == NULL) {
        return false;
    }
    size_t used = (size_t)snprintf(command, size, "cd '");
    for (const char *c = whole; *c != '\0' && used + 4 < size; c++) {
        command[used++] = *c;
        if (*c == '\'') {
            command[used++] = *c;
        }
    }
    snprintf(command + used, size - used, "'");
    return true;
}

/* Starts the child with its output in the pipe's writing end. Returns an errno, 0 if started. */
static int start(const char *program, const char *change, const char *script, int writing_end,
                 pid_t *child) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int fault = posix_spawn_file_actions_init(&actions);
    if (fault != 0) {
        return fault;
    }
    fault = posix_spawnattr_init(&attributes);
    if (fault != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return fault;
    }
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    char *const arguments[] = {(char *)"gnuplot", (char *)"--default-settings",
                               (char *)"-e",      (char *)change,
                               (char *)script,    NULL};
    fault = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    fault =
        fault != 0 ? fault : posix_spawn_file_actions_adddup2(&actions, writing_end, STDOUT_FILENO);
    fault =
        fault != 0 ? fault : posix_spawn_file_actions_adddup2(&actions, writing_end, STDERR_FILENO);
    fault = fault != 0 ? fault
                       : posix_spawnp(child, program, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return fault;
}

/* Reads until the end of the output; keeps the beginning. Returns false if the time ran out. */
static bool read_output(int reading_end, int64_t deadline, char *kept, size_t size) {
    size_t used = 0;
    for (;;) {
        int64_t left = deadline - milliseconds();
        struct pollfd descriptor = {.fd = reading_end, .events = POLLIN};
        int ready = left > 0 ? poll(&descriptor, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
            return false;
        }
        char buffer[1024];
        ssize_t count = read(reading_end, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            kept[used] = '\0';
            return true;
        }
        for (ssize_t i = 0; i < count && used + 1 < size; i++) {
            kept[used++] = buffer[i];
        }
        kept[used] = '\0';
    }
}

/* What the program said, on one line, without the lines that are blank. */
static void tidy(char *text) {
    char *out = text;
    bool blank = true;
    for (const char *c = text; *c != '\0'; c++) {
        bool is_blank = (unsigned char)*c <= ' ';
        if (!is_blank) {
            *out++ = *c;
        } else if (!blank) {
            *out++ = ' ';
        }
        blank = is_blank;
    }
    *out = '\0';
}

/* Waits for a child that has closed its output, or kills one whose time is up. */
static bool wait_for(pid_t child, int64_t deadline, int *status) {
    for (;;) {
        pid_t ended = waitpid(child, status, WNOHANG);
        if (ended == child) {
            return true;
        }
        if (ended < 0 && errno != EINTR) {
            *status = 0; /* somebody else, who ignores SIGCHLD, has reaped it */
            return true;
        }
        if (milliseconds() >= deadline) {
            kill(-child, SIGKILL);
            while (waitpid(child, status, 0) < 0 && errno == EINTR) {
            }
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

pls_gnuplot_outcome pls_gnuplot_run(const char *program, const char *folder, const char *script,
                                    int timeout_seconds, char reason[PLS_GNUPLOT_REASON_SIZE]) {
    int ends[2];
    char change[2 * PATH_MAX + 8];
    if (!write_change(folder, change, sizeof change) || pipe(ends) != 0) {
        snprintf(reason, PLS_GNUPLOT_REASON_SIZE, "%s", strerror(errno));
        return PLS_GNUPLOT_FAILED;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    pid_t child = 0;
    int fault = start(program, change, script, ends[1], &child);
    close(ends[1]);
    if (fault != 0) {
        close(ends[0]);
        snprintf(reason, PLS_GNUPLOT_REASON_SIZE, "%s: %s", program, strerror(fault));
        return PLS_GNUPLOT_MISSING;
    }
    char said[PLS_GNUPLOT_REASON_SIZE] = "";
    int64_t deadline = milliseconds() + (int64_t)timeout_seconds * 1000;
    bool in_time = read_output(ends[0], deadline, said, sizeof said);
    close(ends[0]);
    int status = 0;
    in_time = wait_for(child, in_time ? deadline : 0, &status) && in_time;
    tidy(said);
    if (!in_time) {
        snprintf(reason, PLS_GNUPLOT_REASON_SIZE, "no end after %d s", timeout_seconds);
        return PLS_GNUPLOT_FAILED;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && said[0] == '\0') {
        snprintf(reason, PLS_GNUPLOT_REASON_SIZE, "%s cannot be started", program);
        return PLS_GNUPLOT_MISSING;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        snprintf(reason, PLS_GNUPLOT_REASON_SIZE, "%s",
                 said[0] != '\0' ? said : "it ended without a word");
        return PLS_GNUPLOT_FAILED;
    }
    return PLS_GNUPLOT_DONE;
}
