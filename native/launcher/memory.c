#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Guest memory lives in a memfd. The parent opens it through /proc/<pid>/fd while this process waits,
// and so becomes its owner: Node can neither make a memfd nor receive a descriptor.

enum { BLOCK_BYTES = 64 * 1024 };

// Tells damage on disk, not malice: who can write to the cache can do anything.
struct checksum {
  uint64_t value;
};

static void add_to_checksum(struct checksum *sum, off_t offset, const unsigned char *block, size_t size) {
  uint64_t value = sum->value ^ (uint64_t)offset;
  for (size_t i = 0; i + 8 <= size; i += 8) {
    uint64_t word;
    memcpy(&word, block + i, 8);
    value = (value ^ word) * 0x9e3779b97f4a7c15U;
    value ^= value >> 29;
  }
  sum->value = value;
}

static bool is_zero(const unsigned char *block, size_t size) {
  return block[0] == 0 && memcmp(block, block + 1, size - 1) == 0;
}

static int seal(int fd) {
  const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  return fcntl(fd, F_ADD_SEALS, seals) == 0 ? 0 : -errno;
}

static int write_block(int fd, const unsigned char *block, size_t size, off_t offset) {
  while (size > 0) {
    ssize_t written = pwrite(fd, block, size, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -errno;
    block += written;
    size -= (size_t)written;
    offset += written;
  }
  return 0;
}

// Copies what is not zero, skipping holes, and sums it up; both files have `size` bytes, a multiple of a block.
static int copy_sparse(int from, int to, off_t size, struct checksum *sum) {
  static unsigned char block[BLOCK_BYTES];
  for (off_t offset = 0; offset < size;) {
    off_t data = lseek(from, offset, SEEK_DATA);
    if (data < 0) return errno == ENXIO ? 0 : -errno;
    offset = data - data % BLOCK_BYTES;
    ssize_t got = pread(from, block, BLOCK_BYTES, offset);
    if (got != BLOCK_BYTES) return got < 0 ? -errno : -EIO;
    if (!is_zero(block, BLOCK_BYTES)) {
      add_to_checksum(sum, offset, block, BLOCK_BYTES);
      int error = write_block(to, block, BLOCK_BYTES, offset);
      if (error != 0) return error;
    }
    offset += BLOCK_BYTES;
  }
  return 0;
}

static int create_memory(off_t size, int *fd) {
  *fd = memfd_create("wardian-guest-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (*fd < 0) return -errno;
  return ftruncate(*fd, size) == 0 ? 0 : -errno;
}

static int load_memory(const char *path, off_t size, int *fd, struct checksum *sum) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return -errno;
  struct stat status;
  int error = fstat(file, &status) != 0 ? -errno : 0;
  if (error == 0 && status.st_size != size) error = -EINVAL;
  if (error == 0) error = create_memory(size, fd);
  if (error == 0) error = copy_sparse(file, *fd, size, sum);
  if (error == 0) error = seal(*fd);
  close(file);
  return error;
}

static int save_memory(int memory, const char *path, struct checksum *sum) {
  struct stat status;
  // Sealed first: nothing can change while it is copied, and a mapping left behind shows here (EBUSY).
  int error = fstat(memory, &status) != 0 ? -errno : seal(memory);
  if (error != 0) return error;
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return -errno;
  error = ftruncate(file, status.st_size) != 0 ? -errno : 0;
  if (error == 0) error = copy_sparse(memory, file, status.st_size, sum);
  if (error == 0 && fsync(file) != 0) error = -errno;
  if (close(file) != 0 && error == 0) error = -errno;
  return error;
}

// One line: the descriptor's number and the checksum.
static int answer(int fd, const struct checksum *sum) {
  char line[64];
  int length = snprintf(line, sizeof line, "%d %016llx\n", fd, (unsigned long long)sum->value);
  return write(REPORT_FD, line, (size_t)length) == length ? 0 : -errno;
}

// Until the parent closes its end of stdin it has not taken the memory over.
static void wait_for_parent(void) {
  char byte;
  ssize_t got;
  do {
    got = read(STDIN_FILENO, &byte, 1);
  } while (got > 0 || (got < 0 && errno == EINTR));
}

static int parse_size(const char *text, off_t *size) {
  uint64_t number;
  int error = parse_number(text, LLONG_MAX, &number);
  if (error != 0 || number == 0 || number % BLOCK_BYTES != 0) return -EINVAL;
  *size = (off_t)number;
  return 0;
}

static int finish(const char *what, int error, int fd, const struct checksum *sum) {
  if (error == 0) error = answer(fd, sum);
  if (error == 0) return 0;
  report_failure(what, error);
  return 125;
}

int command_memory(int argc, char **argv) {
  struct checksum sum = {0};
  off_t size;
  int fd = -1;
  const char *mode = argc > 0 ? argv[0] : "";
  if (strcmp(mode, "create") == 0 && argc == 2) {
    int error = parse_size(argv[1], &size);
    if (error == 0) error = create_memory(size, &fd);
    int status = finish("cannot create guest memory", error, fd, &sum);
    if (status == 0) wait_for_parent();
    return status;
  }
  if (strcmp(mode, "load") == 0 && argc == 3) {
    int error = parse_size(argv[2], &size);
    if (error == 0) error = load_memory(argv[1], size, &fd, &sum);
    int status = finish("cannot load guest memory", error, fd, &sum);
    if (status == 0) wait_for_parent();
    return status;
  }
  uint64_t number;
  if (strcmp(mode, "save") == 0 && argc == 3 && parse_number(argv[1], 1023, &number) == 0) {
    fd = (int)number;
    int error = save_memory(fd, argv[2], &sum);
    return finish("cannot save guest memory", error, fd, &sum);
  }
  report_failure("cannot read the options of memory", EINVAL);
  return 2;
}
