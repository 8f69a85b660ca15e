/* SPDX-License-Identifier: Apache-2.0 */
/* model_files.c - see model_files.h. */
#include "model_files.h"

#include "base/json_write.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 64 };

/* Entries [first, first + n) are file number `index` of n_files. */
typedef struct shard {
    size_t first, n, index, n_files;
} shard;

static void shard_name(const shard *s, char name[NAME_SIZE])
{
    if (s->n_files == 1)
        snprintf(name, NAME_SIZE, "model.safetensors");
    else
        snprintf(name, NAME_SIZE, "model-%05zu-of-%05zu.safetensors", s->index + 1, s->n_files);
}

/* The next shard: an entry that is larger than all room has a file of its own. */
static bool next_shard(const axl__st_entry *entries, size_t n, uint64_t room, shard *s)
{
    uint64_t bytes = 0;
    size_t i = s->first + s->n;

    s->index += s->n > 0;
    s->first = i;
    for (; i < n; i++) {
        uint64_t size = axl__st_entry_size(&entries[i]);
        if (i > s->first && bytes + size > room)
            break;
        bytes += size;
    }
    s->n = i - s->first;
    return s->n > 0;
}

/* ---- the index ---- */

static void put_entry_file(axl__str *out, const axl__st_entry *e, const char *file, bool first)
{
    axl__str_puts(out, first ? "\n    " : ",\n    ");
    axl__str_put_json(out, e->name, strlen(e->name));
    axl__str_putf(out, ": \"%s\"", file);
}

static axl_status write_index(axl_context *ctx, const char *dir, const axl__st_entry *entries,
                              size_t n, uint64_t room, size_t n_files)
{
    shard s = { .n_files = n_files };
    uint64_t size = 0;
    char file[NAME_SIZE];
    axl__str text;

    for (size_t i = 0; i < n; i++)
        size += axl__st_entry_size(&entries[i]);
    axl__str_init(&text, ctx);
    axl__str_putf(&text,
                  "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {",
                  (unsigned long long)size);
    while (next_shard(entries, n, room, &s)) {
        shard_name(&s, file);
        for (size_t i = 0; i < s.n; i++)
            put_entry_file(&text, &entries[s.first + i], file, s.first + i == 0);
    }
    axl__str_puts(&text, "\n  }\n}\n");
    axl_status status = axl__str_status(&text);
    if (status == AXL_OK)
        status = axl__outlet_put(&(axl__outlet){ .ctx = ctx, .dir = dir },
                                 "model.safetensors.index.json", text.data, text.len);
    axl__str_free(&text);
    return status;
}

/* ---- the files ---- */

/* Entries of one shard, for whoever knows those of all. */
typedef struct shard_fetch {
    axl__st_fetch fetch;
    void *user;
    size_t first;
} shard_fetch;

static axl_status fetch_of_shard(void *user, size_t index, const void **data)
{
    const shard_fetch *f = user;

    return f->fetch(f->user, f->first + index, data);
}

static axl_status remove_single(axl_context *ctx, const char *dir)
{
    char *path = axl__format(ctx, "%s/model.safetensors", dir);
    axl_status status = path ? axl__remove_file(path) : axl__fail_nomem();

    axl__free(ctx, path);
    return status;
}

axl_status axl__model_files_write(axl_context *ctx, const char *dir, const axl__st_entry *entries,
                                  size_t n, uint64_t room, axl__st_fetch fetch, void *user,
                                  axl__checksum *sum)
{
    shard s = { 0 };
    size_t n_files = 0;
    char file[NAME_SIZE];

    while (next_shard(entries, n, room, &s))
        n_files++;
    s = (shard){ .n_files = n_files };
    while (next_shard(entries, n, room, &s)) {
        shard_fetch f = { fetch, user, s.first };
        shard_name(&s, file);
        char *path = axl__format(ctx, "%s/%s", dir, file);
        axl_status status = path ? axl__safetensors_stream(ctx, path, entries + s.first, s.n,
                                                           fetch_of_shard, &f, sum)
                                 : axl__fail_nomem();
        axl__free(ctx, path);
        AXL_TRY(status);
    }
    if (n_files < 2)
        return AXL_OK;
    AXL_TRY(write_index(ctx, dir, entries, n, room, n_files));
    return remove_single(ctx, dir);
}
