/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quant_map.h - what the 8 or 4 bits of an optimizer's state mean (Dettmers et al., "8-bit
 * optimizers via block-wise quantization", 2022; Li et al., "Memory efficient optimizers with 4-bit
 * states", 2023): a state is code[its bits] times the largest magnitude of its block, the codes
 * being a sign, a decimal exponent of 0 to -6 (-2 of 4 bits) and a fraction whose bits shrink with
 * it; of 4 bits without a sign sixteenths.
 */
#ifndef AXL_TENSOR_QUANT_MAP_H
#define AXL_TENSOR_QUANT_MAP_H

#include <stdbool.h>
#include <stdint.h>

/* Of 4 bits the codes behind the 16th are not used, and of two in a byte the first is above.
 * x in [-1, 1] becomes c = start[k], k = whole part of fma((x + 1) / 2, 65535, 0.5), and one more
 * while x >= above[c]. */
typedef struct axl_quant_map {
    float code[256]; /* rising */
    float above[256];
    uint8_t start[65536];
    int32_t bits;    /* 8 or 4 */
    bool divides;    /* x is the state divided by the scale; else times the rounded 1 / scale */
    float min_scale; /* of a block; 0: a block of zeros is scale 0 and bytes 0 */
} axl_quant_map;

typedef enum axl__quant_rounding {
    AXL__ROUND_BITSANDBYTES, /* 0.50.2 on a CPU: by start alone, so that near 0 codes are coarse */
    AXL__ROUND_TORCHAO       /* 0.17: to the nearest code */
} axl__quant_rounding;

void axl__quant_map_dynamic(axl_quant_map *out, bool is_signed, axl__quant_rounding rounding);
/* torchao's of 4 bits. */
void axl__quant_map_4bit(axl_quant_map *out, bool is_signed);

/* Elements that share a scale, and the bytes that their codes take. */
static inline int64_t axl__quant_map_block(const axl_quant_map *map)
{
    return map->bits == 4 ? 128 : 256;
}
static inline int64_t axl__quant_map_bytes(const axl_quant_map *map)
{
    return axl__quant_map_block(map) * map->bits / 8;
}

/* The code of x in [-1, 1]. */
uint8_t axl__quant_code(const axl_quant_map *map, float x);

#endif
