/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what every fuzz target starts with: a context, files in a folder of the process, a tiny
 * model.  A target is one function that takes bytes as a file, an answer or a text of a stranger;
 * it must come back, whatever they are.  libFuzzer calls it with bytes of its own making (stage
 * fuzz of tests/run), replay.c with those of corpus/ in every build.
 */
#ifndef AXL_FUZZ_H
#define AXL_FUZZ_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <axl/axl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One for the process: a single thread, no log, no network. */
axl_context *fuzz_context(void);

/* A path in a folder of the process, which is removed at its end; for free(). */
char *fuzz_path(const char *name);
/* A file there, replaced; and none of that name. */
void fuzz_write(const char *name, const void *data, size_t size);
void fuzz_remove(const char *name);

/* Targets of several files: the first byte picks one of n. */
size_t fuzz_pick(const uint8_t **data, size_t *size, size_t n);

/* Reads all of it, so that a sanitizer sees what is not there. */
void fuzz_read_all(const void *data, size_t size);

/* Ends the process where axl broke a promise. */
void fuzz_must(bool holds, const char *promise);

/* A folder with a llama of one layer and 16 tokens, written at the first call; and it, opened. */
const char *fuzz_model_dir(void);
axl_model *fuzz_model(void);
axl_adapter *fuzz_adapter(void);

#endif
