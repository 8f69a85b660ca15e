/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rules.c - keys together: what must be there, and what contradicts what.  Works on what
 * the user set; defaults come later.
 */
#include "config_priv.h"
#include "lora_inits.h"
#include "dataset_types.h"
#include "name_pattern.h"

#include "base/os.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* get: set at all.  on: set to something that asks for it, in Python's sense of true, as Axolotl's
 * own validators ask ("val_set_size: 0" is set and not on).  Which of the two a rule asks is part
 * of it. */
static axl__yaml *get(const axl__config_pass *p, const char *key)
{
    return axl__yaml_get(p->root, key);
}

static bool on(const axl__config_pass *p, const char *key)
{
    return axl__yaml_truthy(get(p, key));
}

static bool is(const axl__config_pass *p, const char *key, const char *text)
{
    const axl__yaml *n = get(p, key);

    return n && n->type == AXL__YAML_STRING && strcmp(n->text, text) == 0;
}

static void say(axl__config_pass *p, axl__diag_id id, const char *key, const char *message)
{
    axl__config_say(p, id, AXL_SEVERITY_ERROR, get(p, key), AT_KEY, key, "%s", message);
}

static void warn(axl__config_pass *p, axl__diag_id id, const char *key, const char *message)
{
    axl__config_say(p, id, AXL_SEVERITY_WARNING, get(p, key), AT_KEY, key, "%s", message);
}

/* 0 is how some files say "not set", and Axolotl asks for truth.  With the key gone, no reader
 * needs to know of it. */
static void drop_zeros(axl__config_pass *p)
{
    static const char *const keys[] = { "max_steps",
                                        "evals_per_epoch",
                                        "saves_per_epoch",
                                        "save_total_limit",
                                        "jagged_restart_steps",
                                        "jagged_restart_warmup_steps",
                                        "jagged_restart_anneal_steps",
                                        "early_stopping_patience",
                                        "loss_watchdog_patience" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (get(p, keys[i]) && !on(p, keys[i]))
            axl__yaml_remove(p->root, keys[i]);
}

/* Of the whole config (prefix "") or of an entry ("datasets[0]."). */
static void require_jinja(axl__config_pass *p, const axl__yaml *map, const char *prefix)
{
    const axl__yaml *name = axl__yaml_get(map, "chat_template");
    char key[96];

    snprintf(key, sizeof key, "%schat_template_jinja", prefix);
    if (name && name->type == AXL__YAML_STRING && strcmp(name->text, "jinja") == 0 &&
        !axl__yaml_get(map, "chat_template_jinja"))
        axl__config_say(p, AXL__C_REQUIRED, AXL_SEVERITY_ERROR, name, AT_VALUE, key,
                        "required with chat_template: jinja");
}

/* What is no name may mean nothing to what the config trains; such a task has few types. */
static void check_unnamed(axl__config_pass *p, const axl__yaml *entry, const char *key)
{
    const axl__yaml *type = axl__yaml_get(entry, "type");
    axl__data_task task = axl__data_task_of(p->root);
    char types[200] = "";
    size_t len = 0;

    if ((type && type->text && type->len > 0) || axl__dataset_type_of(entry, task))
        return;
    for (size_t i = 0; i < axl__n_dataset_types && len < sizeof types; i++) {
        const axl__dataset_type *t = &axl__dataset_types[i];
        if (t->task == task && axl__dataset_type_has_name(t))
            len +=
                (size_t)snprintf(types + len, sizeof types - len, "%s%s", len ? ", " : "", t->name);
    }
    axl__config_say(p, AXL__C_REQUIRED, AXL_SEVERITY_ERROR, type ? type : entry, AT_KEY, key,
                    "required with %s: %s", axl__data_task_name(task), types);
}

/* where is the entry's path, "datasets[0]": the key that is missing has no place, so that the
 * message stands at the entry; a host's own records need none.  Without a type the records are to
 * be samples already, which only reading them shows. */
static void require_in_entry(axl__config_pass *p, const axl__yaml *entry, const char *where)
{
    char key[80];

    snprintf(key, sizeof key, "%s.path", where);
    if (!p->own_data && !axl__yaml_get(entry, "path"))
        axl__config_say(p, AXL__C_REQUIRED, AXL_SEVERITY_ERROR, entry, AT_KEY, key,
                        "required: a file, a folder or a Hub id");
    snprintf(key, sizeof key, "%s.type", where);
    check_unnamed(p, entry, key);
    snprintf(key, sizeof key, "%s.", where);
    require_jinja(p, entry, key);
}

/* A host that brings its own samples may bring some to evaluate on, which the config cannot
 * know. */
bool axl__config_has_validation(const axl__config_pass *p)
{
    return p->own_data || on(p, "val_set_size") || get(p, "test_datasets");
}

static void require_in_sets(axl__config_pass *p, const char *list_key)
{
    const axl__yaml *list = get(p, list_key);
    unsigned i = 0;

    if (list && list->type == AXL__YAML_LIST && list->count == 0)
        say(p, AXL__C_REQUIRED, list_key, "must have at least one item");
    for (const axl__yaml *entry = list ? list->child : NULL; entry; entry = entry->next, i++) {
        char where[64];
        snprintf(where, sizeof where, "%s[%u]", list_key, i);
        if (entry->type == AXL__YAML_MAP)
            require_in_entry(p, entry, where);
    }
}

static void check_required(axl__config_pass *p)
{
    if (!get(p, "base_model"))
        say(p, AXL__C_REQUIRED, "base_model", "required: a folder or a Hub id");
    if (!get(p, "learning_rate"))
        say(p, AXL__C_REQUIRED, "learning_rate", "required");
    if (!get(p, "datasets") && !get(p, "pretraining_dataset") && !p->own_data)
        say(p, AXL__C_REQUIRED, "datasets", "required: a list of what to train on");
    require_jinja(p, p->root, "");
    require_in_sets(p, "datasets");
    require_in_sets(p, "test_datasets");
    require_in_sets(p, "pretraining_dataset");
}

/* Axolotl's rule, whatever ids the tokens get. */
static void check_new_tokens(axl__config_pass *p)
{
    const axl__yaml *whole = get(p, "lora_modules_to_save"), *tokens = get(p, "tokens");
    bool embed = false, head = false;

    for (const axl__yaml *v = whole ? whole->child : NULL; v; v = v->next) {
        embed = embed || (v->text && strcmp(v->text, "embed_tokens") == 0);
        head = head || (v->text && strcmp(v->text, "lm_head") == 0);
    }
    if (tokens && tokens->child && !(embed && head))
        say(p, AXL__C_ADAPTER, "tokens",
            "with an adapter, new tokens are trained where lora_modules_to_save has embed_tokens "
            "and lm_head");
}

/* All weights are trained. */
static void check_no_adapter(axl__config_pass *p)
{
    static const char *const idle[] = { "lora_r",
                                        "lora_alpha",
                                        "lora_dropout",
                                        "lora_target_modules",
                                        "lora_target_linear",
                                        "lora_exclude_modules",
                                        "lora_modules_to_save",
                                        "peft_ensure_weight_tying",
                                        "peft_trainable_token_indices",
                                        "lora_rank_pattern",
                                        "lora_alpha_pattern",
                                        "peft_layers_to_transform",
                                        "peft_layers_pattern",
                                        "peft_init_lora_weights",
                                        "peft_use_dora",
                                        "peft_use_rslora",
                                        "loraplus_lr_ratio" };

    if (get(p, "lora_model_dir"))
        say(p, AXL__C_ADAPTER, "lora_model_dir", "needs adapter: lora");
    if (on(p, "relora"))
        say(p, AXL__C_ADAPTER, "relora", "needs adapter: lora");
    for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++)
        if (on(p, idle[i]))
            warn(p, AXL__C_NO_EFFECT, idle[i],
                 "no effect here: there is no adapter, all weights are trained");
}

/* Axolotl starts LISA where both keys are set, and says nothing where one is alone. */
static void check_lisa(axl__config_pass *p)
{
    bool layers = on(p, "lisa_n_layers"), steps = on(p, "lisa_step_interval");

    if (layers != steps)
        warn(p, AXL__C_NO_EFFECT, layers ? "lisa_n_layers" : "lisa_step_interval",
             layers ? "no effect here: lisa_step_interval is not set"
                    : "no effect here: lisa_n_layers is not set");
    else if (layers && get(p, "adapter"))
        say(p, AXL__C_ADAPTER, "lisa_n_layers", "LISA trains whole layers: remove adapter");
    else if (layers && on(p, "unfrozen_parameters"))
        say(p, AXL__C_ADAPTER, "unfrozen_parameters",
            "lisa_n_layers trains whole layers; keep one of them");
}

/* Axolotl's names are PEFT's where there is an adapter, and its patterns would train the base
 * beside it, or neither. */
static void check_unfrozen(axl__config_pass *p)
{
    const axl__yaml *reentrant =
        axl__config_find(p->root, "gradient_checkpointing_kwargs.use_reentrant");

    if (!on(p, "unfrozen_parameters"))
        return;
    if (get(p, "adapter"))
        say(p, AXL__C_ADAPTER, "unfrozen_parameters",
            "needs all weights: remove adapter, which trains its own alone");
    if (axl__yaml_truthy(reentrant))
        say(p, AXL__C_ADAPTER, "unfrozen_parameters",
            "gradient_checkpointing_kwargs.use_reentrant must be false with it");
}

static axl_status check_name_patterns(axl__config_pass *p)
{
    const axl__yaml *list = get(p, "unfrozen_parameters");
    unsigned i = 0;

    for (const axl__yaml *n = list ? list->child : NULL; n; n = n->next, i++) {
        char key[48];
        axl__error error;
        axl__name_pattern pattern;
        if (n->type != AXL__YAML_STRING)
            continue; /* reported with the key */
        axl_status status = axl__name_pattern_read(&pattern, p->arena->ctx, n->text);
        axl__pattern_free(pattern.name);
        if (status != AXL_ERR_INVALID) {
            AXL_TRY(status);
            continue;
        }
        axl__error_hold(&error);
        snprintf(key, sizeof key, "unfrozen_parameters[%u]", i);
        axl__config_say(p, AXL__C_TARGET_REGEX, AXL_SEVERITY_ERROR, n, AT_VALUE, key, "%s",
                        error.text);
    }
    return AXL_OK;
}

/* PEFT quantises the layers that get a pair; here the base is quantised as a whole. */
static void check_loftq(axl__config_pass *p, bool quantised)
{
    if (!is(p, "adapter", "lora") || quantised)
        say(p, AXL__C_ADAPTER, "peft",
            "loftq_config is with adapter: lora, without load_in_4bit and load_in_8bit: LoftQ "
            "quantises the base itself");
    else if (!on(p, "lora_target_linear"))
        say(p, AXL__C_ADAPTER, "peft", "loftq_config needs lora_target_linear: true");
}

/* Where weights come from files, config.json lies beside them. */
static void check_reinit(axl__config_pass *p)
{
    const axl__yaml *config = get(p, "base_model_config"), *model = get(p, "base_model");
    bool other = config && model && config->type == AXL__YAML_STRING &&
                 model->type == AXL__YAML_STRING && strcmp(config->text, model->text) != 0;

    if (!on(p, "reinit_weights")) {
        if (other)
            say(p, AXL__C_UNSUPPORTED, "base_model_config",
                "config.json is read from base_model; lay values over it with model_config");
        return;
    }
    if (get(p, "adapter"))
        say(p, AXL__C_ADAPTER, "reinit_weights",
            "an adapter would belong to weights that no file has: remove adapter");
    if (on(p, "unfrozen_parameters"))
        say(p, AXL__C_ADAPTER, "reinit_weights",
            "unfrozen_parameters would leave the others random; keep one of them");
}

/* As Axolotl's, but that adapter: lora with load_in_4bit leaves its base in 16 bits there. */
static void check_bits(axl__config_pass *p)
{
    bool four = on(p, "load_in_4bit"), eight = on(p, "load_in_8bit");
    const char *key = four ? "load_in_4bit" : "load_in_8bit";

    if (four && eight)
        say(p, AXL__C_ADAPTER, "load_in_8bit", "load_in_4bit is set too; set only one of them");
    else if ((four || eight) && !get(p, "adapter"))
        say(p, AXL__C_ADAPTER, key,
            "needs an adapter: weights in 4 or 8 bits are not trained themselves");
    else if (is(p, "adapter", "qlora") && !four)
        say(p, AXL__C_ADAPTER, "adapter",
            eight ? "qlora is with load_in_4bit: true; with load_in_8bit it is adapter: lora"
                  : "qlora needs load_in_4bit: true");
    else if (is(p, "adapter", "lora") && four)
        warn(p, AXL__C_NO_EFFECT, "adapter",
             "with load_in_4bit: true the base is quantised, as with adapter: qlora");
    const axl__yaml *peft = get(p, "peft");
    if (peft && axl__yaml_get(peft, "loftq_config"))
        check_loftq(p, four || eight);
    if (get(p, "model_quantization_config") && (four || eight))
        say(p, AXL__C_ADAPTER, "model_quantization_config",
            "load_in_4bit and load_in_8bit quantise the base in another way; set only one of them");
    if (on(p, "bnb_config_kwargs") && !four)
        warn(p, AXL__C_NO_EFFECT, "bnb_config_kwargs", "no effect here without load_in_4bit: true");
}

/* How the pairs begin. */
static void check_init(axl__config_pass *p)
{
    const axl__yaml *init = get(p, "peft_init_lora_weights");
    const char *why;

    if (!init || init->type != AXL__YAML_STRING)
        return;
    axl__lora_init_answer answer = axl__lora_init_find(init->text, &why);
    if (answer == AXL__LORA_INIT_REFUSED)
        say(p, AXL__C_UNSUPPORTED, "peft_init_lora_weights", why);
    else if (answer == AXL__LORA_INIT_UNKNOWN)
        say(p, AXL__C_BAD_VALUE, "peft_init_lora_weights", axl__lora_init_choices);
}

/* Axolotl has no default for lora_r and lora_alpha, and PEFT refuses to be without. */
static void check_adapter(axl__config_pass *p)
{
    check_lisa(p);
    check_unfrozen(p);
    check_reinit(p);
    check_bits(p);
    check_init(p);
    if (!get(p, "adapter"))
        check_no_adapter(p);
    else
        check_new_tokens(p);
    if (!get(p, "adapter") || get(p, "lora_model_dir"))
        return; /* a PEFT folder brings its own rank and targets */
    if (!get(p, "lora_r"))
        say(p, AXL__C_REQUIRED, "lora_r", "required with an adapter");
    if (!get(p, "lora_alpha"))
        say(p, AXL__C_REQUIRED, "lora_alpha", "required with an adapter");
    if (!on(p, "lora_target_modules") && !on(p, "lora_target_linear"))
        say(p, AXL__C_NO_TARGETS, "lora_target_linear",
            "no layer to adapt; set lora_target_linear: true or list lora_target_modules");
}

/* Axolotl's rule counts what the file sets, before its defaults of 1.  It then takes
 * gradient_accumulation_steps as 1 beside a batch_size; here that is divided (config_derive.c),
 * which is what its writer means, and must come out even. */
static void check_batch(axl__config_pass *p)
{
    const axl__yaml *whole = get(p, "batch_size"), *micro = get(p, "micro_batch_size");
    int set =
        on(p, "micro_batch_size") + on(p, "gradient_accumulation_steps") + on(p, "batch_size");

    if (set < 2)
        say(p, AXL__C_BATCH_FIELDS, "micro_batch_size",
            "two of micro_batch_size, gradient_accumulation_steps and batch_size must be set");
    if (on(p, "batch_size") && on(p, "gradient_accumulation_steps"))
        say(p, AXL__C_BATCH_CONFLICT, "batch_size",
            "gradient_accumulation_steps is set too; set only one of them");
    else if (whole && micro && whole->type == AXL__YAML_INT && micro->type == AXL__YAML_INT &&
             micro->integer > 0 && whole->integer % micro->integer != 0)
        axl__config_say(p, AXL__C_BATCH_DIVISION, AXL_SEVERITY_ERROR, whole, AT_VALUE, "batch_size",
                        "must be a multiple of micro_batch_size (%lld), found %lld",
                        (long long)micro->integer, (long long)whole->integer);
}

/* Steps between events: a share of the run, or so many whole ones. */
static void check_steps_are_whole(axl__config_pass *p)
{
    static const char *const keys[] = { "save_steps", "eval_steps" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const axl__yaml *n = get(p, keys[i]);
        if (n && n->type == AXL__YAML_FLOAT && n->number > 1 &&
            !(n->number == floor(n->number) && n->number < 0x1p53))
            axl__config_say(p, AXL__C_OUT_OF_RANGE, AXL_SEVERITY_ERROR, n, AT_VALUE, keys[i],
                            "must be a share below 1 or a whole number of steps, found %s",
                            n->text);
    }
}

/* The rules of Axolotl's validation.py, with its answers. */
static void check_saves(axl__config_pass *p)
{
    if (on(p, "warmup_steps") && on(p, "warmup_ratio"))
        say(p, AXL__C_WARMUP_CONFLICT, "warmup_ratio", "warmup_steps is set too; keep one");
    if (on(p, "save_steps") && get(p, "save_strategy") && !is(p, "save_strategy", "steps"))
        say(p, AXL__C_SAVE_CONFLICT, "save_strategy",
            "save_steps is set too; set save_strategy: steps or remove save_steps");
    if (on(p, "saves_per_epoch") && on(p, "save_steps"))
        say(p, AXL__C_SAVE_CONFLICT, "saves_per_epoch", "save_steps is set too; keep one");
}

/* As Axolotl: with val_set_size written as 0, eval_steps and eval_strategy are refused; where it is
 * absent the same keys are accepted and never evaluate, which draws a warning here, and the key
 * goes so that nothing later counts on it. */
static void check_evals(axl__config_pass *p)
{
    const axl__yaml *share = get(p, "val_set_size");
    bool data = axl__config_has_validation(p);

    if (on(p, "eval_steps") && get(p, "eval_strategy") && !is(p, "eval_strategy", "steps"))
        say(p, AXL__C_EVAL_CONFLICT, "eval_strategy",
            "eval_steps is set too; set eval_strategy: steps or remove eval_steps");
    if (on(p, "evals_per_epoch") && on(p, "eval_steps"))
        say(p, AXL__C_EVAL_CONFLICT, "evals_per_epoch", "eval_steps is set too; keep one");
    if (on(p, "evals_per_epoch") && get(p, "eval_strategy") && !is(p, "eval_strategy", "steps"))
        say(p, AXL__C_EVAL_CONFLICT, "eval_strategy",
            "evals_per_epoch is set too; set eval_strategy: steps or remove it");
    if (on(p, "val_set_size") && get(p, "test_datasets"))
        say(p, AXL__C_EVAL_DATA_CONFLICT, "test_datasets",
            "val_set_size is set too; validate on one of them");
    if (share && share->type == AXL__YAML_FLOAT &&
        (share->number == 1 || (share->number > 1 && share->number != floor(share->number))))
        axl__config_say(p, AXL__C_VAL_SET_SIZE, AXL_SEVERITY_ERROR, share, AT_VALUE, "val_set_size",
                        "must be a share below 1 or a whole number of rows above 1, found %s",
                        share->text);
    if (data)
        return;
    static const char *const keys[] = { "evals_per_epoch", "eval_steps", "eval_strategy" };
    for (size_t i = 0; i < 3; i++) {
        if (!on(p, keys[i]) || is(p, keys[i], "no"))
            continue;
        if (share && i > 0)
            say(p, AXL__C_EVAL_WITHOUT_DATA, keys[i],
                "there is nothing to evaluate on: val_set_size is 0 and test_datasets is not set");
        else
            warn(p, AXL__C_EVAL_WITHOUT_DATA, keys[i],
                 "no effect: neither val_set_size nor test_datasets is set");
        if (!(share && i > 0))
            axl__yaml_remove(p->root, keys[i]);
    }
}

/* Keys about rows that others make idle, as in Axolotl. */
static void check_rows(axl__config_pass *p)
{
    if (on(p, "group_by_length") && (on(p, "sample_packing") || on(p, "curriculum_sampling")))
        warn(p, AXL__C_NO_EFFECT, "group_by_length",
             on(p, "sample_packing") ? "no effect here: sample_packing fills sequences by length"
                                     : "no effect here: curriculum_sampling keeps the rows' order");
    if (on(p, "eval_sequence_len") && !get(p, "test_datasets"))
        warn(p, AXL__C_NO_EFFECT, "eval_sequence_len",
             "no effect here: it is about test_datasets, which is not set");
}

/* Streamed data has no length, and no row of it is compared with another. */
static void check_stream(axl__config_pass *p)
{
    const axl__yaml *documents = get(p, "pretraining_dataset");

    if (!documents && !on(p, "streaming"))
        return;
    if (documents && get(p, "datasets"))
        say(p, AXL__C_STREAM, "datasets", "pretraining_dataset is set too; keep one");
    if (!on(p, "max_steps"))
        say(p, AXL__C_REQUIRED, "max_steps", "required with streamed data, which has no length");
    if (on(p, "val_set_size"))
        say(p, AXL__C_STREAM, "val_set_size",
            "no rows can be set apart of streamed data; use test_datasets");
    if (on(p, "dataset_exact_deduplication"))
        say(p, AXL__C_STREAM, "dataset_exact_deduplication",
            "rows of streamed data are not compared; remove it or streaming");
}

/* Keys that follow evaluations.  Without them early stopping would never stop and the best would
 * never be found, so that leaving them out in silence would change the result. */
static void check_best(axl__config_pass *p)
{
    static const char *const keys[] = { "early_stopping_patience", "load_best_model_at_end",
                                        "metric_for_best_model" };
    bool data = axl__config_has_validation(p);

    if (on(p, "loss_watchdog_patience") && !get(p, "loss_watchdog_threshold"))
        warn(p, AXL__C_NO_EFFECT, "loss_watchdog_patience",
             "no effect here: loss_watchdog_threshold is not set");
    if (data && !is(p, "eval_strategy", "no"))
        return;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (on(p, keys[i]))
            say(p, AXL__C_BEST_WITHOUT_EVAL, keys[i],
                "needs evaluations: set val_set_size or test_datasets, and no eval_strategy: no");
    if (is(p, "save_strategy", "best"))
        say(p, AXL__C_BEST_WITHOUT_EVAL, "save_strategy",
            "best needs evaluations: set val_set_size or test_datasets, and no eval_strategy: no");
}

/* The value changes nothing here; what Axolotl refuses is refused, so that a file that passes here
 * passes there.  A "/" is a kernel's name on the Hub, of which nothing can be said. */
static void check_attention(axl__config_pass *p)
{
    static const char names[] = "eager, sdpa, flash_attention_2, flash_attention_3, "
                                "flex_attention, xformers, sage, fp8";
    static const struct {
        const char *old, *now;
    } hints[] = {
        { "flash", "flash_attention_2" },
        { "flash_attention", "flash_attention_2" },
        { "flex", "flex_attention" },
        { "sdp", "sdpa" },
    };
    const axl__yaml *n = get(p, "attn_implementation");

    if (!n || n->type != AXL__YAML_STRING || strchr(n->text, '/') ||
        axl__schema_has_value(names, n->text))
        return;
    const char *hint = NULL;
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcmp(hints[i].old, n->text) == 0)
            hint = hints[i].now;
    axl__config_say(p, AXL__C_BAD_VALUE, AXL_SEVERITY_ERROR, n, AT_VALUE, "attn_implementation",
                    "must be one of %s or a Hub kernel, found \"%s\"%s%s%s", names, n->text,
                    hint ? "; did you mean \"" : "", hint ? hint : "", hint ? "\"?" : "");
}

/* With both on, bf16 wins and fp16 is turned off in the tree, so that readers need to ask for
 * one. */
static void check_precision(axl__config_pass *p)
{
    axl__yaml *half = get(p, "fp16");

    if (!on(p, "fp16"))
        return;
    if (on(p, "bf16") && !is(p, "bf16", "auto")) {
        half->boolean = false;
        warn(p, AXL__C_FP16, "fp16", "no effect: bf16 is on");
        return;
    }
    warn(p, AXL__C_FP16, "fp16", "computed as f32 on a CPU");
}

/* Links and folders that come later are the run's to see. */
static axl_status check_output_is_base(axl__config_pass *p)
{
    const axl__yaml *base = get(p, "base_model"), *out = get(p, "output_dir");
    axl_context *ctx = p->arena->ctx;

    if (!base || base->type != AXL__YAML_STRING || !out || out->type != AXL__YAML_STRING)
        return AXL_OK;
    char *a = axl__config_path(p->cfg, base->text), *b = axl__config_path(p->cfg, out->text);
    axl_status status = a && b ? AXL_OK : axl__fail_nomem();
    if (status == AXL_OK && axl__same_path(a, b))
        say(p, AXL__C_OUTPUT_PLACE, "output_dir",
            "is the folder of base_model, which is not written over: name another folder");
    axl__free(ctx, a);
    axl__free(ctx, b);
    return status;
}

/* A name that cannot lead out of the folder that it is below, links aside. */
static bool stays_below(const char *name)
{
    const char *slash;

    if (*name == '/')
        return false;
    for (const char *s = name;; s = slash + 1) {
        slash = strchr(s, '/');
        if (strncmp(s, "..", 2) == 0 && (s[2] == '/' || s[2] == '\0'))
            return false;
        if (!slash)
            return true;
    }
}

/* What a file may make axl write or delete lies in output_dir; the one who types an override may
 * name any place. */
static void check_places(axl__config_pass *p)
{
    static const char *const keys[] = { "dynamic_checkpoint.trigger_file_path",
                                        "axl.prometheus_file" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const axl__yaml *n = axl__config_find(p->root, keys[i]);
        bool free_to_roam = i == 1 && n && n->line == 0;
        if (n && n->type == AXL__YAML_STRING && !free_to_roam && !stays_below(n->text))
            axl__config_say(p, AXL__C_OUTPUT_PLACE, AXL_SEVERITY_ERROR, n, AT_VALUE, keys[i],
                            "must be a name below output_dir%s, found \"%s\"",
                            i == 1 ? "; on the command line it may be any path" : "", n->text);
    }
}

/* A backend's name, or with :N that of its device N. */
static bool names_device(const char *text)
{
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    const char *end = text + name;

    if (name > 0 && *end == ':' && end[1])
        end += 1 + strspn(end + 1, "0123456789");
    return name > 0 && *end == '\0';
}

/* Whether there is such a device is the run's to see. */
static void check_device(axl__config_pass *p)
{
    static const char *const keys[] = { "device", "axl.backend" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const axl__yaml *n = axl__config_find(p->root, keys[i]);
        if (n && n->type == AXL__YAML_STRING && !names_device(n->text))
            axl__config_say(p, AXL__C_BAD_VALUE, AXL_SEVERITY_ERROR, n, AT_VALUE, keys[i],
                            "must be auto, cpu, cuda, or cuda:1 for the second GPU, found \"%s\"",
                            n->text);
    }
}

/* A plugin that only makes training faster or writes logs changes no result. */
static void check_plugins(axl__config_pass *p)
{
    static const char *const inert[] = { "cut_cross_entropy", "liger",   "kernels",
                                         "swanlab",           "lm_eval", "expert_parallel" };
    const axl__yaml *list = get(p, "plugins");
    unsigned i = 0;

    for (const axl__yaml *n = list ? list->child : NULL; n; n = n->next, i++) {
        char key[32];
        bool known = false;
        if (n->type != AXL__YAML_STRING)
            continue;
        snprintf(key, sizeof key, "plugins[%u]", i);
        for (size_t k = 0; k < sizeof inert / sizeof inert[0]; k++)
            known = known || strstr(n->text, inert[k]);
        axl__config_say(p, AXL__C_PLUGIN, known ? AXL_SEVERITY_WARNING : AXL_SEVERITY_ERROR, n,
                        AT_VALUE, key,
                        known ? "no effect here: axl has its own kernels and logs"
                              : "not supported: Python plugins are not loaded");
    }
}

axl_status axl__config_validate(axl__config_pass *p)
{
    drop_zeros(p);
    check_required(p);
    check_adapter(p);
    check_batch(p);
    check_steps_are_whole(p);
    check_saves(p);
    check_evals(p);
    check_rows(p);
    check_stream(p);
    check_best(p);
    check_attention(p);
    check_precision(p);
    check_device(p);
    check_plugins(p);
    check_places(p);
    axl__config_check_optimizer(p);
    axl__config_check_schedule(p);
    AXL_TRY(check_name_patterns(p));
    return check_output_is_base(p);
}
