// Files in memory, and programs.
#include "probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 3 * 4096 + 100 };

static int make(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, SIZE) < 0) return -1;
    return fd;
}

static int private_pages(void) {
    int fd = make("file");
    MUST(fd >= 0 && pwrite(fd, "here", 4, 4096) == 4);
    char *pages = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    MUST(pages != MAP_FAILED && close(fd) == 0);
    SAME(memcmp(pages + 4096, "here", 4) == 0 && pages[0] == 0);
    pages[4096] = 'X';
    char text[4];
    fd = open("file", O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && pread(fd, text, 4, 4096) == 4 && close(fd) == 0);
    SAME(text[0] == 'h');
    return munmap(pages, SIZE);
}

static int shared_pages(void) {
    int fd = make("file");
    MUST(fd >= 0);
    char *pages = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(pages != MAP_FAILED);
    memcpy(pages + 8192, "mapped", 6);
    char text[6];
    MUST(msync(pages, SIZE, MS_SYNC) == 0 && pread(fd, text, 6, 8192) == 6);
    SAME(memcmp(text, "mapped", 6) == 0);
    struct stat status;
    MUST(fstat(fd, &status) == 0);
    SAME(status.st_size == SIZE);
    return munmap(pages, SIZE) == 0 ? close(fd) : -1;
}

static int pages_of_two(void) {
    int fd = make("file");
    MUST(fd >= 0);
    char *pages = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(pages != MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        int own = open("file", O_RDWR | O_CLOEXEC);
        char *others = own < 0 ? MAP_FAILED : mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
        if (others == MAP_FAILED) _exit(errno);
        others[5000] = 'c';
        _exit(0);
    }
    int status;
    MUST(waitpid(child, &status, 0) == child);
    SAME(status == 0 && pages[5000] == 'c');
    return munmap(pages, SIZE) == 0 ? close(fd) : -1;
}

// What is written in one way is read in the other at once.
static int written_and_mapped(void) {
    int fd = make("file");
    MUST(fd >= 0);
    char *pages = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(pages != MAP_FAILED);
    SAME(pages[0] == 0);
    MUST(pwrite(fd, "abc", 3, 0) == 3);
    SAME(memcmp(pages, "abc", 3) == 0);
    pages[1] = 'X';
    char text[3];
    MUST(pread(fd, text, 3, 0) == 3);
    SAME(memcmp(text, "aXc", 3) == 0);
    return munmap(pages, SIZE) == 0 ? close(fd) : -1;
}

static int mapped_and_removed(void) {
    int fd = make("file");
    MUST(fd >= 0);
    char *pages = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(pages != MAP_FAILED && close(fd) == 0 && unlink("file") == 0);
    pages[9000] = 'r';
    MUST(msync(pages, SIZE, MS_SYNC) == 0);
    SAME(pages[9000] == 'r' && pages[100] == 0);
    return munmap(pages, SIZE);
}

static int kept_after_close(void) {
    int fd = make("file");
    MUST(fd >= 0);
    char *pages = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(pages != MAP_FAILED && close(fd) == 0);
    memcpy(pages + 4090, "across pages", 12);
    MUST(munmap(pages, SIZE) == 0);
    char text[12];
    fd = open("file", O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && pread(fd, text, 12, 4090) == 12);
    SAME(memcmp(text, "across pages", 12) == 0);
    return close(fd);
}

static int copy_program(const char *path) {
    static char block[65536];
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    MUST(from >= 0 && to >= 0);
    for (ssize_t size; (size = read(from, block, sizeof block)) > 0;) MUST(write(to, block, (size_t)size) == size);
    return close(from) == 0 ? close(to) : -1;
}

static int run_program(const char *path) {
    pid_t child = fork();
    if (child == 0) {
        execl(path, path, NULL);
        _exit(errno);
    }
    int status;
    MUST(waitpid(child, &status, 0) == child);
    SAME(WIFEXITED(status));
    errno = WEXITSTATUS(status) == 2 ? 0 : WEXITSTATUS(status); // without arguments the probe says 2
    return errno == 0 ? 0 : -1;
}

static int program(void) {
    MUST(copy_program("program") == 0 && run_program("./program") == 0);
    MUST(chmod("program", 0644) == 0);
    SAME(run_program("./program") < 0 && errno == EACCES);
    return 0;
}

static int program_that_is_replaced(void) {
    MUST(copy_program("program") == 0 && copy_program("new") == 0 && run_program("./program") == 0);
    MUST(rename("new", "program") == 0 && run_program("./program") == 0);
    return 0;
}

static int program_that_is_written(void) {
    MUST(copy_program("program") == 0);
    int fd = open("program", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0);
    SAME(run_program("./program") < 0 && errno == ETXTBSY);
    return close(fd);
}

const struct check memory_checks[] = {
    {"private pages", private_pages},
    {"shared pages", shared_pages},
    {"pages of two processes", pages_of_two},
    {"written and mapped", written_and_mapped},
    {"mapped and removed", mapped_and_removed},
    {"mapped, kept after close", kept_after_close},
    {"program", program},
    {"program that is replaced", program_that_is_replaced},
    {"program that is written", program_that_is_written},
    {NULL, NULL},
};
