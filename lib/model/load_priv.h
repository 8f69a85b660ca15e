/* SPDX-License-Identifier: Apache-2.0 */
/* load_priv.h - what load.c and load_quantised.c share. */
#ifndef AXL_MODEL_LOAD_PRIV_H
#define AXL_MODEL_LOAD_PRIV_H

#include "model.h"

/* A tensor and the file that has it.  One of FP8 (E4M3) has a scale for each block of it. */
typedef struct axl__stored {
    const axl__safetensors *in;
    const axl__st_tensor *t;
    float *scales; /* owned, (rows / block_rows, cols / block_cols); NULL: values are as they are */
    int64_t cols, block_rows, block_cols;
} axl__stored;

/* stored_values.c.  Reads the scales that a tensor of FP8 needs, and gives them back. */
axl_status axl__stored_open(axl__stored *s, const axl_model *m);
void axl__stored_close(axl__stored *s, axl_context *ctx);
/* Bytes of an element, and n of them from element `first` on, raw as the file has them, as values
 * of a type. */
extern const char axl__fp8_name[];
size_t axl__stored_size(const axl__stored *s);
void axl__stored_convert(const axl__stored *s, void *out, axl_dtype dtype, const void *raw,
                         int64_t first, int64_t n);

/* Of any of the model's files; out is zeroed where there is none. */
bool axl__load_find(const axl_model *m, const char *name, axl__stored *out);

/* As that; of an embedding that is not there the head that is tied to it. */
axl_status axl__load_find_or_tied(const axl_model *m, const char *name, axl__stored *out);
/* tensor_check.c: that the files have what the modules want, by name; warns of what they have
 * besides. */
axl_status axl__load_check_names(const axl_model *m);

/* Device memory that the model gives back: a buffer, or the tensor's own bytes. */
axl_status axl__load_buffer(axl_model *m, size_t size, void **out);
axl_status axl__load_mapped(axl_model *m, const axl__st_tensor *t, void **out);

/* Codes made from a tensor of the module's shape. */
axl_status axl__load_quantised(axl_model *m, axl__module *of, axl__stored from);

/* Whether a tensor holds codes rather than values; and the codes with their scales as the files
 * have them, checked against the module. */
bool axl__load_has_codes(const axl_model *m, const axl__module *of, axl__stored from);
axl_status axl__load_codes(axl_model *m, axl__module *of, axl__stored from);

#endif
