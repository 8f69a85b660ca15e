/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_check.c - what a config names, looked at and not opened: whether it is there, and whether by
 * its name it can be what it should be.  The words are those that opening would say.
 */
#include "base/fail.h"
#include "base/os.h"
#include "base/str.h"
#include "config/config.h"
#include "data/data_plan.h"
#include "hub/hub.h"
#include "model/adapter.h"
#include "model/model.h"
#include "text/chat_render.h"
#include "text/tokenizer.h"

#include <axl/plan.h>

#include <stdio.h>
#include <string.h>

typedef struct {
    const axl_config *cfg;
    axl_context *ctx;
    axl_diagnostics *list;
} checker;

/* Of what a look said. */
static void check_look(const checker *c, axl__diag_id id, const char *key, axl_status status)
{
    if (status != AXL_OK)
        axl__config_fault(c->cfg, c->list, status == AXL_ERR_UNSUPPORTED ? AXL__C_FILE_FORMAT : id,
                          key);
}

/* Whether the folder that a key names is there and is one; it is a fault when not, unless `hub` and
 * it may be a name on the Hub. */
static bool check_folder(const checker *c, const char *key, const char *value, const char *path,
                         bool hub)
{
    axl__path_kind kind = axl__path_kind_of(path);

    if (kind == AXL__PATH_DIR)
        return true;
    if (kind == AXL__PATH_FILE)
        check_look(c, AXL__C_NO_FOLDER, key,
                   axl__fail(AXL_ERR_NOT_FOUND, "%s is a file; a folder is needed", path));
    else if (!hub || !axl__hub_is_id(value))
        check_look(c, AXL__C_MISSING, key,
                   axl__fail(AXL_ERR_NOT_FOUND, "no such folder: %s", path));
    return false;
}

static void check_model(const checker *c, const char *key, const char *value, const char *path)
{
    if (!check_folder(c, key, value, path, true))
        return;
    if (!axl__has_file(path, "config.json"))
        check_look(c, AXL__C_NO_MODEL_CONFIG, key,
                   axl__fail(AXL_ERR_NOT_FOUND, "%s holds no config.json", path));
    if (!axl__cfg_bool_or(c->cfg, "reinit_weights", false))
        check_look(c, AXL__C_NO_WEIGHTS, key, axl__model_look(path));
}

/* Of its own key, or in the model's folder, whose fault is said already when it is not there. */
static void check_tokenizer(const checker *c, const char *key, const char *value, const char *path)
{
    const char *model = axl__cfg_str(c->cfg, "base_model");
    axl__path_kind kind = axl__path_kind_of(path);

    if (strcmp(value, model) == 0)
        key = "base_model";
    else if (kind == AXL__PATH_NONE && !axl__hub_is_id(value))
        check_look(c, AXL__C_MISSING, key,
                   axl__fail(AXL_ERR_NOT_FOUND, "no such file or folder: %s", path));
    if (kind == AXL__PATH_DIR || strcmp(value, model) != 0)
        check_look(c, AXL__C_NO_TOKENIZER, key, axl__tokenizer_look(path));
}

static void check_adapter(const checker *c, const char *key, const char *value, const char *path)
{
    if (check_folder(c, key, value, path, false))
        check_look(c, AXL__C_NO_ADAPTER, key, axl__adapter_look(path));
}

static void check_checkpoint(const checker *c, const char *key, const char *value, const char *path)
{
    if (strcmp(value, "auto") == 0 || !check_folder(c, key, value, path, false))
        return;
    if (!axl__has_file(path, "trainer_state.json"))
        check_look(c, AXL__C_NO_CHECKPOINT, key,
                   axl__fail(AXL_ERR_NOT_FOUND,
                             "%s is no checkpoint: there is no trainer_state.json in it", path));
}

/* A folder that is made where it is not there. */
static void check_output(const checker *c, const char *key, const char *value, const char *path)
{
    if (axl__path_kind_of(path) != AXL__PATH_NONE)
        (void)check_folder(c, key, value, path, false);
}

static void check_template(const checker *c, const char *key, const char *value, const char *path)
{
    axl_status status = axl__chat_look(value);

    (void)path;
    if (status != AXL_OK)
        axl__config_fault(c->cfg, c->list,
                          status == AXL_ERR_UNSUPPORTED ? AXL__C_UNSUPPORTED : AXL__C_BAD_VALUE,
                          key);
}

static axl_status check_data(const checker *c, const char *list, size_t i)
{
    char key[64];

    snprintf(key, sizeof key, "%s[%zu].chat_template", list, i);
    const axl__yaml *name = axl__cfg_node(c->cfg, key);
    if (name && name->text)
        check_template(c, key, name->text, NULL);
    return axl__data_files_check(c->list, c->cfg, list, i);
}

static const struct {
    const char *key;
    void (*check)(const checker *c, const char *key, const char *value, const char *path);
} checks[] = {
    { "base_model", check_model },       { "tokenizer_config", check_tokenizer },
    { "lora_model_dir", check_adapter }, { "resume_from_checkpoint", check_checkpoint },
    { "output_dir", check_output },      { "dataset_prepared_path", check_output },
    { "chat_template", check_template },
};

/* Every key is looked at whatever the others gave, so that one call shows all that is missing. */
static axl_status check_all(const checker *c)
{
    static const char *const lists[] = { "datasets", "test_datasets" };

    axl__config_warn_untrained(c->cfg, c->list);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        const axl__yaml *node = axl__cfg_node(c->cfg, checks[i].key);
        if (!node || !node->text || !*node->text)
            continue;
        char *path = axl__config_path(c->cfg, node->text);
        if (!path)
            return axl__fail_nomem();
        checks[i].check(c, checks[i].key, node->text, path);
        axl__free(c->ctx, path);
    }
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0, n = axl__cfg_count(c->cfg, lists[l]); i < n; i++)
            AXL_TRY(check_data(c, lists[l], i));
    return AXL_OK;
}

/* The list is the config's own where the host has it, so that warnings and faults come as one.  On
 * a failure that is none of the config the host's list stays the host's. */
axl_status axl_run_check(const axl_config *cfg, axl_diagnostics **list)
{
    checker c = { .cfg = cfg };
    bool own;

    AXL_TRY(axl__config_enter(cfg));
    if (!list)
        return axl__fail(AXL_ERR_INVALID, "list must not be NULL");
    c.ctx = axl__config_context(cfg);
    c.list = *list;
    own = c.list == NULL;
    if (own)
        AXL_TRY(axl__diagnostics_new(&c.list, c.ctx, axl__config_name(cfg)));
    axl_status status = check_all(&c);
    if (status == AXL_OK)
        status = axl__diagnostics_finish(c.list);
    if (own && status < 0 && status != AXL_ERR_CONFIG)
        axl_diagnostics_free(c.list);
    else
        *list = c.list;
    return status;
}
