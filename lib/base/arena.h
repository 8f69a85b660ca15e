/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - many small blocks that are released together (parse trees and their strings). */
#ifndef AXL_BASE_ARENA_H
#define AXL_BASE_ARENA_H

#include "fail.h"
#include "mem.h"

typedef struct axl__arena_block axl__arena_block;

typedef struct axl__arena {
    axl_context *ctx;
    axl__arena_block *blocks;
    char *at;
    size_t left;
    size_t used; /* bytes given out since it was reset */
} axl__arena;

void axl__arena_init(axl__arena *a, axl_context *ctx);
void axl__arena_free(axl__arena *a);
/* Releases the blocks but the newest, for reuse. */
void axl__arena_reset(axl__arena *a);
/* 16-byte aligned, zeroed; NULL when memory is out. */
void *axl__arena_alloc(axl__arena *a, size_t size);
char *axl__arena_strndup(axl__arena *a, const char *text, size_t len);

#endif
