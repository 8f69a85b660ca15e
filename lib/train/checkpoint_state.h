/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint_state.h - trainer_state.json, which speaks for the other files of a checkpoint: it has
 * their checksums, and ends with its own.
 *
 *   "files"   a line a file, as cksum(1) prints it but for the algorithm: CRC-32 in hexadecimal,
 *             bytes, name
 *   "crc32"   the last member: of all bytes before the comma that it follows
 */
#ifndef AXL_TRAIN_CHECKPOINT_STATE_H
#define AXL_TRAIN_CHECKPOINT_STATE_H

#include "base/arena.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/json_write.h"

#include <stdbool.h>

/* What the numbers in a state mean; another number is refused.  2: places in the data are counted
 * in rows (they were in batches), and every file has a checksum. */
enum { AXL__CHECKPOINT_FORMAT = 2 };

typedef enum {
    AXL__PART_ADAPTER_CONFIG,
    AXL__PART_ADAPTER,
    AXL__PART_CONFIG,
    AXL__PART_GENERATION_CONFIG,
    AXL__PART_MODEL,
    AXL__PART_OPTIMIZER,
    AXL__N_PARTS
} axl__checkpoint_part;
extern const char *const axl__checkpoint_parts[AXL__N_PARTS]; /* their names */

/* Completes a state by the checksums and writes it, last of the files in dir.  sums: of the parts
 * that were summed while they were written; the others are read once more.  Frees j. */
axl_status axl__checkpoint_state_write(axl__jw *j, axl_context *ctx, const char *dir,
                                       const axl__checksum sums[AXL__N_PARTS]);

/* Reads and checks a state: its checksum and format, and of every member that it is there, its type
 * and range.
 * AXL_ERR_NOT_FOUND    There is none.
 * AXL_ERR_UNSUPPORTED  Another format, or Hugging Face's trainer: *out is set nevertheless, and
 *                      nothing of it is checked.
 * AXL_ERR_FORMAT       Names the file. */
axl_status axl__checkpoint_state_read(axl__json **out, axl__arena *arena, const char *dir);

/* Whether the other files are those that were written; optimizer: its state too.  Each that is
 * missing or another is named. */
axl_status axl__checkpoint_check_parts(const axl__json *state, axl_context *ctx, const char *dir,
                                       bool optimizer);

#endif
