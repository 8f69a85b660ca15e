/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_pile.h - the ids and labels of samples, one behind the other: in memory while they are few,
 * then in a file without a name that no failure leaves behind, and that becomes the prepared file
 * when the data is kept.
 */
#ifndef AXL_DATA_TOKEN_PILE_H
#define AXL_DATA_TOKEN_PILE_H

#include "base/os.h"

/* What a prepared file begins with; its tokens lie behind it. */
enum { AXL__ROWS_START = 16 };
extern const char axl__rows_start[AXL__ROWS_START];

typedef struct axl__pile {
    axl_context *ctx;
    char *dir;         /* where the file is made; NULL: the tokens stay in memory */
    int32_t *buffer;   /* (n) those that are not in the file */
    size_t n, cap;     /* in tokens */
    axl__writer file;  /* file.ctx is set once there is one */
    uint64_t written;  /* tokens in it */
    uint32_t checksum; /* CRC-32 of all of it */
} axl__pile;

void axl__pile_init(axl__pile *p, axl_context *ctx);
void axl__pile_free(axl__pile *p);

/* From now on a pile that grows goes into a file in the longest part of the path that exists, or
 * where temporary files go. */
axl_status axl__pile_spill(axl__pile *p, const char *path);

uint64_t axl__pile_count(const axl__pile *p);
axl_status axl__pile_put(axl__pile *p, const int32_t *tokens, size_t n);

/* Where all of them lie, the file's in a map of it, until the pile or the map is changed.  map is
 * left alone without a file. */
axl_status axl__pile_view(axl__pile *p, axl__file *map, const int32_t **tokens);

#endif
