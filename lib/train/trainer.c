/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trainer.c - gradients of the sum of token losses accumulate over batches and are divided once, at
 * the step, by what they are the sum of; so the split of a step into batches does not change it.  A
 * batch that fails leaves no trace: from the second of a step on it has gradient memory of its own.
 */
#include "trainer.h"
#include "relora.h"

#include "base/magic.h"
#include "base/num.h"
#include "base/structs.h"
#include "config/config.h"
#include "optim/optimizer_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LATE_MAX = 256 }; /* batches of a step whose losses wait for it: of others they are read */

/* ---- life ---- */

static axl_status trainer_check_options(const axl_trainer_options *o)
{
    if (!(o->learning_rate > 0.0) || !isfinite(o->learning_rate)) {
        char got[AXL__NUM_MAX];
        axl__format_double(got, o->learning_rate);
        return axl__fail(AXL_ERR_INVALID, "learning_rate must be > 0, got %s", got);
    }
    if (!(o->max_grad_norm >= 0.0))
        return axl__fail(AXL_ERR_INVALID, "max_grad_norm must be at least 0");
    if (o->loss_average > AXL_LOSS_MICRO_BATCHES)
        return axl__fail(AXL_ERR_INVALID, "unknown loss_average %u", o->loss_average);
    if (!(o->neftune_noise_alpha >= 0.0) || !isfinite(o->neftune_noise_alpha))
        return axl__fail(AXL_ERR_INVALID, "neftune_noise_alpha must be at least 0");
    if (!(o->relora_prune_ratio >= 0.0 && o->relora_prune_ratio <= 1.0) ||
        o->relora_prune > AXL_PRUNE_RANDOM)
        return axl__fail(AXL_ERR_INVALID,
                         "relora_prune_ratio must be in [0, 1], relora_prune a known one");
    if (o->gradient_accumulation_steps == 0)
        return axl__fail(AXL_ERR_INVALID, "gradient_accumulation_steps must be at least 1");
    if (!(o->label_smoothing >= 0.0 && o->label_smoothing < 1.0))
        return axl__fail(AXL_ERR_INVALID, "label_smoothing must be in [0, 1)");
    if (o->n_unfrozen_parameters > 0 && (o->lisa_layers > 0 || !o->unfrozen_parameters))
        return axl__fail(AXL_ERR_INVALID, "unfrozen_parameters %s",
                         o->lisa_layers > 0 ? "and LISA, which trains whole layers: keep one"
                                            : "must not be NULL");
    if ((o->lisa_layers > 0) != (o->lisa_steps > 0))
        return axl__fail(AXL_ERR_INVALID, "lisa_layers and lisa_steps must be set together");
    return AXL_OK;
}

static size_t grad_bytes(const axl_trainer *tr)
{
    return (size_t)tr->trained.n_params * sizeof(float);
}

/* Gradient memory for a batch that is not the first of its step.  It stays for the trainer's
 * life. */
static axl_status need_fresh(axl_trainer *tr)
{
    void *p;

    if (tr->fresh)
        return AXL_OK;
    AXL_TRY(tr->model->ops->buffer_new(tr->model->dev, &p, grad_bytes(tr)));
    tr->fresh = p;
    return AXL_OK;
}

/* What every batch is asked for, with gradients into the step's own.  A wish of this form is also
 * what room is reserved for.  Part 0 of LISA is no layer, so the layers' flags begin behind it. */
static axl__wish training_wish(const axl_trainer *tr)
{
    return (axl__wish){
        .grads = tr->grads,
        .frozen_layers = tr->lisa.n_picked > 0 ? tr->lisa.rests + 1 : NULL,
        .first_layer = tr->first_layer,
        .scale = 1.0,
        .smoothing = tr->opts.label_smoothing,
        .noise_alpha = tr->opts.neftune_noise_alpha,
        .dropout = tr->adapter ? (float)tr->adapter->opts.dropout : 0.0f,
        .phase = "train",
        .graphs = tr->opts.graphs != 0,
    };
}

axl_status axl__trainer_reserve(axl_trainer *tr, int64_t train_tokens, int64_t eval_tokens,
                                int64_t longest)
{
    axl__wish train = training_wish(tr), evaluation = { .phase = NULL };

    if (train_tokens > 0)
        AXL_TRY(axl__network_reserve(&tr->net, train_tokens, longest, &train));
    if (eval_tokens > 0)
        AXL_TRY(axl__network_reserve(&tr->net, eval_tokens, longest, &evaluation));
    return AXL_OK;
}

static axl_status make_sums(axl_trainer *tr)
{
    void *sums;

    tr->n_slots = tr->opts.gradient_accumulation_steps;
    if (tr->n_slots > LATE_MAX)
        tr->n_slots = LATE_MAX;
    size_t n = 1 + (size_t)tr->n_slots;
    tr->read = axl__calloc(tr->ctx, n, sizeof *tr->read);
    tr->late = axl__calloc(tr->ctx, n, sizeof *tr->late);
    if (!tr->read || !tr->late)
        return axl__fail_nomem();
    AXL_TRY(tr->model->ops->buffer_new(tr->model->dev, &sums, n * sizeof *tr->sums));
    tr->sums = sums;
    return AXL_OK;
}

static axl_status new_zeroed(axl_trainer *tr, void **out, size_t size)
{
    AXL_TRY(tr->model->ops->buffer_new(tr->model->dev, out, size));
    return tr->model->ops->zero(tr->model->dev, *out, size);
}

/* Describes what is trained to the optimizer, which copies the descriptions and refers to the
 * names.  A tensor that is in no layer has layer -1, and thus part 0, which never rests. */
static axl_status make_optimizer(axl_trainer *tr, const axl_optimizer_options *given)
{
    const axl__trained *a = &tr->trained;
    axl_optimizer_options o = AXL_OPTIMIZER_OPTIONS_INIT;
    axl__optim_tensor *tensors = axl__alloc(tr->ctx, a->n_tensors * sizeof *tensors);

    if (!tensors)
        return axl__fail_nomem();
    for (size_t i = 0; i < a->n_tensors; i++) {
        const axl__param *t = &a->tensors[i];
        tensors[i] = (axl__optim_tensor){
            .name = t->name,
            .at = t->at,
            .rows = t->rows,
            .cols = t->cols,
            .vector = t->vector,
            .embedding = t->embedding,
            .lookup = t->lookup,
            .part = tr->lisa.n_picked > 0 ? (uint32_t)(t->layer + 1) : 0,
        };
    }
    axl__optim_target target = { tr->ctx, tr->model->ops, tr->model->dev, tr->model->compute,
                                 tensors, a->n_tensors,   a->params,      tr->opts.learning_rate };
    axl_status status = AXL__IMPORT_OPTIONS(axl_optimizer_options, &o, given);
    if (status == AXL_OK)
        status = axl__optimizer_new(&tr->optimizer, &target, &o);
    axl__free(tr->ctx, tensors);
    return status;
}

static axl_status unfreeze(axl_trainer *tr)
{
    const axl_trainer_options *o = &tr->opts;
    axl__unfrozen some = { 0 };

    if (o->n_unfrozen_parameters == 0)
        return axl__weights_unfreeze(tr->model, NULL);
    axl_status status =
        axl__unfrozen_init(&some, tr->ctx, o->unfrozen_parameters, o->n_unfrozen_parameters);
    if (status == AXL_OK)
        status = axl__weights_unfreeze(tr->model, &some);
    axl__unfrozen_free(&some);
    return status;
}

/* Gradients go down to the lowest layer that has something to train; the embedding is below all. */
static int64_t lowest_layer(const axl_trainer *tr)
{
    int64_t lowest = tr->model->arch.n_layers;

    for (size_t i = 0; i < tr->trained.n_tensors; i++) {
        const axl__param *t = &tr->trained.tensors[i];
        if (t->lookup)
            return 0;
        if (t->layer >= 0 && t->layer < lowest)
            lowest = t->layer;
    }
    return lowest;
}

/* What is trained.  It has one trainer at a time.  took_model and took_adapter tell
 * axl_trainer_free() what to give back, however far this came. */
static axl_status take_trained(axl_trainer *tr)
{
    if (!tr->adapter && tr->opts.relora_steps > 0)
        return axl__fail(AXL_ERR_INVALID, "relora_steps restarts an adapter, and there is none");
    if (tr->adapter && tr->opts.relora_steps > 0)
        AXL_TRY(axl__adapter_can_restart(tr->adapter));
    if (tr->adapter && tr->opts.lisa_layers > 0)
        return axl__fail(AXL_ERR_INVALID, "LISA trains a model's own layers, not an adapter's");
    if (tr->adapter && tr->opts.n_unfrozen_parameters > 0)
        return axl__fail(AXL_ERR_INVALID,
                         "unfrozen_parameters are a model's own, and an adapter is trained");
    AXL_TRY(axl__lisa_init(&tr->lisa, tr->ctx, (uint32_t)tr->model->arch.n_layers,
                           tr->opts.lisa_layers, tr->opts.lisa_steps, (uint32_t)tr->opts.seed));
    AXL_TRY(axl__model_take(tr->model, !tr->adapter));
    tr->took_model = true;
    if (tr->adapter) {
        AXL_TRY(axl__adapter_own(tr->adapter));
        tr->took_adapter = true;
        tr->trained = axl__adapter_trained(tr->adapter);
        return AXL_OK;
    }
    AXL_TRY(unfreeze(tr));
    tr->opts.unfrozen_parameters = NULL; /* the caller's */
    tr->trained = axl__weights_trained(tr->model);
    tr->first_layer = lowest_layer(tr);
    return AXL_OK;
}

/* On failure the trainer is in parts, and axl_trainer_free() is for those as well.  What memory can
 * be known of is taken here, the second batch's gradients and with max_tokens the largest batch's
 * activations, so that a run that starts does not run out of it at a later step. */
static axl_status trainer_setup(axl_trainer *tr)
{
    void *grads = NULL;

    AXL_TRY(take_trained(tr));
    axl_status status = new_zeroed(tr, &grads, grad_bytes(tr));

    if (status == AXL_OK)
        status = axl__cancelled(tr->ctx);
    tr->grads = grads;
    AXL_TRY(status);
    AXL_TRY(make_sums(tr));
    AXL_TRY(make_optimizer(tr, tr->opts.optimizer));
    tr->opts.optimizer = NULL; /* the caller's */
    if (tr->opts.relora_steps > 0 && !axl__optimizer_has_moments(tr->optimizer))
        return axl__fail(AXL_ERR_INVALID, "relora_steps prunes the moments of AdamW; %s has others",
                         axl__optimizer_method(tr->optimizer));
    if (tr->lisa.n_picked > 0 && !axl__optimizer_may_rest(tr->optimizer))
        return axl__fail(AXL_ERR_INVALID, "LISA lets layers rest, which %s cannot",
                         axl__optimizer_method(tr->optimizer));
    AXL_TRY(axl__network_init(&tr->net, tr->model, tr->adapter, tr->opts.checkpointing != 0));
    if (tr->opts.gradient_accumulation_steps > 1)
        AXL_TRY(need_fresh(tr));
    if (tr->opts.max_tokens == 0)
        return AXL_OK;
    int64_t max_len = tr->model->arch.max_seq_len;
    return axl__trainer_reserve(tr, tr->opts.max_tokens, 0,
                                tr->opts.max_tokens < max_len ? tr->opts.max_tokens : max_len);
}

axl_status axl_trainer_new(axl_trainer **out, axl_model *model, axl_adapter *adapter,
                           const axl_trainer_options *opts)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_schedule_options schedule;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__model_enter(model));
    if (adapter)
        AXL_TRY(axl__adapter_enter(adapter));
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_trainer_options, &o, opts));
    AXL_TRY(trainer_check_options(&o));
    AXL_TRY(axl__schedule_import(&schedule, o.schedule));
    o.schedule = NULL; /* the caller's; tr->schedule is the copy */
    if (adapter && adapter->model != model)
        return axl__fail(AXL_ERR_INVALID, "the adapter was made for another model");
    axl_trainer *tr = axl__calloc(model->ctx, 1, sizeof *tr);
    if (!tr)
        return axl__fail_nomem();
    tr->magic = AXL__MAGIC_TRAINER;
    atomic_init(&tr->refs, 1);
    tr->ctx = axl__context_ref(model->ctx);
    tr->model = axl__model_ref(model);
    tr->adapter = adapter ? axl__adapter_ref(adapter) : NULL;
    tr->opts = o;
    tr->schedule = schedule;
    axl__plateau_init(&tr->plateau);
    tr->rate_override = -1.0;
    axl_status status = trainer_setup(tr);
    if (status < 0) {
        axl_trainer_free(tr);
        return status;
    }
    *out = tr;
    return AXL_OK;
}

static void read_relora(axl_trainer_options *o, const axl_config *cfg)
{
    if (!axl__cfg_bool(cfg, "relora"))
        return;
    const char *method = axl__cfg_str(cfg, "relora_prune_method");
    o->relora_steps = (uint64_t)axl__cfg_int_or(cfg, "jagged_restart_steps", 0);
    o->relora_prune = strcmp(method, "magnitude") == 0 ? AXL_PRUNE_MAGNITUDE : AXL_PRUNE_RANDOM;
    o->relora_prune_ratio = axl__cfg_double(cfg, "relora_prune_ratio");
}

/* The texts stay the config's; *out is for axl__free(). */
static axl_status read_unfrozen(axl_trainer_options *o, const axl_config *cfg, const char ***out)
{
    size_t n = axl__cfg_count(cfg, "unfrozen_parameters");

    *out = NULL;
    if (n == 0)
        return AXL_OK;
    *out = axl__alloc(axl__config_context(cfg), n * sizeof **out);
    if (!*out)
        return axl__fail_nomem();
    for (size_t i = 0; i < n; i++) {
        char key[48];
        snprintf(key, sizeof key, "unfrozen_parameters[%zu]", i);
        (*out)[i] = axl__cfg_str_or(cfg, key, "");
    }
    o->unfrozen_parameters = *out;
    o->n_unfrozen_parameters = n;
    return AXL_OK;
}

/* The options point to the schedule and the optimizer on this stack, which axl_trainer_new()
 * copies. */
axl_status axl_trainer_from_config(axl_trainer **out, const axl_config *cfg, axl_model *model,
                                   axl_adapter *adapter, uint64_t total_steps)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_schedule_options schedule = AXL_SCHEDULE_OPTIONS_INIT;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl_schedule_from_config(&schedule, cfg, total_steps));
    AXL_TRY(axl__config_trains(cfg));
    o.schedule = &schedule;
    o.learning_rate = axl__cfg_double(cfg, "learning_rate");
    o.max_grad_norm = axl__cfg_double(cfg, "max_grad_norm");
    o.label_smoothing = axl__cfg_double(cfg, "axl.label_smoothing");
    o.neftune_noise_alpha = axl__cfg_double_or(cfg, "neftune_noise_alpha", 0.0);
    read_relora(&o, cfg);
    int64_t layers = axl__cfg_int_or(cfg, "lisa_n_layers", 0);
    int64_t steps = axl__cfg_int_or(cfg, "lisa_step_interval", 0);
    if (layers > 0 && steps > 0) { /* one alone has no effect */
        o.lisa_layers = (uint32_t)layers;
        o.lisa_steps = (uint64_t)steps;
    }
    o.seed = (uint64_t)axl__cfg_int(cfg, "seed");
    o.loss_average = strcmp(axl__cfg_str(cfg, "axl.loss_average"), "tokens") == 0
                         ? AXL_LOSS_TOKENS
                         : AXL_LOSS_MICRO_BATCHES;
    o.gradient_accumulation_steps = (uint32_t)axl__cfg_int(cfg, "gradient_accumulation_steps");
    o.checkpointing = axl__cfg_bool(cfg, "gradient_checkpointing");
    o.graphs = strcmp(axl__cfg_str(cfg, "axl.cuda_graph"), "auto") == 0 ||
               axl__cfg_bool(cfg, "axl.cuda_graph");
    axl__optimizer_config optimizer;
    const char **unfrozen = NULL;
    axl_status status = axl__optimizer_config_read(&optimizer, cfg, total_steps);
    o.optimizer = &optimizer.opts;
    if (status == AXL_OK)
        status = read_unfrozen(&o, cfg, &unfrozen);
    if (status == AXL_OK)
        status = axl_trainer_new(out, model, adapter, &o);
    axl__free(axl__config_context(cfg), unfrozen);
    axl__optimizer_config_free(&optimizer);
    return status;
}

void axl_trainer_free(axl_trainer *tr)
{
    if (!tr || tr->magic != AXL__MAGIC_TRAINER || atomic_fetch_sub(&tr->refs, 1) != 1)
        return;
    tr->magic = 0;
    const axl_backend_ops *ops = tr->model->ops;
    axl_device *dev = tr->model->dev;
    axl__network_free(&tr->net);
    ops->buffer_free(dev, tr->grads);
    ops->buffer_free(dev, tr->fresh);
    ops->buffer_free(dev, tr->sums);
    if (!tr->adapter && tr->trained.params)
        (void)axl__trainer_use_trained(tr);
    if (tr->took_model)
        axl__model_give_back(tr->model, !tr->adapter);
    if (tr->took_adapter)
        axl__adapter_disown(tr->adapter);
    axl__optimizer_free(tr->optimizer);
    axl__lisa_free(&tr->lisa);
    axl_adapter_free(tr->adapter);
    axl_model_free(tr->model);
    axl_context *ctx = tr->ctx;
    axl__free(ctx, tr->read);
    axl__free(ctx, tr->late);
    axl__free(ctx, tr);
    axl_context_free(ctx);
}

/* An adapter counts as one handle with its trainer: other calls on it are refused while one of the
 * trainer's is at work. */
axl_status axl__trainer_enter(axl_trainer *tr)
{
    axl__error_clear();
    if (!tr || tr->magic != AXL__MAGIC_TRAINER)
        return axl__fail(AXL_ERR_INVALID, "not a live axl_trainer");
    AXL_TRY(axl__context_enter(tr->ctx));
    AXL_TRY(axl__claim_take(&tr->claim, "axl_trainer"));
    axl_status status = tr->adapter ? axl__adapter_begin(tr->adapter, true) : AXL_OK;
    if (status < 0)
        axl__claim_release(&tr->claim);
    return status;
}

void axl__trainer_leave(axl_trainer *tr)
{
    if (tr->adapter)
        axl__adapter_end(tr->adapter, true);
    axl__claim_release(&tr->claim);
}

/* ---- accumulating ---- */

/* Where this batch's gradients go: straight into the step's when it is the first.  Without terms
 * the step's gradients are all 0, also behind batches in which nothing was trained. */
static axl_status pick_target(axl_trainer *tr, float **out)
{
    *out = tr->grads;
    if (tr->terms == 0.0)
        return AXL_OK;
    AXL_TRY(need_fresh(tr));
    *out = tr->fresh;
    return tr->model->ops->zero(tr->model->dev, tr->fresh, grad_bytes(tr));
}

/* Of a batch that has memory of its own: adds it to the step's now that it is whole. */
static axl_status take_gradients(axl_trainer *tr, const float *target)
{
    int64_t n = tr->trained.n_params;

    if (target == tr->grads)
        return AXL_OK;
    axl_unary_args a = { { tr->fresh, AXL_F32, 1, n, n }, { tr->grads, AXL_F32, 1, n, n } };
    return tr->model->ops->add(tr->model->dev, &a);
}

/* Of a tensor of which some rows are trained. */
static axl_status zero_frozen(axl_trainer *tr, const axl__param *t, float *grads)
{
    for (size_t i = 0; i < t->n_frozen; i++) {
        axl__range r = t->frozen[i];
        AXL_TRY(tr->model->ops->zero(tr->model->dev, grads + t->at + r.first,
                                     (size_t)(r.end - r.first) * sizeof(float)));
    }
    return AXL_OK;
}

static axl_status zero_all_frozen(axl_trainer *tr, float *grads)
{
    for (size_t i = 0; i < tr->trained.n_tensors; i++)
        AXL_TRY(zero_frozen(tr, &tr->trained.tensors[i], grads));
    return AXL_OK;
}

/* A first batch that failed wrote into the step's own gradients, which were zero before. */
static void trainer_undo_batch(axl_trainer *tr, const float *target)
{
    if (target == tr->grads)
        (void)tr->model->ops->zero(tr->model->dev, tr->grads, grad_bytes(tr));
}

/* A model's own weights: what it computes with is made anew where a step has moved it.  Between
 * batches of a step, and between evaluations, it is already there. */
static axl_status trainer_use_weights(axl_trainer *tr, float *values)
{
    if (tr->adapter || tr->used == values)
        return AXL_OK;
    AXL_TRY(axl__weights_use(tr->model, values));
    tr->used = values;
    return AXL_OK;
}

axl_status axl__trainer_use_trained(axl_trainer *tr)
{
    return trainer_use_weights(tr, tr->trained.params);
}

/* The loss and gradients of a batch under the values that the optimizer trains with, which are not
 * the adapter's own for schedule-free ones.  The adapter has its own again afterwards, also on
 * failure: what is exported or evaluated between batches is always the average. */
static axl_status run_batch(axl_trainer *tr, const axl_batch *b, const axl__wish *wish, double *sum)
{
    float *values = axl__optimizer_train_params(tr->optimizer);

    AXL_TRY(trainer_use_weights(tr, values));
    if (tr->adapter)
        tr->adapter->params = values;
    axl_status status = axl__network_loss(&tr->net, b, wish, sum);
    if (tr->adapter)
        tr->adapter->params = tr->trained.params;
    return status;
}

/* What a batch adds to its step besides gradients.  Its loss is the sum of `terms` losses. */
typedef struct {
    const axl_batch *batch;
    const axl__own_loss *own; /* NULL: the labels' */
    uint64_t terms, n_rows;
    bool asked;  /* the mean is wanted at once */
    double mean; /* receives the loss's */
} trainer_batch;

/* Where the batch's loss stays until the step; NULL: it is read at once, as where that waits for
 * nothing. */
static double *slot_of_loss(const axl_trainer *tr, const trainer_batch *t)
{
    bool now = t->asked || t->own || tr->model->device.host_memory || tr->n_late == tr->n_slots;

    return now ? NULL : tr->sums + 1 + tr->n_late;
}

static void count_batch(axl_trainer *tr, const trainer_batch *t, double sum)
{
    bool tokens = tr->opts.loss_average == AXL_LOSS_TOKENS;

    tr->loss_sum += tokens ? sum : t->mean;
    tr->terms += tokens ? (double)t->terms : t->terms > 0; /* nothing has no mean */
    tr->n_tokens += t->batch->n_tokens;
    tr->n_trained += t->n_rows;
    tr->batches++;
    tr->window_closed = t->batch->last_of_step != 0;
}

/* Those of batches that were not asked for theirs. */
static axl_status take_late_losses(axl_trainer *tr)
{
    for (uint32_t i = 0; i < tr->n_late; i++) {
        double sum = tr->read[1 + i], n = tr->late[i] > 0 ? (double)tr->late[i] : 1.0;
        AXL_TRY(axl__network_check_loss(&tr->net, sum));
        tr->loss_sum += tr->opts.loss_average == AXL_LOSS_TOKENS ? sum : sum / n;
    }
    tr->n_late = 0;
    return AXL_OK;
}

/* What changes the trainer for good, a restart or a new pick of layers, comes first and is due
 * before the first batch of a step alone.  The seed of dropout and noise is of the step and the
 * batch's place in it, so that a resumed run draws the same; the two odd constants (2^64 over the
 * golden ratio, and a prime of xxHash) only keep neighbouring counts from giving neighbouring
 * seeds. */
static axl_status accumulate(axl_trainer *tr, trainer_batch *t)
{
    axl__wish wish = training_wish(tr);
    double sum;

    AXL_TRY(axl__model_unchanged(tr->model));
    AXL_TRY(axl__relora_when_due(tr));
    axl__lisa_pick(&tr->lisa, tr->step);
    wish.own = t->own;
    wish.keep_sum = slot_of_loss(tr, t);
    if (tr->opts.loss_average == AXL_LOSS_MICRO_BATCHES && t->terms > 0)
        wish.scale = 1.0 / (double)t->terms;
    AXL_TRY(pick_target(tr, &wish.grads));
    wish.seed = tr->opts.seed ^ (tr->step + 1) * 0x9E3779B97F4A7C15u ^
                (tr->batches + 1) * 0xC2B2AE3D27D4EB4Fu;
    axl_status status = run_batch(tr, t->batch, &wish, &sum);
    if (status == AXL_OK)
        status = zero_all_frozen(tr, wish.grads);
    if (status == AXL_OK)
        status = take_gradients(tr, wish.grads);
    if (status < 0) {
        trainer_undo_batch(tr, wish.grads);
        return status;
    }
    t->mean = t->terms > 0 ? sum / (double)t->terms : 0.0;
    if (wish.keep_sum)
        tr->late[tr->n_late++] = t->terms;
    count_batch(tr, t, sum);
    return AXL_OK;
}

axl_status axl_trainer_forward_backward(axl_trainer *tr, const axl_batch *batch, double *loss)
{
    trainer_batch t = { 0 };
    axl_batch b;

    AXL_TRY(axl__trainer_enter(tr));
    axl_status status = axl__batch_take(&b, batch, &tr->model->arch, true);
    if (status == AXL_OK) {
        t.batch = &b;
        t.asked = loss != NULL;
        t.terms = t.n_rows = axl__batch_trained(&b);
        status = accumulate(tr, &t);
    }
    axl__trainer_leave(tr);
    if (status == AXL_OK && loss)
        *loss = t.mean;
    return status;
}

/* all_rows: the host's loss is asked about every token, so that no label is needed; its terms are
 * then all rows, unless the host says how many losses it sums. */
static axl_status own_forward_backward(axl_trainer *tr, const axl_batch *batch,
                                       const axl_loss_options *given, double *mean)
{
    axl_loss_options o = AXL_LOSS_OPTIONS_INIT;
    axl_batch b;

    AXL_TRY(AXL__IMPORT(axl_loss_options, &o, given));
    if (!o.loss)
        return axl__fail(AXL_ERR_INVALID, "a loss of the host's own needs its callback");
    AXL_TRY(axl__batch_take(&b, batch, &tr->model->arch, o.all_rows == 0));
    axl__own_loss own = { o.loss, o.user, o.logits, o.all_rows != 0 };
    trainer_batch t = { .batch = &b, .own = &own };
    t.n_rows = own.all_rows ? b.n_tokens : axl__batch_trained(&b);
    t.terms = o.terms > 0 && t.n_rows > 0 ? o.terms : t.n_rows;
    AXL_TRY(accumulate(tr, &t));
    *mean = t.mean;
    return AXL_OK;
}

axl_status axl_trainer_forward_backward_with(axl_trainer *tr, const axl_batch *batch,
                                             const axl_loss_options *opts, double *loss)
{
    double mean = 0.0;

    AXL_TRY(axl__trainer_enter(tr));
    axl_status status = own_forward_backward(tr, batch, opts, &mean);
    axl__trainer_leave(tr);
    if (status == AXL_OK && loss)
        *loss = mean;
    return status;
}

/* Takes no claim: it only reads two counts, and a host asks between its own calls. */
int axl_trainer_ready(const axl_trainer *tr)
{
    return tr && tr->magic == AXL__MAGIC_TRAINER && tr->batches > 0 &&
           (tr->window_closed || tr->batches >= tr->opts.gradient_accumulation_steps);
}

axl_status axl__trainer_loss(axl_trainer *tr, const axl_batch *batch, const char *phase,
                             double *loss_sum)
{
    double sum = 0.0;

    AXL_TRY(axl__trainer_enter(tr));
    axl_status status = axl__trainer_use_trained(tr);
    if (status == AXL_OK)
        status = axl__network_evaluate(&tr->net, batch, phase, &sum);
    axl__trainer_leave(tr);
    if (status == AXL_OK && loss_sum)
        *loss_sum = sum;
    return status;
}

axl_status axl_trainer_evaluate(axl_trainer *tr, const axl_batch *batch, double *loss_sum)
{
    return axl__trainer_loss(tr, batch, "evaluate", loss_sum);
}

/* ---- the step ---- */

/* The gradients are not its business: whoever calls it has zeroed them, or is about to. */
static void reset_window(axl_trainer *tr)
{
    tr->batches = 0;
    tr->window_closed = false;
    tr->n_tokens = tr->n_trained = 0;
    tr->loss_sum = tr->terms = 0.0;
    tr->n_late = 0;
}

/* plateau.share is 1 but for the schedule that moves it. */
static double current_rate(const axl_trainer *tr)
{
    if (tr->rate_override >= 0.0)
        return tr->rate_override;
    return tr->opts.learning_rate * tr->plateau.share *
           axl__schedule_share(&tr->schedule, tr->step);
}

/* The norm of the divided gradients, computed of the sums that are stored, and the losses that were
 * not read.  This is where a step waits for the device. */
static axl_status read_sums(axl_trainer *tr, double *norm)
{
    axl_sum_squares_args a = { tr->grads, tr->trained.n_params, tr->sums };

    AXL_TRY(tr->model->ops->zero(tr->model->dev, tr->sums, sizeof *tr->sums));
    AXL_TRY(tr->model->ops->sum_squares(tr->model->dev, &a));
    AXL_TRY(tr->model->ops->download(tr->model->dev, tr->read, tr->sums,
                                     (1 + (size_t)tr->n_late) * sizeof *tr->read));
    *norm = sqrt(tr->read[0]) / tr->terms;
    return AXL_OK;
}

static axl_status check_sums(axl_trainer *tr, double norm)
{
    AXL_TRY(take_late_losses(tr));
    if (isfinite(norm))
        return AXL_OK;
    return axl__fail(AXL_ERR_NUMERIC, "the gradient norm is not finite at step %llu",
                     (unsigned long long)tr->step + 1);
}

/* Dividing by the terms and clipping are one factor that the optimizer's operation applies as it
 * reads, so that no pass over the gradients is spent on them. */
static axl_status trainer_optimize(axl_trainer *tr, double norm, double rate)
{
    const axl_trainer_options *o = &tr->opts;
    double scale = 1.0 / tr->terms, beta1;

    beta1 = axl__schedule_beta1(&tr->schedule, tr->step, axl__optimizer_beta1(tr->optimizer));
    if (o->max_grad_norm > 0.0 && norm > 0.0) { /* torch.nn.utils.clip_grad_norm_ */
        double clip = o->max_grad_norm / (norm + 1e-6);
        scale *= clip < 1.0 ? clip : 1.0;
    }
    axl__optim_step s = { tr->grads, rate, scale, beta1, (int64_t)tr->step + 1, NULL, NULL };
    if (tr->lisa.n_picked > 0) {
        s.rests = tr->lisa.rests;
        s.steps = tr->lisa.steps;
    }
    return axl__optimizer_step(tr->optimizer, &s);
}

/* Moves what is trained by the gradients of the window.  An optimizer that fails may have moved a
 * part, so that what the model computes with is stale either way. */
static axl_status trainer_move(axl_trainer *tr, double rate, double *norm)
{
    AXL_TRY(read_sums(tr, norm));
    axl_status status = check_sums(tr, *norm);
    if (status < 0) {
        AXL_TRY(tr->model->ops->zero(tr->model->dev, tr->grads, grad_bytes(tr)));
        reset_window(tr);
        return status;
    }
    status = trainer_optimize(tr, *norm, rate);
    tr->used = NULL;
    AXL_TRY(status);
    axl__lisa_count(&tr->lisa);
    return tr->model->ops->zero(tr->model->dev, tr->grads, grad_bytes(tr));
}

/* A window in which nothing was trained is a step nevertheless: it moves nothing, and the schedule
 * goes on. */
static axl_status trainer_take_step(axl_trainer *tr, axl_step_stats *stats)
{
    axl_step_stats s = AXL_STEP_STATS_INIT;

    if (tr->batches == 0 && tr->terms == 0.0)
        return axl__fail(AXL_ERR_INVALID, "a step needs a batch, or gradients of the host's");
    if (stats)
        AXL_TRY(AXL__CHECK_STRUCT(axl_step_stats, stats));
    AXL_TRY(axl__cancelled(tr->ctx));
    s.learning_rate = current_rate(tr);
    if (tr->terms > 0.0) {
        AXL_TRY(trainer_move(tr, s.learning_rate, &s.grad_norm));
        s.loss = tr->loss_sum / tr->terms;
    }
    s.step = ++tr->step;
    s.n_tokens = tr->n_tokens;
    s.n_trained = tr->n_trained;
    reset_window(tr);
    return stats ? AXL__EXPORT(axl_step_stats, stats, &s) : AXL_OK;
}

axl_status axl_trainer_step(axl_trainer *tr, axl_step_stats *stats)
{
    AXL_TRY(axl__trainer_enter(tr));
    axl_status status = trainer_take_step(tr, stats);
    axl__trainer_leave(tr);
    return status;
}

void axl_trainer_zero_grad(axl_trainer *tr)
{
    if (axl__trainer_enter(tr) < 0)
        return;
    (void)tr->model->ops->zero(tr->model->dev, tr->grads, grad_bytes(tr));
    reset_window(tr);
    axl__trainer_leave(tr);
}

axl_status axl_trainer_set_learning_rate(axl_trainer *tr, double learning_rate)
{
    if (!isfinite(learning_rate))
        return axl__fail(AXL_ERR_INVALID, "the learning rate must be a number");
    AXL_TRY(axl__trainer_enter(tr));
    tr->rate_override = learning_rate;
    axl__trainer_leave(tr);
    return AXL_OK;
}

double axl_trainer_learning_rate(const axl_trainer *tr)
{
    return tr && tr->magic == AXL__MAGIC_TRAINER ? current_rate(tr) : 0.0;
}

axl_status axl_trainer_report_metric(axl_trainer *tr, double metric)
{
    AXL_TRY(axl__trainer_enter(tr));
    if (tr->schedule.kind == AXL_SCHEDULE_REDUCE_ON_PLATEAU)
        axl__plateau_take(&tr->plateau, &tr->schedule, metric);
    axl__trainer_leave(tr);
    return AXL_OK;
}

uint64_t axl_trainer_steps(const axl_trainer *tr)
{
    return tr && tr->magic == AXL__MAGIC_TRAINER ? tr->step : 0;
}

/* ---- tensors ---- */

size_t axl_trainer_count(const axl_trainer *tr)
{
    return tr && tr->magic == AXL__MAGIC_TRAINER ? tr->trained.n_tensors : 0;
}

axl_status axl_trainer_get_tensor(const axl_trainer *tr, size_t index, axl_tensor_info *out)
{
    axl__error_clear();
    if (!tr || tr->magic != AXL__MAGIC_TRAINER)
        return axl__fail(AXL_ERR_INVALID, "not a live axl_trainer");
    if (index >= tr->trained.n_tensors)
        return AXL_END;
    const axl__param *t = &tr->trained.tensors[index];
    axl_tensor_info info = { sizeof info, t->name, (uint64_t)t->rows, (uint64_t)t->cols };
    return AXL__EXPORT(axl_tensor_info, out, &info);
}

/* Enters the trainer where that succeeds. */
static axl_status enter_tensor(axl_trainer *tr, size_t index, const float *values)
{
    AXL_TRY(axl__trainer_enter(tr));
    if (index < tr->trained.n_tensors && values)
        return AXL_OK;
    axl__trainer_leave(tr);
    return values ? axl__fail(AXL_ERR_INVALID, "tensor %zu of %zu", index, tr->trained.n_tensors)
                  : axl__fail(AXL_ERR_INVALID, "values must not be NULL");
}

static size_t tensor_bytes(const axl__param *t)
{
    return (size_t)(t->rows * t->cols) * sizeof(float);
}

/* Reading enters a handle that its caller does not change. */
static axl_status read_tensor(const axl_trainer *given, size_t index, bool gradient, float *values)
{
    axl_trainer *tr = (axl_trainer *)(uintptr_t)given;

    AXL_TRY(enter_tensor(tr, index, values));
    const axl__param *t = &tr->trained.tensors[index];
    const float *from = (gradient ? tr->grads : tr->trained.params) + t->at;
    axl_status status = tr->model->ops->download(tr->model->dev, values, from, tensor_bytes(t));
    double scale = tr->terms > 0.0 ? 1.0 / tr->terms : 0.0;
    for (int64_t i = 0; i < t->rows * t->cols && gradient && status == AXL_OK; i++)
        values[i] = (float)((double)values[i] * scale);
    axl__trainer_leave(tr);
    return status;
}

axl_status axl_trainer_read(const axl_trainer *tr, size_t index, float *values)
{
    return read_tensor(tr, index, false, values);
}

axl_status axl_trainer_write(axl_trainer *tr, size_t index, const float *values)
{
    AXL_TRY(enter_tensor(tr, index, values));
    const axl__param *t = &tr->trained.tensors[index];
    tr->used = NULL;
    axl_status status =
        tr->model->ops->upload(tr->model->dev, tr->trained.params + t->at, values, tensor_bytes(t));
    axl__trainer_leave(tr);
    return status;
}

axl_status axl_trainer_read_gradient(const axl_trainer *tr, size_t index, float *values)
{
    return read_tensor(tr, index, true, values);
}

/* The host reads and writes means, sums are stored.  Where no batch came, the host's gradients are
 * a window of one term. */
axl_status axl_trainer_write_gradient(axl_trainer *tr, size_t index, const float *values)
{
    AXL_TRY(enter_tensor(tr, index, values));
    const axl__param *t = &tr->trained.tensors[index];
    double terms = tr->terms > 0.0 ? tr->terms : 1.0;
    float *sums = axl__alloc(tr->ctx, tensor_bytes(t));
    axl_status status = sums ? AXL_OK : axl__fail_nomem();

    for (int64_t i = 0; i < t->rows * t->cols && sums; i++)
        sums[i] = (float)((double)values[i] * terms);
    if (status == AXL_OK)
        status = tr->model->ops->upload(tr->model->dev, tr->grads + t->at, sums, tensor_bytes(t));
    if (status == AXL_OK)
        status = zero_frozen(tr, t, tr->grads);
    if (status == AXL_OK)
        tr->terms = terms;
    axl__free(tr->ctx, sums);
    axl__trainer_leave(tr);
    return status;
}
