/* Loaded before the C library: makes one allocation of the program itself fail, the FAIL_AT-th.
 * What the libraries ask for (OpenMP's and the BLAS's give up without memory) is left alone: a call
 * counts when it comes from the program's own code. FAIL_COUNT names a file for the number of
 * calls. glibc only. */
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static uintptr_t first_code, last_code;
static long calls, fail_at;

static int find_program(struct dl_phdr_info *object, size_t size, void *user) {
    (void)size;
    (void)user;
    if (object->dlpi_name[0] != '\0') {
        return 0;
    }
    for (int i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t start = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
            uintptr_t end = start + object->dlpi_phdr[i].p_memsz;
            first_code = first_code == 0 || start < first_code ? start : first_code;
            last_code = end > last_code ? end : last_code;
        }
    }
    return 1;
}

__attribute__((constructor)) static void start(void) {
    const char *given = getenv("FAIL_AT");
    fail_at = given != NULL ? atol(given) : 0;
    dl_iterate_phdr(find_program, NULL);
}

__attribute__((destructor)) static void finish(void) {
    const char *path = getenv("FAIL_COUNT");
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (file != NULL) {
        fprintf(file, "%ld\n", calls);
        fclose(file);
    }
}

static int must_fail(const void *caller) {
    uintptr_t place = (uintptr_t)caller;
    if (place < first_code || place >= last_code || ++calls != fail_at) {
        return 0;
    }
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) {
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, size);
}
