/* Preloaded into the Node runtime process. It changes three things that stand in the way of forking a
 * live V8 (docs/adr/0003-fork-stock-node.md), and nothing else:
 *
 * - madvise(MADV_DONTFORK): V8 asks that its heap be left out of forks; a child without it dies at once.
 * - mmap without a fixed address, and munmap: V8 scatters its pages over the whole address space, and each
 *   costs a child page tables of its own. Hinted mappings are packed one after another from one random base.
 * - pthread_create: remembers which threads live, so that a template with threads is not forked.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int madvise(void* address, size_t length, int advice) {
  if (advice == MADV_DONTFORK) return 0;
  return (int)syscall(SYS_madvise, address, length, advice);
}

/* V8's own pages are 256 KiB and aligned to that; larger reservations are left where V8 puts them. */
static const uint64_t kAlignment = 256u << 10u;
static const size_t kLargestPacked = 64u << 20u;
static _Atomic uint64_t next_address;

static uint64_t random_base(void) {
  uint32_t random = 0;
  if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random) random = (uint32_t)getpid();
  return 0x200000000000ull + (((uint64_t)random & 0xfffffu) << 21u);
}

static void* raw_mmap(void* address, size_t length, int prot, int flags, int fd, off_t offset) {
  return (void*)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}

EXPORT void* mmap(void* address, size_t length, int prot, int flags, int fd, off_t offset) {
  const int fixed = MAP_FIXED | MAP_FIXED_NOREPLACE;
  if (address != NULL && fd == -1 && (flags & fixed) == 0 && length <= kLargestPacked) {
    uint64_t expected = 0;
    if (atomic_load(&next_address) == 0)
      atomic_compare_exchange_strong(&next_address, &expected, random_base());
    const uint64_t size = (length + kAlignment - 1) & ~(kAlignment - 1);
    void* wanted = (void*)atomic_fetch_add(&next_address, size);
    void* got = raw_mmap(wanted, length, prot, flags | MAP_FIXED_NOREPLACE, fd, offset);
    if (got == wanted) return got;
    if (got != MAP_FAILED) syscall(SYS_munmap, got, length);
  }
  return raw_mmap(address, length, prot, flags, fd, offset);
}

/* V8 maps more than it needs and gives back what lies beyond the aligned part. When that was mapped last, the
 * next mapping begins there: neighbours then share page tables, and the kernel joins them into one. */
EXPORT int munmap(void* address, size_t length) {
  const int result = (int)syscall(SYS_munmap, address, length);
  const uint64_t begin = (uint64_t)address;
  uint64_t end = (begin + length + kAlignment - 1) & ~(kAlignment - 1);
  if (result == 0 && (begin & (kAlignment - 1)) == 0)
    atomic_compare_exchange_strong(&next_address, &end, begin);
  return result;
}

EXPORT void* mmap64(void* address, size_t length, int prot, int flags, int fd, off_t offset) {
  return mmap(address, length, prot, flags, fd, offset);
}

/* Live threads by start routine. The runtime's own pool of file workers shares one routine. */
enum { kMaxThreads = 256 };
struct thread_slot {
  _Atomic(void*) routine;
};
static struct thread_slot slots[kMaxThreads];
static atomic_int untracked_threads;

struct thread_start {
  void* (*routine)(void*);
  void* argument;
  int slot;
};

static void thread_ended(void* raw) {
  const int slot = (int)(intptr_t)raw;
  if (slot >= 0)
    atomic_store(&slots[slot].routine, NULL);
  else
    atomic_fetch_sub(&untracked_threads, 1);
}

static void* run_thread(void* raw) {
  struct thread_start start = *(struct thread_start*)raw;
  free(raw);
  void* result = NULL;
  pthread_cleanup_push(thread_ended, (void*)(intptr_t)start.slot);
  result = start.routine(start.argument);
  pthread_cleanup_pop(1);
  return result;
}

EXPORT int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                          void* argument) {
  static int (*real)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "pthread_create");
  struct thread_start* start = malloc(sizeof *start);
  if (start == NULL) return EAGAIN;
  *start = (struct thread_start){routine, argument, -1};
  for (int i = 0; i < kMaxThreads && start->slot < 0; ++i) {
    void* expected = NULL;
    if (atomic_compare_exchange_strong(&slots[i].routine, &expected, (void*)routine)) start->slot = i;
  }
  if (start->slot < 0) atomic_fetch_add(&untracked_threads, 1);
  const int slot = start->slot;
  const int error = real(thread, attributes, run_thread, start);
  if (error != 0) {
    thread_ended((void*)(intptr_t)slot);
    free(start);
  }
  return error;
}

/* The start routines of the live threads; returns how many there are (which may exceed `most`). */
EXPORT int mayfly_live_threads(void** routines, int most) {
  int count = atomic_load(&untracked_threads);
  for (int i = 0; i < kMaxThreads; ++i) {
    void* routine = atomic_load(&slots[i].routine);
    if (routine == NULL) continue;
    if (count < most) routines[count] = routine;
    ++count;
  }
  return count;
}
