/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.c - batches in the order of each epoch.  The order and the bins of an epoch depend on
 * (seed, epoch) alone, so a cursor of two numbers is all that a resumed run needs.
 *
 * Of streamed data an epoch is a window of it, which is read when the loader comes to it; such a
 * loader has no end of its own, but where a host's records end and cannot begin again.
 *
 * An epoch ends its last accumulation window, however short: every sample is trained once an epoch
 * and no step mixes two epochs.
 */
#include "data/dataset.h"
#include "data/loader.h"
#include "data/pack.h"
#include "data/data_stream.h"

#include "base/call.h"
#include "base/magic.h"
#include "base/rng.h"
#include "base/structs.h"
#include "config/config.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* One epoch's batches: batch b is order[starts[b] .. starts[b + 1]).  With packing an epoch's order
 * is that of its bins, whose limits are not kept: a batch is a number of sequences. */
typedef struct {
    uint32_t *order;  /* (n) rows of the data set */
    uint32_t *starts; /* (n_batches + 1) */
    uint32_t n_batches;
    uint32_t n_bins;
} epoch_plan;

/* plan is the current epoch's from the first call on, and batch <= limit <= n_batches of it.  A
 * batch that was handed out points into ids, labels and the like, and is gone with the next one. */
struct axl_loader {
    uint32_t magic;
    axl__claim claim;
    axl_context *ctx;
    axl_dataset *data;
    axl__data_stream_reader *reader; /* of streamed data, else NULL */
    axl_dataset *window;             /* the rows of the epoch: data's own, or a window's */
    axl_loader_options opts;
    uint32_t n;           /* samples of the window */
    uint32_t *lengths;    /* (n), with packing or group_by_length */
    uint32_t bin_tokens;  /* capacity of a bin */
    uint32_t batch_items; /* samples a batch, or bins a batch with packing */
    uint64_t tokens;      /* of them */
    uint64_t rows_hash;   /* see axl__loader_print; 0: not yet known */
    uint64_t epoch;       /* of the plan */
    uint64_t before;      /* steps of the epochs before it; kept when max_steps ends the loader */
    uint64_t batch;       /* batches of it done */
    uint64_t limit;       /* batches of it to do: fewer in a last part of an epoch */
    bool over;            /* the epoch is none: it would be behind the last record */
    epoch_plan plan;
    int32_t *ids, *labels, *positions; /* (cap_tokens) of the current batch */
    int32_t *cu_seqlens;               /* (cap_seqs + 1) */
    uint32_t *roles, *pairs;           /* (cap_seqs) */
    size_t cap_tokens, cap_seqs;
};

static axl_status loader_enter(const axl_loader *l)
{
    axl__error_clear();
    if (!l || l->magic != AXL__MAGIC_LOADER)
        return axl__fail(AXL_ERR_INVALID, "not a live axl_loader");
    return axl__context_enter(l->ctx);
}

/* For the calls that change it, and those that read what these change. */
static axl_status loader_begin(axl_loader *l)
{
    AXL_TRY(loader_enter(l));
    return axl__claim_take(&l->claim, "axl_loader");
}

static axl_status loader_end(axl_loader *l, axl_status status)
{
    axl__claim_release(&l->claim);
    return status;
}

/* ---- an epoch's plan ---- */

static void plan_free(axl_context *ctx, epoch_plan *plan)
{
    axl__free(ctx, plan->order);
    axl__free(ctx, plan->starts);
    memset(plan, 0, sizeof *plan);
}

/* Two streams an epoch: the samples' order and the bins'. */
static uint64_t order_stream(uint64_t epoch, unsigned which)
{
    return AXL__STREAM_SHUFFLE | (epoch * 2 + which) << 8;
}

/* Cuts n items into batches of per_batch; starts[i] is where item i begins. */
static void cut_batches(epoch_plan *plan, const uint32_t *item_starts, uint32_t n_items,
                        uint32_t per_batch)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < n_items; i += per_batch)
        plan->starts[n++] = item_starts ? item_starts[i] : (uint32_t)i;
    plan->n_batches = (uint32_t)n;
    plan->starts[n] = item_starts ? item_starts[n_items] : n_items;
}

/* Bins are shuffled too, because first-fit fills the early ones with the longest samples. */
static axl_status plan_bins(const axl_loader *l, uint64_t epoch, axl__bins *bins, epoch_plan *out)
{
    size_t size = ((size_t)bins->n_bins + 1) * sizeof(uint32_t);
    uint32_t *turn = NULL, *starts = axl__alloc(l->ctx, size);

    out->starts = axl__alloc(l->ctx, size);
    if (l->opts.shuffle && !l->opts.keep_order)
        turn = axl__alloc(l->ctx, (size_t)bins->n_bins * sizeof *turn);
    if (!starts || !out->starts || (l->opts.shuffle && !l->opts.keep_order && !turn)) {
        axl__free(l->ctx, starts);
        axl__free(l->ctx, turn);
        return axl__fail_nomem();
    }
    if (turn)
        axl__shuffle(turn, bins->n_bins, l->opts.seed, order_stream(epoch, 1));
    uint32_t at = 0;
    for (uint32_t b = 0; b < bins->n_bins; b++) {
        uint32_t from = turn ? turn[b] : b, lo = bins->starts[from];
        uint32_t count = bins->starts[from + 1] - lo;
        starts[b] = at;
        memcpy(out->order + at, bins->items + lo, count * sizeof *bins->items);
        at += count;
    }
    starts[bins->n_bins] = at;
    out->n_bins = bins->n_bins;
    cut_batches(out, starts, bins->n_bins, l->batch_items);
    axl__free(l->ctx, starts);
    axl__free(l->ctx, turn);
    return AXL_OK;
}

static axl_status plan_packed(const axl_loader *l, uint64_t epoch, epoch_plan *out)
{
    axl__bins bins;
    axl_status status;

    if (l->opts.shuffle && !l->opts.keep_order)
        status = axl__pack_first_fit(&bins, l->ctx, l->lengths, out->order, l->n, l->bin_tokens);
    else
        status = axl__pack_in_order(&bins, l->ctx, l->lengths, out->order, l->n, l->bin_tokens);
    if (status != AXL_OK)
        return status;
    status = plan_bins(l, epoch, &bins, out);
    axl__bins_free(l->ctx, &bins);
    return status;
}

/* A function of the loader's options and the epoch: it changes nothing of the loader, so that steps
 * can be counted ahead. */
static axl_status plan_epoch(const axl_loader *l, uint64_t epoch, epoch_plan *out)
{
    axl_status status = AXL_OK;

    memset(out, 0, sizeof *out);
    AXL_TRY(axl__cancelled(l->ctx));
    out->order = axl__alloc(l->ctx, ((size_t)l->n + 1) * sizeof *out->order);
    if (!out->order)
        return axl__fail_nomem();
    if (l->opts.shuffle) {
        axl__shuffle(out->order, l->n, l->opts.seed, order_stream(epoch, 0));
        if (l->opts.group_by_length)
            status = axl__group_by_length(l->ctx, l->lengths, out->order, l->n,
                                          (uint64_t)l->batch_items *
                                              l->opts.gradient_accumulation_steps);
    } else {
        for (uint32_t i = 0; i < l->n; i++)
            out->order[i] = i;
    }
    if (l->opts.sample_packing) {
        status = plan_packed(l, epoch, out);
    } else if (status == AXL_OK) {
        size_t n_batches = ((size_t)l->n + l->batch_items - 1) / l->batch_items;
        out->starts = axl__alloc(l->ctx, (n_batches + 1) * sizeof *out->starts);
        if (out->starts)
            cut_batches(out, NULL, l->n, l->batch_items);
        else
            status = axl__fail_nomem();
    }
    if (status != AXL_OK)
        plan_free(l->ctx, out);
    return status;
}

/* ---- epochs and steps ---- */

static uint64_t steps_of(const axl_loader *l, uint64_t n_batches)
{
    uint64_t window = l->opts.gradient_accumulation_steps;

    return (n_batches + window - 1) / window;
}

/* Packed epochs differ by a step or so in another order. */
static bool epochs_are_equal(const axl_loader *l)
{
    return !l->opts.sample_packing || !l->opts.shuffle;
}

/* The steps of an epoch, which is planned for it unless it is the current one. */
static axl_status count_steps(const axl_loader *l, uint64_t epoch, uint64_t *steps)
{
    epoch_plan plan;

    if (l->plan.order && (epoch == l->epoch || epochs_are_equal(l))) {
        *steps = steps_of(l, l->plan.n_batches);
        return AXL_OK;
    }
    AXL_TRY(plan_epoch(l, epoch, &plan));
    *steps = steps_of(l, plan.n_batches);
    plan_free(l->ctx, &plan);
    return AXL_OK;
}

/* The steps of the epochs before one; 0 where max_steps does not ask for them. */
static axl_status steps_before(const axl_loader *l, uint64_t epoch, uint64_t *out)
{
    bool on = l->plan.order && epoch >= l->epoch;
    uint64_t sum = on ? l->before : 0, each;

    *out = 0;
    if (l->opts.max_steps == 0 || epoch == 0 || l->reader)
        return AXL_OK;
    if (epochs_are_equal(l)) {
        AXL_TRY(count_steps(l, 0, &each));
        *out = epoch > l->opts.max_steps ? l->opts.max_steps : epoch * each;
        return AXL_OK;
    }
    for (uint64_t e = on ? l->epoch : 0; e < epoch && sum < l->opts.max_steps; e++) {
        AXL_TRY(count_steps(l, e, &each));
        sum += each;
    }
    *out = sum;
    return AXL_OK;
}

/* The steps to do of an epoch that has n_steps and `before` in front of it.  The last part of a
 * fractional num_epochs is rounded up, as Hugging Face does; 1e-9 keeps 3 x 0.1 at 0.3. */
static uint64_t steps_wanted(const axl_loader *l, uint64_t epoch, uint64_t before, uint64_t n_steps)
{
    double left = l->opts.num_epochs - (double)epoch;

    if (l->reader) /* max_steps is for who steps to count */
        return n_steps;
    if (l->opts.max_steps > 0) {
        uint64_t rest = before < l->opts.max_steps ? l->opts.max_steps - before : 0;
        return rest < n_steps ? rest : n_steps;
    }
    if (l->opts.num_epochs == 0.0 || left >= 1.0)
        return n_steps;
    if (left <= 0.0)
        return 0;
    return (uint64_t)ceil(left * (double)n_steps - 1e-9);
}

static uint64_t batches_wanted(const axl_loader *l, uint64_t n_batches)
{
    uint64_t steps = steps_wanted(l, l->epoch, l->before, steps_of(l, n_batches));
    uint64_t batches = steps * l->opts.gradient_accumulation_steps;

    return batches < n_batches ? batches : n_batches;
}

/* Whether the current epoch is followed by another that has something to do. */
static bool goes_on(const axl_loader *l)
{
    uint64_t done = l->before + steps_of(l, l->plan.n_batches);

    return !l->over && steps_wanted(l, l->epoch + 1, done, 1) > 0;
}

static axl_status measure(axl_loader *l);

/* The first one is the data set itself. */
static axl_status get_window(const axl_loader *l, uint64_t epoch, axl_dataset **out, bool *over)
{
    *over = false;
    if (epoch != axl__dataset_window(l->data))
        return axl__data_stream_read(l->reader, epoch, out, over);
    AXL_TRY(axl__data_stream_follows(l->reader, epoch));
    *out = axl__dataset_ref(l->data);
    return AXL_OK;
}

/* The rows of an epoch; the plan of the last one is gone with its rows. */
static axl_status take_window(axl_loader *l, uint64_t epoch)
{
    axl_dataset *window;
    bool over;

    if (!l->reader || (epoch == l->epoch && l->plan.order))
        return AXL_OK;
    AXL_TRY(get_window(l, epoch, &window, &over));
    l->over = over;
    axl_dataset_free(l->window);
    plan_free(l->ctx, &l->plan);
    l->window = window;
    return measure(l);
}

/* Plans an epoch and stands before its batch; on failure the loader stays where it is, but for one
 * of streamed data, which must be put somewhere then. */
static axl_status go_to(axl_loader *l, uint64_t epoch, uint64_t batch)
{
    epoch_plan plan = { 0 };
    bool other = epoch != l->epoch || !l->plan.order;
    uint64_t before;

    if (l->reader && epoch < axl__dataset_window(l->data)) /* the windows before it are empty */
        return go_to(l, axl__dataset_window(l->data), 0);
    AXL_TRY(take_window(l, epoch));
    AXL_TRY(steps_before(l, epoch, &before));
    if (other)
        AXL_TRY(plan_epoch(l, epoch, &plan));
    uint32_t n_batches = other ? plan.n_batches : l->plan.n_batches;
    if (batch > n_batches) {
        plan_free(l->ctx, &plan);
        return axl__fail(AXL_ERR_INVALID, "the cursor is at batch %llu of an epoch of %u",
                         (unsigned long long)batch, n_batches);
    }
    if (other) {
        plan_free(l->ctx, &l->plan);
        l->plan = plan;
    }
    l->epoch = epoch;
    l->before = before;
    l->batch = batch;
    l->limit = batches_wanted(l, n_batches);
    return AXL_OK;
}

/* ---- making a loader ---- */

static axl_status check_options(const axl_loader_options *o)
{
    if (o->micro_batch_size == 0)
        return axl__fail(AXL_ERR_INVALID, "micro_batch_size must be at least 1, got 0");
    if (o->gradient_accumulation_steps == 0)
        return axl__fail(AXL_ERR_INVALID, "gradient_accumulation_steps must be at least 1, got 0");
    if (!(o->num_epochs >= 0.0 && o->num_epochs <= 1e9))
        return axl__fail(AXL_ERR_INVALID, "num_epochs must be a number from 0 to 1e9");
    if (o->sample_packing > 1 || o->shuffle > 1 || o->real_batches > 1 || o->keep_order > 1 ||
        o->group_by_length > 1)
        return axl__fail(AXL_ERR_INVALID, "sample_packing, shuffle, real_batches, keep_order and "
                                          "group_by_length are 0 or 1");
    if (o->group_by_length && (o->sample_packing || !o->shuffle))
        return axl__fail(AXL_ERR_INVALID, "group_by_length needs shuffle and no sample_packing");
    if (!o->sample_packing)
        return AXL_OK;
    if (o->sequence_len == 0)
        return axl__fail(AXL_ERR_INVALID, "sequence_len must be at least 1, got 0");
    if ((uint64_t)o->micro_batch_size * o->sequence_len > INT32_MAX)
        return axl__fail(AXL_ERR_INVALID, "micro_batch_size x sequence_len is past 2^31: %u x %u",
                         o->micro_batch_size, o->sequence_len);
    return AXL_OK;
}

/* Without real_batches (Axolotl's multipack_real_batches) a packed batch is one bin of
 * micro_batch_size x sequence_len tokens, with them it is micro_batch_size bins of sequence_len. */
static axl_status measure(axl_loader *l)
{
    const axl__row *rows = axl__dataset_rows(l->window);
    const axl_loader_options *o = &l->opts;

    l->n = (uint32_t)axl_dataset_count(l->window);
    l->tokens = 0;
    axl__free(l->ctx, l->lengths);
    l->lengths = NULL;
    l->batch_items = o->micro_batch_size;
    if (o->sample_packing) {
        l->batch_items = o->real_batches ? o->micro_batch_size : 1;
        l->bin_tokens = o->real_batches ? o->sequence_len : o->sequence_len * o->micro_batch_size;
    }
    if (o->sample_packing || o->group_by_length) {
        l->lengths = axl__alloc(l->ctx, ((size_t)l->n + 1) * sizeof *l->lengths);
        if (!l->lengths)
            return axl__fail_nomem();
    }
    for (uint32_t i = 0; i < l->n; i++) {
        l->tokens += rows[i].length;
        if (l->lengths)
            l->lengths[i] = rows[i].length;
        if (o->sample_packing && rows[i].length > l->bin_tokens)
            return axl__fail(AXL_ERR_INVALID, "sample %u has %u tokens, a bin holds %u", i,
                             rows[i].length, l->bin_tokens);
    }
    return AXL_OK;
}

axl_status axl_loader_new(axl_loader **out, axl_dataset *data, const axl_loader_options *opts)
{
    axl_loader_options o = AXL_LOADER_OPTIONS_INIT;

    axl__error_clear();
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__dataset_enter(data));
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_loader_options, &o, opts));
    AXL_TRY(check_options(&o));

    axl_context *ctx = axl__dataset_context(data);
    axl_loader *l = axl__calloc(ctx, 1, sizeof *l);
    if (!l)
        return axl__fail_nomem();
    l->magic = AXL__MAGIC_LOADER;
    l->ctx = axl__context_ref(ctx);
    l->data = axl__dataset_ref(data);
    l->opts = o;
    l->window = axl__dataset_ref(data);
    axl_status status = AXL_OK;
    if (axl__dataset_stream(data))
        status = axl__data_stream_reader_new(&l->reader, axl__dataset_stream(data));
    if (status == AXL_OK && !l->reader)
        status = measure(l);
    if (status == AXL_OK)
        status = go_to(l, 0, 0);
    if (status != AXL_OK) {
        axl_loader_free(l);
        return status;
    }
    *out = l;
    return AXL_OK;
}

/* A count of the config, which the schema keeps at 0 or more. */
static uint32_t count_of(const axl_config *cfg, const char *key)
{
    int64_t value = axl__cfg_int(cfg, key);

    return value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* Validation is in order and once; sample_packing_sequentially and curriculum_sampling keep the
 * rows' order in training.  Validation rows that may be longer than sequence_len still fit. */
axl_status axl_loader_from_config(axl_loader **out, const axl_config *cfg, axl_dataset *data,
                                  uint32_t split)
{
    axl_loader_options o = AXL_LOADER_OPTIONS_INIT;

    axl__error_clear();
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__config_enter(cfg));
    if (split != AXL_SPLIT_TRAIN && split != AXL_SPLIT_VALIDATION)
        return axl__fail(AXL_ERR_INVALID, "unknown split %d", (int)split);
    bool packing = axl__cfg_bool(cfg, "sample_packing");
    o.seed = (uint64_t)axl__cfg_int(cfg, "seed");
    o.micro_batch_size = count_of(cfg, "micro_batch_size");
    o.sequence_len = count_of(cfg, "sequence_len");
    o.real_batches = axl__cfg_bool(cfg, "multipack_real_batches");
    if (split == AXL_SPLIT_VALIDATION) {
        uint32_t longest = axl__cfg_count(cfg, "test_datasets") > 0 &&
                                   axl__cfg_int_or(cfg, "eval_sequence_len", 0) > 0
                               ? count_of(cfg, "eval_sequence_len")
                               : 0;
        o.sequence_len = longest > o.sequence_len ? longest : o.sequence_len;
        o.micro_batch_size = count_of(cfg, "eval_batch_size");
        o.sample_packing = axl__cfg_bool(cfg, "eval_sample_packing");
        o.shuffle = 0;
    } else {
        bool in_order = axl__cfg_bool(cfg, "curriculum_sampling");
        if (packing && axl__cfg_bool(cfg, "sample_packing_sequentially"))
            in_order = true;
        o.keep_order = packing && in_order;
        o.sample_packing = packing;
        o.shuffle = !in_order;
        o.group_by_length = axl__cfg_bool(cfg, "group_by_length") && !packing && !in_order;
        o.gradient_accumulation_steps = count_of(cfg, "gradient_accumulation_steps");
        o.num_epochs = axl__cfg_double(cfg, "num_epochs");
        o.max_steps = (uint64_t)axl__cfg_int_or(cfg, "max_steps", 0);
    }
    return axl_loader_new(out, data, &o);
}

void axl_loader_free(axl_loader *loader)
{
    if (!loader)
        return;
    axl_context *ctx = loader->ctx;
    loader->magic = 0;
    plan_free(ctx, &loader->plan);
    axl__free(ctx, loader->lengths);
    axl__free(ctx, loader->ids);
    axl__free(ctx, loader->labels);
    axl__free(ctx, loader->positions);
    axl__free(ctx, loader->cu_seqlens);
    axl__free(ctx, loader->roles);
    axl__free(ctx, loader->pairs);
    axl__data_stream_reader_free(loader->reader);
    axl_dataset_free(loader->window);
    axl_dataset_free(loader->data);
    axl__free(ctx, loader);
    axl_context_free(ctx);
}

/* ---- batches ---- */

/* array: the address of a pointer to 32-bit numbers. */
static axl_status grow(axl_context *ctx, void *array, size_t n)
{
    void *old;

    memcpy(&old, array, sizeof old);
    void *more = axl__realloc(ctx, old, n * sizeof(int32_t));
    if (!more)
        return axl__fail_nomem();
    memcpy(array, &more, sizeof more);
    return AXL_OK;
}

/* Buffers grow to the largest batch so far and stay; positions and cu_seqlens are int32, hence the
 * limit. */
static axl_status reserve(axl_loader *l, uint64_t n_tokens, uint32_t n_seqs)
{
    if (n_tokens > INT32_MAX)
        return axl__fail(AXL_ERR_INVALID,
                         "a batch of %llu tokens; micro_batch_size %u is too large",
                         (unsigned long long)n_tokens, l->opts.micro_batch_size);
    if (n_tokens > l->cap_tokens) {
        AXL_TRY(grow(l->ctx, &l->ids, n_tokens));
        AXL_TRY(grow(l->ctx, &l->labels, n_tokens));
        AXL_TRY(grow(l->ctx, &l->positions, n_tokens));
        l->cap_tokens = n_tokens;
    }
    if (n_seqs > l->cap_seqs || !l->cu_seqlens) {
        AXL_TRY(grow(l->ctx, &l->cu_seqlens, (size_t)n_seqs + 1));
        AXL_TRY(grow(l->ctx, &l->roles, n_seqs));
        AXL_TRY(grow(l->ctx, &l->pairs, n_seqs));
        l->cap_seqs = n_seqs;
    }
    return AXL_OK;
}

/* Tells the batch of roles and pairs only where there are some. */
static void fill_roles(axl_loader *l, const uint32_t *item, axl_batch *b)
{
    const axl__row *rows = axl__dataset_rows(l->window);

    for (uint32_t s = 0; s < b->n_seqs; s++) {
        const axl__row *row = &rows[item[s]];
        l->roles[s] = row->role;
        l->pairs[s] = row->pair;
        if (row->role != AXL_ROLE_PLAIN)
            b->roles = l->roles;
        if (row->role == AXL_ROLE_CHOSEN || row->role == AXL_ROLE_REJECTED)
            b->pairs = l->pairs;
    }
}

/* Samples are copied one behind the other, without padding; each begins at position 0. */
static axl_status fill_batch(axl_loader *l, axl_batch *b)
{
    const axl__row *rows = axl__dataset_rows(l->window);
    const axl__store *store = axl__dataset_store(l->window);
    const uint32_t *item = l->plan.order + l->plan.starts[l->batch];
    uint32_t n_seqs = l->plan.starts[l->batch + 1] - l->plan.starts[l->batch], at = 0;
    uint64_t n_tokens = 0;

    for (uint32_t s = 0; s < n_seqs; s++)
        n_tokens += rows[item[s]].length;
    AXL_TRY(reserve(l, n_tokens, n_seqs));
    for (uint32_t s = 0; s < n_seqs; s++) {
        const axl__row *row = &rows[item[s]];
        memcpy(l->ids + at, axl__row_ids(store, row), row->length * sizeof *l->ids);
        memcpy(l->labels + at, axl__row_labels(store, row), row->length * sizeof *l->labels);
        for (uint32_t i = 0; i < row->length; i++)
            l->positions[at + i] = (int32_t)i;
        l->cu_seqlens[s] = (int32_t)at;
        b->n_trained += row->n_trained;
        at += row->length;
    }
    l->cu_seqlens[n_seqs] = (int32_t)at;
    b->input_ids = l->ids;
    b->labels = l->labels;
    b->positions = l->positions;
    b->cu_seqlens = l->cu_seqlens;
    b->n_tokens = at;
    b->n_seqs = n_seqs;
    fill_roles(l, item, b);
    return AXL_OK;
}

/* The next epoch is planned when its first batch is asked for and not at the last one's end, so
 * that a cursor in between is of the new epoch and costs nothing. */
static axl_status next_batch(axl_loader *loader, axl_batch *batch)
{
    axl_batch b = AXL_BATCH_INIT, none = AXL_BATCH_INIT;

    AXL_TRY(AXL__EXPORT(axl_batch, batch, &none));
    while (loader->batch == loader->plan.n_batches && goes_on(loader)) /* a window may be empty */
        AXL_TRY(go_to(loader, loader->epoch + 1, 0));
    if (loader->batch >= loader->limit)
        return AXL_END;
    AXL_TRY(fill_batch(loader, &b));
    uint64_t done = ++loader->batch;
    b.last_of_step =
        done % loader->opts.gradient_accumulation_steps == 0 || done == loader->plan.n_batches;
    return AXL__EXPORT(axl_batch, batch, &b);
}

axl_status axl_loader_next(axl_loader *loader, axl_batch *batch)
{
    AXL_TRY(loader_begin(loader));
    return loader_end(loader, next_batch(loader, batch));
}

uint64_t axl_loader_batches_per_epoch(const axl_loader *loader)
{
    return loader_enter(loader) == AXL_OK ? loader->plan.n_batches : 0;
}

/* Shuffled packing gives each epoch a number of its own: all of them are planned once. */
static axl_status total_steps(const axl_loader *loader, uint64_t *steps)
{
    uint64_t sum = 0, each;

    *steps = loader->opts.max_steps;
    if (loader->opts.max_steps > 0 || loader->reader)
        return AXL_OK;
    if (epochs_are_equal(loader)) {
        uint64_t whole = (uint64_t)loader->opts.num_epochs;
        AXL_TRY(count_steps(loader, 0, &each));
        if (loader->opts.num_epochs > 0.0)
            *steps = whole * each + steps_wanted(loader, whole, 0, each);
        return AXL_OK;
    }
    for (uint64_t e = 0; (double)e < loader->opts.num_epochs; e++) {
        AXL_TRY(count_steps(loader, e, &each));
        sum += steps_wanted(loader, e, 0, each);
    }
    *steps = sum;
    return AXL_OK;
}

axl_status axl_loader_get_total_steps(axl_loader *loader, uint64_t *steps)
{
    AXL_TRY(loader_begin(loader));
    return loader_end(loader, steps ? total_steps(loader, steps)
                                    : axl__fail(AXL_ERR_INVALID, "steps must not be NULL"));
}

/* ---- what a checkpoint knows of the data ---- */

static uint64_t mix(uint64_t hash, uint64_t x)
{
    hash = (hash ^ x) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

enum { ROWS_BETWEEN_LOOKS = 1024 };

/* In the rows' order.  Never 0, which means that it is not known yet. */
static axl_status hash_rows(const axl_dataset *data, uint64_t *out)
{
    const axl__row *rows = axl__dataset_rows(data);
    const axl__store *store = axl__dataset_store(data);
    uint32_t n = (uint32_t)axl_dataset_count(data);
    uint64_t hash = mix(0, n);

    for (uint32_t i = 0; i < n; i++) {
        const axl__row *row = &rows[i];
        const int32_t *ids = axl__row_ids(store, row), *labels = axl__row_labels(store, row);
        if (i % ROWS_BETWEEN_LOOKS == 0)
            AXL_TRY(axl__cancelled(store->ctx));
        hash = mix(hash, (uint64_t)row->length << 32 | row->role);
        for (uint32_t k = 0; k < row->length; k++)
            hash = mix(hash, (uint64_t)(uint32_t)ids[k] << 32 | (uint32_t)labels[k]);
    }
    *out = hash ? hash : 1;
    return AXL_OK;
}

/* Of streamed data what is known without reading it all. */
static axl_status hash_stream(const axl_dataset *data, uint64_t *out)
{
    const axl__data_stream *stream = axl__dataset_stream(data);
    uint64_t hash, print = axl__data_stream_print(stream);

    *out = print;
    if (!axl__data_stream_is_fed(stream))
        return AXL_OK;
    AXL_TRY(hash_rows(data, &hash));
    *out = mix(print, hash) | 1;
    return AXL_OK;
}

axl_status axl__loader_print_of(const axl_loader *loader, axl__loader_print *out)
{
    axl_loader *l = (axl_loader *)(uintptr_t)loader; /* what is found is kept */
    const axl_loader_options *o = &l->opts;

    if (l->rows_hash == 0)
        AXL_TRY(l->reader ? hash_stream(l->data, &l->rows_hash)
                          : hash_rows(l->data, &l->rows_hash));
    *out = (axl__loader_print){
        .seed = o->seed,
        .n_rows = l->reader ? 0 : l->n,
        .rows_hash = l->rows_hash,
        .step_items = (uint64_t)l->batch_items * o->gradient_accumulation_steps,
        .bin_tokens = o->sample_packing ? l->bin_tokens : 0,
        .order = o->shuffle | o->keep_order << 1 | o->group_by_length << 2,
    };
    return AXL_OK;
}

uint64_t axl__loader_items_before(const axl_loader *l, uint64_t batch)
{
    return batch * l->batch_items;
}

uint64_t axl__loader_batch_after(const axl_loader *l, uint64_t items)
{
    return (items + l->batch_items - 1) / l->batch_items;
}

static void survey_batch(const axl_loader *l, const epoch_plan *plan, uint64_t batch,
                         axl__survey *out)
{
    const axl__row *rows = axl__dataset_rows(l->window);
    uint64_t n_tokens = 0;

    for (uint32_t i = plan->starts[batch]; i < plan->starts[batch + 1]; i++) {
        const axl__row *row = &rows[plan->order[i]];
        n_tokens += row->length;
        out->longest = row->length > out->longest ? row->length : out->longest;
        out->n_trained += row->n_trained;
        out->squares += (double)row->length * row->length;
        out->n_seqs++;
    }
    out->max_tokens = n_tokens > out->max_tokens ? n_tokens : out->max_tokens;
    out->n_tokens += n_tokens;
    out->n_batches++;
}

/* Of the plans alone: no batch is made, and the loader stays where it is. */
axl_status axl__loader_survey(const axl_loader *l, axl__survey *out)
{
    bool endless = l->reader || (l->opts.num_epochs == 0.0 && l->opts.max_steps == 0);
    uint64_t window = l->opts.gradient_accumulation_steps, before = 0;

    memset(out, 0, sizeof *out);
    for (uint64_t e = 0; e < (endless ? 1 : AXL__SURVEY_EPOCHS); e++) {
        epoch_plan plan;
        AXL_TRY(plan_epoch(l, e, &plan));
        uint64_t steps = steps_of(l, plan.n_batches), wanted = steps_wanted(l, e, before, steps);
        for (uint64_t b = 0; b < plan.n_batches && b < wanted * window; b++)
            survey_batch(l, &plan, b, out);
        plan_free(l->ctx, &plan);
        out->n_steps += wanted;
        before += steps;
        if (wanted < steps || out->n_batches == 0)
            break;
        AXL_TRY(axl__cancelled(l->ctx));
    }
    return AXL_OK;
}

double axl_loader_fill(const axl_loader *loader)
{
    if (loader_enter(loader) != AXL_OK)
        return 0.0;
    if (!loader->opts.sample_packing)
        return 1.0;
    return (double)loader->tokens / ((double)loader->plan.n_bins * loader->bin_tokens);
}

/* At an epoch's end the cursor is at the next one's beginning: there is one way to write a
 * place. */
axl_status axl_loader_get_cursor(const axl_loader *loader, axl_loader_cursor *out)
{
    axl_loader_cursor c = AXL_LOADER_CURSOR_INIT;

    AXL_TRY(loader_enter(loader));
    bool whole = loader->batch == loader->plan.n_batches && !loader->over;
    c.epoch = loader->epoch + (whole ? 1 : 0);
    c.batch = whole ? 0 : loader->batch;
    return AXL__EXPORT(axl_loader_cursor, out, &c);
}

axl_status axl_loader_set_cursor(axl_loader *loader, const axl_loader_cursor *cursor)
{
    axl_loader_cursor c = AXL_LOADER_CURSOR_INIT;

    AXL_TRY(loader_enter(loader));
    AXL_TRY(AXL__IMPORT(axl_loader_cursor, &c, cursor));
    if (c.epoch > UINT32_MAX)
        return axl__fail(AXL_ERR_INVALID, "the cursor is at epoch %llu",
                         (unsigned long long)c.epoch);
    AXL_TRY(loader_begin(loader));
    return loader_end(loader, go_to(loader, c.epoch, c.batch));
}
