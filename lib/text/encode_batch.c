/* SPDX-License-Identifier: Apache-2.0 */
/* encode_batch.c - many texts at once, by all threads. */
#include "tokenizer.h"

#include "base/ctx.h"
#include "base/structs.h"

#include <string.h>

/* A task is a few texts, so that short ones cost no more than they are. */
enum { TEXTS_A_TASK = 64 };

typedef struct {
    axl__token_ids ids; /* of the task's texts, one behind the other */
    axl_status status;
    axl__error why;
} batch_task;

typedef struct {
    const axl_tokenizer *tok;
    const char *const *texts;
    const size_t *lengths;
    size_t n;
    uint32_t flags;
    uint64_t *ends; /* (n) within the task, then of all */
    batch_task *tasks;
} batch;

static axl_status encode_some(const batch *b, size_t first, axl__token_ids *ids)
{
    size_t last = first + TEXTS_A_TASK < b->n ? first + TEXTS_A_TASK : b->n;

    for (size_t i = first; i < last; i++) {
        const char *text = b->texts[i] ? b->texts[i] : "";
        size_t len = b->lengths ? b->lengths[i] : strlen(text);
        AXL_TRY(axl__tokenizer_encode(b->tok, text, len, b->flags, ids));
        b->ends[i] = ids->count;
    }
    return AXL_OK;
}

static void run_task(void *arg, uint64_t i)
{
    const batch *b = arg;
    batch_task *t = &b->tasks[i];

    t->status = encode_some(b, (size_t)i * TEXTS_A_TASK, &t->ids);
    if (t->status != AXL_OK)
        axl__error_hold(&t->why);
}

/* The first failure in the texts' order, or all ids in one list. */
static axl_status gather_tasks(const batch *b, size_t n_tasks, axl__token_ids *all)
{
    for (size_t t = 0; t < n_tasks; t++) {
        const batch_task *task = &b->tasks[t];
        if (task->status != AXL_OK) {
            axl__error_restore(&task->why);
            return task->status;
        }
        for (size_t i = t * TEXTS_A_TASK; i < b->n && i < (t + 1) * TEXTS_A_TASK; i++)
            b->ends[i] += all->count;
        AXL_TRY(axl__token_ids_append(all, task->ids.data, task->ids.count));
    }
    return AXL_OK;
}

static axl_status encode_all(batch *b, axl_context *ctx, axl__token_ids *all)
{
    size_t n_tasks = (b->n + TEXTS_A_TASK - 1) / TEXTS_A_TASK;

    b->tasks = axl__calloc(ctx, n_tasks ? n_tasks : 1, sizeof *b->tasks);
    if (!b->tasks)
        return axl__fail_nomem();
    for (size_t t = 0; t < n_tasks; t++)
        axl__token_ids_init(&b->tasks[t].ids, ctx);
    axl__parallel_for(ctx, n_tasks, run_task, b);
    axl_status status = gather_tasks(b, n_tasks, all);
    for (size_t t = 0; t < n_tasks; t++)
        axl__token_ids_free(&b->tasks[t].ids);
    axl__free(ctx, b->tasks);
    return status;
}

axl_status axl_tokenizer_encode_batch(const axl_tokenizer *tok, const char *const *texts,
                                      const size_t *lengths, size_t n, uint32_t flags,
                                      axl_buffer *ids, axl_buffer *ends)
{
    batch b = { .tok = tok, .texts = texts, .lengths = lengths, .n = n, .flags = flags };
    axl__token_ids all;

    AXL_TRY(axl__tokenizer_enter(tok));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, ids));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, ends));
    if (!texts && n > 0)
        return axl__fail(AXL_ERR_INVALID, "texts must not be NULL");
    if (flags & ~(uint32_t)AXL_TOKENIZE_NO_SPECIAL)
        return axl__fail(AXL_ERR_INVALID, "unknown flags %#x", (unsigned)flags);
    axl_context *ctx = axl__tokenizer_context(tok);
    b.ends = axl__alloc(ctx, (n ? n : 1) * sizeof *b.ends);
    if (!b.ends)
        return axl__fail_nomem();
    axl__token_ids_init(&all, ctx);
    axl_status status = encode_all(&b, ctx, &all);
    if (status == AXL_OK)
        status = axl__buffer_set(ctx, ids, all.data, all.count * sizeof *all.data);
    if (status == AXL_OK)
        status = axl__buffer_set(ctx, ends, b.ends, n * sizeof *b.ends);
    axl__token_ids_free(&all);
    axl__free(ctx, b.ends);
    return status;
}
