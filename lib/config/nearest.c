/* SPDX-License-Identifier: Apache-2.0 */
/* nearest.c - "did you mean": what other tools call a key, then the smallest number of typing
 * slips. */
#include "schema.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* Names of transformers' arguments and of other tools' configs, which are no typing slips and would
 * be found by none. */
static const struct {
    const char *theirs, *ours;
} synonyms[] = {
    { "lora_rank", "lora_r" },
    { "rank", "lora_r" },
    { "lr", "learning_rate" },
    { "epochs", "num_epochs" },
    { "num_train_epochs", "num_epochs" },
    { "steps", "max_steps" },
    { "max_seq_len", "sequence_len" },
    { "max_seq_length", "sequence_len" },
    { "max_length", "sequence_len" },
    { "cutoff_len", "sequence_len" },
    { "seq_len", "sequence_len" },
    { "model", "base_model" },
    { "model_name_or_path", "base_model" },
    { "adapter_name_or_path", "lora_model_dir" },
    { "dataset", "datasets" },
    { "lora_target", "lora_target_modules" },
    { "target_modules", "lora_target_modules" },
    { "per_device_train_batch_size", "micro_batch_size" },
    { "per_device_eval_batch_size", "eval_batch_size" },
    { "lr_scheduler_type", "lr_scheduler" },
    { "packing", "sample_packing" },
    { "gradient_clipping", "max_grad_norm" },
    { "optim", "optimizer" },
    { "random_seed", "seed" },
    { "threads", "axl.threads" },
    { "unknown_keys", "axl.unknown_keys" },
    { "backend", "axl.backend" },
};

/* A quarter to a half of the letters, three at most: more would call unrelated short names near. */
static int slips_allowed(const char *text)
{
    int len = (int)strlen(text);

    return len <= 4 ? 1 : len <= 8 ? 2 : 3;
}

/* Where the last name of a path starts. */
static const char *last_name(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot ? dot + 1 : path;
}

static bool same_parent(const char *a, const char *b)
{
    size_t n = (size_t)(last_name(a) - a);

    return n == (size_t)(last_name(b) - b) && memcmp(a, b, n) == 0;
}

/* A key elsewhere whose last name is the one given: pad_token for special_tokens.pad_token. */
static const char *same_name_elsewhere(const char *name)
{
    for (size_t i = 0; i < axl__schema_size; i++) {
        const axl__schema_key *k = &axl__schema_table[i];
        if (k->answer == A_IMPL && strcmp(last_name(k->name), name) == 0)
            return k->name;
    }
    return NULL;
}

/* Only names below the same parent compete in slips; a right name in the wrong place comes last. */
const char *axl__nearest_key(const char *path)
{
    char name[256];
    const char *best = NULL;
    size_t n = 0;
    bool index = false;

    for (const char *p = path; *p; p++) {
        if (index && *p >= '0' && *p <= '9')
            continue;
        index = *p == '[';
        if (n == sizeof name - 1)
            return NULL;
        name[n++] = *p;
    }
    name[n] = '\0';
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++)
        if (strcmp(synonyms[i].theirs, name) == 0)
            return synonyms[i].ours;

    int best_slips = slips_allowed(last_name(name)) + 1;
    for (size_t i = 0; i < axl__schema_size; i++) {
        const axl__schema_key *k = &axl__schema_table[i];
        if (k->answer > A_UNSUP || !same_parent(k->name, name))
            continue;
        /* Of equally near keys the one that does something. */
        int slips = axl__edit_distance(last_name(name), last_name(k->name));
        if (slips < best_slips || (slips == best_slips && best && k->answer == A_IMPL &&
                                   axl__schema_find(best)->answer != A_IMPL)) {
            best_slips = slips;
            best = k->name;
        }
    }
    return best ? best : same_name_elsewhere(last_name(name));
}

bool axl__nearest_value(const char *values, const char *text, char *out, size_t room)
{
    int best_slips = slips_allowed(text) + 1;

    out[0] = '\0';
    for (const char *at = values; *at;) {
        char value[128];
        size_t n = strcspn(at, ",");
        snprintf(value, sizeof value, "%.*s", (int)n, at);
        int slips = axl__edit_distance(text, value);
        if (slips < best_slips && n < room) {
            best_slips = slips;
            snprintf(out, room, "%s", value);
        }
        at += n;
        at += *at ? 2 : 0;
    }
    return out[0] != '\0';
}
