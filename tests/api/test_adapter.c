/* SPDX-License-Identifier: Apache-2.0 */
/* test_adapter.c - new adapters, and folders that PEFT wrote (tests/golden/model_variants): names,
 * shapes, values, there and back. */
#include "tiny_model.h"

#include <sys/stat.h>
#include <unistd.h>

static char *read_all(const char *dir, const char *name, size_t *n)
{
    char path[1200], *bytes = malloc(1 << 20);

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    *n = fread(bytes, 1, (1 << 20) - 1, f);
    fclose(f);
    bytes[*n] = '\0';
    return bytes;
}

static void write_all(const char *dir, const char *name, const char *bytes, size_t n)
{
    char path[1200];

    mkdir(dir, 0777);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* ---- new ones ---- */

static void check_init(axl_adapter *adapter, size_t index)
{
    axl_tensor_info t = AXL_TENSOR_INFO_INIT;
    double bound, sum = 0.0, peak = 0.0;

    assert_ok(axl_adapter_get_tensor(adapter, index, &t));
    size_t n = t.rows * t.cols;
    float *w = malloc(n * sizeof *w);
    assert_ok(axl_adapter_read(adapter, index, w));
    bound = 1.0 / sqrt((double)t.cols);
    for (size_t k = 0; k < n; k++) {
        sum += w[k];
        peak = fmax(peak, fabs((double)w[k]));
    }
    if (index % 2 == 0) /* A: uniform */
        assert_true(peak <= bound && peak > 0.95 * bound && fabs(sum / (double)n) < 0.1 * bound);
    else
        assert_true(peak == 0.0);
    free(w);
}

static void test_adapter__targets_every_layer_but_the_head(void **state)
{
    static const struct {
        const char *module;
        uint64_t in, out;
    } kinds[] = { { "self_attn.q_proj", 128, 128 }, { "self_attn.k_proj", 128, 64 },
                  { "self_attn.v_proj", 128, 64 },  { "self_attn.o_proj", 128, 128 },
                  { "mlp.gate_proj", 128, 352 },    { "mlp.up_proj", 128, 352 },
                  { "mlp.down_proj", 352, 128 } };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter;
    char name[128];

    (void)state;
    o.rank = 8;
    assert_ok(axl_adapter_new(&adapter, model, &o));
    assert_int_equal(axl_adapter_count(adapter), 4 * 7 * 2);
    for (size_t i = 0; i < axl_adapter_count(adapter); i++) {
        size_t layer = i / 14, kind = i / 2 % 7;
        int is_b = i % 2;
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        snprintf(name, sizeof name, "base_model.model.model.layers.%zu.%s.lora_%c.weight", layer,
                 kinds[kind].module, is_b ? 'B' : 'A');
        assert_ok(axl_adapter_get_tensor(adapter, i, &t));
        assert_string_equal(t.name, name);
        assert_int_equal(t.rows, is_b ? kinds[kind].out : 8);
        assert_int_equal(t.cols, is_b ? 8 : kinds[kind].in);
        check_init(adapter, i);
    }
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* The modules that a list of targets reaches, "layer.module" joined by spaces. */
static void check_targets(axl_model *model, const char *const *targets, size_t n, const char *want)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *adapter;
    char got[1024] = "";

    o.target_modules = targets;
    o.n_target_modules = n;
    assert_ok(axl_adapter_new(&adapter, model, &o));
    for (size_t i = 0; i < axl_adapter_count(adapter); i += 2) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_adapter_get_tensor(adapter, i, &t));
        const char *module =
            strstr(t.name, "layers.") ? strstr(t.name, "layers.") + 7 : strstr(t.name, "lm_head");
        size_t at = strlen(got);
        snprintf(got + at, sizeof got - at, "%s%.*s", at ? " " : "",
                 (int)(strstr(module, ".lora_A") - module), module);
    }
    assert_string_equal(got, want);
    axl_adapter_free(adapter);
}

static void test_adapter__targets_by_the_end_of_the_path(void **state)
{
    static const char *const some[] = { "v_proj", "layers.2.mlp.up_proj", "lm_head" };
    static const char *const whole[] = { "model.layers.1.self_attn.q_proj" };
    static const char *const wrong[] = { "q_proj", "qproj" }, *const part[] = { "_proj" };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter;

    (void)state;
    check_targets(model, some, 3,
                  "0.self_attn.v_proj 1.self_attn.v_proj 2.self_attn.v_proj "
                  "2.mlp.up_proj 3.self_attn.v_proj lm_head");
    check_targets(model, whole, 1, "1.self_attn.q_proj");
    o.target_modules = wrong;
    o.n_target_modules = 2;
    assert_fails(axl_adapter_new(&adapter, model, &o), AXL_ERR_INVALID, "\"qproj\" names no");
    assert_null(adapter);
    o.target_modules = part;
    o.n_target_modules = 1;
    assert_fails(axl_adapter_new(&adapter, model, &o), AXL_ERR_INVALID, "\"_proj\" names no");
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- which layers ---- */

/* The modules that have a pair, as check_targets() has them, each with its rank and scale's alpha.
 */
static void check_made(axl_model *model, const axl_adapter_options *o, const char *want)
{
    axl_adapter *adapter;
    char got[1024] = "";

    assert_ok(axl_adapter_new(&adapter, model, o));
    for (size_t i = 0; i < axl_adapter_count(adapter); i += 2) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_adapter_get_tensor(adapter, i, &t));
        const char *module = strstr(t.name, "layers.") + 7;
        size_t at = strlen(got);
        snprintf(got + at, sizeof got - at, "%s%.*s:%d", at ? " " : "",
                 (int)(strstr(module, ".lora_A") - module), module, (int)t.rows);
    }
    assert_string_equal(got, want);
    axl_adapter_free(adapter);
}

static void test_adapter__layers_as_peft_names_them(void **state)
{
    static const char *const names[] = { "q_proj", "up_proj", "model.layers.3.mlp.down_proj" };
    static const char *const out[] = { "1.mlp.up_proj" }, *const lists[] = { "h", "layers" };
    static const char *const patterns[] = { "layers\\.1\\..*", "up_proj" };
    static const uint32_t layers[] = { 1, 2 }, ranks[] = { 2, 6 };
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT, n;
    axl_adapter *adapter;

    (void)state;
    o.rank = 4;
    n = o;
    n.target_regex = ".*\\.[02]\\.(mlp\\.up|self_attn\\.q)_proj";
    check_made(model, &n,
               "0.self_attn.q_proj:4 0.mlp.up_proj:4 2.self_attn.q_proj:4 2.mlp.up_proj:4");
    n.exclude_regex = ".*\\.0\\..*";
    check_made(model, &n, "2.self_attn.q_proj:4 2.mlp.up_proj:4");
    n.target_regex = "q_proj"; /* the whole path is what must match */
    assert_fails(
        axl_adapter_new(&adapter, model, &n), AXL_ERR_INVALID,
        "\"q_proj\" matches the whole path of no linear layer that is left; it has q_proj, "
        "k_proj");
    n.target_regex = "(";
    assert_fails(axl_adapter_new(&adapter, model, &n), AXL_ERR_INVALID, "is no regular expression");
    n.target_regex = ".*(embed_tokens|[01]\\..*q_proj)";
    n.exclude_regex = ".*embed_tokens";
    check_made(model, &n, "0.self_attn.q_proj:4 1.self_attn.q_proj:4");
    n = o;
    n.target_modules = names;
    n.n_target_modules = 3;
    n.layers_to_transform = layers;
    n.n_layers_to_transform = 2;
    n.exclude_modules = out;
    n.n_exclude_modules = 1;
    check_made(model, &n,
               "1.self_attn.q_proj:4 2.self_attn.q_proj:4 2.mlp.up_proj:4 3.mlp.down_proj:4");
    n.layers_pattern = lists;
    n.n_layers_pattern = 2;
    n.rank_pattern = patterns;
    n.rank_pattern_ranks = ranks;
    n.n_rank_pattern = 2;
    check_made(model, &n,
               "1.self_attn.q_proj:2 2.self_attn.q_proj:4 2.mlp.up_proj:6 3.mlp.down_proj:4");
    n.n_layers_pattern = 1; /* there is no h */
    check_made(model, &n, "3.mlp.down_proj:4");
    n.n_target_modules = 2;
    assert_fails(axl_adapter_new(&adapter, model, &n), AXL_ERR_INVALID,
                 "no layer is left to adapt");
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_adapter__depends_on_its_seed_alone(void **state)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    float *values[3];
    size_t n = 0;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        axl_context *ctx = tiny_context(1 + i);
        axl_model *model = tiny_model(ctx, i == 1 ? "reference" : "cpu", AXL_COMPUTE_F32);
        axl_adapter *adapter;
        o.seed = i < 2 ? 7 : 8;
        assert_ok(axl_adapter_new(&adapter, model, &o));
        values[i] = tiny_values(adapter, NULL, &n);
        axl_adapter_free(adapter);
        axl_model_free(model);
        axl_context_free(ctx);
    }
    assert_memory_equal(values[0], values[1], n * sizeof(float));
    assert_memory_not_equal(values[0], values[2], n * sizeof(float));
    for (uint32_t i = 0; i < 3; i++)
        free(values[i]);
}

static void test_adapter__refuses_bad_options(void **state)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter;

    (void)state;
    for (int i = 0; i < 12; i++) {
        axl_adapter_options bad = o;
        static const uint32_t layers[] = { 1 };
        static const char *const lists[] = { "layers" };
        const char *what = "lora_r must be 1 to 4096";
        switch (i) {
        case 0: bad.rank = 0; break;
        case 1: bad.rank = 5000; break;
        case 2: bad.dropout = 1.0, what = "lora_dropout"; break;
        case 3: bad.dropout = -0.1, what = "lora_dropout"; break;
        case 4: bad.bias = "some", what = "none, all or lora_only"; break;
        case 5: bad.lora_bias = bad.use_dora = 1, what = "does not go with use_dora"; break;
        case 6: bad.lora_bias = 1, bad.init_lora_weights = "pissa", what = "not with pissa"; break;
        case 7: bad.rank = 5, bad.init_lora_weights = "orthogonal", what = "even ranks"; break;
        case 8: bad.init_lora_weights = "pissa_niter_x", what = "must be one of true"; break;
        case 9:
            bad.target_regex = ".*", bad.layers_to_transform = layers;
            bad.n_layers_to_transform = 1, what = "goes with names";
            break;
        case 10:
            bad.layers_pattern = lists, bad.n_layers_pattern = 1, what = "there are none";
            break;
        default: bad.alpha = NAN, what = "lora_alpha"; break;
        }
        assert_fails(axl_adapter_new(&adapter, model, &bad), AXL_ERR_INVALID, what);
        assert_null(adapter);
    }
    o.size = 3;
    assert_fails(axl_adapter_new(&adapter, model, &o), AXL_ERR_ABI, "_INIT");
    assert_fails(axl_adapter_new(NULL, model, NULL), AXL_ERR_INVALID, "out");
    assert_fails(axl_adapter_new(&adapter, NULL, NULL), AXL_ERR_INVALID, "axl_model");
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- values ---- */

static void test_adapter__values_are_read_and_written(void **state)
{
    axl_tensor_info t = AXL_TENSOR_INFO_INIT;
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter;
    size_t n;

    (void)state;
    assert_ok(axl_adapter_new(&adapter, model, NULL));
    size_t count = axl_adapter_count(adapter);
    float *before = tiny_values(adapter, NULL, &n), w[352 * 16], back[352 * 16];
    assert_ok(axl_adapter_get_tensor(adapter, count - 3, &t));
    for (size_t k = 0; k < t.rows * t.cols; k++)
        w[k] = (float)k * 0.5f;
    assert_ok(axl_adapter_write(adapter, count - 3, w));
    assert_ok(axl_adapter_read(adapter, count - 3, back));
    assert_memory_equal(w, back, t.rows * t.cols * sizeof *w);
    float *after = tiny_values(adapter, NULL, &n);
    size_t changed = 0;
    for (size_t k = 0; k < n; k++)
        changed += before[k] != after[k];
    assert_int_equal(changed, t.rows * t.cols - 1); /* the first is 0 as it was */
    assert_fails(axl_adapter_read(adapter, count, w), AXL_ERR_INVALID, "tensor 56 of 56");
    assert_fails(axl_adapter_write(adapter, count, w), AXL_ERR_INVALID, "tensor 56 of 56");
    assert_int_equal(axl_adapter_get_tensor(adapter, count, &t), AXL_END);
    assert_fails(axl_adapter_read(adapter, 0, NULL), AXL_ERR_INVALID, "NULL");
    assert_fails(axl_adapter_write(adapter, 0, NULL), AXL_ERR_INVALID, "NULL");
    assert_fails(axl_adapter_read(NULL, 0, w), AXL_ERR_INVALID, "live");
    t.size = 0;
    assert_fails(axl_adapter_get_tensor(adapter, 0, &t), AXL_ERR_ABI, "AXL_TENSOR_INFO_INIT");
    assert_int_equal(axl_adapter_count(NULL), 0);
    axl_adapter_free(NULL);
    free(before);
    free(after);
    axl_context_free(ctx); /* in any order */
    axl_model_free(model);
    assert_ok(axl_adapter_read(adapter, count - 3, back));
    assert_memory_equal(w, back, sizeof w);
    axl_adapter_free(adapter);
}

/* ---- PEFT's folders ---- */

static const char *variant_path(const char *variant, const char *below)
{
    static char paths[4][1100];
    static int turn;
    char *p = paths[turn++ % 4];

    snprintf(p, sizeof paths[0], "%s/%s%s", test_source_path("tests/golden/model_variants"),
             variant, below);
    return p;
}

/* The bytes of a tensor of a safetensors file whose header is written without spaces. */
static const char *find_tensor(const char *file, const char *name, uint64_t *rows, uint64_t *cols)
{
    uint64_t header;
    char wanted[256];
    unsigned long long r, c, from, to;

    memcpy(&header, file, 8);
    snprintf(wanted, sizeof wanted, "\"%s\":{\"dtype\":\"F32\",\"shape\":[", name);
    const char *at = strstr(file + 8, wanted);
    if (!at)
        fail_msg("the file has no %s", name);
    at += strlen(wanted);
    char *end;
    r = strtoull(at, &end, 10);
    c = strtoull(end + 1, &end, 10);
    const char *offsets = strstr(end, "\"data_offsets\":[") + 16;
    from = strtoull(offsets, &end, 10);
    to = strtoull(end + 1, NULL, 10);
    assert_int_equal(to - from, r * c * sizeof(float));
    *rows = r;
    *cols = c;
    return file + 8 + header + from;
}

/* That the adapter's tensors are those of a folder, and that there are no others in it. */
static void check_folder(axl_adapter *adapter, const char *dir)
{
    size_t size, n_named = 0;
    char *file = read_all(dir, "adapter_model.safetensors", &size);

    for (size_t i = 0; i < axl_adapter_count(adapter); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        uint64_t rows, cols;
        assert_ok(axl_adapter_get_tensor(adapter, i, &t));
        const char *want = find_tensor(file, t.name, &rows, &cols);
        assert_int_equal(t.rows, rows);
        assert_int_equal(t.cols, cols);
        float *w = malloc(rows * cols * sizeof *w);
        assert_ok(axl_adapter_read(adapter, i, w));
        assert_memory_equal(w, want, rows * cols * sizeof *w);
        free(w);
    }
    for (const char *p = file + 8; (p = strstr(p, "\"dtype\"")); p++)
        n_named++;
    assert_int_equal(n_named, axl_adapter_count(adapter));
    free(file);
}

static void check_round_trip(axl_context *ctx, const char *variant)
{
    const int32_t ids[5] = { 3, 14, 15, 92, 6 };
    axl_adapter *opened, *again;
    axl_model *model;
    axl_model_info info = AXL_MODEL_INFO_INIT;

    assert_ok(axl_model_open(&model, ctx, variant_path(variant, ""), NULL));
    assert_ok(axl_model_get_info(model, &info));
    assert_ok(axl_adapter_open(&opened, model, variant_path(variant, "/adapter")));
    check_folder(opened, variant_path(variant, "/adapter"));
    assert_ok(axl_adapter_save(opened, temp_path(variant)));
    check_folder(opened, temp_path(variant));
    assert_ok(axl_adapter_open(&again, model, temp_path(variant)));
    tiny_compare(opened, NULL, again, NULL, 0.0);
    size_t bytes = 5 * info.vocab_size * sizeof(float);
    float *x = malloc(bytes), *y = malloc(bytes);
    assert_ok(axl_model_logits(model, opened, ids, 5, x));
    assert_ok(axl_model_logits(model, again, ids, 5, y)); /* the scale is kept, too */
    assert_memory_equal(x, y, bytes);
    assert_ok(axl_model_logits(model, NULL, ids, 5, y));
    assert_memory_not_equal(x, y, bytes);
    free(x);
    free(y);
    axl_adapter_free(opened);
    axl_adapter_free(again);
    axl_model_free(model);
}

static void test_adapter__pefts_folders_go_there_and_back(void **state)
{
    static const char *const variants[] = { "untied_mha_f32", "tied_gqa_bf16_sharded",
                                            "head_dim_f16_llama3_old", "rope_linear_new" };
    axl_context *ctx = tiny_context(1);

    (void)state;
    for (size_t i = 0; i < 4; i++)
        check_round_trip(ctx, variants[i]);
    axl_context_free(ctx);
}

static void test_adapter__writes_what_it_is(void **state)
{
    static const char *const targets[] = { "o_proj", "lm_head" };
    static const char *const lines[] = {
        "\"peft_type\": \"LORA\"",
        "\"r\": 3",
        "\"lora_alpha\": 1.5",
        "\"lora_dropout\": 0.25",
        "\"use_rslora\": true",
        "\"o_proj\"",
        "\"lm_head\"",
        "\"task_type\": \"CAUSAL_LM\"",
    };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter, *again;
    size_t n;

    (void)state;
    o.rank = 3;
    o.alpha = 1.5;
    o.dropout = 0.25;
    o.rslora = 1;
    o.target_modules = targets;
    o.n_target_modules = 2;
    assert_ok(axl_adapter_new(&adapter, model, &o));
    assert_ok(axl_adapter_save(adapter, temp_path("made/deep/inside")));
    char *first = read_all(temp_path("made/deep/inside"), "adapter_config.json", &n);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr(first, lines[i]))
            fail_msg("no %s in %s", lines[i], first);
    assert_ok(axl_adapter_open(&again, model, temp_path("made/deep/inside")));
    assert_ok(axl_adapter_save(again, temp_path("copied")));
    char *second = read_all(temp_path("copied"), "adapter_config.json", &n);
    assert_string_equal(first, second);
    assert_fails(axl_adapter_save(adapter, NULL), AXL_ERR_INVALID, "dir");
    assert_fails(axl_adapter_save(adapter, "/proc/none"), AXL_ERR_NOT_FOUND, "/proc/none");
    free(first);
    free(second);
    axl_adapter_free(adapter);
    axl_adapter_free(again);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* The folder "bad": a variant's adapter with a changed config or tensor file. */
static const char *change_folder(const char *name, const char *from, const char *to)
{
    const char *dir = variant_path("rope_linear_new", "/adapter");

    for (int i = 0; i < 2; i++) {
        const char *file = i ? "adapter_config.json" : "adapter_model.safetensors";
        size_t n;
        char *bytes = read_all(dir, file, &n), *at = NULL;
        char *changed = malloc(n + strlen(to));
        assert_non_null(changed);
        memcpy(changed, bytes, n);
        if (strcmp(name, file) == 0) {
            for (size_t k = 0; k + strlen(from) <= n && !at; k++)
                at = memcmp(bytes + k, from, strlen(from)) == 0 ? changed + k : NULL;
            if (!at)
                fail_msg("%s has no %s", file, from);
            memmove(at + strlen(to), at + strlen(from), n - (size_t)(at - changed) - strlen(from));
            memcpy(at, to, strlen(to));
            n = n + strlen(to) - strlen(from);
        }
        write_all(temp_path("bad"), file, changed, n);
        free(bytes);
        free(changed);
    }
    return temp_path("bad");
}

static void check_bad_folder(axl_model *model, const char *name, const char *from, const char *to,
                             axl_status want, const char *text)
{
    axl_adapter *adapter;

    assert_fails(axl_adapter_open(&adapter, model, change_folder(name, from, to)), want, text);
    assert_null(adapter);
}

static axl_adapter *open_changed(axl_model *model, const char *name, const char *from,
                                 const char *to)
{
    axl_adapter *adapter;

    assert_ok(axl_adapter_open(&adapter, model, change_folder(name, from, to)));
    return adapter;
}

static const struct {
    const char *file, *from, *to;
    axl_status want;
    const char *text;
} unfit_folders[] = {
    { "adapter_config.json", "\"LORA\"", "\"IA3\"", AXL_ERR_UNSUPPORTED, "IA3" },
    { "adapter_config.json", "\"use_dora\": false", "\"use_dora\": true", AXL_ERR_FORMAT,
      "q_proj.lora_magnitude_vector\" is missing" },
    { "adapter_config.json", "\"lora_bias\": false", "\"lora_bias\": true", AXL_ERR_FORMAT,
      "q_proj.lora_B.bias\" is missing" },
    { "adapter_config.json", "\"bias\": \"none\"", "\"bias\": \"some\"", AXL_ERR_UNSUPPORTED,
      "bias must be none, all or lora_only" },
    { "adapter_config.json", "\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 2}",
      AXL_ERR_FORMAT, "want [2, 32]" },
    { "adapter_config.json", "\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 0}",
      AXL_ERR_FORMAT, "must hold ranks" },
    { "adapter_config.json", "\"alpha_pattern\": {}", "\"alpha_pattern\": {\"(\": 1}",
      AXL_ERR_FORMAT, "is no regular expression" },
    { "adapter_config.json", "\"exclude_modules\": null", "\"exclude_modules\": \"*\"",
      AXL_ERR_FORMAT, "adapter_config.json: \"*\" is no regular expression" },
    { "adapter_config.json", "\"modules_to_save\": null", "\"modules_to_save\": [\"norm\"]",
      AXL_ERR_FORMAT, "layers.0.input_layernorm.weight\" is missing" },
    { "adapter_config.json", "\"modules_to_save\": null",
      "\"modules_to_save\": [\"head\", \"hat\"]", AXL_ERR_FORMAT,
      "\"hat\" ends the path of no module" },
    { "adapter_config.json", "\"modules_to_save\": null", "\"modules_to_save\": [\"_proj\"]",
      AXL_ERR_FORMAT, "q_proj would be trained whole, and it has a pair" },
    { "adapter_config.json", "\"trainable_token_indices\": null",
      "\"trainable_token_indices\": [1, 2]", AXL_ERR_FORMAT,
      "token_adapter.trainable_tokens_delta\" is missing" },
    { "adapter_config.json", "\"trainable_token_indices\": null",
      "\"trainable_token_indices\": [-1]", AXL_ERR_FORMAT, "must hold tokens" },
    { "adapter_config.json", "\"trainable_token_indices\": null",
      "\"trainable_token_indices\": [70000]", AXL_ERR_FORMAT, "no row for the token 70000" },
    { "adapter_config.json", "\"trainable_token_indices\": null",
      "\"trainable_token_indices\": [7, 8, 7]", AXL_ERR_FORMAT, "the token 7 is there twice" },
    { "adapter_config.json", "\"r\": 4", "\"r\": 5", AXL_ERR_FORMAT, "[5, 32]" },
    { "adapter_config.json", "\"r\": 4", "\"r\": 0", AXL_ERR_FORMAT, "\"r\"" },
    { "adapter_config.json", "\"target_modules\": [\n", "\"auto_mapping\": [\n", AXL_ERR_FORMAT,
      "target_modules" },
    { "adapter_config.json", "{", "[", AXL_ERR_FORMAT, "adapter_config.json" },
    { "adapter_model.safetensors", "layers.0.mlp.down_proj.lora_A", "layers.9.mlp.down_proj.lora_A",
      AXL_ERR_FORMAT, "layers.0.mlp.down_proj" },
    { "adapter_model.safetensors", "\"F32\"", "\"F64\"", AXL_ERR_FORMAT, "bytes do not fit" },
    { "adapter_model.safetensors", "\"__metadata__\"", "__metadata__", AXL_ERR_FORMAT,
      "adapter_model.safetensors" },
};

static void test_adapter__refuses_folders_that_do_not_fit(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model, *other = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter;

    (void)state;
    assert_ok(axl_model_open(&model, ctx, variant_path("rope_linear_new", ""), NULL));
    for (size_t i = 0; i < sizeof unfit_folders / sizeof unfit_folders[0]; i++)
        check_bad_folder(model, unfit_folders[i].file, unfit_folders[i].from, unfit_folders[i].to,
                         unfit_folders[i].want, unfit_folders[i].text);
    assert_fails(axl_adapter_open(&adapter, other, variant_path("rope_linear_new", "/adapter")),
                 AXL_ERR_FORMAT, "want [4, 128]");
    assert_fails(axl_adapter_open(&adapter, model, temp_path("none")), AXL_ERR_NOT_FOUND,
                 "adapter_config.json");
    assert_fails(axl_adapter_open(&adapter, model, NULL), AXL_ERR_INVALID, "dir");
    assert_fails(axl_adapter_open(NULL, model, "x"), AXL_ERR_INVALID, "out");
    axl_model_free(other);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* What a member of a good adapter_config.json does to opening the folder. */
static void check_field(axl_model *model, const char *member, axl_status want, const char *text)
{
    char to[300];

    snprintf(to, sizeof to, "{ %s,", member);
    if (want < 0) {
        check_bad_folder(model, "adapter_config.json", "{", to, want, text);
        return;
    }
    axl_adapter *adapter = open_changed(model, "adapter_config.json", "{", to);
    axl_adapter_free(adapter);
}

static const struct {
    const char *member, *refused; /* the reason, or NULL */
} added_fields[] = {
    { "\"new_in_peft_9\": null, \"other\": false, \"list\": []", NULL },
    { "\"new_in_peft_9\": {\"a\": 1}", "\"new_in_peft_9\" is no field" },
    { "\"typo_alpha\": 3", "\"typo_alpha\" is no field" },
};

/* The last of several members counts, so these are changed where they stand. */
static const struct {
    const char *from, *to, *refused;
} changed_fields[] = {
    { "\"init_lora_weights\": true", "\"init_lora_weights\": false", NULL },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": null", NULL },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"gaussian\"", NULL },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"orthogonal\"", NULL },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"eva\"", NULL },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", NULL },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_16\"",
      "init_lora_weights pissa_niter_16 is not supported: it changes the weights" },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"corda\"", "corda" },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"olora\"", NULL },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"lora_ga\"", "lora_ga" },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"loftq\"",
      "loftq is not supported: it quantises" },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"mica\"", "mica" },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": \"lora_xs\"",
      "init_lora_weights lora_xs is not known" },
    { "\"init_lora_weights\": true", "\"init_lora_weights\": 3", "an integer is not known" },
    { "\"alora_invocation_tokens\": null", "\"alora_invocation_tokens\": [1]", "alora" },
    { "\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": 2}", NULL },
    { "\"bias\": \"none\"", "\"bias\": \"all\"", NULL }, /* this model has none */
    { "\"arrow_config\": null", "\"arrow_config\": {\"top_k\": 3}", "arrow_config" },
    { "\"auto_mapping\": null", "\"auto_mapping\": {\"a\": 1}", NULL },
    { "\"corda_config\": null", "\"corda_config\": {\"a\": 1}", NULL },
    { "\"ensure_weight_tying\": false", "\"ensure_weight_tying\": true", NULL },
    { "\"eva_config\": null", "\"eva_config\": {\"rho\": 1.0}", NULL },
    { "\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true", NULL },
    { "\"inference_mode\": true", "\"inference_mode\": false", NULL },
    { "\"layer_replication\": null", "\"layer_replication\": [[0, 2]]", "layer_repl" },
    { "\"loftq_config\": {}", "\"loftq_config\": {\"loftq_bits\": 4}", NULL },
    { "\"lora_ga_config\": null", "\"lora_ga_config\": {\"a\": 1}", NULL },
    { "\"megatron_config\": null", "\"megatron_config\": {\"a\": 1}", "megatron_config" },
    { "\"modules_to_save\": null", "\"modules_to_save\": []", NULL },
    { "\"monteclora_config\": null", "\"monteclora_config\": {\"a\": 1}", "monteclora" },
    { "\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 4}", NULL },
    { "\"revision\": null", "\"revision\": \"main\"", NULL },
    { "\"target_parameters\": null", "\"target_parameters\": [\"x\"]", "target_parameters" },
    { "\"task_type\": \"CAUSAL_LM\"", "\"task_type\": null", NULL },
    { "\"trainable_token_indices\": null", "\"trainable_token_indices\": []", NULL },
    { "\"trainable_token_indices\": null", "\"trainable_token_indices\": {\"wte\": [1]}",
      "names wte; embed_tokens and lm_head have rows" },
    { "\"use_bdlora\": null", "\"use_bdlora\": {\"nblocks\": 1}", "use_bdlora" },
    { "\"use_qalora\": false", "\"use_qalora\": true", "use_qalora" },
    { "\"velora_config\": null", "\"velora_config\": {\"a\": 1}", "velora_config" },
    { "\"layers_to_transform\": null", "\"layers_to_transform\": [0, 1]", NULL },
};

static void test_adapter__every_field_of_peft_is_known(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model;

    (void)state;
    assert_ok(axl_model_open(&model, ctx, variant_path("rope_linear_new", ""), NULL));
    for (size_t i = 0; i < sizeof added_fields / sizeof added_fields[0]; i++)
        check_field(model, added_fields[i].member,
                    added_fields[i].refused ? AXL_ERR_UNSUPPORTED : AXL_OK,
                    added_fields[i].refused);
    for (size_t i = 0; i < sizeof changed_fields / sizeof changed_fields[0]; i++) {
        if (changed_fields[i].refused)
            check_bad_folder(model, "adapter_config.json", changed_fields[i].from,
                             changed_fields[i].to, AXL_ERR_UNSUPPORTED, changed_fields[i].refused);
        else
            axl_adapter_free(open_changed(model, "adapter_config.json", changed_fields[i].from,
                                          changed_fields[i].to));
    }
    axl_model_free(model);
    axl_context_free(ctx);
}

/* The file has down_proj, q_proj and v_proj of two layers. */
static void test_adapter__has_the_layers_that_its_config_names(void **state)
{
    static const char old[] = "\"target_modules\": [\n    \"down_proj\",";
    static const struct {
        const char *from, *to, *refused;
    } cases[] = {
        { old, "\"target_modules\": [\n    \"down_proj\", \"k_proj\",",
          "lacks the tensors of layers that its adapter_config.json names: "
          "model.layers.0.self_attn.k_proj, model.layers.1.self_attn.k_proj" },
        { old, "\"target_modules\": [\n",
          "has tensors of layers that its adapter_config.json does not name: "
          "model.layers.0.mlp.down_proj, model.layers.1.mlp.down_proj" },
        { old, "\"target_modules\": [ \"w9\", \"mlp.down_proj\",", NULL },
        { old, "\"target_modules\": [\"model.layers.0.mlp.down_proj\",",
          "does not name: model.layers.1.mlp.down_proj" },
        { old, "\"target_modules\": [\"embed_tokens\", \"down_proj\",",
          "names: model.embed_tokens" },
        { "\"layers_to_transform\": null", "\"layers_to_transform\": 0",
          "does not name: model.layers.1.self_attn.q_proj, model.layers.1.self_attn.v_proj, "
          "model.layers.1.mlp.down_proj" },
        { "\"layers_to_transform\": null", "\"layers_to_transform\": [\"a\"]",
          "numbers of layers" },
        { "\"exclude_modules\": null", "\"exclude_modules\": [\"q_proj\"]", "does not name" },
        { "\"exclude_modules\": null", "\"exclude_modules\": [\"k_proj\"]", NULL },
    };
    axl_context *ctx = tiny_context(1);
    axl_model *model;
    size_t n;

    (void)state;
    assert_ok(axl_model_open(&model, ctx, variant_path("rope_linear_new", ""), NULL));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].refused)
            check_bad_folder(model, "adapter_config.json", cases[i].from, cases[i].to,
                             AXL_ERR_FORMAT, cases[i].refused);
        else
            axl_adapter_free(
                open_changed(model, "adapter_config.json", cases[i].from, cases[i].to));
    }
    /* What is written says it in the same words. */
    axl_adapter *adapter = open_changed(model, "adapter_config.json", "\"exclude_modules\": null",
                                        "\"exclude_modules\": \".*k_proj\"");
    assert_ok(axl_adapter_save(adapter, temp_path("paths")));
    axl_adapter_free(adapter);
    char *text = read_all(temp_path("paths"), "adapter_config.json", &n);
    assert_non_null(strstr(text, "\"exclude_modules\": \".*k_proj\""));
    free(text);
    assert_ok(axl_adapter_open(&adapter, model, temp_path("paths")));
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- a config's ---- */

static axl_status from_config(axl_context *ctx, axl_model *model, const char *keys,
                              axl_adapter **out)
{
    char text[2048];
    axl_config *cfg;

    snprintf(text, sizeof text,
             "base_model: %s\ndatasets: [{path: x, type: alpaca}]\nadapter: lora\n"
             "micro_batch_size: 1\ngradient_accumulation_steps: 1\nlearning_rate: 1e-3\n"
             "output_dir: out\nseed: 5\n%s",
             test_source_path("examples/tiny-llama"), keys);
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), "test.yml", NULL));
    axl_status status = axl_adapter_from_config(out, cfg, model);
    axl_config_free(cfg);
    return status;
}

static void test_adapter__is_as_the_config_says(void **state)
{
    static const struct {
        const char *keys;
        size_t count;
    } cases[] = {
        { "lora_r: 4\nlora_alpha: 8\nlora_target_linear: true\n", 4 * 7 * 2 },
        { "lora_r: 4\nlora_alpha: 8\nlora_target_modules: [q_proj, up_proj]\n", 4 * 2 * 2 },
        { "lora_r: 4\nlora_alpha: 8\nlora_target_modules: [lm_head]\nlora_target_linear: true\n",
          4 * 7 * 2 + 2 },
        { "lora_r: 4\nlora_alpha: 8\nlora_target_modules: all-linear\n", 4 * 7 * 2 },
        { "lora_r: 4\nlora_alpha: 8\nlora_target_modules: '.*q_proj'\n", 4 * 2 },
        { "lora_r: 4\nlora_alpha: 8\nlora_target_modules: [q_proj, v_proj]\n"
          "peft_layers_to_transform: [0, 3]\npeft_layers_pattern: [layers]\n"
          "lora_exclude_modules: [3.self_attn.v_proj]\n",
          3 * 2 },
        { "lora_r: 16\nlora_alpha: 8\nlora_target_modules: [up_proj, down_proj]\n"
          "lora_exclude_modules: '.*up.*'\nlora_rank_pattern: {down_proj: 4}\n"
          "lora_alpha_pattern: {'[01].*': 3}\npeft_use_dora: true\n"
          "peft_init_lora_weights: gaussian\n",
          4 * 3 },
        { "lora_r: 4\nlora_alpha: 8\nlora_target_modules: [q_proj]\n"
          "lora_modules_to_save: [embed_tokens, lm_head]\npeft_ensure_weight_tying: true\n",
          4 * 2 + 1 },
        { "lora_r: 4\nlora_alpha: 8\nlora_target_modules: [q_proj]\n"
          "peft_trainable_token_indices: [1, 2, 9, 5]\n",
          4 * 2 + 1 },
        { "lora_r: 4\nlora_alpha: 8\nlora_target_modules: [q_proj]\n"
          "peft_trainable_token_indices: {embed_tokens: [1, 2, 9, 5], lm_head: [7]}\n",
          4 * 2 + 2 },
    };
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter, *kept;
    char keys[700];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(from_config(ctx, model, cases[i].keys, &adapter));
        assert_int_equal(axl_adapter_count(adapter), cases[i].count);
        assert_ok(axl_adapter_get_tensor(adapter, 0, &t));
        assert_int_equal(t.rows, strstr(cases[i].keys, "[embed_") ? TINY_VOCAB : 4);
        axl_adapter_free(adapter);
    }
    kept = tiny_adapter(model, 0.0);
    assert_ok(axl_adapter_save(kept, temp_path("kept")));
    snprintf(keys, sizeof keys,
             "lora_r: 16\nlora_alpha: 1\nlora_target_modules: [q_proj]\n"
             "lora_model_dir: %s\n",
             temp_path("kept"));
    assert_ok(from_config(ctx, model, keys, &adapter)); /* the folder's rank and targets win */
    tiny_compare(adapter, NULL, kept, NULL, 0.0);
    axl_adapter_free(adapter);
    axl_adapter_free(kept);
    axl_model_free(model);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapter__targets_every_layer_but_the_head),
        cmocka_unit_test(test_adapter__targets_by_the_end_of_the_path),
        cmocka_unit_test(test_adapter__layers_as_peft_names_them),
        cmocka_unit_test(test_adapter__depends_on_its_seed_alone),
        cmocka_unit_test(test_adapter__refuses_bad_options),
        cmocka_unit_test(test_adapter__values_are_read_and_written),
        cmocka_unit_test(test_adapter__pefts_folders_go_there_and_back),
        cmocka_unit_test(test_adapter__writes_what_it_is),
        cmocka_unit_test(test_adapter__refuses_folders_that_do_not_fit),
        cmocka_unit_test(test_adapter__every_field_of_peft_is_known),
        cmocka_unit_test(test_adapter__has_the_layers_that_its_config_names),
        cmocka_unit_test(test_adapter__is_as_the_config_says),
    };

    return test_run(tests);
}
