/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_card.c - see model_card.h.  The front matter is what the Hub reads; the sections are those
 * of the cards that Hugging Face's trainer writes, so that people find their way.
 *
 * Names from the config stand in Markdown as they are; in YAML they are quoted, and what may hold
 * anything is in a fence that is longer than any in it.
 */
#include "model_card.h"

#include "base/num.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RESULTS_MAX = 50 }; /* rows of the results; more are thinned */

/* JSON's strings are YAML's. */
static void card_put_quoted(axl__str *out, const char *text)
{
    axl__str_put_json(out, text, strlen(text));
}

static const char *card_dataset_path(const axl_config *cfg, size_t i)
{
    char key[64];

    snprintf(key, sizeof key, "datasets[%zu].path", i);
    return axl__cfg_str_or(cfg, key, "");
}

/* Keys of the Hub's metadata; base_model and the tag that repeats it are how the Hub shows an
 * adapter under its model. */
static void card_put_front_matter(axl__str *out, const axl__run_summary *run, const char *name)
{
    const char *base = axl__cfg_str(run->cfg, "base_model");

    bool adapter = axl__cfg_has(run->cfg, "adapter");

    axl__str_puts(out, adapter ? "---\nlibrary_name: peft\nbase_model: "
                               : "---\nlibrary_name: transformers\nbase_model: ");
    card_put_quoted(out, base);
    axl__str_puts(out, adapter ? "\ntags:\n- axl\n- lora\n- " : "\ntags:\n- axl\n- ");
    axl__str text;
    axl__str_init(&text, out->ctx);
    axl__str_putf(&text, "base_model:%s:%s", adapter ? "adapter" : "finetune", base);
    axl__str_put_json(out, axl__str_text(&text), text.len);
    out->failed |= text.failed;
    axl__str_free(&text);
    axl__str_puts(out, "\ndatasets:\n");
    for (size_t i = 0; i < axl__cfg_count(run->cfg, "datasets"); i++) {
        axl__str_puts(out, "- ");
        card_put_quoted(out, card_dataset_path(run->cfg, i));
        axl__str_putc(out, '\n');
    }
    axl__str_puts(out, "pipeline_tag: text-generation\nmodel-index:\n- name: ");
    card_put_quoted(out, name);
    axl__str_puts(out, "\n  results: []\n---\n\n");
}

/* The fence is longer than any run of backticks in the text. */
static void card_put_code(axl__str *out, const char *language, const char *text, size_t len)
{
    size_t run = 0, longest = 2;

    for (size_t i = 0; i < len; i++) {
        run = text[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        axl__str_putc(out, '`');
    axl__str_puts(out, language);
    axl__str_putc(out, '\n');
    axl__str_put(out, text, len);
    if (len == 0 || text[len - 1] != '\n')
        axl__str_putc(out, '\n');
    for (size_t i = 0; i <= longest; i++)
        axl__str_putc(out, '`');
    axl__str_putc(out, '\n');
}

static void card_put_config(axl__str *out, const axl_config *cfg)
{
    size_t len;
    const char *yaml = axl__config_text(cfg, &len), *overrides = axl__config_overrides(cfg);

    axl__str_puts(out,
                  "<details><summary>See axl config</summary>\n\naxl version: `" AXL_VERSION "`\n");
    card_put_code(out, "yaml", yaml, len);
    if (*overrides) {
        axl__str_puts(out, "\nwith these keys changed by overrides:\n\n");
        card_put_code(out, "", overrides, strlen(overrides));
    }
    axl__str_puts(out, "\n</details><br>\n\n");
}

/* ---- what it is ---- */

static void card_put_short(axl__str *out, double value)
{
    char text[AXL__NUM_MAX];

    axl__format_digits(text, value, 5);
    axl__str_puts(out, text);
}

/* Of the weights that the result has, or else the last. */
static const axl_run_record *card_result_evaluation(const axl__run_summary *run)
{
    for (size_t i = 0; i < run->history->n; i++)
        if (run->history->records[i].event == AXL_RUN_EVALUATION &&
            run->history->records[i].step == run->result_step)
            return &run->history->records[i];
    return axl__run_last(run->history, AXL_RUN_EVALUATION);
}

/* A result of all weights is a model by itself. */
static void card_put_use(axl__str *out, bool adapter, const char *base, const char *name)
{
    axl__str_puts(out, "\n## How to use\n\n```python\n");
    if (!adapter)
        axl__str_putf(out,
                      "from transformers import AutoModelForCausalLM\n\n"
                      "model = AutoModelForCausalLM.from_pretrained(\"path/to/%s\")\n",
                      name);
    else
        axl__str_putf(
            out,
            "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n\n"
            "model = AutoModelForCausalLM.from_pretrained(\"%s\")\n"
            "model = PeftModel.from_pretrained(model, \"path/to/%s\")\n",
            base, name);
    axl__str_puts(out, "```\n\n");
}

static void card_put_description(axl__str *out, const axl__run_summary *run, const char *name)
{
    const char *base = axl__cfg_str(run->cfg, "base_model");
    const axl_run_record *e = card_result_evaluation(run);
    size_t n = axl__cfg_count(run->cfg, "datasets");

    bool adapter = axl__cfg_has(run->cfg, "adapter");

    axl__str_putf(out,
                  adapter ? "# %s\n\nThis is a LoRA adapter of %s, trained with axl on "
                          : "# %s\n\nThis is %s, fine-tuned with axl on ",
                  name, base);
    for (size_t i = 0; i < n; i++)
        axl__str_putf(out, "%s%s",
                      i == 0      ? ""
                      : i + 1 < n ? ", "
                                  : " and ",
                      card_dataset_path(run->cfg, i));
    axl__str_puts(out, n > 0 ? ".\n" : "samples of a program's own.\n");
    if (e) {
        axl__str_puts(out, "It achieves the following results on the evaluation set:\n- Loss: ");
        card_put_short(out, e->eval_loss);
        axl__str_puts(out, "\n- Perplexity: ");
        card_put_short(out, e->eval_perplexity);
        axl__str_putf(out, "\n- Step: %llu\n", (unsigned long long)e->step);
    }
    card_put_use(out, adapter, base, name);
}

/* ---- how it was trained ---- */

static void card_row_begin(axl__str *out, const char *name)
{
    axl__str_putf(out, "| %s | ", name);
}

static void card_count_row(axl__str *out, const char *name, uint64_t n)
{
    axl__str_putf(out, "| %s | %llu |\n", name, (unsigned long long)n);
}

static void card_number_row(axl__str *out, const char *name, double value)
{
    char text[AXL__NUM_MAX];

    axl__format_digits(text, value, 15);
    axl__str_putf(out, "| %s | %s |\n", name, text);
}

/* The optimizer's name, and what the config sets of it. */
static void card_put_optimizer_row(axl__str *out, const axl__run_summary *run)
{
    static const char *const keys[] = { "weight_decay",      "adam_beta1",   "adam_beta2",
                                        "adam_beta3",        "adam_epsilon", "adam_epsilon2",
                                        "loraplus_lr_ratio", "embedding_lr", "embedding_lr_scale",
                                        "optim_args" };
    const char *value;

    card_row_begin(out, "optimizer");
    axl__str_puts(out, axl__cfg_str(run->cfg, "optimizer"));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (axl_config_get_string(run->cfg, keys[i], &value) == AXL_OK)
            axl__str_putf(out, ", %s=%s", keys[i], value);
    axl__str_puts(out, " |\n");
}

/* An adapter stands on what its base was while it was trained. */
static void card_put_weights_row(axl__str *out, const axl__run_summary *run)
{
    static const char *const names[] = { [AXL_WEIGHTS_NF4] = "4 bits (NF4)",
                                         [AXL_WEIGHTS_FP4] = "4 bits (FP4)",
                                         [AXL_WEIGHTS_INT8] = "8 bits (int8)" };

    if (run->model.weights == AXL_WEIGHTS_STORED)
        return;
    card_row_begin(out, "base_weights");
    axl__str_putf(out, "%s |\n", names[run->model.weights]);
}

/* Values as they were used, after defaults and derived keys. */
static void card_put_hyperparameters(axl__str *out, const axl__run_summary *run)
{
    uint64_t micro = (uint64_t)axl__cfg_int(run->cfg, "micro_batch_size");
    uint64_t windows = run->trainer->gradient_accumulation_steps;

    axl__str_puts(out, "## Training procedure\n\n### Training hyperparameters\n\n"
                       "| hyperparameter | value |\n|:---|:---|\n");
    card_number_row(out, "learning_rate", run->trainer->learning_rate);
    card_count_row(out, "train_batch_size", micro);
    card_count_row(out, "eval_batch_size", (uint64_t)axl__cfg_int(run->cfg, "eval_batch_size"));
    card_count_row(out, "seed", run->trainer->seed);
    card_count_row(out, "gradient_accumulation_steps", windows);
    card_count_row(out, "total_train_batch_size", micro * windows);
    card_put_optimizer_row(out, run);
    axl__str_putf(out, "| lr_scheduler_type | %s |\n", axl__cfg_str(run->cfg, "lr_scheduler"));
    card_count_row(out, "lr_scheduler_warmup_steps", run->warmup_steps);
    card_number_row(out, "num_epochs", run->epoch);
    card_count_row(out, "training_steps", run->step);
    if (axl__cfg_has(run->cfg, "adapter")) {
        card_count_row(out, "lora_r", (uint64_t)axl__cfg_int_or(run->cfg, "lora_r", 0));
        card_number_row(out, "lora_alpha", axl__cfg_double_or(run->cfg, "lora_alpha", 0.0));
        card_number_row(out, "lora_dropout", axl__cfg_double(run->cfg, "lora_dropout"));
    }
    card_count_row(out, "sequence_len", (uint64_t)axl__cfg_int(run->cfg, "sequence_len"));
    card_row_begin(out, "sample_packing");
    axl__str_puts(out, axl__cfg_bool(run->cfg, "sample_packing") ? "true" : "false");
    axl__str_puts(out, " |\n");
    card_put_weights_row(out, run);
    card_row_begin(out, "compute");
    axl__str_puts(out, run->model.compute == AXL_COMPUTE_BF16 ? "bf16 |\n\n" : "f32 |\n\n");
}

static void card_put_data(axl__str *out, const axl__run_summary *run)
{
    axl__str_putf(out,
                  "## Training and evaluation data\n\n%llu samples of %llu tokens, %llu of "
                  "them trained",
                  (unsigned long long)run->train.rows, (unsigned long long)run->train.tokens,
                  (unsigned long long)run->train.trained_tokens);
    if (run->valid.rows > 0)
        axl__str_putf(out, "; %llu samples for evaluation", (unsigned long long)run->valid.rows);
    axl__str_puts(out, ".\n\n");
}

static void card_put_cell(axl__str *out, double value)
{
    axl__str_putc(out, ' ');
    if (isfinite(value))
        card_put_short(out, value);
    else
        axl__str_puts(out, "No log");
    axl__str_puts(out, " |");
}

/* One row an evaluation with the training loss before it, or without any one a logged step. */
static void card_put_results(axl__str *out, const axl__run_summary *run)
{
    const axl__run_history *h = run->history;
    bool evaluated = axl__run_last(h, AXL_RUN_EVALUATION) != NULL;
    axl_run_event event = evaluated ? AXL_RUN_EVALUATION : AXL_RUN_STEP;
    size_t n = axl__run_count(h, event), seen = 0;
    double loss = NAN;

    if (n == 0)
        return;
    size_t every = (n + RESULTS_MAX - 1) / RESULTS_MAX;
    axl__str_puts(out, evaluated ? "### Training results\n\n| Training Loss | Epoch | Step | "
                                   "Validation Loss | Perplexity |\n"
                                   "|:---:|:---:|:---:|:---:|:---:|\n"
                                 : "### Training results\n\n| Training Loss | Epoch | Step |\n"
                                   "|:---:|:---:|:---:|\n");
    for (size_t i = 0; i < h->n; i++) {
        const axl_run_record *r = &h->records[i];
        if (r->event == AXL_RUN_STEP)
            loss = r->loss;
        if (r->event != (uint32_t)event || (n - ++seen) % every != 0)
            continue;
        axl__str_putc(out, '|');
        card_put_cell(out, loss);
        card_put_cell(out, r->epoch);
        axl__str_putf(out, " %llu |", (unsigned long long)r->step);
        if (evaluated) {
            card_put_cell(out, r->eval_loss);
            card_put_cell(out, r->eval_perplexity);
        }
        axl__str_putc(out, '\n');
    }
    axl__str_putc(out, '\n');
}

void axl__model_card_put(axl__str *out, const axl__run_summary *run)
{
    const char *name = axl__last_name(run->output_dir);

    card_put_front_matter(out, run, name);
    card_put_config(out, run->cfg);
    card_put_description(out, run, name);
    card_put_data(out, run);
    card_put_hyperparameters(out, run);
    card_put_results(out, run);
    axl__str_puts(out, "### Framework versions\n\n- axl " AXL_VERSION "\n");
}
