/* Loaded in front of a program (LD_PRELOAD) to make one call of the system go wrong, or to count calls.
 *   FAULT_CALL   rename, fsync, unlink, write or mkdir: of regular files and folders
 *   FAULT_AT     which one, from 1
 *   FAULT_HOW    kill: the process ends before the call, by SIGKILL; after: behind it; half: a write is cut in two, and
 *                the process ends between; or the error that the call fails with from then on: ENOSPC, EIO, EROFS
 *   FAULT_COUNT  a file that gets the number of calls of each kind when the process ends
 *   FAULT_CLOCK  1: the clock of the day jumps back and forth by days
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RENAME, FSYNC, UNLINK, WRITE, MKDIR, CALLS };
static const char *const kNames[CALLS] = {"rename", "fsync", "unlink", "write", "mkdir"};
static atomic_long counts[CALLS];
static long at = -1;
static int wanted = -1, error_number = 0, jumps = 0;
static const char *how = "", *counted = NULL;

__attribute__((constructor)) static void begin(void) {
  const char *call = getenv("FAULT_CALL"), *number = getenv("FAULT_AT");
  for (int i = 0; call != NULL && i < CALLS; ++i)
    if (strcmp(call, kNames[i]) == 0) wanted = i;
  if (number != NULL) at = atol(number);
  if (getenv("FAULT_HOW") != NULL) how = getenv("FAULT_HOW");
  if (strcmp(how, "ENOSPC") == 0) error_number = ENOSPC;
  if (strcmp(how, "EIO") == 0) error_number = EIO;
  if (strcmp(how, "EROFS") == 0) error_number = EROFS;
  jumps = getenv("FAULT_CLOCK") != NULL;
  if (getenv("FAULT_COUNT") != NULL) counted = strdup(getenv("FAULT_COUNT"));
  unsetenv("LD_PRELOAD"); /* children are left alone */
}

__attribute__((destructor)) static void end(void) {
  if (counted == NULL) return;
  FILE *file = fopen(counted, "w");
  if (file == NULL) return;
  for (int i = 0; i < CALLS; ++i) fprintf(file, "%s %ld\n", kNames[i], (long)counts[i]);
  fclose(file);
}

/* 1: the call is the one that goes wrong, or comes behind it. */
static int goes_wrong(int call) {
  const long number = atomic_fetch_add(&counts[call], 1) + 1;
  if (call != wanted) return 0;
  return error_number != 0 ? number >= at : number == at;
}
static void die(void) { kill(getpid(), SIGKILL); }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAULT(call, ...)                              \
  const int wrong = goes_wrong(call);                 \
  if (wrong && error_number != 0) {                   \
    errno = error_number;                             \
    return -1;                                        \
  }                                                   \
  if (wrong && strcmp(how, "kill") == 0) die();       \
  const __typeof__(__VA_ARGS__) done = __VA_ARGS__;   \
  if (wrong && strcmp(how, "after") == 0) die();      \
  return done

int rename(const char *from, const char *to) { FAULT(RENAME, REAL(rename)(from, to)); }
int fsync(int file) { FAULT(FSYNC, REAL(fsync)(file)); }
int fdatasync(int file) { FAULT(FSYNC, REAL(fdatasync)(file)); }
int unlink(const char *path) { FAULT(UNLINK, REAL(unlink)(path)); }
int mkdir(const char *path, mode_t mode) { FAULT(MKDIR, REAL(mkdir)(path, mode)); }
int remove(const char *path) { FAULT(UNLINK, REAL(remove)(path)); }
ssize_t write(int file, const void *bytes, size_t size) {
  struct stat status;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return REAL(write)(file, bytes, size);
  if (wanted == WRITE && strcmp(how, "half") == 0) {
    if (!goes_wrong(WRITE)) return REAL(write)(file, bytes, size);
    if (REAL(write)(file, bytes, size / 2) >= 0) die();
  }
  FAULT(WRITE, REAL(write)(file, bytes, size));
}

static long jump(void) {
  static atomic_long calls;
  return (atomic_fetch_add(&calls, 1) % 7 - 3) * 86400;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
  const int done = REAL(clock_gettime)(clock, now);
  if (done == 0 && jumps && clock == CLOCK_REALTIME) now->tv_sec += jump();
  return done;
}
time_t time(time_t *now) {
  const time_t t = REAL(time)(NULL) + (jumps ? jump() : 0);
  if (now != NULL) *now = t;
  return t;
}
