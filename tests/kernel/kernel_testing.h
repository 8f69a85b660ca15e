/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_testing.h - one way to test an operation on every backend.
 *
 * A test writes a body: it makes inputs (random numbers that depend on the case alone), calls an
 * operation through run->ops, and saves the outputs.  kernel_check() runs the body on the reference
 * first, then on every target of the table in kernel_testing.c: the CPU's backend at each
 * instruction set of the machine, twice on one thread and once on 2, 3, 5 and 8, and the guarded
 * device, where a body that touches device memory itself does not come far.  The outputs must lie
 * within the stated tolerance of the reference's, the same bits at any number of threads, and
 * nothing may be written between rows or past the end.
 */
#ifndef AXL_KERNEL_TESTING_H
#define AXL_KERNEL_TESTING_H

#include "testing.h"

#include "tensor/backend.h"

/* One way through the table of shapes × dtypes; tests with shapes of their own use what fits. */
typedef struct kernel_case {
    int64_t rows, cols;
    axl_dtype dtype, other; /* other: of the weight, or of the other operand */
    int64_t pad;            /* stride - cols */
    const void *more;       /* the test's own */
} kernel_case;

typedef struct kernel_run {
    const axl_backend_ops *ops;
    axl_device *dev;
    axl_context *ctx;
    const char *label; /* for messages: "cpu avx2, 3 threads" */
    struct kernel_buffer *buffers;
    struct kernel_output *outputs, **last_output;
    uint64_t n_draws;
} kernel_run;

typedef void kernel_body(kernel_run *run, const kernel_case *c);

/* Device memory, freed and its guard bytes checked at the end of the body. */
void *kernel_alloc(kernel_run *run, size_t size);
/* As kernel_alloc, with the host's bytes. */
void *kernel_put(kernel_run *run, const void *host, size_t size);
/* What the operation wants for these arguments; NULL where that is nothing. */
void *kernel_scratch(kernel_run *run, axl_op op, const void *args, size_t *size);
/* Filled with a pattern of NaNs, padding included. */
axl_mat kernel_mat(kernel_run *run, int64_t rows, int64_t cols, axl_dtype dtype, int64_t pad);
/* Numbers of mean 0 and standard deviation scale; the padding holds the pattern. */
axl_mat kernel_random(kernel_run *run, int64_t rows, int64_t cols, axl_dtype dtype, int64_t pad,
                      float scale);
/* The same for n numbers in a row. */
float *kernel_random_f32(kernel_run *run, int64_t n, float scale);

/*
 * Compares y with the reference's: |y - ref| <= tolerance * (|ref| + rms(ref)), and for bf16 one
 * step of bf16 (2^-7 |ref|) more, since a sum near the middle of two numbers may round to either.
 * A NaN equals a NaN, an infinity the same one.  tolerance 0 asks for the same bits.
 */
void kernel_save(kernel_run *run, const char *name, axl_mat y, double tolerance);
void kernel_save_f32(kernel_run *run, const char *name, const float *y, int64_t n,
                     double tolerance);
void kernel_save_f64(kernel_run *run, const char *name, const double *y, int64_t n,
                     double tolerance);

/* A device of a backend at a level of the instruction set; NULL where the machine or the build
 * lacks it.  Kept until the process ends. */
kernel_run *kernel_target(const char *backend, axl_isa isa, uint32_t threads);

/* The body of one case on every target. */
void kernel_check(kernel_body *body, const kernel_case *c);
/* The body at each instruction set of the machine with axl's own kernels on two threads, nothing
 * compared: it asserts what it has to. */
void kernel_each(kernel_body *body, const kernel_case *c);
/* The body on every shape of the table, f32 and bf16, rows close together and apart. */
void kernel_check_shapes(kernel_body *body);
void kernel_check_shapes_with(kernel_body *body, const void *more);

/* The gradient of a scalar by central differences of fourth order (steps of 2^-5) against a given
 * one: |grad - difference| <= tolerance * (|difference| + rms).  loss reads x[0..n) as it is. */
void kernel_check_gradient(const char *name, float *x, const float *grad, int64_t n,
                           double (*loss)(const void *arg), const void *arg, double tolerance);

/* Numbers of mean 0 and standard deviation scale, nearly normal (sums of four uniform ones), that
 * depend on (seed, i) alone; multiples of 2^-12, so that the steps of kernel_check_gradient are
 * exact. */
void kernel_normals(float *x, int64_t n, uint64_t seed, float scale);

#endif
