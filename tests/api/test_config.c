/* SPDX-License-Identifier: Apache-2.0 */
/* test_config.c - configs as a host meets them: values, defaults, diagnostics, overrides, dumps. */
#include "testing.h"

#include <sys/stat.h>
#include <unistd.h>

/* The least that is a config; tests add lines. */
#define BASE                                                                                       \
    "base_model: m\n"                                                                              \
    "datasets: [{path: d.json, type: alpaca}]\n"                                                   \
    "adapter: lora\n"                                                                              \
    "lora_r: 8\n"                                                                                  \
    "lora_alpha: 16\n"                                                                             \
    "lora_target_linear: true\n"                                                                   \
    "learning_rate: 2e-5\n"                                                                        \
    "micro_batch_size: 2\n"
#define MIN BASE "gradient_accumulation_steps: 1\n"
#define TYPES                                                                                      \
    "alpaca, alpaca_chat, alpaca_chat.load_concise, alpaca_chat.load_qa, "                         \
    "alpaca_chat.load_camel_ai, alpaca_chat.load_no_prompt, alpaca_instruct, "                     \
    "alpaca_instruct.load_no_prompt, alpaca_w_system, alpaca_w_system.load_chat, "                 \
    "alpaca_w_system.load_instruct, alpaca_w_system.load_open_orca, "                              \
    "alpaca_w_system.load_open_orca_chatml, gpteacher, oasst, jeopardy, explainchoice, "           \
    "concisechoice, summarizetldr, orcamini, context_qa, context_qa.load_404, "                    \
    "context_qa.load_v2, creative_acr.load_answer, creative_acr.load_critique, "                   \
    "creative_acr.load_revise, reflection, metharme, input_output, pygmalion, "                    \
    "llama2_chat, messages, completion, pretrain, chat_template, _synthetic"
/* The lines that MIN has; a line added to it is number LINE + 1. */
enum { LINE = 9 };

typedef struct parsed {
    axl_context *ctx;
    axl_config *cfg;
    axl_diagnostics *diags;
    axl_status status;
} parsed;

static parsed parse_with(const char *text, const char *const *overrides, size_t n)
{
    parsed p = { .ctx = test_context() };
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;

    o.overrides = overrides;
    o.n_overrides = n;
    o.diagnostics = &p.diags;
    p.status = axl_config_parse(&p.cfg, p.ctx, text, strlen(text), "c.yml", &o);
    return p;
}

static parsed parse(const char *text)
{
    return parse_with(text, NULL, 0);
}

static void drop(parsed *p)
{
    axl_config_free(p->cfg);
    axl_diagnostics_free(p->diags);
    axl_context_free(p->ctx);
}

/* The texts of all diagnostics are these, in order. */
static void assert_says(const parsed *p, const char *const *lines, size_t n)
{
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;

    for (size_t i = 0; i < n || i < axl_diagnostics_count(p->diags); i++) {
        const char *got = axl_diagnostics_get(p->diags, i, &d) == AXL_OK ? d.text : "(no more)";
        if (i >= n)
            fail_msg("not expected: %s", got);
        assert_string_equal(got, lines[i]);
    }
}

static void check(const char *text, const char *line)
{
    parsed p = parse(text);

    assert_says(&p, &line, line ? 1 : 0);
    drop(&p);
}

static const char *string_of(const parsed *p, const char *key)
{
    const char *text = NULL;
    axl_status status = axl_config_get_string(p->cfg, key, &text);

    return status == AXL_OK ? text : status == AXL_END ? "(end)" : axl_last_error();
}

static void test_config__fills_in_defaults(void **state)
{
    static const char *const pairs[][2] = {
        { "learning_rate", "2e-05" },
        { "sequence_len", "512" },
        { "seed", "42" },
        { "optimizer", "adamw_torch" },
        { "lr_scheduler", "cosine" },
        { "adam_beta2", "(end)" },
        { "max_grad_norm", "1.0" },
        { "num_epochs", "1.0" },
        { "output_dir", "./model-out" },
        { "save_total_limit", "4" },
        { "save_strategy", "epoch" },
        { "eval_strategy", "no" },
        { "eval_batch_size", "2" },
        { "tokenizer_config", "m" },
        { "bf16", "auto" },
        { "datasets[0].path", "d.json" },
        { "device", "cpu" },
        { "warmup_steps", "(end)" },
        { "datasets[1].path", "(end)" },
        { "special_tokens.pad_token", "(end)" },
        { "datasets", "datasets is not a single value but a list" },
        { "lora_rank", "unknown key \"lora_rank\"; did you mean \"lora_r\"?" },
    };
    parsed p = parse(MIN);

    (void)state;
    assert_ok(p.status);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_string_equal(string_of(&p, pairs[i][0]), pairs[i][1]);
    drop(&p);
}

#define RELORA                                                                                     \
    MIN "adapter: lora\nlora_r: 8\nlora_alpha: 16\nlora_target_linear: true\nrelora: true\n"       \
        "jagged_restart_steps: 10\n"

/* What follows from other keys is in the effective config, not where it is read. */
static void test_config__derives_what_restarts_prune(void **state)
{
    static const char *const cases[][3] = {
        { MIN, "(end)", "(end)" },
        { RELORA, "magnitude", "0.9" },
        { RELORA "relora_prune_method: reset\n", "reset", "0.999" },
        { RELORA "relora_prune_method: reset\nrelora_prune_ratio: 0.5\n", "reset", "0.5" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parsed p = parse(cases[i][0]);
        assert_ok(p.status);
        assert_string_equal(string_of(&p, "relora_prune_method"), cases[i][1]);
        assert_string_equal(string_of(&p, "relora_prune_ratio"), cases[i][2]);
        drop(&p);
    }
}

static void test_config__gives_typed_values(void **state)
{
    parsed p = parse(MIN "lora_target_modules: [q_proj, v_proj]\nbf16: false\nsave_steps: 0.1\n"
                         "special_tokens: {pad_token: '</s>'}\n");
    int64_t i;
    double d;
    int b;
    size_t n;
    uint32_t line, column;

    (void)state;
    assert_ok(p.status);
    assert_ok(axl_config_get_int(p.cfg, "micro_batch_size", &i));
    assert_int_equal(i, 2);
    assert_ok(axl_config_get_double(p.cfg, "learning_rate", &d));
    assert_true(d == 2e-5);
    assert_ok(axl_config_get_double(p.cfg, "lora_r", &d));
    assert_true(d == 8);
    assert_ok(axl_config_get_bool(p.cfg, "bf16", &b));
    assert_int_equal(b, 0);
    assert_ok(axl_config_get_count(p.cfg, "lora_target_modules", &n));
    assert_int_equal(n, 2);
    assert_string_equal(string_of(&p, "lora_target_modules[1]"), "v_proj");
    assert_string_equal(string_of(&p, "special_tokens.pad_token"), "</s>");
    assert_fails(axl_config_get_int(p.cfg, "save_steps", &i), AXL_ERR_INVALID,
                 "save_steps is not an integer but the number 0.1");
    assert_fails(axl_config_get_bool(p.cfg, "seed", &b), AXL_ERR_INVALID, "true or false");
    assert_int_equal(axl_config_get_int(p.cfg, "max_steps", &i), AXL_END);
    assert_ok(axl_config_get_source(p.cfg, "lora_target_modules[1]", &line, &column));
    assert_true(line == LINE + 1 && column == 31);
    assert_ok(axl_config_get_source(p.cfg, "special_tokens.pad_token", &line, &column));
    assert_true(line == LINE + 4 && column == 18);
    assert_ok(axl_config_get_source(p.cfg, "seed", &line, &column));
    assert_true(line == 0 && column == 0);
    assert_fails(axl_config_get_int(NULL, "seed", &i), AXL_ERR_INVALID, "axl_config");
    assert_fails(axl_config_get_int(p.cfg, "seed", NULL), AXL_ERR_INVALID, "out");
    drop(&p);
}

static void test_config__names_unknown_keys(void **state)
{
    (void)state;
    check(MIN "lora_rank: 8\n", "c.yml:10:1: error: lora_rank: unknown key \"lora_rank\"; did you "
                                "mean \"lora_r\"? [AXL-C0201]");
    check(MIN "qqqqqqqq: 8\n", "c.yml:10:1: error: qqqqqqqq: unknown key \"qqqqqqqq\" [AXL-C0201]");
    check(MIN "special_tokens: {pad_tok: x}\n",
          "c.yml:10:18: error: special_tokens.pad_tok: unknown key \"pad_tok\"; did you mean "
          "\"pad_token\"? [AXL-C0201]");
    check(MIN "pad_token: x\n", "c.yml:10:1: error: pad_token: unknown key \"pad_token\"; did you "
                                "mean \"special_tokens.pad_token\"? [AXL-C0201]");
    check(MIN "lora_rank: 8\naxl: {unknown_keys: warn}\n",
          "c.yml:10:1: warning: lora_rank: unknown key \"lora_rank\"; did you mean \"lora_r\"? "
          "[AXL-C0201]");
    check(MIN "adam_eps: 1e-8\n", "c.yml:10:1: warning: adam_eps: ignored: Axolotl does not read "
                                  "it either; use adam_epsilon [AXL-C0214]");
}

static void test_config__converts_or_names_types(void **state)
{
    parsed p = parse(MIN "sequence_len: '1024'\nseed: 7.0\nnum_epochs: 3\nsample_packing: 'Yes'\n"
                         "lora_dropout: '1e-1'\noutput_dir: 2e5\n"
                         "excess_length_strategy: TRUNCATE\n");

    (void)state;
    assert_ok(p.status);
    assert_string_equal(string_of(&p, "sequence_len"), "1024");
    assert_string_equal(string_of(&p, "seed"), "7");
    assert_string_equal(string_of(&p, "num_epochs"), "3.0");
    assert_string_equal(string_of(&p, "sample_packing"), "true");
    assert_string_equal(string_of(&p, "eval_sample_packing"), "true");
    assert_string_equal(string_of(&p, "lora_dropout"), "0.1");
    assert_string_equal(string_of(&p, "output_dir"), "2e5");
    assert_string_equal(string_of(&p, "excess_length_strategy"), "truncate");
    drop(&p);
    check(MIN "sequence_len: long\n", "c.yml:10:15: error: sequence_len: expected an integer, "
                                      "found the text \"long\" [AXL-C0202]");
    check(MIN "seed: 3.5\n", "c.yml:10:7: error: seed: expected an integer, found the number 3.5 "
                             "[AXL-C0202]");
    check(MIN "seed: 99999999999999999999\n",
          "c.yml:10:7: error: seed: expected an integer, found the integer 99999999999999999999 "
          "[AXL-C0202]");
    check(MIN "seed: true\n",
          "c.yml:10:7: error: seed: expected an integer, found true [AXL-C0202]");
    check(MIN "save_total_limit: false\n", NULL);
    check(MIN "output_dir: 12\n", "c.yml:10:13: error: output_dir: expected a text, found the "
                                  "integer 12 (put it in quotes) [AXL-C0202]");
    check(MIN "save_strategy: no\n", "c.yml:10:16: error: save_strategy: expected a text, found "
                                     "false (put it in quotes) [AXL-C0202]");
    check(MIN "special_tokens: [a]\n", "c.yml:10:1: error: special_tokens: expected a mapping, "
                                       "found a list [AXL-C0202]");
    check(MIN "lora_target_modules: [q_proj, 3]\n",
          "c.yml:10:31: error: lora_target_modules[1]: expected a text, found the integer 3 (put "
          "it in quotes) [AXL-C0202]");
    check(MIN "sample_packing: maybe\n", "c.yml:10:17: error: sample_packing: expected true or "
                                         "false, found the text \"maybe\" [AXL-C0202]");
}

static void test_config__keeps_numbers_in_range(void **state)
{
    (void)state;
    check(MIN "sequence_len: 0\n",
          "c.yml:10:15: error: sequence_len: must be >= 1, found 0 [AXL-C0203]");
    check(MIN "lora_dropout: 1.0\n",
          "c.yml:10:15: error: lora_dropout: must be in [0, 1), found 1.0 [AXL-C0203]");
    check(MIN "warmup_ratio: 1.5\n",
          "c.yml:10:15: error: warmup_ratio: must be in [0, 1], found 1.5 [AXL-C0203]");
    check(MIN "weight_decay: .nan\n",
          "c.yml:10:15: error: weight_decay: must be a finite number, found .nan [AXL-C0203]");
    check(MIN "val_set_size: 1\n",
          "c.yml:10:15: error: val_set_size: must be a share below 1 or a whole number of rows "
          "above 1, found 1 [AXL-C0311]");
    check(MIN "val_set_size: 100\n", NULL);
}

/* Whether a key of an entry is read is a question to its type. */
static void test_config__answers_by_the_type_of_the_data(void **state)
{
#define ENTRY(members)                                                                             \
    "{base_model: m, micro_batch_size: 1, gradient_accumulation_steps: 1, learning_rate: 1.0,\n"   \
    "datasets: [{path: p, " members "}]}\n"
    (void)state;
    check(ENTRY("type: completion, field: body"), NULL);
    check(ENTRY("type: alpaca, field: body"),
          "c.yml:2:36: warning: datasets[0].field: no effect here: alpaca data does not read it "
          "[AXL-C0211]");
    check(ENTRY("type: 'alpaca:chat', roles_to_train: [a]"),
          "c.yml:2:43: warning: datasets[0].roles_to_train: no effect here: alpaca data does not "
          "read it [AXL-C0211]");
    check(ENTRY("type: completion, message_field_role: from"),
          "c.yml:2:40: warning: datasets[0].message_field_role: no effect here: completion data "
          "does not read it [AXL-C0211]");
    check(ENTRY("type: chat_template, chat_template: jinja"),
          "c.yml:2:58: error: datasets[0].chat_template_jinja: required with chat_template: jinja "
          "[AXL-C0205]");
    check(ENTRY("type: chat_template, roles: {user: [human]}, train_on_eos: last"), NULL);
    check(ENTRY("type: chat_template, train_on_eos: never"),
          "c.yml:2:57: error: datasets[0].train_on_eos: must be one of all, turn, last, none, "
          "found \"never\" [AXL-C0204]");
    check(ENTRY("type: completion, seed: 3"),
          "c.yml:2:40: warning: datasets[0].seed: no effect here: completion data does not read it "
          "[AXL-C0211]");
    check(ENTRY("type: completion, length: 1000"), NULL);
    check(ENTRY("type: {chosen_format: x}"),
          "c.yml:2:29: warning: datasets[0].type.chosen_format: no effect here: user_defined data "
          "does not read it [AXL-C0211]");
    check(ENTRY("type: alpaca_chat, conversation: phi"), NULL);
    check(ENTRY("type: alpaca_chat, conversation: vicuna"),
          "c.yml:2:55: error: datasets[0].conversation: must be one of instruct, chat, chatml, "
          "phi, found \"vicuna\" [AXL-C0204]");
    check(ENTRY("type: alpaca, conversation: vicuna"),
          "c.yml:2:36: warning: datasets[0].conversation: no effect here: alpaca data does not "
          "read it [AXL-C0211]");
    check(ENTRY("type: completion}], eot_tokens: [a], test_datasets: [{path: p, type: alpaca"),
          "c.yml:2:42: warning: eot_tokens: no effect here: completion data does not read it "
          "[AXL-C0211]");
    check(ENTRY("type: alpaca_chat.load"), NULL);
    check(
        ENTRY("type: alpacca"),
        "c.yml:2:28: error: datasets[0].type: there is no data set type \"alpacca\"; did you mean "
        "\"alpaca\"? [AXL-C0204]");
    check(
        ENTRY("type: sharegpt.load_role"),
        "c.yml:2:28: error: datasets[0].type: \"sharegpt.load_role\" is not supported: Axolotl has "
        "none of the kind any more; write type: chat_template, field_messages: conversations, "
        "message_property_mappings: {role: from, content: value} [AXL-C0210]");
    check(ENTRY("type: ebft_pretrain.transform"),
          "c.yml:2:28: error: datasets[0].type: \"ebft_pretrain.transform\" is not supported: it "
          "belongs to rl: ebft, which is not supported [AXL-C0210]");
    check(ENTRY("type: my_code.rows"),
          "c.yml:2:28: error: datasets[0].type: \"my_code.rows\" is not supported: it names a "
          "function in Python, which axl does not run; a host can register one of its own under "
          "the name: axl_dataset_register_type() [AXL-C0210]");
    check(ENTRY("type: messages, chat_template: llama3, field_messages: m"), NULL);
    check(ENTRY("type: tree_of_talk, roles_to_train: [a]"), /* and no word about the second */
          "c.yml:2:28: error: datasets[0].type: \"tree_of_talk\" is not supported: other dataset "
          "types do not exist yet; use " TYPES " [AXL-C0210]");
}

/* What rl and the reward models say decides which types and keys there are. */
static void test_config__knows_the_types_of_a_task(void **state)
{
#define TASK(task, members)                                                                        \
    "{base_model: m, micro_batch_size: 1, gradient_accumulation_steps: 1, learning_rate: "         \
    "1.0, " task ",\n datasets: [{path: p, " members "}]}\n"
    (void)state;
    check(TASK("rl: dpo", "type: chatml.intel"), NULL);
    check(TASK("rl: ipo", "type: chatml"), NULL);
    check(TASK("rl: simpo", "type: {prompt_format: '{prompt}', field_chosen: c}"), NULL);
    check(TASK("rl: dpo", "type: chat_template.default, field_chosen: c, roles: {user: [u]}"),
          NULL);
    check(TASK("rl: orpo", "type: chat_template.argilla"), NULL);
    check(TASK("rl: kto", "type: {completion_format: '{completion}', field_label: l}"), NULL);
    check(TASK("reward_model: true, model_type: AutoModelForSequenceClassification, num_labels: 0",
               "type: bradley_terry.chat_template"),
          NULL);
    check(TASK("process_reward_model: true",
               "type: stepwise_supervised, step_separator: ' ', max_completion_length: 9"),
          NULL);
    check(TASK("rl: dpo", "type: alpaca"),
          "c.yml:2:29: error: datasets[0].type: \"alpaca\" is not supported: it is for texts to "
          "learn, and rl or a reward model is set [AXL-C0210]");
    check(TASK("rl: dpo", "type: chatml.argilla"),
          "c.yml:2:29: error: datasets[0].type: \"chatml.argilla\" is not supported: it belongs to "
          "rl: kto [AXL-C0210]");
    check(TASK("seed: 1", "type: chatml.ultra"),
          "c.yml:2:29: error: datasets[0].type: \"chatml.ultra\" is not supported: it belongs to "
          "rl: dpo, ipo or simpo [AXL-C0210]");
    check(TASK("rl: orpo", "type: chat_template"),
          "c.yml:2:29: error: datasets[0].type: \"chat_template\" is not supported: with rl: orpo "
          "Axolotl loads chat_template.argilla alone [AXL-C0210]");
    check(TASK("rl: kto", "type: my_code.rows"),
          "c.yml:2:29: error: datasets[0].type: \"my_code.rows\" is not supported: it names a "
          "function in Python, which axl does not run [AXL-C0210]");
    check(TASK("process_reward_model: true", "type: steps"),
          "c.yml:2:29: error: datasets[0].type: \"steps\" is not supported: other dataset types do "
          "not exist yet; use stepwise_supervised [AXL-C0210]");
    check(TASK("rl: orpo", "type: {prompt_format: x}"),
          "c.yml:2:23: error: datasets[0].type: required with rl: orpo: chat_template.argilla "
          "[AXL-C0205]");
    check(TASK("reward_model: true", "split: train"),
          "c.yml:2:13: error: datasets[0].type: required with reward_model: true: "
          "bradley_terry.chat_template, bradley_terry.llama3.icr [AXL-C0205]");
    check(TASK("rl: dpo", "type: {field_label: l}"),
          "c.yml:2:30: warning: datasets[0].type.field_label: no effect here: user_defined data "
          "does not read it [AXL-C0211]");
    check(TASK("rl: grpo", "type: ''"),
          "c.yml:1:94: error: rl: \"grpo\" is not supported: with grpo, gdpo and ebft the model "
          "answers while it trains, which axl does not do; use dpo, ipo, simpo, orpo, kto "
          "[AXL-C0210]");
    check(TASK("rl: dpp", "type: ''"),
          "c.yml:1:94: error: rl: must be one of dpo, ipo, simpo, orpo, kto, found \"dpp\"; did "
          "you mean \"dpo\"? [AXL-C0204]");
#undef TASK
}

static void test_config__fills_in_what_the_type_reads(void **state)
{
    parsed p = parse(ENTRY("type: completion}, {path: p, type: alpaca}, "
                           "{path: p, type: {format: '{input}{instruction}'}"));
    const char *text;

    (void)state;
    assert_int_equal(p.status, AXL_OK);
    assert_ok(axl_config_get_string(p.cfg, "datasets[0].field", &text));
    assert_string_equal(text, "text");
    assert_int_equal(axl_config_get_string(p.cfg, "datasets[1].field", &text), AXL_END);
    assert_int_equal(axl_config_get_string(p.cfg, "datasets[1].type.format", &text), AXL_END);
    assert_ok(axl_config_get_string(p.cfg, "datasets[2].type.format", &text));
    assert_string_equal(text, "{input}{instruction}");
    assert_ok(axl_config_get_string(p.cfg, "datasets[2].type.no_input_format", &text));
    assert_string_equal(text, "{instruction} ");
    assert_ok(axl_config_get_string(p.cfg, "datasets[2].type.field_system", &text));
    assert_string_equal(text, "system");
    drop(&p);
}

static void test_config__says_what_it_does_not_do(void **state)
{
    (void)state;
    check(MIN "gptq: true\n",
          "c.yml:10:1: error: gptq: not supported: weights of GPTQ are not read; use the 16-bit "
          "model with load_in_4bit: true [AXL-C0210]");
    check(MIN "rl_beta: 0.1\n", "c.yml:10:1: warning: rl_beta: no effect here: preference training "
                                "does not exist yet [AXL-C0211]");
    check(MIN "trl: {beta: 0.1}\n", "c.yml:10:1: error: trl: not supported: preference training "
                                    "does not exist yet [AXL-C0210]");
    check(MIN "tensor_parallel_size: 1\n", NULL);
    check(MIN "tensor_parallel_size: 2\n",
          "c.yml:10:1: error: tensor_parallel_size: not supported: one process trains; use "
          "tensor_parallel_size: 1 [AXL-C0210]");
    check(MIN "deepspeed: zero3.json\n",
          "c.yml:10:1: warning: deepspeed: no effect here: one process trains [AXL-C0211]");
    check(MIN "tf32: true\n",
          "c.yml:10:1: warning: tf32: no effect here: a CPU has no TF32 [AXL-C0211]");
    check(MIN "wandb_project: p\n", "c.yml:10:1: warning: wandb_project: no effect here: only "
                                    "axl.callbacks.WandB in Python reads it [AXL-C0211]");
    check(MIN "wandb_project:\nwandb_entity: ~\nresume_from_checkpoint:\n", NULL);
    check(MIN "save_safetensors: false\n",
          "c.yml:10:1: error: save_safetensors: refused: weights are always written as safetensors "
          "[AXL-C0213]");
    check(MIN "save_safetensors: true\n", NULL);
    check(MIN "lora_target_modules: '.*_proj'\n", NULL);
    check(MIN "lora_target_modules: '*_proj'\n",
          "c.yml:10:22: error: lora_target_modules: \"*_proj\" is no regular expression: "
          "quantifier does not follow a repeatable item at 0 [AXL-C0317]");
    check(MIN "peft_init_lora_weights: pissa_niter_4\nlora_rank_pattern: {q_proj: 4}\n", NULL);
    check(MIN "peft_init_lora_weights: eva\n",
          "c.yml:10:1: error: peft_init_lora_weights: not supported: it reads the activations of a "
          "data set; use pissa [AXL-C0210]");
    check(MIN "peft_init_lora_weights: pisa\n",
          "c.yml:10:1: error: peft_init_lora_weights: must be one of true, false, gaussian, "
          "orthogonal, pissa, pissa_niter_N (N iterations), olora, loftq [AXL-C0204]");
    check(MIN "peft: {loftq_config: {loftq_bits: 4}}\n", NULL);
    check(MIN "peft: {loftq_config: {loftq_bits: 4}}\nload_in_8bit: true\n",
          "c.yml:10:1: error: peft: loftq_config is with adapter: lora, without load_in_4bit and "
          "load_in_8bit: LoftQ quantises the base itself [AXL-C0318]");
    check(MIN "plugins: [axolotl.integrations.liger.LigerPlugin]\n",
          "c.yml:10:11: warning: plugins[0]: no effect here: axl has its own kernels and logs "
          "[AXL-C0316]");
    check(MIN "plugins: [my.Plugin]\n", "c.yml:10:11: error: plugins[0]: not supported: Python "
                                        "plugins are not loaded [AXL-C0316]");
    check(MIN "fp16: true\n", "c.yml:10:1: warning: fp16: computed as f32 on a CPU [AXL-C0315]");
}

/* The first diagnostic begins with begin and holds the text. */
static void check_first(const char *text, const char *begin, const char *holds)
{
    parsed p = parse(text);
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;

    assert_ok(axl_diagnostics_get(p.diags, 0, &d));
    if (strncmp(d.text, begin, strlen(begin)) != 0 || !strstr(d.text, holds))
        fail_msg("not %s … %s: %s", begin, holds, d.text);
    drop(&p);
}

#define OWN_WEIGHTS                                                                                \
    "base_model: m\ndatasets: [{path: d.json, type: alpaca}]\nlearning_rate: 2e-5\n"               \
    "micro_batch_size: 2\ngradient_accumulation_steps: 1\n"

static void test_config__checks_full_fine_tuning(void **state)
{
    (void)state;
    check(MIN "unfrozen_parameters: [lm_head]\n",
          "c.yml:10:1: error: unfrozen_parameters: needs all weights: remove adapter, which trains "
          "its own alone [AXL-C0318]");
    check(MIN "base_model_config: n\n",
          "c.yml:10:1: error: base_model_config: config.json is read from base_model; lay values "
          "over it with model_config [AXL-C0210]");
    check(MIN "reinit_weights: true\n",
          "c.yml:10:1: error: reinit_weights: an adapter would belong to weights that no file has: "
          "remove adapter [AXL-C0318]");
    check(OWN_WEIGHTS "unfrozen_parameters: [model.layers.1, 'lm_head[2:7]', '.+norm']\n", NULL);
    check(OWN_WEIGHTS "unfrozen_parameters: [lm_head, model.(norm]\n",
          "c.yml:6:32: error: unfrozen_parameters[1]: \"model\\.(norm\" is no regular expression: "
          "missing closing parenthesis at 12 [AXL-C0317]");
    check(OWN_WEIGHTS "unfrozen_parameters: ['model.norm.weight[7:2]']\n",
          "c.yml:6:23: error: unfrozen_parameters[0]: \"model.norm.weight[7:2]\" has a range "
          "without a row: its end must be above its beginning [AXL-C0317]");
    check(
        OWN_WEIGHTS "unfrozen_parameters: [lm_head]\nreinit_weights: true\n",
        "c.yml:7:1: error: reinit_weights: unfrozen_parameters would leave the others random; keep "
        "one of them [AXL-C0318]");
    check(OWN_WEIGHTS "unfrozen_parameters: [lm_head]\nlisa_n_layers: 1\nlisa_step_interval: 2\n",
          "c.yml:6:1: error: unfrozen_parameters: lisa_n_layers trains whole layers; keep one of "
          "them [AXL-C0318]");
    check(OWN_WEIGHTS "reinit_weights: true\nbase_model_config: n\n", NULL);
}

static void test_config__checks_the_optimizer(void **state)
{
    (void)state;
    check(MIN "optimizer: galore_adamw\n",
          "c.yml:10:12: error: optimizer: \"galore_adamw\" is not supported: gradients are not "
          "projected to a low rank here; use adamw_8bit [AXL-C0210]");
    check(MIN "optimizer: ao_adamw_4bit\n",
          "c.yml:10:12: error: optimizer: \"ao_adamw_4bit\" is not supported: Axolotl 0.19 runs it "
          "under another name alone; use adamw_torch_4bit [AXL-C0210]");
    check(MIN "optimizer: adamc\n", NULL);
    check(MIN "optimizer: optimi_adamw\n", NULL);
    check_first(MIN "optimizer: adamw_trch\n",
                "c.yml:10:12: error: optimizer: must be one of adamw_torch, ",
                "did you mean \"adamw_torch\"? [AXL-C0204]");
    check(MIN "optimizer: sgd\noptim_args: {momentum: 0.9, nesterov: true}\n", NULL);
    check(MIN "optimizer: sgd\noptim_args: momentum=0.9, nesterov=True\n", NULL);
    check(MIN "optimizer: sgd\noptim_args: {momentun: 0.9}\n",
          "c.yml:11:14: error: optim_args.momentun: sgd takes momentum, dampening, nesterov, found "
          "\"momentun\"; did you mean \"momentum\"? [AXL-C0330]");
    check(MIN "optim_args: momentum=0.9\n",
          "c.yml:10:1: error: optim_args: adamw_torch takes no optim_args [AXL-C0330]");
    check(MIN "optimizer: sgd\noptim_args: momentum\n",
          "c.yml:11:13: error: optim_args: must be key=value, key=value, found \"momentum\" "
          "[AXL-C0330]");
    check(MIN "optimizer: sgd\nadam_beta2: 0.9\n",
          "c.yml:11:1: warning: adam_beta2: no effect: sgd does not read it [AXL-C0211]");
    check(MIN "loraplus_lr_ratio: 16\nlr_groups: [{name: a, modules: [q_proj], lr: 1e-4}]\n",
          "c.yml:11:1: error: lr_groups: loraplus_lr_ratio is set too; keep one [AXL-C0333]");
    check(MIN "lr_groups: [{name: a, modules: [q_proj]}]\n",
          "c.yml:10:13: error: lr_groups[0].lr: required [AXL-C0205]");
    check(MIN "loraplus_lr_ratio: 16\nweight_decay: 0.1\n",
          "c.yml:11:1: warning: weight_decay: no effect: with loraplus_lr_ratio Axolotl leaves it "
          "out [AXL-C0211]");
    check(MIN "embedding_lr: 1e-5\nembedding_lr_scale: 0.5\n",
          "c.yml:10:1: warning: embedding_lr: no effect: embedding_lr_scale is set too and wins "
          "[AXL-C0211]");
}

static void test_config__rewrites_deprecated_spellings(void **state)
{
    parsed p = parse(MIN "flash_attention: true\nevaluation_strategy: epoch\nval_set_size: 0.1\n"
                         "bfloat16: true\nlora_target_modules: q_proj\n"
                         "gradient_checkpointing: offload\n");
    static const char *const lines[] = {
        "c.yml:10:1: warning: flash_attention: deprecated; use attn_implementation: "
        "flash_attention_2 (no effect here: axl's own attention always keeps packed samples apart) "
        "[AXL-C0212]",
        "c.yml:11:1: warning: evaluation_strategy: deprecated; use eval_strategy [AXL-C0212]",
        "c.yml:13:1: warning: bfloat16: deprecated; use bf16 [AXL-C0212]",
        ("c.yml:15:25: warning: gradient_checkpointing: \"offload\" means true here: activations "
         "are in host memory [AXL-C0319]"),
    };

    (void)state;
    assert_ok(p.status);
    assert_says(&p, lines, 4);
    assert_string_equal(string_of(&p, "attn_implementation"), "flash_attention_2");
    assert_string_equal(string_of(&p, "flash_attention"), "(end)");
    assert_string_equal(string_of(&p, "eval_strategy"), "epoch");
    assert_string_equal(string_of(&p, "bf16"), "true");
    assert_string_equal(string_of(&p, "lora_target_modules[0]"), "q_proj");
    assert_string_equal(string_of(&p, "gradient_checkpointing"), "true");
    drop(&p);
    static const char *const both[] = {
        "c.yml:10:1: error: sdp_attention: attn_implementation is set too; keep that one "
        "[AXL-C0312]",
        "c.yml:11:1: warning: attn_implementation: no effect here: axl's own attention always "
        "keeps packed samples apart [AXL-C0211]",
    };
    p = parse(MIN "sdp_attention: true\nattn_implementation: sdpa\n");
    assert_says(&p, both, 2);
    drop(&p);
    check(MIN "bfloat16: true\nbf16: auto\n", "c.yml:10:1: warning: bfloat16: deprecated, and "
                                              "ignored because bf16 is set [AXL-C0212]");
    check(MIN "noisy_embedding_alpha: 5\nneftune_noise_alpha: 2\n",
          "c.yml:10:1: error: noisy_embedding_alpha: deprecated, and its successor "
          "neftune_noise_alpha is set too; keep that one [AXL-C0301]");
}

static void test_config__checks_the_bits_of_the_base(void **state)
{
#define FULL                                                                                       \
    "base_model: m\n"                                                                              \
    "datasets: [{path: d.json, type: alpaca}]\n"                                                   \
    "learning_rate: 2e-5\n"                                                                        \
    "micro_batch_size: 2\n"                                                                        \
    "gradient_accumulation_steps: 1\n"
#define QLORA FULL "lora_r: 8\nlora_alpha: 16\nlora_target_linear: true\nadapter: qlora\n"
    (void)state;
    check(MIN "load_in_8bit: true\n", NULL);
    check(QLORA "load_in_4bit: true\nbnb_config_kwargs: {bnb_4bit_quant_type: fp4}\n", NULL);
    check(QLORA, "c.yml:9:1: error: adapter: qlora needs load_in_4bit: true [AXL-C0318]");
    check(QLORA "load_in_8bit: true\n",
          "c.yml:9:1: error: adapter: qlora is with load_in_4bit: true; with load_in_8bit it is "
          "adapter: lora [AXL-C0318]");
    check(MIN "load_in_4bit: true\n",
          "c.yml:3:1: warning: adapter: with load_in_4bit: true the base is quantised, as with "
          "adapter: qlora [AXL-C0211]");
    check(MIN "load_in_4bit: true\nload_in_8bit: true\n",
          "c.yml:11:1: error: load_in_8bit: load_in_4bit is set too; set only one of them "
          "[AXL-C0318]");
    check(FULL "load_in_4bit: true\n",
          "c.yml:6:1: error: load_in_4bit: needs an adapter: weights in 4 or 8 bits are not "
          "trained themselves [AXL-C0318]");
    check(MIN "bnb_config_kwargs: {bnb_4bit_use_double_quant: false}\n",
          "c.yml:10:1: warning: bnb_config_kwargs: no effect here without load_in_4bit: true "
          "[AXL-C0211]");
    check(QLORA "load_in_4bit: true\nbnb_config_kwargs: {bnb_4bit_quant_typ: fp4}\n",
          "c.yml:11:21: error: bnb_config_kwargs.bnb_4bit_quant_typ: unknown key "
          "\"bnb_4bit_quant_typ\"; did you mean \"bnb_4bit_quant_type\"? [AXL-C0201]");
}

static void test_config__checks_keys_together(void **state)
{
    (void)state;
    check(BASE, "c.yml:8:1: error: micro_batch_size: two of micro_batch_size, "
                "gradient_accumulation_steps and batch_size must be set [AXL-C0302]");
    check(MIN "batch_size: 4\n", "c.yml:10:1: error: batch_size: gradient_accumulation_steps is "
                                 "set too; set only one of them [AXL-C0303]");
    check(BASE "batch_size: 5\n", "c.yml:9:13: error: batch_size: must be a multiple of "
                                  "micro_batch_size (2), found 5 [AXL-C0304]");
    check(MIN "warmup_steps: 3\nwarmup_ratio: 0.1\n",
          "c.yml:11:1: error: warmup_ratio: warmup_steps is set too; keep one [AXL-C0306]");
    check(MIN "save_steps: 3\nsave_strategy: epoch\n",
          "c.yml:11:1: error: save_strategy: save_steps is set too; set save_strategy: steps or "
          "remove save_steps [AXL-C0307]");
    check(
        MIN "save_steps: 2.5\n",
        "c.yml:10:13: error: save_steps: must be a share below 1 or a whole number of steps, found "
        "2.5 [AXL-C0203]");
    check(
        MIN "val_set_size: 0.1\neval_steps: 1.5\n",
        "c.yml:11:13: error: eval_steps: must be a share below 1 or a whole number of steps, found "
        "1.5 [AXL-C0203]");
    check(
        MIN "save_steps: 1.0e+20\n",
        "c.yml:10:13: error: save_steps: must be a share below 1 or a whole number of steps, found "
        "1.0e+20 [AXL-C0203]");
    check(MIN "val_set_size: 0.1\nsave_steps: 0.5\neval_steps: 4.0\n", NULL);
    check(MIN "val_set_size: 0\neval_steps: 3\n",
          "c.yml:11:1: error: eval_steps: there is nothing to evaluate on: val_set_size is 0 and "
          "test_datasets is not set [AXL-C0309]");
    check(MIN "evals_per_epoch: 2\n", "c.yml:10:1: warning: evals_per_epoch: no effect: neither "
                                      "val_set_size nor test_datasets is set [AXL-C0309]");
    check(MIN "val_set_size: 0.1\ntest_datasets: [{path: t, type: alpaca}]\n",
          "c.yml:11:1: error: test_datasets: val_set_size is set too; validate on one of them "
          "[AXL-C0310]");
    check("a: [\n", "c.yml:2:1: error: YAML: did not find expected node content [AXL-C0101]");
}

static void test_config__checks_the_schedule(void **state)
{
    (void)state;
    check(MIN "lr_scheduler: cosin\n", "c.yml:10:15: error: lr_scheduler: must be one of cosine, "
                                       "linear, constant, constant_with_warmup, polynomial, "
                                       "cosine_with_restarts, inverse_sqrt, cosine_with_min_lr, "
                                       "cosine_warmup_with_min_lr, warmup_stable_decay, "
                                       "reduce_lr_on_plateau, rex, one_cycle, found \"cosin\"; did "
                                       "you mean \"cosine\"? [AXL-C0204]");
    check(MIN "lr_scheduler: linear\nlr_scheduler_kwargs: {num_cycles: 2}\n",
          "c.yml:11:23: error: lr_scheduler_kwargs.num_cycles: lr_scheduler: linear takes no "
          "settings [AXL-C0331]");
    check(MIN "lr_scheduler: polynomial\nlr_scheduler_kwargs: {pover: 2}\n",
          "c.yml:11:23: error: lr_scheduler_kwargs.pover: unknown key \"pover\"; did you mean "
          "\"power\"? [AXL-C0201]");
    check(MIN "lr_scheduler: polynomial\nlr_scheduler_kwargs: {lr_end: 1.5}\n",
          "c.yml:11:31: error: lr_scheduler_kwargs.lr_end: must be below learning_rate (2e-5), "
          "found 1.5 [AXL-C0331]");
    check(MIN "lr_scheduler: cosine_with_min_lr\n",
          "c.yml: error: lr_scheduler_kwargs: one of min_lr and min_lr_rate must be set with this "
          "lr_scheduler [AXL-C0331]");
    check(MIN "lr_scheduler: reduce_lr_on_plateau\n",
          "c.yml:10:1: error: lr_scheduler: reduce_lr_on_plateau follows evaluations: set "
          "val_set_size or test_datasets, and no eval_strategy: no [AXL-C0331]");
    check(MIN "cosine_min_lr_ratio: 0.1\nlr_scheduler_kwargs: {num_cycles: 1}\n",
          "c.yml:11:23: error: lr_scheduler_kwargs.num_cycles: lr_scheduler: cosine with "
          "cosine_min_lr_ratio or lr_quadratic_warmup takes no settings [AXL-C0331]");
    check(MIN "lr_scheduler: linear\ncosine_min_lr_ratio: 0.1\n",
          "c.yml:11:1: warning: cosine_min_lr_ratio: no effect here: only cosine and rex read it "
          "[AXL-C0211]");
    check(MIN "jagged_restart_warmup_steps: 5\n",
          "c.yml:10:1: warning: jagged_restart_warmup_steps: no effect here: jagged_restart_steps "
          "is not set [AXL-C0211]");
}

static void test_config__asks_for_what_is_missing(void **state)
{
    static const char *const lines[] = {
        "c.yml:1:12: error: datasets[0].path: required: a file, a folder or a Hub id [AXL-C0205]",
        "c.yml: error: base_model: required: a folder or a Hub id [AXL-C0205]",
        "c.yml: error: learning_rate: required [AXL-C0205]",
        ("c.yml: error: micro_batch_size: two of micro_batch_size, gradient_accumulation_steps and "
         "batch_size must be set [AXL-C0302]"),
    };
    parsed p = parse("datasets: [{}]\n");
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;

    (void)state;
    assert_int_equal(p.status, AXL_ERR_CONFIG);
    assert_null(p.cfg);
    assert_string_equal(axl_last_error(), "c.yml:1:12: error: datasets[0].path: required: a file, "
                                          "a folder or a Hub id [AXL-C0205] (and 3 more errors)");
    assert_says(&p, lines, 4);
    assert_int_equal(axl_diagnostics_error_count(p.diags), 4);
    assert_ok(axl_diagnostics_get(p.diags, 2, &d));
    assert_string_equal(d.id, "AXL-C0205");
    assert_string_equal(d.file, "c.yml");
    assert_string_equal(d.key, "learning_rate");
    assert_string_equal(d.message, "required");
    assert_int_equal(d.severity, AXL_SEVERITY_ERROR);
    assert_int_equal(d.line, 0);
    assert_int_equal(axl_diagnostics_get(p.diags, 6, &d), AXL_END);
    d.size = 4;
    assert_fails(axl_diagnostics_get(p.diags, 0, &d), AXL_ERR_ABI, "_INIT");
    drop(&p);
}

static void test_config__derives_values(void **state)
{
    parsed p = parse(BASE "batch_size: 8\nsample_packing: true\nval_set_size: 0.1\n"
                          "saves_per_epoch: 2\nmax_steps: 0\n");

    (void)state;
    assert_ok(p.status);
    assert_string_equal(string_of(&p, "gradient_accumulation_steps"), "4");
    assert_string_equal(string_of(&p, "batch_size"), "(end)");
    assert_string_equal(string_of(&p, "pad_to_sequence_len"), "true");
    assert_string_equal(string_of(&p, "eval_sample_packing"), "true");
    assert_string_equal(string_of(&p, "eval_strategy"), "epoch");
    assert_string_equal(string_of(&p, "save_strategy"), "steps");
    assert_string_equal(string_of(&p, "max_steps"), "(end)");
    drop(&p);
}

static void test_config__takes_overrides(void **state)
{
    static const char *const good[] = {
        "learning-rate=1e-3",
        "datasets[0].path=other.json",
        "datasets[1].path=b.json",
        "datasets[1].type=alpaca",
        "lora_target_modules=[q_proj, k_proj]",
        "axl.threads=3",
        "special_tokens={pad_token: x}",
        "seed=none",
        "output_dir=123",
        "sample_packing=yes",
        "base_model=a=b",
        "lora_target_linear=false",
    };
    static const char *const bad[] = { "lora_rank=3", "datasets[5].path=x", "sequence_len=x",
                                       "learning_rate.x=3", "a..b=2" };
    static const char *const lines[] = {
        "c.yml: error: datasets[5].path: the list is shorter than that [AXL-C0120]",
        ("c.yml: error: learning_rate.x: the value before the last part is not a mapping "
         "[AXL-C0120]"),
        "c.yml: error: a..b: is no key: write a.b or a[0].b [AXL-C0120]",
        "c.yml: error: lora_rank: unknown key \"lora_rank\"; did you mean \"lora_r\"? (given as an "
        "override) [AXL-C0201]",
        "c.yml: error: sequence_len: expected an integer, found the text \"x\" (given as an "
        "override) [AXL-C0202]",
    };
    parsed p = parse_with(MIN "seed: 7\n", good, sizeof good / sizeof good[0]);

    (void)state;
    assert_ok(p.status);
    assert_string_equal(string_of(&p, "learning_rate"), "0.001");
    assert_string_equal(string_of(&p, "datasets[0].path"), "other.json");
    assert_string_equal(string_of(&p, "datasets[1].path"), "b.json");
    assert_string_equal(string_of(&p, "lora_target_modules[1]"), "k_proj");
    assert_string_equal(string_of(&p, "axl.threads"), "3");
    assert_string_equal(string_of(&p, "special_tokens.pad_token"), "x");
    assert_string_equal(string_of(&p, "seed"), "42"); /* null counts as absent */
    assert_string_equal(string_of(&p, "output_dir"), "123");
    assert_string_equal(string_of(&p, "sample_packing"), "true");
    assert_string_equal(string_of(&p, "base_model"), "a=b");
    drop(&p);
    p = parse_with(MIN, bad, 5);
    assert_int_equal(p.status, AXL_ERR_CONFIG);
    assert_says(&p, lines, 5);
    drop(&p);
    p = parse_with(MIN, (const char *const[]){ "novalue" }, 1);
    assert_int_equal(p.status, AXL_ERR_INVALID);
    assert_null(p.diags);
    drop(&p);
}

static void assert_round_trip(const parsed *p, uint32_t form)
{
    axl_buffer first = AXL_BUFFER_INIT, second = AXL_BUFFER_INIT;
    axl_config *again;

    assert_ok(axl_config_dump(p->cfg, form, &first));
    assert_ok(axl_config_parse(&again, p->ctx, first.data, first.length, NULL, NULL));
    assert_ok(axl_config_dump(again, form, &second));
    assert_string_equal(first.data, second.data);
    axl_buffer_free(&first);
    axl_buffer_free(&second);
    axl_config_free(again);
}

static void test_config__dumps_what_parses_again(void **state)
{
    parsed p = parse(BASE "batch_size: 8\nsample_packing: true\nval_set_size: 0.1\n"
                          "flash_attention: true\nsaves_per_epoch: 2\nevals_per_epoch: 3\n"
                          "special_tokens: {pad_token: '</s>', eos_token: \"a\\nb: \\\"#\"}\n"
                          "lora_target_modules: [q_proj, 'yes', '1e5', 'a b', '2001-01-01', '']\n"
                          "output_dir: \"\xC3\xA4 \xF0\x9F\x98\x80\"\nweight_decay: 0.1\n"
                          "plugins: []\nwandb_name: 'null'\nadam_epsilon: 1.5e-9\n");
    axl_buffer b = AXL_BUFFER_INIT;

    (void)state;
    assert_ok(p.status);
    assert_round_trip(&p, AXL_CONFIG_YAML);
    assert_round_trip(&p, AXL_CONFIG_JSON);
    assert_fails(axl_config_dump(p.cfg, 7, &b), AXL_ERR_INVALID, "form");
    drop(&p);
    p = parse(MIN);
    assert_ok(axl_config_dump(p.cfg, AXL_CONFIG_JSON, &b));
    assert_non_null(
        strstr(b.data, "\"datasets\": [{\"path\": \"d.json\", \"type\": \"alpaca\"}], "));
    assert_non_null(strstr(b.data, "\"learning_rate\": 2e-05, "));
    assert_round_trip(&p, AXL_CONFIG_YAML);
    axl_buffer_free(&b);
    drop(&p);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_config__opens_files_and_folders(void **state)
{
    axl_context *ctx = test_context();
    axl_config *cfg;
    char dir[256], one[300], two[300], expected[400];

    (void)state;
    snprintf(dir, sizeof dir, "%s/configs", test_temp_dir());
    snprintf(one, sizeof one, "%s/one.yml", dir);
    snprintf(two, sizeof two, "%s/two.yaml", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_fails(axl_config_open(&cfg, ctx, one, NULL), AXL_ERR_NOT_FOUND, "one.yml");
    assert_null(cfg);
    assert_fails(axl_config_open(&cfg, ctx, dir, NULL), AXL_ERR_NOT_FOUND, "no .yml");
    write_file(one, MIN);
    assert_ok(axl_config_open(&cfg, ctx, one, NULL));
    axl_config_free(cfg);
    assert_ok(axl_config_open(&cfg, ctx, dir, NULL));
    axl_context_free(ctx); /* the config keeps its own reference */
    ctx = test_context();
    axl_config_free(cfg);
    write_file(two, "x: 1\n");
    assert_fails(axl_config_open(&cfg, ctx, dir, NULL), AXL_ERR_INVALID, "2 YAML files");
    snprintf(expected, sizeof expected, "%s:1:1: error: x: unknown key", two);
    assert_fails(axl_config_open(&cfg, ctx, two, NULL), AXL_ERR_CONFIG, "error: ");
    assert_non_null(strstr(axl_last_error(), expected));
    axl_context_free(ctx);
    unlink(one);
    unlink(two);
    rmdir(dir);
    rmdir(test_temp_dir());
}

static void test_config__reads_the_shared_examples(void **state)
{
    static const char *const overrides[] = { "load_in_8bit=false", "optimizer=adamw_torch" };
    const char *original = test_shared_path("original.yml");
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_context *ctx = test_context();
    axl_config *cfg;

    (void)state;
    if (!original) {
        axl_context_free(ctx);
        print_message("the shared examples are not there\n");
        skip();
    }
    o.overrides = overrides;
    o.n_overrides = 2;
    assert_ok(axl_config_open(&cfg, ctx, original, &o));
    axl_config_free(cfg);
    assert_ok(axl_config_open(&cfg, ctx, test_shared_path("golden.yml"), NULL));
    axl_config_free(cfg);
    axl_context_free(ctx);
}

typedef struct failing {
    long left; /* allocations until one fails; negative: none does */
} failing;

static void *failing_realloc(void *user, void *block, size_t size)
{
    failing *f = user;

    if (f->left == 0)
        return NULL;
    f->left -= f->left > 0;
    return realloc(block, size);
}

static void *failing_alloc(void *user, size_t size)
{
    return failing_realloc(user, NULL, size);
}

static void failing_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static void test_config__survives_every_failed_allocation(void **state)
{
    static const char *const overrides[] = { "datasets[1].path=x", "datasets[1].type=alpaca",
                                             "lora_target_modules=[a]" };
    static const char text[] = MIN "a: &a {x: 1}\nflash_attention: true\nb: {<<: *a}\n"
                                   "axl: {unknown_keys: warn}\nbatch: 3\ntf32: true\n";
    failing f = { -1 };
    axl_context_options co = AXL_CONTEXT_OPTIONS_INIT;
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_context *ctx;
    axl_status status = AXL_ERR_NOMEM;
    long n = 0;

    (void)state;
    co.alloc = failing_alloc;
    co.realloc = failing_realloc;
    co.free = failing_free;
    co.alloc_user = &f;
    co.threads = 1;
    assert_ok(axl_context_new(&ctx, &co));
    o.overrides = overrides;
    o.n_overrides = 3;
    for (; status == AXL_ERR_NOMEM && n < 10000; n++) {
        axl_config *cfg;
        axl_diagnostics *diags;
        axl_buffer b = AXL_BUFFER_INIT;
        o.diagnostics = &diags;
        f.left = n;
        status = axl_config_parse(&cfg, ctx, text, strlen(text), "f.yml", &o);
        assert_true(status == AXL_OK || status == AXL_ERR_NOMEM);
        if (status == AXL_OK)
            status = axl_config_dump(cfg, AXL_CONFIG_YAML, &b);
        axl_buffer_free(&b);
        axl_config_free(cfg);
        axl_diagnostics_free(diags);
    }
    assert_ok(status);
    assert_true(n > 5);
    f.left = -1;
    axl_context_free(ctx);
}

static void test_config__lists_its_schema(void **state)
{
    axl_config_key_info k = AXL_CONFIG_KEY_INFO_INIT;

    (void)state;
    assert_true(axl_config_schema_count() > 500);
    for (size_t i = 0; i < axl_config_schema_count(); i++)
        assert_ok(axl_config_schema_get(i, &k));
    assert_int_equal(axl_config_schema_get(axl_config_schema_count(), &k), AXL_END);
    assert_ok(axl_config_schema_find("lora_r", &k));
    assert_string_equal(k.type, "int");
    assert_string_equal(k.range, ">= 1");
    assert_int_equal(k.answer, AXL_ANSWER_IMPLEMENTED);
    assert_ok(axl_config_schema_find("datasets[3].type", &k));
    assert_string_equal(k.name, "datasets[].type");
    assert_string_equal(k.type, "str|map");
    assert_ok(axl_config_schema_find("flash_attention", &k));
    assert_int_equal(k.answer, AXL_ANSWER_DEPRECATED);
    assert_fails(axl_config_schema_find("lora_rank", &k), AXL_ERR_NOT_FOUND, "lora_r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config__fills_in_defaults),
        cmocka_unit_test(test_config__derives_what_restarts_prune),
        cmocka_unit_test(test_config__gives_typed_values),
        cmocka_unit_test(test_config__names_unknown_keys),
        cmocka_unit_test(test_config__converts_or_names_types),
        cmocka_unit_test(test_config__keeps_numbers_in_range),
        cmocka_unit_test(test_config__says_what_it_does_not_do),
        cmocka_unit_test(test_config__answers_by_the_type_of_the_data),
        cmocka_unit_test(test_config__knows_the_types_of_a_task),
        cmocka_unit_test(test_config__fills_in_what_the_type_reads),
        cmocka_unit_test(test_config__checks_full_fine_tuning),
        cmocka_unit_test(test_config__checks_the_optimizer),
        cmocka_unit_test(test_config__rewrites_deprecated_spellings),
        cmocka_unit_test(test_config__checks_the_bits_of_the_base),
        cmocka_unit_test(test_config__checks_keys_together),
        cmocka_unit_test(test_config__checks_the_schedule),
        cmocka_unit_test(test_config__asks_for_what_is_missing),
        cmocka_unit_test(test_config__derives_values),
        cmocka_unit_test(test_config__takes_overrides),
        cmocka_unit_test(test_config__dumps_what_parses_again),
        cmocka_unit_test(test_config__opens_files_and_folders),
        cmocka_unit_test(test_config__reads_the_shared_examples),
        cmocka_unit_test(test_config__survives_every_failed_allocation),
        cmocka_unit_test(test_config__lists_its_schema),
    };

    return test_run(tests);
}
