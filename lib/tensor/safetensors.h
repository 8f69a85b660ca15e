/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors.h - the format of https://github.com/huggingface/safetensors: 8 bytes of header
 * length, a JSON header, the tensors' bytes without gaps.
 */
#ifndef AXL_MODEL_SAFETENSORS_H
#define AXL_MODEL_SAFETENSORS_H

#include "base/map.h"
#include "base/arena.h"
#include "base/folder.h"
#include "base/os.h"
#include "tensor/dtype.h"

enum { AXL__ST_DIMS = 8, AXL__ST_SHAPE_TEXT = AXL__ST_DIMS * 22 };

typedef struct axl__st_tensor {
    const char *name;
    const char *dtype_name; /* as in the file: "BF16", "I64", … */
    int dtype;              /* an axl_dtype, or -1 for one that axl does not compute with */
    uint32_t n_dims;
    uint64_t dims[AXL__ST_DIMS];
    const void *data; /* in the file; any alignment */
    size_t size;      /* bytes */
} axl__st_tensor;

typedef struct axl__safetensors {
    axl__file file;
    axl__arena arena;
    axl__map by_name; /* to an index */
    axl__st_tensor *tensors;
    size_t count;
    bool mapped; /* or would be, where only the header was read */
    bool header_only;
} axl__safetensors;

/* Opens and checks the whole header: bounds, sizes against shapes, no overlap.  AXL_ERR_FORMAT
 * names the file and the tensor. */
axl_status axl__safetensors_open(axl__safetensors *out, axl_context *ctx, const char *path,
                                 bool read);
/* As that, of a file of a folder. */
axl_status axl__safetensors_open_in(axl__safetensors *out, const axl__folder *folder,
                                    const char *name, bool read);
/* The header alone: data points to where there is nothing.  A file of nothing but a header will do;
 * its size is then that of the least file that it can be of. */
axl_status axl__safetensors_open_header(axl__safetensors *out, axl_context *ctx, const char *path,
                                        bool read);
void axl__safetensors_close(axl__safetensors *st);
/* NULL when there is none of that name. */
const axl__st_tensor *axl__safetensors_find(const axl__safetensors *st, const char *name);

/* A tensor's bytes from the file, also where the header alone is in memory. */
axl_status axl__safetensors_read(const axl__safetensors *st, const axl__st_tensor *t, void *out);

/* Bytes [at, at + size) of a tensor, aligned to `align`: where they lie in a host's memory, else in
 * room, read from the file rather than from its map, whose pages would stay. */
axl_status axl__safetensors_piece(const axl__safetensors *st, const axl__st_tensor *t, size_t at,
                                  size_t size, size_t align, void *room, const void **out);

/* "[2, 3]" */
void axl__st_shape_text(char out[AXL__ST_SHAPE_TEXT], const uint64_t *dims, uint32_t n);

/* What a writer is given, host memory: f32 or bf16, or with dtype_name the bytes of a type that axl
 * does not compute with. */
typedef struct axl__st_entry {
    const char *name;
    axl_dtype dtype;
    uint32_t n_dims;
    uint64_t dims[AXL__ST_DIMS];
    const void *data;
    const char *dtype_name; /* "U8", …; NULL: dtype */
    size_t size;            /* bytes, with dtype_name */
} axl__st_entry;

/* Writes a file whole or not at all, tensors sorted by name as PEFT's are, with the metadata
 * {"format": "pt"}.  sum: of the file; may be NULL. */
axl_status axl__safetensors_write(axl_context *ctx, const char *path, const axl__st_entry *entries,
                                  size_t n, axl__checksum *sum);
/* Gives the bytes of entry `index` of a writer's, host memory that is valid until the next call. */
typedef axl_status (*axl__st_fetch)(void *user, size_t index, const void **data);
/* As that, asking for the data of one entry after another, in the order of their names. */
axl_status axl__safetensors_stream(axl_context *ctx, const char *path, const axl__st_entry *entries,
                                   size_t n, axl__st_fetch fetch, void *user, axl__checksum *sum);
size_t axl__st_entry_size(const axl__st_entry *e); /* bytes */
/* As axl__safetensors_write(), into an outlet; sum of a folder's alone. */
axl_status axl__safetensors_put(const axl__outlet *outlet, const char *name,
                                const axl__st_entry *entries, size_t n, axl__checksum *sum);

#endif
