/* SPDX-License-Identifier: Apache-2.0 */
/* rotary.c - see rotary.h. */
#include "rotary.h"

#include "base/fail.h"

#include <math.h>
#include <string.h>

static axl_status rope_read_type(axl__rope *r, const char *type, const char *path)
{
    if (strcmp(type, "default") == 0)
        r->type = AXL__ROPE_DEFAULT;
    else if (strcmp(type, "linear") == 0)
        r->type = AXL__ROPE_LINEAR;
    else if (strcmp(type, "llama3") == 0)
        r->type = AXL__ROPE_LLAMA3;
    else
        return axl__fail(
            AXL_ERR_UNSUPPORTED,
            "%s: rope type \"%s\" is not supported yet; default, linear and llama3 are", path,
            type);
    return AXL_OK;
}

axl_status axl__rope_read(axl__rope *r, const axl__json *config, int64_t max_seq_len,
                          const char *path)
{
    const axl__json *p = axl__json_get(config, "rope_parameters");
    const axl__json *scaling = axl__json_get(config, "rope_scaling");
    const axl__json *v = p && p->type == AXL__JSON_OBJECT ? p : scaling;

    r->theta = axl__json_double(config, "rope_theta", 10000.0);
    r->theta = axl__json_double(v, "rope_theta", r->theta);
    r->factor = axl__json_double(v, "factor", 1.0);
    r->low_freq_factor = axl__json_double(v, "low_freq_factor", 1.0);
    r->high_freq_factor = axl__json_double(v, "high_freq_factor", 4.0);
    r->original_max = axl__json_double(v, "original_max_position_embeddings", (double)max_seq_len);
    AXL_TRY(rope_read_type(
        r, axl__json_string(v, "rope_type", axl__json_string(v, "type", "default")), path));
    if (!(r->theta > 0) || !(r->factor > 0) || !(r->original_max > 0) ||
        !(r->high_freq_factor > r->low_freq_factor))
        return axl__fail(AXL_ERR_FORMAT, "%s: the rotary parameters are out of range", path);
    return AXL_OK;
}

/* Long waves are slowed by the factor, short ones kept, those between blended. */
static double llama3_frequency(const axl__rope *r, double f)
{
    double wave = 2.0 * 3.14159265358979323846 / f;
    double low = r->original_max / r->low_freq_factor;
    double high = r->original_max / r->high_freq_factor;

    if (wave > low)
        return f / r->factor;
    if (wave < high)
        return f;
    double smooth =
        (r->original_max / wave - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
    return (1.0 - smooth) * f / r->factor + smooth * f;
}

void axl__rope_table(const axl__rope *r, int64_t head_dim, float *cos_out, float *sin_out,
                     int64_t n_positions)
{
    int64_t half = head_dim / 2;

    for (int64_t i = 0; i < half; i++) {
        double f = pow(r->theta, -2.0 * (double)i / (double)head_dim);
        if (r->type == AXL__ROPE_LINEAR)
            f /= r->factor;
        else if (r->type == AXL__ROPE_LLAMA3)
            f = llama3_frequency(r, f);
        float f32 = (float)f; /* transformers multiplies positions by f32 frequencies in f32 */
        for (int64_t p = 0; p < n_positions; p++) {
            float angle = (float)p * f32;
            cos_out[p * half + i] = (float)cos((double)angle);
            sin_out[p * half + i] = (float)sin((double)angle);
        }
    }
}
