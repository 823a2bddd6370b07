/* Finding and loading a backend's module: a program serves machines with and without its libraries,
 * since nothing of them is touched before a device of that backend is opened. */
#define _GNU_SOURCE /* dladdr1 */
#include "backend/module.h"

#include <dlfcn.h>
#include <libgen.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static const char module_name[] = "plstar-cuda.so";

/* Where the module may be, seen from the folder of this code. */
static const char *const places[] = {"", "plstar/", "../" PLSTAR_MODULE_FOLDER "/"};

enum { PLACES = sizeof places / sizeof places[0] };

/* The folder of the program or shared library that holds this code. */
static bool own_folder(char *folder) {
    Dl_info place;
    struct link_map *map = NULL;
    char path[PATH_SIZE];
    if (dladdr1((void *)(uintptr_t)pls_module_load_cuda, &place, (void **)&map, RTLD_DL_LINKMAP) ==
            0 ||
        map == NULL) {
        return false;
    }
    if (map->l_name[0] != '\0') {
        snprintf(path, sizeof path, "%s", map->l_name);
    } else { /* the program itself */
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        if (length <= 0) {
            return false;
        }
        path[length] = '\0';
    }
    snprintf(folder, PATH_SIZE, "%s", dirname(path));
    return true;
}

static bool find_module(char *path) {
    const char *named = getenv("PLSTAR_CUDA_MODULE");
    char folder[PATH_SIZE];
    if (named != NULL && named[0] != '\0') {
        snprintf(path, PATH_SIZE, "%s", named);
        return true;
    }
    for (int i = 0; own_folder(folder) && i < PLACES; i++) {
        int length = snprintf(path, PATH_SIZE, "%s/%s%s", folder, places[i], module_name);
        if (length < PATH_SIZE && access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* The table of a loaded module, if it was built with this program. */
static pls_status check_module(pls_context *context, const char *path, void *module,
                               const pls_backend **backend) {
    pls_backend_entry_function *entry = NULL;
    void *symbol = dlsym(module, PLS_BACKEND_ENTRY);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function pointer */
    if (entry == NULL) {
        return pls_fail(context, PLS_ERROR_DEVICE, "%s is no plstar module: it has no function %s",
                        path, PLS_BACKEND_ENTRY);
    }
    const pls_backend *table = entry();
    if (table->version != PLS_BACKEND_VERSION || strcmp(table->build, PLSTAR_VERSION) != 0) {
        return pls_fail(context, PLS_ERROR_DEVICE,
                        "%s belongs to plstar %s (operations version %d), this program is %s "
                        "(version %d); install both from the same release",
                        path, table->build, table->version, PLSTAR_VERSION, PLS_BACKEND_VERSION);
    }
    *backend = table;
    return PLS_OK;
}

bool pls_module_has_cuda(void) {
    char path[PATH_SIZE];
    return find_module(path);
}

bool pls_module_has_driver(void) {
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    pls_module_unload(driver);
    return driver != NULL;
}

pls_status pls_module_load_cuda(pls_context *context, void **module, const pls_backend **backend) {
    char path[PATH_SIZE];
    if (!find_module(path)) {
        return pls_fail(context, PLS_ERROR_DEVICE,
                        "no CUDA device: this build of plstar has no CUDA module (%s); build it "
                        "where nvcc is installed",
                        module_name);
    }
    /* CUDA's libraries keep threads and handlers of their own and must stay where they are. */
    void *loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (loaded == NULL) {
        return pls_fail(context, PLS_ERROR_DEVICE,
                        "no CUDA device: the module cannot be loaded: %s (are the CUDA libraries "
                        "installed, or their folder in LD_LIBRARY_PATH?)",
                        dlerror());
    }
    pls_status status = check_module(context, path, loaded, backend);
    if (status != PLS_OK) {
        dlclose(loaded);
        return status;
    }
    *module = loaded;
    return PLS_OK;
}

void pls_module_unload(void *module) {
    if (module != NULL) {
        dlclose(module);
    }
}
