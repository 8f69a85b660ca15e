/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_method.h - an optimizer inside, for the optim_*.c that implement the methods.
 *
 * Tensors of one group and kind that lie next to each other are one span, so that an element-wise
 * method is one operation for most models.  A method names the pieces of its state first; then they
 * get one buffer, zeroed.
 */
#ifndef AXL_OPTIM_OPTIM_METHOD_H
#define AXL_OPTIM_OPTIM_METHOD_H

#include "base/arena.h"
#include "config/optimizer_names.h"
#include "optimizer.h"
#include "param_groups.h"

enum { AXL__OPTIM_KINDS = 2, AXL__OPTIM_REGIONS = 9 };

/* What a method may read: of the options, else its own defaults.  All numbers are doubles and all
 * switches bools, by which optim_args.c writes them. */
typedef struct axl__optim_settings {
    double beta1, beta2, beta3, eps, eps2;
    double momentum, dampening, alpha, lr_decay, t_alpha, t_beta3; /* from here on: optim_args */
    double r, weight_lr_power, clip_threshold, ns_steps;
    bool nesterov, centered;
    uint64_t warmup_steps; /* schedule-free */
} axl__optim_settings;

/* Spans are in the order of the tensors' places and leave none out; a span's elements are those of
 * its tensors and the padding between them, so that an element-wise operation may run over all of
 * it. */
typedef struct axl__optim_span {
    int64_t at, n;              /* elements of parameters and gradients, gaps included */
    int64_t state_at;           /* where its kind's flat buffers hold it */
    size_t first, end;          /* tensors [first, end) */
    uint32_t group, kind, part; /* of all its tensors; kind: below AXL__OPTIM_KINDS */
} axl__optim_span;

/* A tensor of the state.  A region without entries is scratch: memory as any other, in no file, and
 * not to be relied on from one step to the next. */
typedef struct axl__optim_entry {
    const char *name;
    const char *dtype; /* of safetensors: "F32", "U8", "F64" */
    uint32_t n_dims;
    uint64_t dims[2];
    size_t at, size; /* bytes of the state buffer */
    double *host;    /* where the state is, if it is the host's */
} axl__optim_entry;

/* A tensor of n elements, and the span that it is in. */
typedef struct axl__optim_place {
    const axl__optim_span *span;
    size_t tensor;
    int64_t n;
} axl__optim_place;

/* The ways to AdamW's two moments, as optimizer.h has them. */
typedef struct axl__optim_moments {
    axl_status (*read)(axl__optimizer *o, const axl__optim_place *p, float *m, float *v);
    axl_status (*prune)(axl__optimizer *o, const axl__optim_place *p, const float *m,
                        const float *v, void *work);
} axl__optim_moments;

/* One rule.  kind_of and lay_out are asked once, in this order; begin, where there is one, when the
 * buffer is there and zeroed; step once a step, with all gradients.  loaded comes after a
 * checkpoint's state was put in place, for what a method keeps beside it. */
typedef struct axl__optim_method {
    const char *name; /* as in optimizer_names.c and in checkpoints */
    axl__optim_settings defaults;
    uint32_t (*kind_of)(const axl__optim_tensor *t); /* NULL: all are of kind 0 */
    axl_status (*lay_out)(axl__optimizer *o);
    axl_status (*begin)(axl__optimizer *o); /* with the state in place; may be NULL */
    axl_status (*step)(axl__optimizer *o, const axl__optim_step *step);
    float *(*train_params)(const axl__optimizer *o); /* NULL: the parameters themselves */
    void (*loaded)(axl__optimizer *o, int64_t step); /* may be NULL */
    const axl__optim_moments *moments;               /* NULL: it has others */
    bool in_common; /* it steps all tensors together: no part may rest */
} axl__optim_method;

/* Made whole by axl__optimizer_new: tensors into groups and kinds, these into spans, then the
 * method's lay_out, then the state's one buffer.  After that only the state's contents, *own and
 * *index change. */
struct axl__optimizer {
    const axl__optim_method *method;
    axl__optim_target target; /* tensors: own copy, in the order of their places */
    axl__optim_settings set;
    axl__param_groups groups;
    axl__optim_span *spans; /* (n_spans) in order, every tensor in one */
    size_t n_spans;
    int64_t kind_size[AXL__OPTIM_KINDS]; /* elements of a flat region */
    axl__arena names;                    /* of the entries */
    axl__optim_entry *entries;           /* (n_entries) what checkpoints hold */
    size_t n_entries, cap_entries;
    size_t regions[AXL__OPTIM_REGIONS]; /* (n_regions) where each begins, in bytes of the state */
    size_t n_regions;
    char *state; /* device, (state_size) */
    size_t state_size;
    void *own;   /* the method's, from axl__alloc */
    void *index; /* the method's, device */
};

/* For lay_out: room that begins on a cache line, the next region. */
axl_status axl__optim_region(axl__optimizer *o, size_t bytes);
/* A tensor of the state, called prefix.tensor, at byte `at` of the newest region. */
axl_status axl__optim_entry_add(axl__optimizer *o, const char *prefix, const char *tensor,
                                const char *dtype, const uint64_t *dims, uint32_t n_dims,
                                size_t at);
/* Doubles of the host, owned by the method, as one more tensor of the state. */
axl_status axl__optim_host(axl__optimizer *o, const char *name, double *values, uint64_t n);
/* A region of f32 laid out as the parameters of a kind, with an entry for each tensor. */
axl_status axl__optim_flat(axl__optimizer *o, const char *prefix, uint32_t kind);

/* For step. */
void *axl__optim_at(const axl__optimizer *o, size_t region);
static inline float *axl__optim_floats(const axl__optimizer *o, size_t region,
                                       const axl__optim_span *s)
{
    return (float *)axl__optim_at(o, region) + s->state_at;
}

/* Calls fn for each span of a kind until one fails. */
typedef axl_status axl__optim_span_fn(axl__optimizer *o, const axl__optim_step *step,
                                      const axl__optim_span *span, const axl__param_group *group);
axl_status axl__optim_each_span(axl__optimizer *o, const axl__optim_step *step, uint32_t kind,
                                axl__optim_span_fn *fn);

/* AdamW's state, a first and a second moment of every element, and what its step is told of a span;
 * ADOPT has the same. */
axl_status axl__optim_two_moments(axl__optimizer *o);
axl_adamw_args axl__optim_adamw_args(const axl__optimizer *o, const axl__optim_step *step,
                                     const axl__optim_span *s, const axl__param_group *g);

/* Those of f32, in the regions 0 and 1. */
extern const axl__optim_moments axl__optim_f32_moments;

/* The f32 steps of a span, regions 0 and on being the states. */
axl_status axl__optim_adamw_span(axl__optimizer *o, const axl__optim_step *step,
                                 const axl__optim_span *s, const axl__param_group *g);
axl_status axl__optim_lion_span(axl__optimizer *o, const axl__optim_step *step,
                                const axl__optim_span *s, const axl__param_group *g);

axl_status axl__optim_ademamix_span(axl__optimizer *o, const axl__optim_step *step,
                                    const axl__optim_span *s, const axl__param_group *g);
axl_status axl__optim_rmsprop_span(axl__optimizer *o, const axl__optim_step *step,
                                   const axl__optim_span *s, const axl__param_group *g);

/* AdEMAMix's at a step. */
double axl__optim_ademamix_alpha(const axl__optim_settings *s, int64_t step);
double axl__optim_ademamix_beta3(const axl__optim_settings *s, int64_t step);
#define AXL__ADEMAMIX_DEFAULTS                                                                     \
    {                                                                                              \
        .beta1 = 0.9, .beta2 = 0.999, .beta3 = 0.9999, .eps = 1e-8, .alpha = 5.0                   \
    }

/* optim_args.c: "key=value,key=value" over the settings; AXL_ERR_INVALID names what is wrong. */
axl_status axl__optim_args_read(axl__optim_settings *s, const axl__optimizer_name *o,
                                const char *text);

/* The methods: axl__optim_NAME, each in the file of its name, those of 8 bits in optim_low_bit.c.
 */
#define AXL__OPTIM_METHODS(X)                                                                      \
    X(adamc)                                                                                       \
    X(adafactor)                                                                                   \
    X(adagrad)                                                                                     \
    X(adamw)                                                                                       \
    X(adamw_8bit)                                                                                  \
    X(adamw_torch_8bit)                                                                            \
    X(adamw_torch_4bit)                                                                            \
    X(ademamix)                                                                                    \
    X(ademamix_8bit)                                                                               \
    X(adopt)                                                                                       \
    X(came)                                                                                        \
    X(lion)                                                                                        \
    X(lion_8bit)                                                                                   \
    X(optimi_adamw)                                                                                \
    X(muon)                                                                                        \
    X(rmsprop)                                                                                     \
    X(rmsprop_8bit)                                                                                \
    X(schedule_free_adamw)                                                                         \
    X(schedule_free_sgd)                                                                           \
    X(sgd)

#define AXL__OPTIM_DECLARE(name) extern const axl__optim_method axl__optim_##name;
AXL__OPTIM_METHODS(AXL__OPTIM_DECLARE)

#endif
