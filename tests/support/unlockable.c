/* Preloaded into a process, it makes a working file system behave as some network and shared file
 * systems do: every lock on a file fails with the error REFUSE_LOCKS, and every shared mapping of a
 * file with the error REFUSE_SHARING. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

static int refused(const char *variable) {
    const char *code = getenv(variable);
    errno = code ? atoi(code) : 0;
    return errno != 0;
}

static int call(const char *name, int fd, int command, void *argument) {
    int before = errno;
    if ((command == F_SETLK || command == F_SETLKW || command == F_GETLK) && refused("REFUSE_LOCKS"))
        return -1;
    errno = before;
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
    return real(fd, command, argument);
}

#define WRAPPED(name)                           \
    int name(int fd, int command, ...) {        \
        va_list rest;                           \
        va_start(rest, command);                \
        void *argument = va_arg(rest, void *);  \
        va_end(rest);                           \
        return call(#name, fd, command, argument); \
    }

WRAPPED(fcntl)
WRAPPED(fcntl64)

#define MAPPED(name, offset_type)                                                            \
    void *name(void *at, size_t size, int access, int flags, int fd, offset_type offset) {   \
        int before = errno;                                                                  \
        if (fd >= 0 && (flags & MAP_SHARED) && refused("REFUSE_SHARING"))                    \
            return MAP_FAILED;                                                               \
        errno = before;                                                                      \
        void *(*real)(void *, size_t, int, int, int, offset_type) = dlsym(RTLD_NEXT, #name); \
        return real(at, size, access, flags, fd, offset);                                    \
    }

MAPPED(mmap, off_t)
MAPPED(mmap64, off64_t)
