/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend_cpu.c - the built-in backend: device memory is host memory, and every operation goes to
 * the kernels of the context's instruction set.  Nothing compiled for a set is entered before the
 * table for it is picked here.
 */
#include "base/os.h"
#include "device_cpu.h"
#include "kernels/matmul/matmul.h"
#include "scratch_cpu.h"

#include <assert.h>
#include <string.h>

#define DECLARE_LEVEL(name) extern const axl_cpu_kernels axl__kernels_##name
DECLARE_LEVEL(baseline);
DECLARE_LEVEL(avx2);
DECLARE_LEVEL(avx512);
DECLARE_LEVEL(avx512_bf16);
DECLARE_LEVEL(amx);

/* What this build has, best last; the compiler may lack some. */
static const struct level {
    axl_isa isa;
    const axl_cpu_kernels *kernels;
} levels[] = {
    { AXL_ISA_BASELINE, &axl__kernels_baseline },
#ifdef AXL_KERNELS_AVX2
    { AXL_ISA_AVX2, &axl__kernels_avx2 },
#endif
#ifdef AXL_KERNELS_AVX512
    { AXL_ISA_AVX512, &axl__kernels_avx512 },
#endif
#ifdef AXL_KERNELS_AVX512_BF16
    { AXL_ISA_AVX512_BF16, &axl__kernels_avx512_bf16 },
#endif
#ifdef AXL_KERNELS_AMX
    { AXL_ISA_AMX, &axl__kernels_amx },
#endif
};

/* ---- scratch ---- */

/* Where a thread looks first: the slot it had last is warm in its caches. */
static _Thread_local uint32_t slot_hint;

void *axl__scratch_acquire(axl_device *dev)
{
    for (;;) {
        for (uint32_t i = 0; i < dev->n_slots; i++) {
            uint32_t s = (slot_hint + i) % dev->n_slots;
            if (!atomic_exchange_explicit(&dev->slot_taken[s], true, memory_order_acquire)) {
                slot_hint = s;
                return dev->slots + s * AXL_SCRATCH_SIZE;
            }
        }
        axl__os_yield();
    }
}

void axl__scratch_release(axl_device *dev, void *slot)
{
    size_t s = (size_t)((char *)slot - dev->slots) / AXL_SCRATCH_SIZE;

    atomic_store_explicit(&dev->slot_taken[s], false, memory_order_release);
}

/* ---- device ---- */

static void cpu_device_close(axl_device *dev)
{
    axl_context *ctx;

    if (!dev)
        return;
    ctx = dev->ctx;
    axl__matmul_plugin_close(dev);
    axl__free_aligned(ctx, dev->slots);
    axl__free(ctx, dev->slot_taken);
    axl__free(ctx, dev);
    axl_context_free(ctx);
}

/* The host's own loop may run on any number of threads: then one slot per processor. */
static uint32_t slots_wanted(axl_context *ctx)
{
    return axl__context_options(ctx)->parallel_for ? axl__cpu_count() : axl_context_threads(ctx);
}

static void pick_kernels(axl_device *dev)
{
    axl_isa isa = axl__context_isa_level(dev->ctx);

    if (isa == AXL_ISA_AMX && !axl__request_amx()) {
        axl__log(dev->ctx, AXL_LOG_WARNING,
                 "the system refuses AMX tile registers; computing with AVX512_BF16");
        isa = AXL_ISA_AVX512_BF16;
    }
    dev->isa = isa;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (levels[i].isa <= isa)
            dev->kernels = levels[i].kernels;
}

static const char *matmul_name(axl_device *dev)
{
    return dev->plugin ? dev->plugin->name(dev->library) : "axl";
}

static axl_status cpu_device_open(axl_device **out, axl_context *ctx, int32_t ordinal)
{
    axl_device *dev;

    *out = NULL;
    if (ordinal != 0)
        return axl__fail(AXL_ERR_INVALID, "the cpu backend has device 0 only, got %d", ordinal);
    dev = axl__calloc(ctx, 1, sizeof *dev);
    if (!dev)
        return axl__fail_nomem();
    dev->ctx = axl__context_ref(ctx);
    dev->n_slots = slots_wanted(ctx);
    dev->slot_taken = axl__calloc(ctx, dev->n_slots, sizeof *dev->slot_taken);
    dev->slots = axl__alloc_aligned(ctx, dev->n_slots * AXL_SCRATCH_SIZE);
    if (!dev->slot_taken || !dev->slots) {
        cpu_device_close(dev);
        return axl__fail_nomem();
    }
    pick_kernels(dev);
    axl__matmul_plugin_choose(dev);
    *out = dev;
    return AXL_OK;
}

static void cpu_device_info(axl_device *dev, axl_device_info *out)
{
    *out = (axl_device_info){
        .native_bf16 = dev->isa >= AXL_ISA_AVX512_BF16,
        .host_memory = true,
        .own_bytes = dev->n_slots * AXL_SCRATCH_SIZE,
        .matmul = matmul_name(dev),
        .isa = axl__isa_name(dev->isa),
    };
}

/* ---- memory ---- */

static axl_status cpu_buffer_new(axl_device *dev, void **out, size_t size)
{
    *out = axl__alloc_aligned(dev->ctx, size);
    return *out ? AXL_OK : axl__fail_nomem();
}

static void cpu_buffer_free(axl_device *dev, void *buffer)
{
    axl__free_aligned(dev->ctx, buffer);
}

static axl_status cpu_weights_map(axl_device *dev, void **out, const void *host, size_t size)
{
    (void)dev;
    (void)size;
    *out = (void *)(uintptr_t)host; /* never written through */
    return AXL_OK;
}

static void cpu_weights_unmap(axl_device *dev, void *mapped)
{
    (void)dev;
    (void)mapped;
}

static axl_status cpu_copy(axl_device *dev, void *dst, const void *src, size_t size)
{
    (void)dev;
    if (size > 0)
        memmove(dst, src, size);
    return AXL_OK;
}

static axl_status cpu_zero(axl_device *dev, void *dst, size_t size)
{
    (void)dev;
    if (size > 0)
        memset(dst, 0, size);
    return AXL_OK;
}

static axl_status cpu_synchronize(axl_device *dev)
{
    (void)dev;
    return AXL_OK;
}

static size_t cpu_scratch(axl_device *dev, axl_op op, const void *args)
{
    (void)dev;
    if (op == AXL_OP_matmul)
        return axl__matmul_scratch(args);
    return op == AXL_OP_attention_backward ? axl__attention_scratch(args) : 0;
}

/* ---- operations ---- */

#define DISPATCH(op, args, use)                                                                    \
    static axl_status cpu_##op(axl_device *dev, const args *a)                                     \
    {                                                                                              \
        return dev->kernels->op(dev, a);                                                           \
    }
AXL_BACKEND_OTHER_OPS(DISPATCH)

/* Large ones by the plugin where there is one; further terms are then products of their own. */
static axl_status cpu_matmul(axl_device *dev, const axl_matmul_args *a)
{
    axl_matmul_args one = *a;
    bool done;

    AXL_TRY(axl__matmul_check(a));
    one.n_more = 0;
    AXL_TRY(axl__matmul_plugin_run(dev, &one, &done));
    if (!done)
        return dev->kernels->matmul(dev, a);
    if (a->plus.data)
        AXL_TRY(dev->kernels->add(dev, &(axl_unary_args){ a->plus, a->y }));
    one.plus.data = NULL;
    one.beta = 1.0f;
    one.trans_x = false;
    for (int64_t i = 0; i < a->n_more; i++) {
        one.x = a->more[i].x;
        one.w = a->more[i].w;
        one.trans_w = a->more[i].trans_w;
        AXL_TRY(cpu_matmul(dev, &one));
    }
    return AXL_OK;
}

#define MEMBER(op, args, use) .op = cpu_##op,
const axl_backend_ops axl__backend_cpu = { .abi = AXL_BACKEND_ABI,
                                           .size = sizeof(axl_backend_ops),
                                           .name = "cpu",
                                           .version = AXL_VERSION,
                                           .device_open = cpu_device_open,
                                           .device_close = cpu_device_close,
                                           .device_info = cpu_device_info,
                                           .buffer_new = cpu_buffer_new,
                                           .buffer_free = cpu_buffer_free,
                                           .weights_map = cpu_weights_map,
                                           .weights_unmap = cpu_weights_unmap,
                                           .upload = cpu_copy,
                                           .download = cpu_copy,
                                           .copy = cpu_copy,
                                           .zero = cpu_zero,
                                           .synchronize = cpu_synchronize,
                                           .scratch = cpu_scratch,
                                           AXL_BACKEND_OPS(MEMBER) };
