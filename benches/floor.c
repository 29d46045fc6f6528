// The physical floors that the benchmarks are compared with.
//
//   floor spawn N            N times: spawn /bin/true and wait for it
//   floor durable N FILE     the same, with one synced 400-byte append per spawn and one at the start
//   floor fan N K            N spawns, K at a time
//   floor append N FILE      N synced 400-byte appends
//   floor time N CMD ARG…    runs a command N times; prints "wall_us rss_kib status" for each
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static char *true_argv[] = {"/bin/true", NULL};
static char record[400];

static double micros(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static pid_t start(char **argv) {
    pid_t pid;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ)) {
        perror(argv[0]);
        exit(9);
    }
    return pid;
}

static void finish(pid_t pid) {
    int status;
    waitpid(pid, &status, 0);
}

static int open_journal(const char *path) {
    unlink(path);
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0644);
    if (fd < 0) {
        perror(path);
        exit(9);
    }
    return fd;
}

static void append(int fd) {
    if (write(fd, record, sizeof record) != sizeof record || fdatasync(fd)) {
        perror("append");
        exit(9);
    }
}

static void time_command(int times, char **argv) {
    for (int i = 0; i < times; i++) {
        double before = micros();
        pid_t pid = fork();
        if (pid == 0) {
            int null = open("/dev/null", O_RDWR);
            dup2(null, 0);
            dup2(null, 1);
            dup2(null, 2);
            execvp(argv[0], argv);
            _exit(127);
        }
        int status;
        struct rusage usage;
        wait4(pid, &status, 0, &usage);
        printf("%.0f %ld %d\n", micros() - before, usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    int times = argc > 2 ? atoi(argv[2]) : 0;
    memset(record, 'x', sizeof record);
    if (!strcmp(mode, "spawn")) {
        for (int i = 0; i < times; i++) finish(start(true_argv));
    } else if (!strcmp(mode, "durable") && argc > 3) {
        int fd = open_journal(argv[3]);
        append(fd);
        for (int i = 0; i < times; i++) {
            finish(start(true_argv));
            append(fd);
        }
    } else if (!strcmp(mode, "fan") && argc > 3) {
        int width = atoi(argv[3]), running = 0, started = 0, status;
        while (started < times || running) {
            while (running < width && started < times) start(true_argv), running++, started++;
            wait(&status);
            running--;
        }
    } else if (!strcmp(mode, "append") && argc > 3) {
        int fd = open_journal(argv[3]);
        for (int i = 0; i < times; i++) append(fd);
    } else if (!strcmp(mode, "time") && argc > 3) {
        time_command(times, argv + 3);
    } else {
        fprintf(stderr, "usage: floor spawn|durable|fan|append|time N …\n");
        return 2;
    }
    return 0;
}
