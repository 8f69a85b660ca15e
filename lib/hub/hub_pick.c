/* SPDX-License-Identifier: Apache-2.0 */
/* hub_pick.c - which files of a repository make a model or a tokenizer.  Weights are safetensors:
 * a pickle (.bin) can run code when it is read. */
#include "hub.h"

#include "base/str.h"

#include <string.h>

static bool is_one_of(const char *path, const char *const *names)
{
    while (*names && strcmp(path, *names) != 0)
        names++;
    return *names != NULL;
}

/* Every file that transformers may read a tokenizer from, so that Python finds a whole one here;
 * and config.json, which decides its class. */
void axl__hub_pick_tokenizer(const void *arg, const char *const *paths, size_t n, bool *take)
{
    static const char *const names[] = { "config.json",
                                         "tokenizer.json",
                                         "tokenizer.model",
                                         "tekken.json",
                                         "tokenizer_config.json",
                                         "special_tokens_map.json",
                                         "added_tokens.json",
                                         "vocab.json",
                                         "merges.txt",
                                         "vocab.txt",
                                         "spiece.model",
                                         "chat_template.jinja",
                                         "chat_template.json",
                                         NULL };

    (void)arg;
    for (size_t i = 0; i < n; i++)
        take[i] = is_one_of(paths[i], names);
}

/* Of the top folder; other training programs leave theirs beside the model's. */
static bool is_weights(const char *path)
{
    return axl__ends_with(path, ".safetensors") && !strchr(path, '/') &&
           !axl__starts_with(path, "consolidated") && !axl__starts_with(path, "adapter_") &&
           !axl__starts_with(path, "optimizer");
}

void axl__hub_pick_shape(const void *arg, const char *const *paths, size_t n, bool *take)
{
    axl__hub_pick_tokenizer(arg, paths, n, take);
    for (size_t i = 0; i < n; i++)
        take[i] |= strcmp(paths[i], "generation_config.json") == 0;
}

/* model.safetensors wins over an index and its shards, as in reading. */
void axl__hub_pick_model(const void *arg, const char *const *paths, size_t n, bool *take)
{
    static const char *const names[] = { "generation_config.json", "model.safetensors",
                                         "model.safetensors.index.json", NULL };
    bool whole = false;

    axl__hub_pick_tokenizer(arg, paths, n, take);
    for (size_t i = 0; i < n; i++)
        whole |= strcmp(paths[i], "model.safetensors") == 0;
    for (size_t i = 0; i < n; i++)
        take[i] |= is_one_of(paths[i], names) || (!whole && is_weights(paths[i]));
}
