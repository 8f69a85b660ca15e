/* SPDX-License-Identifier: Apache-2.0 */
/* model_card.c - see model_card.h; the front matter is what the Hub reads. */
#include "model_card.h"

#include "base/os.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* JSON's strings are YAML's. */
static void put_quoted(axl__str *s, const char *text)
{
    axl__str_put_json(s, text, strlen(text));
}

static void put_front_matter(axl__str *s, const axl_config *cfg)
{
    size_t n = axl__cfg_count(cfg, "datasets");
    char key[64];

    axl__str_puts(s, "---\nlibrary_name: peft\nbase_model: ");
    put_quoted(s, axl__cfg_str(cfg, "base_model", ""));
    axl__str_puts(s, "\ntags:\n- axl\n- lora\ndatasets:\n");
    for (size_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "datasets[%zu].path", i);
        axl__str_puts(s, "- ");
        put_quoted(s, axl__cfg_str(cfg, key, ""));
        axl__str_putc(s, '\n');
    }
    axl__str_puts(s, "pipeline_tag: text-generation\n---\n\n");
}

static void put_row(axl__str *s, const char *name, double value)
{
    axl__str_putf(s, "| %s | ", name);
    axl__str_put_double(s, value);
    axl__str_puts(s, " |\n");
}

static void put_results(axl__str *s, const axl_run_record *last, const axl_dataset_stats *data)
{
    axl__str_puts(s, "| | |\n|---|---|\n");
    axl__str_putf(s, "| steps | %llu |\n", (unsigned long long)last->step);
    put_row(s, "epochs", last->epoch);
    if (!isnan(last->loss))
        put_row(s, "last training loss", last->loss);
    if (!isnan(last->eval_loss))
        put_row(s, "last validation loss", last->eval_loss);
    axl__str_putf(s, "| rows | %llu |\n| tokens | %llu |\n| trained tokens | %llu |\n\n",
                  (unsigned long long)data->rows, (unsigned long long)data->tokens,
                  (unsigned long long)data->trained_tokens);
}

axl_status axl__model_card_write(axl_context *ctx, const axl_config *cfg, const char *path,
                                 const axl_run_record *last, const axl_dataset_stats *data)
{
    axl__str s;
    size_t len;
    const char *yaml = axl__config_text(cfg, &len), *overrides = axl__config_overrides(cfg);

    axl__str_init(&s, ctx);
    put_front_matter(&s, cfg);
    axl__str_putf(&s, "# LoRA adapter of %s\n\nTrained with axl %s.  Load it with PEFT: "
                      "`PeftModel.from_pretrained(base, \"this folder\")`.\n\n",
                  axl__cfg_str(cfg, "base_model", ""), AXL_VERSION);
    put_results(&s, last, data);
    axl__str_puts(&s, "<details><summary>The config</summary>\n\n```yaml\n");
    axl__str_put(&s, yaml, len);
    axl__str_puts(&s, len > 0 && yaml[len - 1] == '\n' ? "```\n" : "\n```\n");
    if (*overrides)
        axl__str_putf(&s, "\nwith these keys changed by overrides:\n\n```\n%s```\n", overrides);
    axl__str_puts(&s, "\n</details>\n");
    axl_status status = axl__str_status(&s);
    if (status == AXL_OK)
        status = axl__write_file(ctx, path, s.data, s.len);
    axl__str_free(&s);
    return status;
}
