/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - a fuzz target without libFuzzer: replay FOLDER… gives it every file there, and each
 * cut short at a few places.  A crash or a sanitizer's word is the failure.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20, CUTS = 8 };

/* In a block of just that size, so that reading past it is seen. */
static void give(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);

    if (!exact)
        abort();
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static int replay_file(const char *path, uint8_t *room)
{
    FILE *f = fopen(path, "rb");

    if (!f)
        return 0;
    size_t size = fread(room, 1, FILE_MAX, f);
    fclose(f);
    give(room, size);
    for (size_t i = 0; i < CUTS; i++)
        give(room, size * i / CUTS);
    return 1;
}

static int replay_folder(const char *folder, uint8_t *room)
{
    DIR *dir = opendir(folder);
    char path[1024];
    int n = 0;

    if (!dir)
        return 0;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        n += replay_file(path, room);
    }
    closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    uint8_t *room = malloc(FILE_MAX);
    int n = 0;

    for (int i = 1; room && i < argc; i++)
        n += replay_folder(argv[i], room);
    free(room);
    printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
