/* Preloaded into a process, makes the disk below a folder fail for as long as a control file says so.

   BAD_DISK_FOLDER names the folder. The file that BAD_DISK_CONTROL names holds an error's number, the kind of call that
   fails with it ("write" or "sync") and a part of the paths that are concerned ("/" for all). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int failure(int fd, const char *kind) {
    const char *folder = getenv("BAD_DISK_FOLDER"), *control = getenv("BAD_DISK_CONTROL");
    char text[256] = {0}, wanted[16], part[200], link[64], path[4096] = {0};
    int saved = errno, number = 0;
    if (!folder || !control) return 0;
    int handle = open(control, O_RDONLY | O_CLOEXEC);
    if (handle >= 0) {
        ssize_t size = read(handle, text, sizeof text - 1);
        close(handle);
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (size <= 0 || sscanf(text, "%d %15s %199s", &number, wanted, part) != 3 || strcmp(wanted, kind)
            || readlink(link, path, sizeof path - 1) < 0 || strncmp(path, folder, strlen(folder)) || !strstr(path, part))
            number = 0;
    }
    errno = number ? number : saved;
    return number;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAILING(kind, type, name, parameters, arguments) \
    type name parameters { return failure(fd, kind) ? -1 : REAL(name) arguments; }

FAILING("write", ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
FAILING("write", ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
FAILING("write", ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
FAILING("write", ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
FAILING("sync", int, fsync, (int fd), (fd))
FAILING("sync", int, fdatasync, (int fd), (fd))
