/* SPDX-License-Identifier: Apache-2.0 */
/*
 * staging.cu - uploads: the host's bytes are copied to a slot of pinned memory, from where the
 * device takes them when the stream gets there.  The caller's bytes are free on return, and nobody
 * waits unless all slots are still to be read.
 */
#include "cuda_device.h"

#include <pthread.h>

enum { N_SLOTS = 8, SLOT = 4 << 20 };

struct axl_staging {
    pthread_mutex_t lock;
    char *memory; /* (N_SLOTS, SLOT), pinned */
    cudaEvent_t read[N_SLOTS];
    int next;
};

size_t axl__staging_bytes(void)
{
    return (size_t)N_SLOTS * SLOT;
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
    for (int i = 0; i < N_SLOTS; i++)
        AXL_TRY(axl__cuda_status(dev, cudaEventCreateWithFlags(&s->read[i], cudaEventDisableTiming),
                                 "an event"));
    return AXL_OK;
}

void axl__staging_close(axl_device *dev)
{
    struct axl_staging *s = dev->staging;

    if (!s)
        return;
    for (int i = 0; i < N_SLOTS; i++)
        if (s->read[i])
            cudaEventDestroy(s->read[i]);
    if (s->memory)
        cudaFreeHost(s->memory);
    pthread_mutex_destroy(&s->lock);
    axl__cuda_host->free(dev->ctx, s);
    dev->staging = NULL;
}

/* Called locked. */
static axl_status upload_piece(axl_device *dev, char *dst, const char *host, size_t size)
{
    struct axl_staging *s = dev->staging;
    int slot = s->next;
    char *memory = s->memory + (size_t)slot * SLOT;

    AXL_TRY(axl__cuda_status(dev, cudaEventSynchronize(s->read[slot]), "an upload"));
    memcpy(memory, host, size);
    AXL_TRY(axl__cuda_status(
        dev, cudaMemcpyAsync(dst, memory, size, cudaMemcpyHostToDevice, dev->stream), "an upload"));
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
