/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os_machine.c - the machine as the kernel and the control groups tell of it.
 *
 * Everything is asked anew each time and nothing of it is a promise: what cannot be read counts as
 * no limit, or as the least that there must be (one processor).
 */
#define _GNU_SOURCE
#include "os_machine.h"

#include "mem.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of arch_prctl(2), which older headers do not name. */
enum { ARCH_REQ_XCOMP_PERM_ = 0x1023, XFEATURE_XTILEDATA_ = 18 };

void axl__host_name(char out[AXL__HOST_MAX])
{
    if (gethostname(out, AXL__HOST_MAX - 1) != 0 || out[0] == '\0')
        strcpy(out, "localhost");
    out[AXL__HOST_MAX - 1] = '\0';
}

char *axl__path_absolute(axl_context *ctx, const char *path)
{
    char here[PATH_MAX];

    if (path[0] == '/' || !getcwd(here, sizeof here))
        return axl__strdup(ctx, path);
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    size_t size = strlen(here) + strlen(path) + 2;
    char *out = axl__alloc(ctx, size);
    if (out)
        snprintf(out, size, "%s%s%s", here, here[1] ? "/" : "", path);
    return out;
}

int64_t axl__process_id(void)
{
    return (int64_t)getpid();
}

void axl__os_yield(void)
{
    sched_yield();
}

static bool read_small(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n < 0)
        return false;
    text[n] = '\0';
    return true;
}

/* The cgroup's quota in processors, rounded up; 0 when there is none. */
static uint32_t cgroup_quota(void)
{
    char text[128], *end;
    long long quota = -1, period = 0;

    if (read_small("/sys/fs/cgroup/cpu.max", text, sizeof text)) {
        quota = strtoll(text, &end, 10);
        period = strtoll(end, NULL, 10);
    } else if (read_small("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text, sizeof text)) {
        quota = strtoll(text, NULL, 10);
        if (read_small("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text, sizeof text))
            period = strtoll(text, NULL, 10);
    }
    return quota > 0 && period > 0 ? (uint32_t)((quota + period - 1) / period) : 0;
}

/* A container may have many processors in sight and time for few; more threads than that only wait
 * for each other. */
uint32_t axl__cpu_count(void)
{
    cpu_set_t set;
    uint32_t n = 1, quota = cgroup_quota();

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = (uint32_t)CPU_COUNT(&set);
    if (quota > 0 && quota < n)
        n = quota;
    return n > 0 ? n : 1;
}

bool axl__request_amx(void)
{
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM_, XFEATURE_XTILEDATA_) == 0;
}

/* The number behind `name` in a text of "name number" lines, or 0. */
static uint64_t number_after(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0)
            return strtoull(line + n, NULL, 10);
    }
    return 0;
}

/* getrusage would count what was there before an exec, too. */
uint64_t axl__peak_rss(void)
{
    char text[4096];
    struct rusage u;

    if (read_small("/proc/self/status", text, sizeof text) && number_after(text, "VmHWM:") > 0)
        return number_after(text, "VmHWM:") * 1024;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (uint64_t)u.ru_maxrss * 1024 : 0;
}

uint64_t axl__current_rss(void)
{
    char text[4096];

    return read_small("/proc/self/status", text, sizeof text) ? number_after(text, "VmRSS:") * 1024
                                                              : 0;
}

/* What a group may still take: its limit without that part of its use that cannot be reclaimed. */
static uint64_t group_room(const char *dir, bool v2)
{
    char path[PATH_MAX + 32], text[8192];
    uint64_t limit, used, files;

    snprintf(path, sizeof path, "%s/%s", dir, v2 ? "memory.max" : "memory.limit_in_bytes");
    if (!read_small(path, text, sizeof text) || *text < '0' || *text > '9')
        return UINT64_MAX; /* no such group, or "max" */
    limit = strtoull(text, NULL, 10);
    snprintf(path, sizeof path, "%s/%s", dir, v2 ? "memory.current" : "memory.usage_in_bytes");
    if (!read_small(path, text, sizeof text))
        return UINT64_MAX;
    used = strtoull(text, NULL, 10);
    snprintf(path, sizeof path, "%s/memory.stat", dir);
    files = 0;
    if (read_small(path, text, sizeof text))
        files = v2 ? number_after(text, "inactive_file ") + number_after(text, "active_file ")
                   : number_after(text, "total_inactive_file ") +
                         number_after(text, "total_active_file ");
    used -= files < used ? files : used;
    return limit > used ? limit - used : 0;
}

/* The least room of the process's group and those above it; its path follows `mark` in the text of
 * /proc/self/cgroup. */
static uint64_t groups_room(const char *groups, const char *mark, const char *root, bool v2)
{
    const char *line = strstr(groups, mark);
    char dir[PATH_MAX];
    uint64_t room = UINT64_MAX;

    if (!line || snprintf(dir, sizeof dir, "%s%s", root, line + strlen(mark)) >= (int)sizeof dir)
        return room;
    dir[strcspn(dir, "\n")] = '\0';
    for (;;) {
        uint64_t here = group_room(dir, v2);
        room = here < room ? here : room;
        char *slash = strrchr(dir, '/');
        if (!slash || (size_t)(slash - dir) < strlen(root))
            return room;
        *slash = '\0';
    }
}

/* The kernel's own estimate, bounded by the control groups of either version that the process is
 * in. */
uint64_t axl__available_memory(void)
{
    char text[8192];
    uint64_t room = UINT64_MAX, groups;

    if (read_small("/proc/meminfo", text, sizeof text) && number_after(text, "MemAvailable:") > 0)
        room = number_after(text, "MemAvailable:") * 1024;
    if (!read_small("/proc/self/cgroup", text, sizeof text))
        return room;
    groups = groups_room(text, "0::", "/sys/fs/cgroup", true);
    room = groups < room ? groups : room;
    groups = groups_room(text, ":memory:", "/sys/fs/cgroup/memory", false);
    return groups < room ? groups : room;
}
