// Preloaded into a server: what it takes for the time of day is what a file says, in microseconds since the Unix epoch;
// or, if SEMAFENCE_CLOCK_RUNS is set, that much more than the true time, so that it goes on.
// Monotonic clocks are left alone, so that the server's own timers go on. But Valkey adds what the processor's counter
// says to the time of day at which it woke up; without /proc/cpuinfo a server does not trust that counter.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shown;
static int runs;

__attribute__((constructor)) static void find_clock(void) {
    const char *path = getenv("SEMAFENCE_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED) shown = map;
    runs = getenv("SEMAFENCE_CLOCK_RUNS") != NULL;
}

static int64_t true_us(void) {
    struct timespec now;
    if (syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) != 0) return 0;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!shown || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return (int)syscall(SYS_clock_gettime, clock, time);
    int64_t us = runs ? true_us() + *shown : *shown;
    time->tv_sec = us / 1000000;
    time->tv_nsec = us % 1000000 * 1000;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (seconds) *seconds = now.tv_sec;
    return now.tv_sec;
}

static FILE *open_file(const char *symbol, const char *path, const char *mode) {
    FILE *(*next)(const char *, const char *) = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, symbol);
    if (shown && strcmp(path, "/proc/cpuinfo") == 0) return NULL;
    return next ? next(path, mode) : NULL;
}

FILE *fopen(const char *restrict path, const char *restrict mode) { return open_file("fopen", path, mode); }

FILE *fopen64(const char *restrict path, const char *restrict mode) { return open_file("fopen64", path, mode); }
