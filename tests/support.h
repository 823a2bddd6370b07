/* What several tests need: a context whose n-th allocation fails, files in a folder of their own,
 * and checks of errors. */
#ifndef PLSTAR_TESTS_SUPPORT_H
#define PLSTAR_TESTS_SUPPORT_H

#include "plstar/context.h"
#include "plstar/device.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Allocator hook that counts what lives and lets one allocation fail. */
typedef struct support_allocator {
    int64_t calls;
    int64_t fail_at; /* the call that fails, counted from 1; 0 for none */
    int64_t live;
} support_allocator;

static inline void *support_allocate(void *user, size_t bytes) {
    support_allocator *allocator = user;
    if (++allocator->calls == allocator->fail_at) {
        return NULL;
    }
    void *memory = malloc(bytes);
    allocator->live += memory != NULL;
    return memory;
}

static inline void support_release(void *user, void *memory) {
    support_allocator *allocator = user;
    allocator->live--;
    free(memory);
}

/* allocator may be NULL. */
static inline pls_context *support_context(support_allocator *allocator) {
    pls_context *context = NULL;
    pls_hooks hooks = {.user = allocator, .allocate = support_allocate, .release = support_release};
    cr_assert_eq(pls_context_create(allocator != NULL ? &hooks : NULL, &context), PLS_OK);
    return context;
}

/* The device under test: what PLSTAR_TEST_DEVICE names, "cpu" if it is not set. */
static inline pls_device_options support_device(int threads) {
    const char *name = getenv("PLSTAR_TEST_DEVICE");
    pls_device_options options = {name != NULL ? name : "cpu", threads};
    return options;
}

/* One use of the library, from making objects to destroying them. */
typedef pls_status support_action(pls_context *context, void *user);

/* Runs the action with its 1st, 2nd, ... allocation failing until it gets through: each failure
 * must be reported as one of memory, and nothing may stay allocated. */
static inline void support_fail_each_allocation(support_action *action, void *user) {
    for (int64_t n = 1;; n++) {
        support_allocator allocator = {0};
        pls_context *context = support_context(&allocator);
        allocator.fail_at = allocator.calls + n;
        pls_status status = action(context, user);
        cr_assert_eq(allocator.live, 1, "%lld allocations live on after the %lld-th failed",
                     (long long)allocator.live - 1, (long long)n);
        bool reached = allocator.calls >= allocator.fail_at;
        cr_assert_eq(status, reached ? PLS_ERROR_MEMORY : PLS_OK, "allocation %lld: %s",
                     (long long)n, pls_error_text(context));
        cr_assert_eq(strlen(pls_error_text(context)) > 0, reached);
        pls_context_destroy(context);
        if (!reached) {
            cr_assert_gt(n, 1, "the action allocates nothing");
            return;
        }
    }
}

/* The same for an action that can do without some of its memory: it may also get through. */
static inline void support_survive_each_allocation(support_action *action, void *user) {
    for (int64_t n = 1;; n++) {
        support_allocator allocator = {0};
        pls_context *context = support_context(&allocator);
        allocator.fail_at = allocator.calls + n;
        pls_status status = action(context, user);
        cr_assert(status == PLS_OK || status == PLS_ERROR_MEMORY, "allocation %lld: %s",
                  (long long)n, pls_error_text(context));
        cr_assert_eq(allocator.live, 1, "a leak after the %lld-th failed", (long long)n);
        bool reached = allocator.calls >= allocator.fail_at;
        pls_context_destroy(context);
        if (!reached) {
            cr_assert_eq(status, PLS_OK);
            return;
        }
    }
}

/* The status and a part of the sentence. */
#define SUPPORT_EXPECT_ERROR(context, status, expected, part)                                      \
    do {                                                                                           \
        pls_status support_status = (status);                                                      \
        cr_assert_eq(support_status, (expected), "status %d, expected %d: %s",                     \
                     (int)support_status, (int)(expected), pls_error_text(context));               \
        cr_assert(strstr(pls_error_text(context), (part)) != NULL, "\"%s\" is not in \"%s\"",      \
                  (part), pls_error_text(context));                                                \
    } while (0)

#define SUPPORT_EXPECT_OK(context, status)                                                         \
    do {                                                                                           \
        pls_status support_status = (status);                                                      \
        cr_assert_eq(support_status, PLS_OK, "%s", pls_error_text(context));                       \
    } while (0)

typedef struct support_folder {
    char path[64];
    char file[192]; /* of the last support_path() */
} support_folder;

static inline support_folder support_folder_create(void) {
    support_folder folder = {.path = "/tmp/plstar-test-XXXXXX"};
    cr_assert(mkdtemp(folder.path) != NULL);
    return folder;
}

/* Removes the folder and the files in it. */
static inline void support_folder_destroy(support_folder *folder) {
    DIR *listing = opendir(folder->path);
    for (struct dirent *entry = NULL; listing != NULL && (entry = readdir(listing)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder->path, entry->d_name);
        unlink(path);
    }
    if (listing != NULL) {
        closedir(listing);
    }
    rmdir(folder->path);
}

/* "folder/name"; valid until the next call. */
static inline const char *support_path(support_folder *folder, const char *name) {
    snprintf(folder->file, sizeof folder->file, "%s/%s", folder->path, name);
    return folder->file;
}

/* Writes a file and gives its path; valid until the next support_path(). */
static inline const char *support_write(support_folder *folder, const char *name, const void *bytes,
                                        size_t size) {
    const char *path = support_path(folder, name);
    FILE *stream = fopen(path, "wb");
    cr_assert(stream != NULL);
    cr_assert_eq(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
    return path;
}

/* The bytes of a file; to be freed. */
static inline unsigned char *support_read(const char *path, size_t *size) {
    FILE *stream = fopen(path, "rb");
    cr_assert(stream != NULL, "%s is missing", path);
    fseek(stream, 0, SEEK_END);
    *size = (size_t)ftell(stream);
    rewind(stream);
    unsigned char *bytes = malloc(*size + 1);
    cr_assert_eq(fread(bytes, 1, *size, stream), *size);
    fclose(stream);
    return bytes;
}

/* Files in the folder. */
static inline int support_count_files(const support_folder *folder) {
    int count = 0;
    DIR *listing = opendir(folder->path);
    for (struct dirent *entry = NULL; (entry = readdir(listing)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(listing);
    return count;
}

/* Reads a file of a format; whatever it holds, the reader may only succeed or report bad data (or
 * too little memory for what it promises). */
typedef pls_status support_reader(pls_context *context, const char *path);

/* Gives the reader the file cut off at every length, and with every byte changed in several ways:
 * it must neither crash nor leak, and every refusal must name the file. */
static inline void support_mutate(support_folder *folder, const char *name,
                                  const unsigned char *bytes, size_t size, support_reader *reader) {
    static const unsigned char changes[] = {0x01, 0x02, 0x10, 0x80, 0xff};
    enum { CHANGES = sizeof changes };
    unsigned char *mutant = malloc(size + 1);
    for (size_t at = 0; at < size; at++) {
        for (size_t change = 0; change <= CHANGES; change++) {
            memcpy(mutant, bytes, size);
            if (change < CHANGES) {
                mutant[at] ^= changes[change];
            }
            support_allocator allocator = {0};
            pls_context *context = support_context(&allocator);
            const char *path = support_write(folder, name, mutant, change < CHANGES ? size : at);
            pls_status status = reader(context, path);
            cr_assert(status == PLS_OK || status == PLS_ERROR_DATA || status == PLS_ERROR_FILE,
                      "byte %zu, change %zu: status %d, %s", at, change, (int)status,
                      pls_error_text(context));
            cr_assert(status == PLS_OK || strstr(pls_error_text(context), name) != NULL,
                      "byte %zu, change %zu: no file name in \"%s\"", at, change,
                      pls_error_text(context));
            cr_assert_eq(allocator.live, 1, "byte %zu, change %zu: a leak", at, change);
            pls_context_destroy(context);
        }
    }
    free(mutant);
}

#endif
