/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data_plan.c - what a config says of its data, in two uses: opening the data sets finds files and
 * opens their prompts, and the cache asks for the key that says what would come out.  See
 * data_plan.h.
 */
#include "data/data_plan.h"

#include "base/map.h"
#include "config/config.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { KEY_MAX = 96 };

static const char *entry_key(char key[KEY_MAX], const axl__data_plan *plan, size_t i,
                             const char *name)
{
    snprintf(key, KEY_MAX, "%s[%zu].%s", plan->list, i, name);
    return key;
}

/* As Axolotl, shards is what counts where both are set. */
static axl_status read_shards(axl__data_entry *e, const axl_config *cfg, const axl__data_plan *plan,
                              size_t i)
{
    char key[KEY_MAX];
    int64_t shards = axl__cfg_int_or(cfg, entry_key(key, plan, i, "shards"), 0);
    int64_t pieces = axl__cfg_int_or(cfg, entry_key(key, plan, i, "preprocess_shards"), 0);
    int64_t index = axl__cfg_int_or(cfg, entry_key(key, plan, i, "shards_idx"), 0);

    if (shards > UINT32_MAX || pieces > UINT32_MAX)
        return axl__fail(AXL_ERR_INVALID, "%s[%zu]: more shards than a data set has rows",
                         plan->list, i);
    if (shards > 0 && index >= shards)
        return axl__fail(AXL_ERR_INVALID, "%s must be below shards, %lld, got %lld", key,
                         (long long)shards, (long long)index);
    e->shards = (uint32_t)shards;
    e->shard = (uint32_t)index;
    e->in_pieces = shards == 0 && pieces > 0;
    if (e->in_pieces)
        e->n_sets = (uint32_t)pieces;
    return AXL_OK;
}

/* Nothing tells what was prepared by a function from what another would. */
static void keep_nothing(axl__data_plan *plan)
{
    axl__free(plan->ctx, plan->cache_dir);
    plan->cache_dir = NULL;
    plan->keep = AXL__KEEP_NEVER;
}

/* What the i-th item of the list says of its type. */
static axl_status init_prompt(axl__data_plan *plan, axl__data_entry *e, const axl_config *cfg,
                              const axl_tokenizer *tok, size_t i)
{
    uint32_t longest = (uint32_t)axl__cfg_int(cfg, "sequence_len");
    char key[KEY_MAX];

    snprintf(key, sizeof key, "%s[%zu]", plan->list, i);
    e->node = axl__cfg_node(cfg, key);
    e->n_sets = 1;
    e->format = axl__cfg_str_or(cfg, entry_key(key, plan, i, "ds_type"), NULL);
    axl__prompt_setup setup = { .ctx = plan->ctx,
                                .tok = tok,
                                .entry = e->node,
                                .cfg = cfg,
                                .day = plan->day,
                                .sequence_len = longest,
                                .long_rule = plan->long_rule,
                                .train_on_inputs = axl__cfg_bool(cfg, "train_on_inputs"),
                                .said = plan->said };
    axl_status status = axl__prompt_open(&e->prompt, &setup);
    if (status != AXL_OK)
        return axl__fail_prefix(status, "%s", entry_key(key, plan, i, "type"));
    return AXL_OK;
}

static axl_status init_entry(axl__data_plan *plan, const axl_config *cfg, const axl_tokenizer *tok,
                             size_t i)
{
    axl__data_entry *e = &plan->entries[i];
    char key[KEY_MAX];

    AXL_TRY(init_prompt(plan, e, cfg, tok, i));
    if (e->prompt.host && !e->prompt.host->version)
        keep_nothing(plan);
    if (e->prompt.type->made_up)
        return AXL_OK;
    AXL_TRY(axl__data_files_find(e, cfg, plan->list, i));
    AXL_TRY(read_shards(e, cfg, plan, i));
    if (strcmp(plan->list, "pretraining_dataset") == 0)
        e->skip = (uint64_t)axl__cfg_int(cfg, entry_key(key, plan, i, "skip"));
    e->ids = axl__calloc(plan->ctx, e->files.n, sizeof *e->ids);
    e->hashes = axl__calloc(plan->ctx, e->files.n, sizeof *e->hashes);
    return e->ids && e->hashes ? AXL_OK : axl__fail_nomem();
}

/* Of validation rows of their own the length rule may have another limit; what a prompt cuts of its
 * texts stays sequence_len's, as in Axolotl. */
static void set_eval_length(axl__data_plan *plan, const axl_config *cfg)
{
    int64_t len = axl__cfg_int_or(cfg, "eval_sequence_len", 0);

    if (strcmp(plan->list, "test_datasets") != 0 || len < 1)
        return;
    plan->sequence_len = len > INT32_MAX ? INT32_MAX : (uint32_t)len;
    plan->length_key = "eval_sequence_len";
}

/* A min_sample_len of 0 means 2: a sample of one token has nothing to predict. */
static axl_status read_settings(axl__data_plan *plan, const axl_config *cfg)
{
    const char *rule = axl__cfg_str(cfg, "excess_length_strategy");
    int64_t sequence_len = axl__cfg_int(cfg, "sequence_len");
    int64_t min_len = axl__cfg_int(cfg, "min_sample_len");

    if (sequence_len < 1 || sequence_len > INT32_MAX)
        return axl__fail(AXL_ERR_INVALID, "sequence_len must be from 1 to 2147483647");
    plan->sequence_len = (uint32_t)sequence_len;
    plan->length_key = "sequence_len";
    set_eval_length(plan, cfg);
    plan->min_len = min_len > 0 ? min_len > INT32_MAX ? INT32_MAX : (uint32_t)min_len : 2;
    plan->long_rule = axl__ascii_casecmp(rule, "truncate") == 0 ? AXL__LONG_TRUNCATE
                      : axl__ascii_casecmp(rule, "raise") == 0  ? AXL__LONG_RAISE
                                                                : AXL__LONG_DROP;
    plan->task = axl__config_task(cfg);
    plan->seed = (uint64_t)axl__cfg_int(cfg, "seed");
    plan->shuffle = axl__cfg_bool(cfg, "shuffle_merged_datasets");
    plan->shuffle_each = axl__cfg_bool(cfg, "shuffle_before_merging_datasets");
    plan->curriculum = axl__cfg_bool(cfg, "curriculum_sampling");
    plan->deduplicate = axl__cfg_bool(cfg, "dataset_exact_deduplication");
    return AXL_OK;
}

char *axl__data_prepared_dir(const axl_config *cfg)
{
    axl_context *ctx = axl__config_context(cfg);
    const char *asked = axl__cfg_str_or(cfg, "dataset_prepared_path", NULL);

    if (asked && *asked)
        return axl__config_path(cfg, asked);
    char *out = axl__config_path(cfg, axl__cfg_str(cfg, "output_dir"));
    char *dir = out ? axl__format(ctx, "%s/prepared", out) : NULL;
    axl__free(ctx, out);
    return dir;
}

/* A folder appears only where it was asked for: in dataset_prepared_path, or below a run's
 * output_dir once it begins.  Who is no run looks there and leaves nothing. */
static axl_status choose_cache(axl__data_plan *plan, const axl_config *cfg, bool for_run)
{
    const char *asked = axl__cfg_str_or(cfg, "dataset_prepared_path", NULL);

    plan->cache_dir = axl__data_prepared_dir(cfg);
    plan->spill_path = axl__strdup(plan->ctx, plan->cache_dir);
    if (!plan->spill_path)
        return axl__fail_nomem();
    plan->keep = asked && *asked ? AXL__KEEP_NOW : for_run ? AXL__KEEP_LATER : AXL__KEEP_NEVER;
    if (plan->keep == AXL__KEEP_NEVER && axl__path_kind_of(plan->cache_dir) != AXL__PATH_DIR) {
        axl__free(plan->ctx, plan->cache_dir); /* so that no key is made for nothing */
        plan->cache_dir = NULL;
    }
    return AXL_OK;
}

static axl_status begin_plan(axl__data_plan *plan, const axl_config *cfg, const char *list,
                             const axl__data_use *use)
{
    memset(plan, 0, sizeof *plan);
    plan->ctx = axl__config_context(cfg);
    plan->cfg = cfg;
    plan->list = list;
    if (use)
        plan->day = use->day;
    AXL_TRY(read_settings(plan, cfg));
    return choose_cache(plan, cfg, use && use->for_run);
}

static axl_status init_plan(axl__data_plan *plan, const axl_config *cfg, const axl_tokenizer *tok,
                            const char *list, const axl__data_use *use, axl__str *said)
{
    size_t n = axl__cfg_count(cfg, list);
    axl_status status = begin_plan(plan, cfg, list, use);
    plan->said = said;
    if (status == AXL_OK && n == 0)
        status = axl__fail(AXL_ERR_INVALID, "%s is not set", list);
    if (status == AXL_OK && !(plan->entries = axl__calloc(plan->ctx, n, sizeof *plan->entries)))
        status = axl__fail_nomem();
    for (size_t i = 0; i < n && status == AXL_OK; i++) {
        plan->n_entries = i + 1;
        status = init_entry(plan, cfg, tok, i);
        plan->n_sets += plan->entries[i].n_sets;
    }
    if (status != AXL_OK)
        axl__data_plan_free(plan);
    return status;
}

axl_status axl__data_plan_init(axl__data_plan *plan, const axl_config *cfg,
                               const axl_tokenizer *tok, const char *list, const axl__data_use *use)
{
    axl__str said;

    axl__str_init(&said, axl__config_context(cfg));
    axl_status status = init_plan(plan, cfg, tok, list, use, use && use->said ? use->said : &said);
    plan->said = NULL;
    axl__str_free(&said);
    return status;
}

/* Records that come one by one have no number of which a shard could be a part. */
static axl_status init_fed_entry(axl__data_plan *plan, const axl_config *cfg,
                                 const axl_tokenizer *tok, size_t i)
{
    axl__data_entry *e = &plan->entries[0];

    plan->n_entries = plan->n_sets = 1;
    AXL_TRY(init_prompt(plan, e, cfg, tok, i));
    if (e->prompt.type->made_up)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s[%zu]: the type %s makes its own samples and "
                         "takes no records",
                         plan->list, i, e->prompt.type->name);
    AXL_TRY(read_shards(e, cfg, plan, i));
    if (e->shards > 0 || e->in_pieces)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s[%zu]: records that are handed over have no "
                         "shards; leave shards and preprocess_shards out and hand over those that "
                         "are meant",
                         plan->list, i);
    return AXL_OK;
}

axl_status axl__data_plan_init_fed(axl__data_plan *plan, const axl_config *cfg,
                                   const axl_tokenizer *tok, const char *list, uint32_t i,
                                   axl__feed *feed)
{
    size_t n = axl__cfg_count(cfg, list);
    axl_status status = begin_plan(plan, cfg, list, NULL);

    keep_nothing(plan);
    plan->feed = feed;
    if (status == AXL_OK && i >= n)
        status = axl__fail(AXL_ERR_INVALID,
                           "there is no %s[%u] to say what the records are: the config has "
                           "%zu data sets",
                           list, i, n);
    if (status == AXL_OK && !(plan->entries = axl__calloc(plan->ctx, 1, sizeof *plan->entries)))
        status = axl__fail_nomem();
    if (status == AXL_OK)
        status = init_fed_entry(plan, cfg, tok, i);
    if (status != AXL_OK)
        axl__data_plan_free(plan);
    return status;
}

void axl__data_plan_free(axl__data_plan *plan)
{
    for (size_t i = 0; i < plan->n_entries; i++) {
        axl__prompt_close(&plan->entries[i].prompt);
        axl__data_files_free(&plan->entries[i], plan->ctx);
        axl__free(plan->ctx, plan->entries[i].ids);
        axl__free(plan->ctx, plan->entries[i].hashes);
    }
    axl__free(plan->ctx, plan->entries);
    axl__free(plan->ctx, plan->cache_dir);
    axl__free(plan->ctx, plan->spill_path);
    memset(plan, 0, sizeof *plan);
}

bool axl__data_plan_has_rules(const axl__data_plan *plan)
{
    return plan->task == AXL__TASK_TEXT || plan->task == AXL__TASK_STEPS;
}

uint32_t axl__data_plan_keeps(const axl__data_plan *plan, uint32_t length)
{
    if (!axl__data_plan_has_rules(plan))
        return length;
    if (length < plan->min_len)
        return 0;
    if (length <= plan->sequence_len)
        return length;
    return plan->long_rule == AXL__LONG_TRUNCATE ? plan->sequence_len : 0;
}

/* ---- the key ---- */

/* 32 bits of CRC above 32 of FNV-1a: chance collisions are the only ones that matter here, since
 * who may change the files may change the cache as well. */
static uint64_t hash_bytes(const void *data, size_t len)
{
    return (uint64_t)crc32_z(0, data, len) << 32 | (uint32_t)axl__hash_bytes(data, len);
}

/* Closes the file. */
static axl_status hash_open_file(axl__file *file, uint64_t *hash)
{
    enum { PIECE = 8 << 20 };
    axl_status status = AXL_OK;

    *hash = 0;
    for (size_t at = 0; at < file->size && status == AXL_OK; at += PIECE) {
        size_t len = file->size - at < PIECE ? file->size - at : PIECE;
        *hash = *hash * 0x9E3779B97F4A7C15u + hash_bytes(file->data + at, len);
        status = axl__cancelled(file->ctx);
    }
    if (status == AXL_OK)
        status = axl__file_unchanged(file);
    axl__file_close(file);
    return status;
}

static axl_status hash_file(axl_context *ctx, const char *path, axl__file_id *id, uint64_t *hash)
{
    axl__file file;

    AXL_TRY(axl__file_open(&file, ctx, path, false));
    *id = file.id;
    return hash_open_file(&file, hash);
}

/* The bytes of the tokenizer's files, and what it does with a text, which shows the options that it
 * was opened with. */
static axl_status put_tokenizer(const axl_tokenizer *tok, axl__str *out)
{
    static const char *const names[] = { "",
                                         "tokenizer.json",
                                         "tokenizer.model",
                                         "spiece.model",
                                         "vocab.txt",
                                         "vocab.json",
                                         "merges.txt",
                                         "tokenizer_config.json",
                                         "special_tokens_map.json",
                                         "added_tokens.json",
                                         "config.json" };
    static const char probe[] = " a  B\n</s> c<s>d\t1234 \xC3\xA9\xF0\x9F\x98\x80.";
    axl_buffer ids = AXL_BUFFER_INIT;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        axl__file file;
        uint64_t hash = 0;
        axl_status status = axl__tokenizer_open_file(tok, names[i], &file);
        if (status == AXL_OK)
            status = hash_open_file(&file, &hash);
        AXL_TRY(status);
        axl__str_putf(out, "tokenizer%s%s %016llx\n", *names[i] ? "/" : "", names[i],
                      (unsigned long long)hash);
    }
    AXL_TRY(axl_tokenizer_encode(tok, probe, sizeof probe - 1, 0, &ids));
    uint64_t hash = hash_bytes(ids.data, ids.length);
    axl__str_putf(out, "tokens %d %d %u %016llx\n", axl_tokenizer_bos(tok), axl_tokenizer_eos(tok),
                  axl_tokenizer_vocab_size(tok), (unsigned long long)hash);
    axl_buffer_free(&ids);
    axl__tokenizer_put_wishes(tok, out);
    return AXL_OK;
}

/* What the config says of these rows: the entries as a whole, so that no setting of a type can be
 * forgotten, and the keys of the whole config that the plan or a prompt reads. */
static void put_settings(const axl__data_plan *plan, axl__str *out)
{
    static const char *const keys[] = { "sequence_len",
                                        "min_sample_len",
                                        "excess_length_strategy",
                                        "seed",
                                        "shuffle_merged_datasets",
                                        "shuffle_before_merging_datasets",
                                        "curriculum_sampling",
                                        "dataset_exact_deduplication",
                                        "train_on_inputs",
                                        "rl",
                                        "reward_model",
                                        "process_reward_model",
                                        "chat_template_kwargs",
                                        "eot_tokens" };

    axl__str_putf(out, "axl %s\n", axl_version());
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        axl__str_putf(out, "%s ", keys[i]);
        axl__yaml_put_canonical(out, axl__cfg_node(plan->cfg, keys[i]));
        axl__str_putc(out, '\n');
    }
    axl__str_putf(out, "longest %u\n", plan->sequence_len);
}

axl_status axl__data_plan_key(axl__data_plan *plan, const axl_tokenizer *tok, axl__str *out)
{
    put_settings(plan, out);
    for (size_t i = 0; i < plan->n_entries; i++) {
        axl__data_entry *e = &plan->entries[i];
        axl__str_puts(out, "data ");
        axl__yaml_put_canonical(out, e->node);
        axl__str_putc(out, '\n');
        if (e->prompt.method->put_key)
            e->prompt.method->put_key(&e->prompt, out);
        for (size_t f = 0; f < e->files.n; f++) {
            AXL_TRY(hash_file(plan->ctx, e->files.paths[f], &e->ids[f], &e->hashes[f]));
            axl__str_putf(out, "file %llu %016llx ", (unsigned long long)e->ids[f].size,
                          (unsigned long long)e->hashes[f]);
            axl__str_put_json(out, e->files.paths[f], strlen(e->files.paths[f]));
            axl__str_putc(out, '\n');
        }
    }
    AXL_TRY(put_tokenizer(tok, out));
    return axl__str_status(out);
}
