/* SPDX-License-Identifier: Apache-2.0 */
/*
 * warp.cc - instructions of a whole warp: products of the tensor cores, loads of matrices, and
 * copies that go on beside.  Layouts: "Parallel Thread Execution ISA", mma.m16n8k16 with .bf16,
 * ldmatrix, cp.async.
 */
#include "emulation_priv.h"

#include <ptx.h>

#include <vector>

static float widened(uint32_t pair, int half)
{
    return __uint_as_float(half ? pair & 0xFFFF0000u : pair << 16);
}

/* ---- products ---- */

struct operands {
    float d[4];
    uint32_t a[4], b[2];
};

/* The lanes' registers as matrices, and back. */
static void multiply(const unsigned char *in, unsigned char *out)
{
    const operands *of = (const operands *)(const void *)in;
    float a[16][16], b[16][8], (*d)[4] = (float(*)[4])(void *)out;

    for (int l = 0; l < WARP; l++) {
        int g = l / 4, i = l % 4;
        for (int r = 0; r < 4; r++)
            for (int half = 0; half < 2; half++)
                a[g + r % 2 * 8][2 * i + r / 2 * 8 + half] = widened(of[l].a[r], half);
        for (int r = 0; r < 2; r++)
            for (int half = 0; half < 2; half++)
                b[2 * i + r * 8 + half][g] = widened(of[l].b[r], half);
    }
    for (int l = 0; l < WARP; l++) {
        for (int r = 0; r < 4; r++) {
            float sum = of[l].d[r];
            for (int k = 0; k < 16; k++)
                sum += a[l / 4 + r / 2 * 8][k] * b[k][2 * (l % 4) + r % 2];
            d[l][r] = sum;
        }
    }
    emulated_counting->tensor_products++;
}

void emulated_mma(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    operands o = { { d[0], d[1], d[2], d[3] }, { a[0], a[1], a[2], a[3] }, { b[0], b[1] } };

    emulated_together(&o, sizeof o, d, 4 * sizeof *d, multiply);
}

/* ---- loads of matrices ---- */

static void load_matrices(const unsigned char *in, unsigned char *out, bool transposed)
{
    const uint16_t *const *row = (const uint16_t *const *)(const void *)in;
    uint32_t(*to)[4] = (uint32_t(*)[4])(void *)out;

    for (int l = 0; l < WARP; l++) {
        for (int m = 0; m < 4; m++) {
            int r = l / 4, c = 2 * (l % 4);
            uint16_t lo = transposed ? row[8 * m + c][r] : row[8 * m + r][c];
            uint16_t hi = transposed ? row[8 * m + c + 1][r] : row[8 * m + r][c + 1];
            to[l][m] = (uint32_t)hi << 16 | lo;
        }
    }
}

static void load_plain(const unsigned char *in, unsigned char *out)
{
    load_matrices(in, out, false);
}

static void load_transposed(const unsigned char *in, unsigned char *out)
{
    load_matrices(in, out, true);
}

void emulated_load_matrices(uint32_t out[4], const void *row, bool transposed, const void *at)
{
    if ((uintptr_t)row % 16 != 0)
        emulated_fault("ldmatrix of a row at %p, which is not aligned to 16 bytes", row);
    emulated_touch(row, 16, false, at);
    emulated_together(&row, sizeof row, out, 4 * sizeof *out,
                      transposed ? load_transposed : load_plain);
}

/* ---- copies ---- */

/* A lane's copies that were not waited for, in groups: what they bring is written when they are. */
struct copy {
    void *shared;
    size_t size;
    unsigned char bytes[16];
};
typedef std::vector<copy> copy_group;
static std::vector<copy_group> *const groups = new std::vector<copy_group>[MAX_THREADS];
static copy_group *const open_group = new copy_group[MAX_THREADS];

void emulated_copy(void *shared, const void *global, size_t size, bool there, const void *at)
{
    copy c = { shared, size, {} };

    if ((uintptr_t)shared % size != 0 || (uintptr_t)global % size != 0)
        emulated_fault("cp.async from %p to %p, not aligned to %zu bytes", global, shared, size);
    if (there) {
        emulated_touch(global, size, false, at);
        memcpy(c.bytes, global, size);
    }
    emulated_touch(shared, size, true, (const char *)at + 1);
    memset(shared, 0xFF, size);
    open_group[emulated_at.thread].push_back(c);
}

void emulated_copies_commit(void)
{
    groups[emulated_at.thread].push_back(open_group[emulated_at.thread]);
    open_group[emulated_at.thread].clear();
}

void emulated_copies_wait(int left)
{
    auto &g = groups[emulated_at.thread];

    while (g.size() > (size_t)left) {
        for (const copy &c : g.front())
            memcpy(c.shared, c.bytes, c.size);
        g.erase(g.begin());
    }
}

/* Copies that no one waited for. */
void emulated_copies_forget(void)
{
    for (unsigned i = 0; i < emulated_at.n_threads; i++) {
        groups[i].clear();
        open_group[i].clear();
    }
}
