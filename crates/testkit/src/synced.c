/* Keeps, for each file in the directory TEST_SEEN and in the directories in it, a copy in TEST_SYNCED that
 * holds what was synced and nothing else: what a loss of power would leave. Loaded with LD_PRELOAD.
 *
 * Writes are remembered as ranges; a sync copies the ranges that were written since the last one. A file
 * comes into being on the disk, or gets its new name, when it or its directory is synced; that it was
 * removed counts at once, and so does a new directory.
 * The index of SQLite's log ("-shm") is mapped memory, rebuilt at every start, and left out.
 *
 * With TEST_UNSYNCED the disk lies: whatever is written to files whose path contains it is never synced.
 * With TEST_SLOW it is slow: each sync takes so many milliseconds. While the file TEST_FULL exists it is full.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 1024
#define DIRECTORIES 16
#define DESCRIPTORS 4096

struct range {
    off_t from, to;
};

struct file {
    /* From TEST_SEEN on. */
    char name[2 * NAME_MAX + 2];
    int directory;
    struct range *dirty;
    size_t used, room;
    /* The file whose name on the disk it still has to take over; 0: it has its own. */
    int renamed;
};

static struct file files[FILES];
/* The first is TEST_SEEN itself, and has no name. */
static char directories[DIRECTORIES][NAME_MAX + 1];
/* 0: not ours; -n: directories[n - 1]; n: files[n - 1]. */
static int by_descriptor[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) {
        fprintf(stderr, "synced.c: no %s\n", name);
        abort();
    }
    return function;
}

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        abort();
    }
}

/* The path of a file in the directory that a variable of the environment names. */
static void path_in(char *path, const char *variable, const char *name) {
    int length = snprintf(path, PATH_MAX, "%s/%s", getenv(variable), name);
    check(length > 0 && length < PATH_MAX, variable);
}

static void synced_path(char *path, const char *name) { path_in(path, "TEST_SYNCED", name); }

/* The place among the directories of the first `length` bytes of a name. It comes into being on the disk, too. */
static int directory(const char *name, size_t length) {
    char path[PATH_MAX];
    check(length <= NAME_MAX, name);
    for (int i = 1; i < DIRECTORIES; i++) {
        if (!directories[i][0]) {
            memcpy(directories[i], name, length);
            synced_path(path, directories[i]);
            check(!mkdir(path, 0755) || errno == EEXIST, path);
        }
        if (strlen(directories[i]) == length && !strncmp(directories[i], name, length))
            return i;
    }
    abort();
}

/* Whether something is a directory, without opening it: the locks of a file go when it is closed again. */
static int is_directory(const char *path) {
    struct stat status;
    return !stat(path, &status) && S_ISDIR(status.st_mode);
}

/* What a path is: 0, a directory, or the number of a file. A file that this process has never written is 0,
 * unless it is about to be. */
static int find(const char *path, int writes) {
    const char *seen = getenv("TEST_SEEN");
    size_t length = seen ? strlen(seen) : 0;
    if (!length || strncmp(path, seen, length))
        return 0;
    if (!path[length])
        return -1;
    const char *name = path + length + 1;
    size_t name_length = strlen(name);
    const char *end = name + name_length;
    const char *slash = strchr(name, '/');
    if (path[length] != '/' || !name_length || name_length >= sizeof files[0].name)
        return 0;
    if (slash && strchr(slash + 1, '/'))
        return 0;
    if ((name_length > 4 && !strcmp(end - 4, "-shm")) || (name_length > 5 && !strcmp(end - 5, ".lock")))
        return 0;
    if (!slash && is_directory(path))
        return -1 - directory(name, name_length);
    for (int i = 0; i < FILES; i++) {
        if (!files[i].name[0] && !writes)
            return 0;
        if (!files[i].name[0]) {
            strcpy(files[i].name, name);
            files[i].directory = slash ? directory(name, slash - name) : 0;
        }
        if (!strcmp(files[i].name, name))
            return i + 1;
    }
    abort();
}

static struct file *of(int descriptor) {
    int number = descriptor >= 0 && descriptor < DESCRIPTORS ? by_descriptor[descriptor] : 0;
    return number > 0 ? &files[number - 1] : NULL;
}

static void opened(int descriptor, const char *path, int flags) {
    if (descriptor < 0 || descriptor >= DESCRIPTORS)
        return;
    pthread_mutex_lock(&lock);
    by_descriptor[descriptor] = find(path, (flags & O_ACCMODE) != O_RDONLY);
    pthread_mutex_unlock(&lock);
}

static void written(struct file *file, off_t from, ssize_t length) {
    if (length <= 0)
        return;
    if (file->used && file->dirty[file->used - 1].to == from) {
        file->dirty[file->used - 1].to += length;
        return;
    }
    if (file->used == file->room) {
        file->room = file->room ? 2 * file->room : 64;
        file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
        check(file->dirty != NULL, "realloc");
    }
    file->dirty[file->used++] = (struct range){from, from + length};
}

/* Gives the copy its new name. */
static void sync_name(struct file *file) {
    char from[PATH_MAX], to[PATH_MAX];
    if (!file->renamed)
        return;
    synced_path(from, files[file->renamed - 1].name);
    synced_path(to, file->name);
    check(!REAL(rename)(from, to) || errno == ENOENT, from);
    file->renamed = 0;
}

/* Brings the copy up to date with the file. */
static void sync_file(struct file *file, int descriptor) {
    static char buffer[65536];
    char path[PATH_MAX];
    struct stat status;
    int source = descriptor;
    sync_name(file);
    /* A file of the store is never opened a second time: closing it again would drop its locks. */
    if ((fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        path_in(path, "TEST_SEEN", file->name);
        source = REAL(open)(path, O_RDONLY | O_CLOEXEC);
        check(source >= 0, path);
    }
    synced_path(path, file->name);
    int copy = REAL(open)(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    check(copy >= 0, path);
    for (size_t i = 0; i < file->used; i++) {
        off_t at = file->dirty[i].from;
        while (at < file->dirty[i].to) {
            size_t want = file->dirty[i].to - at;
            ssize_t got = pread(source, buffer, want < sizeof buffer ? want : sizeof buffer, at);
            check(got >= 0, "pread");
            if (!got)
                break; /* cut off since it was written */
            check(REAL(pwrite)(copy, buffer, got, at) == got, "pwrite");
            at += got;
        }
    }
    file->used = 0;
    check(!fstat(descriptor, &status), "fstat");
    check(!REAL(ftruncate)(copy, status.st_size), "ftruncate");
    REAL(close)(copy);
    if (source != descriptor)
        REAL(close)(source);
}

/* Every file in a directory is there after a loss of power, if only with nothing in it. */
static void sync_directory(int directory) {
    char path[PATH_MAX];
    for (int i = 0; i < FILES && files[i].name[0]; i++) {
        if (files[i].directory != directory)
            continue;
        sync_name(&files[i]);
        path_in(path, "TEST_SEEN", files[i].name);
        struct stat status;
        if (stat(path, &status) || !S_ISREG(status.st_mode))
            continue;
        synced_path(path, files[i].name);
        int copy = REAL(open)(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        check(copy >= 0, path);
        REAL(close)(copy);
    }
}

/* Whether the disk says that it has synced a file, and has not. */
static int is_lied_to(const struct file *file) {
    const char *unsynced = getenv("TEST_UNSYNCED");
    return unsynced && strstr(file->name, unsynced);
}

/* Writing fails now, for want of room. */
static int is_full(void) {
    const char *full = getenv("TEST_FULL");
    if (!full || access(full, F_OK))
        return 0;
    errno = ENOSPC;
    return 1;
}

static int synced(int descriptor) {
    const char *slow = getenv("TEST_SLOW");
    if (slow)
        usleep(1000 * atoi(slow));
    pthread_mutex_lock(&lock);
    struct file *file = of(descriptor);
    if (file && !is_lied_to(file))
        sync_file(file, descriptor);
    else if (!file && descriptor >= 0 && descriptor < DESCRIPTORS && by_descriptor[descriptor] < 0)
        sync_directory(-1 - by_descriptor[descriptor]);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int descriptor) { return synced(descriptor); }

int fdatasync(int descriptor) { return synced(descriptor); }

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                    \
        va_end(rest);                                                                              \
        int descriptor = REAL(name)(path, flags, mode);                                            \
        opened(descriptor, path, flags);                                                            \
        return descriptor;                                                                         \
    }

OPEN(open)
OPEN(open64)

int close(int descriptor) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS)
        by_descriptor[descriptor] = 0;
    return REAL(close)(descriptor);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    struct file *file = of(descriptor);
    if (!file)
        return REAL(write)(descriptor, bytes, length);
    if (is_full())
        return -1;
    pthread_mutex_lock(&lock);
    off_t at = lseek(descriptor, 0, SEEK_CUR);
    ssize_t done = REAL(write)(descriptor, bytes, length);
    written(file, at, done);
    pthread_mutex_unlock(&lock);
    return done;
}

#define PWRITE(name, offset)                                                                       \
    ssize_t name(int descriptor, const void *bytes, size_t length, offset at) {                    \
        struct file *file = of(descriptor);                                                        \
        if (!file)                                                                                 \
            return REAL(name)(descriptor, bytes, length, at);                                      \
        if (is_full())                                                                             \
            return -1;                                                                             \
        pthread_mutex_lock(&lock);                                                                 \
        ssize_t done = REAL(name)(descriptor, bytes, length, at);                                  \
        written(file, at, done);                                                                   \
        pthread_mutex_unlock(&lock);                                                               \
        return done;                                                                               \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    int number = find(path, 1);
    int done = REAL(unlink)(path);
    if (!done && number > 0) {
        char copy[PATH_MAX];
        synced_path(copy, files[number - 1].name);
        REAL(unlink)(copy);
        files[number - 1].used = 0;
        files[number - 1].renamed = 0;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    int old = find(from, 1), new = find(to, 1);
    int done = REAL(rename)(from, to);
    if (!done && old > 0 && new > 0) {
        struct file *file = &files[new - 1];
        free(file->dirty);
        file->dirty = files[old - 1].dirty;
        file->used = files[old - 1].used;
        file->room = files[old - 1].room;
        file->renamed = files[old - 1].renamed ? files[old - 1].renamed : old;
        files[old - 1].dirty = NULL;
        files[old - 1].used = files[old - 1].room = 0;
        files[old - 1].renamed = 0;
        for (int i = 0; i < DESCRIPTORS; i++)
            if (by_descriptor[i] == old)
                by_descriptor[i] = new;
    }
    pthread_mutex_unlock(&lock);
    return done;
}
