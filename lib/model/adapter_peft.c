/* SPDX-License-Identifier: Apache-2.0 */
/* adapter_peft.c - an adapter's folder as PEFT 0.20 reads and writes it. */
#include "peft_config.h"

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "base_model.model.";

/* ---- writing ---- */

static const char config_name[] = "adapter_config.json";
static const char tensors_name[] = "adapter_model.safetensors";

static axl_status write_config(const axl_adapter *a, const axl__outlet *to)
{
    axl__str text;

    axl__str_init(&text, a->ctx);
    axl_status status = axl__peft_config_write(&text, &a->opts, a->model->name);
    if (status == AXL_OK)
        status = axl__outlet_put(to, config_name, text.data, text.len);
    axl__str_free(&text);
    return status;
}

static axl__st_entry entry_of(const axl__param *t, const char *name, const float *host)
{
    return (axl__st_entry){ .name = name,
                            .dtype = AXL_F32,
                            .n_dims = t->vector ? 1 : 2,
                            .dims = { (uint64_t)(t->vector ? t->cols : t->rows),
                                      (uint64_t)(t->vector ? 0 : t->cols) },
                            .data = host + t->at };
}

/* The name that a head has in PEFT's files whose whole weight is the embedding's, which PEFT writes
 * under both names; NULL where there is none. */
static axl_status name_tied_head(const axl_adapter *a, char **name)
{
    const axl__modules *t = &a->model->modules;
    int64_t head = axl__modules_in(t, -1, AXL__SLOT_HEAD).first;

    *name = NULL;
    if (!a->loras[head].tied)
        return AXL_OK;
    *name = axl__format(a->ctx, "%s%s%s", prefix, t->list[head].name,
                        axl__part_suffix(AXL__PART_WEIGHT, AXL__PAIRING_NONE));
    return *name ? AXL_OK : axl__fail_nomem();
}

static axl_status write_tensors(const axl_adapter *a, const axl__outlet *to, axl__checksum *sum)
{
    size_t bytes = (size_t)a->n_params * sizeof(float), n = 0;
    float *host = axl__alloc_aligned(a->ctx, bytes);
    axl__st_entry *entries = axl__calloc(a->ctx, a->n_tensors + 1, sizeof *entries);
    char *head = NULL;
    axl_status status = host && entries ? AXL_OK : axl__fail_nomem();

    if (status == AXL_OK)
        status = a->model->ops->download(a->model->dev, host, a->params, bytes);
    if (status == AXL_OK)
        status = name_tied_head(a, &head);
    for (size_t i = 0; i < a->n_tensors && status == AXL_OK; i++) {
        const axl__param *t = &a->tensors[i];
        entries[n++] = entry_of(t, t->name, host);
        if (t->lookup && head)
            entries[n++] = entry_of(t, head, host);
    }
    if (status == AXL_OK)
        status = axl__safetensors_put(to, tensors_name, entries, n, sum);
    axl__free(a->ctx, head);
    axl__free(a->ctx, entries);
    axl__free_aligned(a->ctx, host);
    return status;
}

static axl_status save_one(const axl_adapter *a, const axl__outlet *to, axl__checksum *sum)
{
    if (to->dir)
        AXL_TRY(axl__make_dirs(a->ctx, to->dir));
    AXL_TRY(write_tensors(a, to, sum));
    return write_config(a, to);
}

static axl_status save(const axl_adapter *a, const axl__outlet *to, axl__checksum *sum)
{
    axl_adapter *joined;

    if (!a->frozen)
        return save_one(a, to, sum);
    AXL_TRY(axl__adapter_joined(&joined, a));
    axl_status status = save_one(joined, to, sum);
    axl_adapter_free(joined);
    return status;
}

axl_status axl__adapter_save(const axl_adapter *a, const char *dir, axl__checksum *sum)
{
    AXL_TRY(axl__model_spare(a->model, dir, false));
    return save(a, &(axl__outlet){ .ctx = a->ctx, .dir = dir }, sum);
}

axl_status axl_adapter_save(const axl_adapter *a, const char *dir)
{
    AXL_TRY(axl__adapter_enter(a));
    if (!dir)
        return axl__fail(AXL_ERR_INVALID, "dir must not be NULL");
    AXL_TRY(axl__adapter_begin(a, false));
    axl_status status = axl__adapter_save(a, dir, NULL);
    axl__adapter_end(a, false);
    return status;
}

axl_status axl_adapter_save_files(const axl_adapter *a, axl_file_fn fn, void *user)
{
    AXL_TRY(axl__adapter_enter(a));
    if (!fn)
        return axl__fail(AXL_ERR_INVALID, "fn must not be NULL");
    AXL_TRY(axl__adapter_begin(a, false));
    axl_status status = save(a, &(axl__outlet){ .ctx = a->ctx, .fn = fn, .user = user }, NULL);
    axl__adapter_end(a, false);
    return status;
}

/* ---- reading ---- */

/* A folder that is being read: on (modules.n flags) are the linear layers that the tensors' file
 * has pairs of, which are those that adapter_config.json names; whole the modules that it says are
 * trained whole. */
typedef struct {
    axl_model *model;
    axl__folder folder;
    axl__arena arena;
    axl__file config_file;
    axl__safetensors st;
    axl_adapter_options opts;
    bool *on, *whole;
} peft_reader;

/* Whether the part is one that the module may have under such a name. */
static bool may_have(const axl__module *m, axl__part part, axl__pairing pairing)
{
    if (part <= AXL__PART_B)
        return pairing != AXL__PAIRING_NONE && pairing == axl__module_pairing(m);
    return part >= AXL__PART_WEIGHT || axl__module_is_linear(m) ||
           (part == AXL__PART_MAGNITUDE && m->role == AXL__ROLE_EMBEDDING); /* to be refused */
}

/* The module that the tensor is a part of, or -1; *part is what of it. */
static int64_t module_of_tensor(const axl__modules *t, const char *tensor, axl__part *part)
{
    size_t p = sizeof prefix - 1, n = strlen(tensor);

    if (n < p || memcmp(tensor, prefix, p) != 0)
        return -1;
    for (int k = 0; k < AXL__PAIRINGS * AXL__PARTS; k++) {
        axl__pairing pairing = (axl__pairing)(k % AXL__PAIRINGS);
        *part = (axl__part)(k / AXL__PAIRINGS);
        const char *end = axl__part_suffix(*part, pairing);
        size_t m = strlen(end);
        if (n < p + m || strcmp(tensor + n - m, end) != 0)
            continue;
        int64_t i = axl__modules_find(t, tensor + p, n - p - m);
        if (i >= 0 && may_have(&t->list[i], *part, pairing))
            return i;
    }
    return -1;
}

static bool has_tensor_of(const peft_reader *r, int64_t module, axl__part part)
{
    const axl_adapter_options *o = &r->opts;

    switch (part) {
    case AXL__PART_B_BIAS: return o->lora_bias;
    case AXL__PART_MAGNITUDE: return o->use_dora;
    case AXL__PART_BIAS: return strcmp(o->bias, "none") != 0 || r->whole[module];
    case AXL__PART_WEIGHT: return r->whole[module];
    case AXL__PART_ROWS:
        return r->model->modules.list[module].role == AXL__ROLE_HEAD
                   ? o->n_trainable_head_tokens > 0
                   : o->n_trainable_tokens > 0;
    default: return true;
    }
}

/* Where the vocabulary has changed, PEFT writes the embedding and the head once more as they lie in
 * its wrapper: the values that were trained, and what they stand in the place of. */
static bool is_written_again(const peft_reader *r, const char *tensor)
{
    static const char *const ends[] = { ".modules_to_save.weight", ".original_module.weight" };
    const axl__modules *t = &r->model->modules;
    size_t p = sizeof prefix - 1;

    for (int k = 0; k < 2 && strncmp(tensor, prefix, p) == 0; k++) {
        size_t n = strlen(tensor) - p, m = strlen(ends[k]);
        int64_t i =
            n > m && axl__ends_with(tensor, ends[k]) ? axl__modules_find(t, tensor + p, n - m) : -1;
        if (i >= 0 && r->whole[i])
            return true;
    }
    return false;
}

/* The embedding or the head whose weight, as it lies under its pair, PEFT has written beside the
 * pair; -1: the tensor is another. */
static int64_t module_of_base(const peft_reader *r, const char *tensor)
{
    static const char end[] = ".base_layer.weight";
    const axl__modules *t = &r->model->modules;
    size_t p = sizeof prefix - 1;

    if (strncmp(tensor, prefix, p) != 0 || !axl__ends_with(tensor, end))
        return -1;
    int64_t i = axl__modules_find(t, tensor + p, strlen(tensor) - p - (sizeof end - 1));
    return i >= 0 && r->on[i] && t->list[i].role != AXL__ROLE_LINEAR ? i : -1;
}

/* Each tensor must be of a layer that the model has, and of what the config says that there is. */
static axl_status check_strangers(const peft_reader *r)
{
    for (size_t i = 0; i < r->st.count; i++) {
        const char *name = r->st.tensors[i].name;
        axl__part part;
        if (is_written_again(r, name) || module_of_base(r, name) >= 0)
            continue;
        int64_t module = module_of_tensor(&r->model->modules, name, &part);
        if (module < 0)
            return axl__fail(AXL_ERR_FORMAT, "%s: tensor \"%s\" fits no layer of this model",
                             r->st.file.path, name);
        if (!has_tensor_of(r, module, part))
            return axl__fail(AXL_ERR_FORMAT,
                             "%s: tensor \"%s\" is one that adapter_config.json does not speak of "
                             "(use_dora, lora_bias, bias, modules_to_save, "
                             "trainable_token_indices)",
                             r->st.file.path, name);
    }
    return AXL_OK;
}

static axl_status find_half(const peft_reader *r, const axl__module *m, axl__part half, bool *found)
{
    char *name = axl__format(r->model->ctx, "%s%s%s", prefix, m->name,
                             axl__part_suffix(half, axl__module_pairing(m)));

    if (!name)
        return axl__fail_nomem();
    *found = axl__safetensors_find(&r->st, name) != NULL;
    axl__free(r->model->ctx, name);
    return AXL_OK;
}

enum { NAMED_AT_MOST = 6 };

/* Says which layers are not as wanted: the first of them by name. */
static axl_status fail_layers(const peft_reader *r, const bool *wrong, const char *what)
{
    const axl__modules *t = &r->model->modules;
    axl__str names;
    int n = 0;

    axl__str_init(&names, r->model->ctx);
    for (int64_t i = 0; i < t->n; i++)
        if (wrong[i] && n++ < NAMED_AT_MOST)
            axl__str_putf(&names, "%s%s", n > 1 ? ", " : "", t->list[i].name);
    if (n > NAMED_AT_MOST)
        axl__str_putf(&names, " and %d more", n - NAMED_AT_MOST);
    axl_status status = axl__str_status(&names);
    if (status == AXL_OK)
        status = axl__fail(AXL_ERR_FORMAT, "%s %s: %s", r->st.file.path, what, names.data);
    axl__str_free(&names);
    return status;
}

/* The file must have the pairs that the config names, and no others: PEFT would begin what lacks
 * with new values, and leave out what is too much. */
static axl_status check_against_config(peft_reader *r)
{
    const axl__modules *t = &r->model->modules;
    bool *lacks = axl__arena_alloc(&r->arena, (size_t)t->n * sizeof *lacks);
    bool *extra = axl__arena_alloc(&r->arena, (size_t)t->n * sizeof *extra);
    bool *named = axl__arena_alloc(&r->arena, (size_t)t->n * sizeof *named);
    bool any_lacks = false, any_extra = false;

    if (!lacks || !extra || !named)
        return axl__fail_nomem();
    axl_status status = axl__targets_mark(t, &r->opts, named);
    if (status < 0)
        return status == AXL_ERR_INVALID
                   ? axl__fail_prefix(AXL_ERR_FORMAT, "%s", r->config_file.path)
                   : status;
    for (int64_t i = 0; i < t->n; i++) {
        any_lacks |= lacks[i] = named[i] && !r->on[i];
        any_extra |= extra[i] = r->on[i] && !named[i];
    }
    if (any_lacks)
        return fail_layers(r, lacks,
                           "lacks the tensors of layers that its adapter_config.json names");
    return any_extra
               ? fail_layers(r, extra,
                             "has tensors of layers that its adapter_config.json does not name")
               : AXL_OK;
}

static axl_status mark_whole(peft_reader *r)
{
    const axl__modules *t = &r->model->modules;

    r->whole = axl__arena_alloc(&r->arena, (size_t)t->n * sizeof *r->whole);
    if (!r->whole)
        return axl__fail_nomem();
    axl__targets_mark_whole(t, &r->opts, r->whole);
    axl_status status = axl__targets_check_whole(t, &r->opts);
    return status == AXL_ERR_INVALID ? axl__fail_prefix(AXL_ERR_FORMAT, "%s", r->config_file.path)
                                     : status;
}

/* Finds the layers that have a pair. */
static axl_status match_tensors(peft_reader *r)
{
    const axl__modules *t = &r->model->modules;
    bool any = false;

    AXL_TRY(mark_whole(r));
    r->on = axl__arena_alloc(&r->arena, (size_t)t->n * sizeof *r->on);
    if (!r->on)
        return axl__fail_nomem();
    memset(r->on, 0, (size_t)t->n * sizeof *r->on);
    for (int64_t i = 0; i < t->n; i++) {
        bool a = false, b = false;
        if (axl__module_pairing(&t->list[i]) == AXL__PAIRING_NONE)
            continue;
        AXL_TRY(find_half(r, &t->list[i], AXL__PART_A, &a));
        AXL_TRY(find_half(r, &t->list[i], AXL__PART_B, &b));
        if (a != b)
            return axl__fail(AXL_ERR_FORMAT,
                             "%s: %s has one of lora_A and lora_B without the other",
                             r->st.file.path, t->list[i].name);
        r->on[i] = a;
        any |= a;
    }
    if (!any)
        return axl__fail(AXL_ERR_FORMAT, "%s: it holds no LoRA tensor of this model",
                         r->st.file.path);
    return check_strangers(r);
}

/* Of a file's tensor of another shape, or of a type without values; of one with other tokens. */
static axl_status fail_shape(const axl__safetensors *st, const axl__st_tensor *s,
                             const axl__param *t, bool tokens)
{
    if (tokens && s->n_dims == 2 && (int64_t)s->dims[1] == t->cols && s->dtype >= 0)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: tensor \"%s\" has rows for %llu tokens, and the model for %lld: give "
                         "the model as many first (axl_model_resize_embeddings(), or a config with "
                         "the new tokens)",
                         st->file.path, t->name, (unsigned long long)s->dims[0],
                         (long long)t->rows);
    char shape[AXL__ST_SHAPE_TEXT], want[AXL__ST_SHAPE_TEXT];
    uint64_t dims[2] = { (uint64_t)(t->vector ? t->cols : t->rows), (uint64_t)t->cols };

    axl__st_shape_text(shape, s->dims, s->n_dims);
    axl__st_shape_text(want, dims, t->vector ? 1 : 2);
    return axl__fail(AXL_ERR_FORMAT,
                     "%s: tensor \"%s\" is %s of %s; adapter_config.json and this model want %s of "
                     "F32, BF16 or F16",
                     st->file.path, t->name, shape, s->dtype_name, want);
}

/* Whether a tensor has a row for each token. */
static bool has_tokens(const axl_adapter *a, size_t index)
{
    axl__role role = a->model->modules.list[a->entries[index].module].role;

    return a->entries[index].part == AXL__PART_WEIGHT &&
           (role == AXL__ROLE_EMBEDDING || role == AXL__ROLE_HEAD);
}

/* PEFT leaves the biases of lora_only out of its files: they are the model's then. */
static axl_status read_tensor(const axl_adapter *a, const axl__safetensors *st, size_t index,
                              float *host)
{
    const axl__param *t = &a->tensors[index];
    const axl__st_tensor *s = axl__safetensors_find(st, t->name);

    if (!s && a->entries[index].part == AXL__PART_BIAS && strcmp(a->opts.bias, "lora_only") == 0)
        return a->model->ops->download(a->model->dev, host + t->at, a->params + t->at,
                                       (size_t)(t->rows * t->cols) * sizeof *host);
    if (!s)
        return axl__fail(AXL_ERR_FORMAT, "%s: tensor \"%s\" is missing", st->file.path, t->name);
    bool fits = t->vector ? s->n_dims == 1 && (int64_t)s->dims[0] == t->cols
                          : s->n_dims == 2 && (int64_t)s->dims[0] == t->rows &&
                                (int64_t)s->dims[1] == t->cols;
    if (s->dtype < 0 || !fits)
        return fail_shape(st, s, t, has_tokens(a, index));
    void *copy = axl__alloc_aligned(a->ctx, s->size); /* the file aligns nothing */
    if (!copy)
        return axl__fail_nomem();
    memcpy(copy, s->data, s->size);
    axl__convert(host + t->at, AXL_F32, copy, (axl_dtype)s->dtype, t->rows * t->cols);
    axl__free_aligned(a->ctx, copy);
    return AXL_OK;
}

axl_status axl__adapter_read_tensors(const axl_adapter *a, const axl__safetensors *st, float *host)
{
    memset(host, 0, (size_t)a->n_params * sizeof *host);
    for (size_t i = 0; i < a->n_tensors; i++)
        AXL_TRY(read_tensor(a, st, i, host));
    return AXL_OK;
}

/* Whether a row of what the adapter was trained on is what the model has, but for being rounded.
 * room is for four rows of f32. */
static axl_status compare_row(const peft_reader *r, const axl__module *m, const axl__st_tensor *s,
                              int64_t row, float *room, bool *same)
{
    const axl_mat *w = &m->weight.mat;
    size_t size = axl__dtype_size((axl_dtype)s->dtype), own = axl__dtype_size(w->dtype);
    size_t n = (size_t)m->cols, first = (size_t)row * n * size;
    float *theirs = room, *ours = room + n, *stored = room + 2 * n, *there = room + 3 * n;

    memcpy(stored, (const char *)s->data + first, n * size);
    AXL_TRY(r->model->ops->download(
        r->model->dev, there, (const char *)w->data + (size_t)(row * w->stride) * own, n * own));
    axl__convert(theirs, AXL_F32, stored, (axl_dtype)s->dtype, m->cols);
    axl__convert(ours, AXL_F32, there, w->dtype, m->cols);
    for (size_t i = 0; i < n; i++)
        *same = *same && fabsf(theirs[i] - ours[i]) <= 0.01f * fabsf(ours[i]) + 1e-6f;
    return row % 256 == 0 ? axl__cancelled(r->model->ctx) : AXL_OK;
}

static axl_status compare_base(const peft_reader *r, const axl__module *m, const axl__st_tensor *s,
                               bool *same)
{
    float *room = axl__alloc_aligned(r->model->ctx, 4 * (size_t)m->cols * sizeof *room);
    axl_status status = room ? AXL_OK : axl__fail_nomem();

    for (int64_t row = 0; row < m->rows && *same && status == AXL_OK; row++)
        status = compare_row(r, m, s, row, room, same);
    axl__free_aligned(r->model->ctx, room);
    return status;
}

/* PEFT would put the weight in the model's place.  Of a weight in 4 or 8 bits the values are not
 * compared, which its codes stand for only about. */
static axl_status check_base(const peft_reader *r, const axl__st_tensor *s)
{
    int64_t i = module_of_base(r, s->name);
    const axl__module *m = i < 0 ? NULL : &r->model->modules.list[i];

    if (!m || r->model->device.counts_only)
        return AXL_OK;
    bool same = s->dtype >= 0 && s->n_dims == 2 && (int64_t)s->dims[0] == m->rows &&
                (int64_t)s->dims[1] == m->cols;
    if (m->weight.kind == AXL_WEIGHT_DENSE)
        AXL_TRY(compare_base(r, m, s, &same));
    return same ? AXL_OK
                : axl__fail(AXL_ERR_UNSUPPORTED,
                            "%s: tensor \"%s\" is another weight than the model's: the adapter "
                            "brings its own, and is read for the model that has it",
                            r->st.file.path, s->name);
}

static axl_status read_values(peft_reader *r, axl_adapter *a)
{
    size_t bytes = (size_t)a->n_params * sizeof(float);
    float *host = axl__alloc_aligned(a->ctx, bytes);
    axl_status status = host ? axl__adapter_read_tensors(a, &r->st, host) : axl__fail_nomem();

    if (status == AXL_OK)
        status = a->model->ops->upload(a->model->dev, a->params, host, bytes);
    axl__free_aligned(a->ctx, host);
    return status;
}

static axl_status look_for_config(const axl__folder *folder)
{
    if (axl__folder_has(folder, config_name))
        return AXL_OK;
    return axl__fail(AXL_ERR_NOT_FOUND, "%s holds no adapter: there is no adapter_config.json",
                     folder->place);
}

static axl_status look_for_tensors(const axl__folder *folder)
{
    if (axl__folder_has(folder, tensors_name))
        return AXL_OK;
    if (axl__folder_has(folder, "adapter_model.bin"))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s holds adapter_model.bin, a pickle, which can run code when it is "
                         "read; convert it to adapter_model.safetensors (PEFT: save_pretrained)",
                         folder->place);
    return axl__folder_lacks(folder, tensors_name);
}

axl_status axl__adapter_look(const char *dir)
{
    axl__folder folder = axl__folder_view(dir);

    AXL_TRY(look_for_config(&folder));
    return look_for_tensors(&folder);
}

static axl_status read_config(peft_reader *r)
{
    const axl__file *file = &r->config_file;
    axl__json *root;

    AXL_TRY(look_for_config(&r->folder));
    AXL_TRY(axl__folder_open(&r->folder, config_name, true, &r->config_file));
    AXL_TRY(axl__json_check_size(file->path, file->size, AXL__JSON_FILE_MAX));
    AXL_TRY(axl__json_parse(&root, &r->arena, (const char *)file->data, file->size, file->path));
    if (root->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "%s must be an object, not %s", file->path,
                         axl__json_type_name(root));
    return axl__peft_config_read(&r->opts, &r->arena, root, file->path);
}

/* Another process may write the file meanwhile, the host its own may not. */
static axl_status open_tensors(peft_reader *r)
{
    AXL_TRY(look_for_tensors(&r->folder));
    AXL_TRY(axl__safetensors_open_in(&r->st, &r->folder, tensors_name, !r->folder.memory));
    return match_tensors(r);
}

/* What an adapter of PiSSA or OLoRA stands on is made again, as PEFT does when it loads one. */
static axl_status make_base(axl_adapter *a)
{
    if (axl__init_is_residual(a->opts.init_lora_weights))
        return axl__adapter_init(a, a->opts.seed);
    return axl__adapter_init_copies(a);
}

static axl_status read_folder(peft_reader *r, axl_adapter **out)
{
    AXL_TRY(read_config(r));
    AXL_TRY(open_tensors(r));
    axl_status status = axl__adapter_make(out, r->model, r->on, &r->opts);
    if (status == AXL_ERR_INVALID)
        return axl__fail_prefix(AXL_ERR_FORMAT, "%s", r->config_file.path);
    AXL_TRY(status);
    for (size_t i = 0; i < r->st.count; i++)
        AXL_TRY(check_base(r, &r->st.tensors[i]));
    AXL_TRY(make_base(*out));
    AXL_TRY(read_values(r, *out));
    return check_against_config(r); /* after a shape that fits no tensor */
}

static void peft_reader_init(peft_reader *r, axl_model *model)
{
    *r = (peft_reader){ .model = model };
    axl__arena_init(&r->arena, model->ctx);
}

static void peft_reader_free(peft_reader *r)
{
    axl__safetensors_close(&r->st);
    axl__file_close(&r->config_file);
    axl__arena_free(&r->arena);
    axl__folder_free(&r->folder);
}

/* ---- going on ---- */

static axl_status check_same_layers(peft_reader *r, const axl_adapter *a)
{
    int64_t n = a->model->modules.n;
    bool *lacks = axl__arena_alloc(&r->arena, (size_t)n * sizeof *lacks);
    bool *extra = axl__arena_alloc(&r->arena, (size_t)n * sizeof *extra);
    bool any_lacks = false, any_extra = false;

    if (!lacks || !extra)
        return axl__fail_nomem();
    for (int64_t i = 0; i < n; i++) {
        any_lacks |= lacks[i] = a->loras[i].on && !r->on[i];
        any_extra |= extra[i] = r->on[i] && !a->loras[i].on;
    }
    if (any_extra)
        return fail_layers(r, extra, "adapts layers that this run does not");
    return any_lacks ? fail_layers(r, lacks, "does not adapt layers that this run does") : AXL_OK;
}

static void put_difference(axl__str *out, const peft_reader *r, const char *fmt, ...)
    AXL_PRINTF(3, 4);

/* The first names the file. */
static void put_difference(axl__str *out, const peft_reader *r, const char *fmt, ...)
{
    char text[160];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    axl__str_putf(out, "%s %s", out->len ? "," : r->config_file.path, text);
}

/* With joined pairs alpha has grown with the rank. */
static bool is_same_alpha(const axl_adapter_options *o, const axl_adapter *a, bool joined)
{
    double times = joined ? (double)o->rank / (double)a->opts.rank : 1.0;
    double want = a->opts.alpha * (a->opts.rslora ? sqrt(times) : times);

    return fabs(o->alpha - want) <= 1e-6 * fabs(want);
}

/* Of layers that both have: the first whose rank is not that of the adapter, or a multiple. */
static axl_status find_rank(const peft_reader *r, const axl_adapter *a, int64_t *module,
                            int64_t *rank)
{
    const axl__modules *t = &a->model->modules;
    int64_t times = (int64_t)(r->opts.rank / a->opts.rank);
    double alpha;

    for (*module = 0; *module < t->n; ++*module) {
        if (!a->loras[*module].on)
            continue;
        AXL_TRY(axl__targets_rank(t, &r->opts, *module, rank, &alpha));
        if (*rank != a->loras[*module].rank * times)
            return AXL_OK;
    }
    *module = -1;
    return AXL_OK;
}

static const char *word(uint32_t flag)
{
    return flag ? "true" : "false";
}

static bool are_same_tokens(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
}

static bool have_same_tokens(const axl_adapter_options *a, const axl_adapter_options *b)
{
    return are_same_tokens(a->trainable_tokens, a->n_trainable_tokens, b->trainable_tokens,
                           b->n_trainable_tokens) &&
           are_same_tokens(a->trainable_head_tokens, a->n_trainable_head_tokens,
                           b->trainable_head_tokens, b->n_trainable_head_tokens);
}

/* The first module that one of the two trains whole, or trains as one with another, and the other
 * does not. */
static void put_whole(axl__str *out, const peft_reader *r, const axl_adapter *a)
{
    const axl__modules *t = &a->model->modules;
    bool ties = axl__modules_one(t, -1, AXL__SLOT_HEAD)->tied;

    if (!have_same_tokens(&r->opts, &a->opts))
        put_difference(out, r, "trains rows of other tokens (trainable_token_indices)");
    for (int64_t i = 0; i < t->n; i++)
        if (r->whole[i] != a->loras[i].whole) {
            put_difference(out, r, "%s %s whole (modules_to_save), and this run %s",
                           r->whole[i] ? "trains" : "does not train", t->list[i].name,
                           r->whole[i] ? "does not" : "does");
            return;
        }
    if (ties && r->opts.ensure_weight_tying != a->opts.ensure_weight_tying)
        put_difference(out, r, "has ensure_weight_tying %s, and this run %s",
                       word(r->opts.ensure_weight_tying), word(a->opts.ensure_weight_tying));
}

static void put_kinds(axl__str *out, const peft_reader *r, const axl_adapter *a)
{
    const axl_adapter_options *then = &r->opts, *now = &a->opts;

    if (then->rslora != now->rslora)
        put_difference(out, r, "has use_rslora %s, and peft_use_rslora is %s", word(then->rslora),
                       word(now->rslora));
    if (then->use_dora != now->use_dora)
        put_difference(out, r, "has use_dora %s, and peft_use_dora is %s", word(then->use_dora),
                       word(now->use_dora));
    if (then->lora_bias != now->lora_bias)
        put_difference(out, r, "has lora_bias %s, and this run %s", word(then->lora_bias),
                       word(now->lora_bias));
    if (strcmp(then->bias, now->bias) != 0)
        put_difference(out, r, "has bias %s, and this run %s", then->bias, now->bias);
}

static axl_status put_differences(axl__str *out, const peft_reader *r, const axl_adapter *a,
                                  bool joined)
{
    const axl_adapter_options *o = &r->opts;
    char then[AXL__NUM_MAX], now[AXL__NUM_MAX];
    int64_t module = -1, rank = 0;
    bool same = joined ? o->rank % a->opts.rank == 0 : o->rank == a->opts.rank;

    if (!same)
        put_difference(out, r, "is of rank %u, and lora_r is %u", o->rank, a->opts.rank);
    else
        AXL_TRY(find_rank(r, a, &module, &rank));
    if (module >= 0)
        put_difference(out, r, "has rank %lld for %s, and this run %lld", (long long)rank,
                       a->model->modules.list[module].name, (long long)a->loras[module].rank);
    put_kinds(out, r, a);
    put_whole(out, r, a);
    axl__format_double(then, o->alpha);
    axl__format_double(now, a->opts.alpha);
    if (!is_same_alpha(o, a, joined))
        put_difference(out, r, "has lora_alpha %s, and this run %s", then, now);
    return AXL_OK;
}

/* Every difference between the folder and the adapter is in the one line. */
static axl_status check_same(peft_reader *r, const axl_adapter *a, bool joined)
{
    axl_status layers = check_same_layers(r, a);
    axl__str differences;

    if (layers < 0 && layers != AXL_ERR_FORMAT)
        return layers;
    axl__str_init(&differences, r->model->ctx);
    axl_status status = put_differences(&differences, r, a, joined);
    if (status == AXL_OK)
        status = axl__str_status(&differences);
    if (status == AXL_OK && differences.len > 0)
        status = layers < 0 ? axl__fail_prefix(layers, "%s", differences.data)
                            : axl__fail(AXL_ERR_FORMAT, "%s", differences.data);
    else if (status == AXL_OK)
        status = layers;
    axl__str_free(&differences);
    return status;
}

axl_status axl__adapter_check_folder(const axl_adapter *a, const char *dir, bool joined)
{
    char *tensors = axl__format(a->ctx, "%s/%s", dir, tensors_name);
    peft_reader r;

    peft_reader_init(&r, a->model);
    axl_status status = tensors ? axl__folder_at(&r.folder, a->ctx, dir) : axl__fail_nomem();
    if (status == AXL_OK)
        status = read_config(&r);
    if (status == AXL_OK)
        status = axl__safetensors_open_header(&r.st, a->ctx, tensors, true);
    if (status == AXL_OK)
        status = match_tensors(&r);
    if (status == AXL_OK)
        status = check_same(&r, a, joined);
    if (status == AXL_OK)
        status = check_against_config(&r);
    peft_reader_free(&r);
    axl__free(a->ctx, tensors);
    return status;
}

/* ---- opening ---- */

/* dir NULL: the files (n). */
static axl_status open_adapter(axl_adapter **out, axl_model *model, const char *dir,
                               const axl_file *files, size_t n)
{
    peft_reader r;

    peft_reader_init(&r, model);
    axl_status status = dir ? axl__folder_at(&r.folder, model->ctx, dir)
                            : axl__folder_of(&r.folder, model->ctx, files, n, NULL);
    if (status == AXL_OK)
        status = read_folder(&r, out);
    peft_reader_free(&r);
    if (status < 0) {
        axl_adapter_free(*out);
        *out = NULL;
    }
    return status;
}

axl_status axl_adapter_open(axl_adapter **out, axl_model *model, const char *dir)
{
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__model_enter(model));
    if (!dir)
        return axl__fail(AXL_ERR_INVALID, "dir must not be NULL");
    return open_adapter(out, model, dir, NULL, 0);
}

axl_status axl_adapter_open_files(axl_adapter **out, axl_model *model, const axl_file *files,
                                  size_t n)
{
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__model_enter(model));
    return open_adapter(out, model, NULL, files, n);
}
