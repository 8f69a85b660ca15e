/* SPDX-License-Identifier: Apache-2.0 */
/*
 * staging.cu - uploads: the host's bytes are copied to a slot of pinned memory, from where the
 * device takes them by itself.  The caller's bytes are free on return, and nobody waits unless all
 * slots are still to be read.
 *
 * While the device computes, a batch crosses the bus beside that, on a stream of its own, to a slot
 * of device memory; the stream of the work then finds it there and copies it to its place, which
 * the batch before may be using until that moment.  Where nothing computes there is nothing to go
 * beside, and what is too large for a slot is no batch.
 */
#include "cuda_device.h"

#include <pthread.h>

enum { N_SLOTS = 8, SLOT = 4 << 20, AHEAD = 1 << 20 };

struct axl_staging {
    pthread_mutex_t lock;
    char *memory;               /* (N_SLOTS, SLOT), pinned */
    char *ahead;                /* (N_SLOTS, AHEAD), device memory */
    cudaStream_t copies;        /* from memory to ahead */
    cudaEvent_t there[N_SLOTS]; /* in ahead */
    cudaEvent_t read[N_SLOTS];  /* and in its place, so that the slot is free */
    int next;
};

size_t axl__staging_bytes(void)
{
    return (size_t)N_SLOTS * SLOT;
}

size_t axl__staging_device_bytes(void)
{
    return (size_t)N_SLOTS * AHEAD;
}

static axl_status make_event(axl_device *dev, cudaEvent_t *out)
{
    return axl__cuda_status(dev, cudaEventCreateWithFlags(out, cudaEventDisableTiming), "an event");
}

/* Memory is there for one stream, that of the work, until another has waited for it. */
static axl_status make_ahead(axl_device *dev, struct axl_staging *s)
{
    AXL_TRY(axl__cuda_status(dev, cudaStreamCreateWithFlags(&s->copies, cudaStreamNonBlocking),
                             "a stream"));
    AXL_TRY(axl__cuda_buffer_new(dev, (void **)&s->ahead, axl__staging_device_bytes()));
    AXL_TRY(axl__cuda_status(dev, cudaEventRecord(s->read[0], dev->stream), "an event"));
    return axl__cuda_status(dev, cudaStreamWaitEvent(s->copies, s->read[0], 0), "an event");
}

axl_status axl__staging_open(axl_device *dev)
{
    struct axl_staging *s;

    AXL_TRY(axl__cuda_host_new(dev->ctx, (void **)&s, sizeof *s));
    pthread_mutex_init(&s->lock, NULL);
    dev->staging = s;
    AXL_TRY(axl__cuda_status(
        dev, cudaHostAlloc((void **)&s->memory, axl__staging_bytes(), cudaHostAllocDefault),
        "pinned memory"));
    for (int i = 0; i < N_SLOTS; i++) {
        AXL_TRY(make_event(dev, &s->there[i]));
        AXL_TRY(make_event(dev, &s->read[i]));
    }
    return make_ahead(dev, s);
}

/* NULL is fine. */
static void free_event(cudaEvent_t event)
{
    if (event)
        cudaEventDestroy(event);
}

void axl__staging_close(axl_device *dev)
{
    struct axl_staging *s = dev->staging;

    if (!s)
        return;
    if (s->ahead)
        cudaFreeAsync(s->ahead, dev->stream);
    if (s->copies)
        cudaStreamDestroy(s->copies);
    for (int i = 0; i < N_SLOTS; i++) {
        free_event(s->there[i]);
        free_event(s->read[i]);
    }
    if (s->memory)
        cudaFreeHost(s->memory);
    pthread_mutex_destroy(&s->lock);
    axl__cuda_host->free(dev->ctx, s);
    dev->staging = NULL;
}

static axl_status is_computing(axl_device *dev, bool *out)
{
    cudaError_t e = cudaStreamQuery(dev->stream);

    *out = e == cudaErrorNotReady;
    if (!*out)
        return axl__cuda_status(dev, e, "an upload");
    cudaGetLastError(); /* not that of the next call */
    return AXL_OK;
}

static axl_status copy_beside(axl_device *dev, void *dst, int slot, size_t size)
{
    struct axl_staging *s = dev->staging;
    const char *memory = s->memory + (size_t)slot * SLOT;
    char *ahead = s->ahead + (size_t)slot * AHEAD;
    cudaError_t e = cudaMemcpyAsync(ahead, memory, size, cudaMemcpyHostToDevice, s->copies);

    if (e == cudaSuccess)
        e = cudaEventRecord(s->there[slot], s->copies);
    if (e == cudaSuccess)
        e = cudaStreamWaitEvent(dev->stream, s->there[slot], 0);
    if (e == cudaSuccess)
        e = cudaMemcpyAsync(dst, ahead, size, cudaMemcpyDeviceToDevice, dev->stream);
    return axl__cuda_status(dev, e, "an upload");
}

/* Called locked. */
static axl_status upload_piece(axl_device *dev, char *dst, const char *host, size_t size)
{
    struct axl_staging *s = dev->staging;
    int slot = s->next;
    char *memory = s->memory + (size_t)slot * SLOT;
    bool computing;

    AXL_TRY(axl__cuda_status(dev, cudaEventSynchronize(s->read[slot]), "an upload"));
    memcpy(memory, host, size);
    AXL_TRY(is_computing(dev, &computing));
    if (computing && size <= AHEAD)
        AXL_TRY(copy_beside(dev, dst, slot, size));
    else
        AXL_TRY(axl__cuda_status(
            dev, cudaMemcpyAsync(dst, memory, size, cudaMemcpyHostToDevice, dev->stream),
            "an upload"));
    s->next = (slot + 1) % N_SLOTS;
    return axl__cuda_status(dev, cudaEventRecord(s->read[slot], dev->stream), "an upload");
}

axl_status axl__staging_upload(axl_device *dev, void *dst, const void *host, size_t size)
{
    axl_status status = AXL_OK;

    pthread_mutex_lock(&dev->staging->lock);
    for (size_t at = 0; at < size && status == AXL_OK; at += SLOT)
        status = upload_piece(dev, (char *)dst + at, (const char *)host + at,
                              size - at < SLOT ? size - at : (size_t)SLOT);
    pthread_mutex_unlock(&dev->staging->lock);
    return status;
}
