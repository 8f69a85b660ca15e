/* SPDX-License-Identifier: Apache-2.0 */
/* test_chat_turns.c - the two ways to find a turn in a rendered conversation agree: all plain turns
 * by one rendering more, and one turn by two. */
#include "testing.h"

#include "data/prompt/chat_turns.h"

static const char *const templates[] = {
    "chatml",
    "llama3",
    "qwen3",
    "qwen_25",
    "mistral_v1",
    "mistral_v2v3",
    "gemma3",
    "phi_3",
    "metharme",
    "cohere",
    /* Contents that are stripped on one side, written twice, changed, looked into, in no order. */
    "{% for m in messages %}{{ m.role }}\n{{ m.content.rstrip() }}\n{% endfor %}",
    "{% for m in messages %}\n{{ m.content.lstrip() }}\n {% endfor %}",
    "{% for m in messages %}{{ m.content.strip('\\n') }} {{ m.content }}\n{% endfor %}",
    "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
    "{% for m in messages %}{{ m.content }}{% endfor %}",
    "{% for m in messages %} {{ m.content | trim }} {% endfor %}",
    "{% for m in messages %}{% if 'a' in m.content %}!{% endif %}{{ m.content }}\n{% endfor %}",
    "{% for m in messages[::-1] %}{{ m.content }};{% endfor %}",
    "{% for m in messages %}{% if not loop.first %}{{ m.content }}|{% endif %}{% endfor %}",
};
enum { N_TEMPLATES = sizeof templates / sizeof templates[0], TURNS_MAX = 6 };

static const char *const pieces[] = {
    "a",
    "b",
    "z",
    " ",
    "\n",
    "\n\n",
    "  ",
    "\t",
    "[",
    "[[",
    "]]",
    "user",
    "\xC3\xA9",
    "\xE4\xB8\xAD",
    "\xC2\xA0",
    "|",
    "assistant",
    "<|im_end|>",
    "[[dummy_message]]",
    "zzdummymessagezz",
    "[[dummy_message_1]]",
    "</think>",
    "text",
    "Text.",
};
enum { N_PIECES = sizeof pieces / sizeof pieces[0] };

/* Of one conversation: what is random comes from a counter. */
typedef struct {
    axl_context *ctx;
    axl__arena arena;
    uint64_t state;
    uint32_t n_found, n_turns;
} fixture;

static uint32_t below(fixture *f, uint32_t n)
{
    f->state = f->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(f->state >> 33) % n;
}

static axl__json random_text(fixture *f)
{
    axl__str s;

    axl__str_init(&s, f->ctx);
    for (uint32_t i = below(f, 5); i > 0; i--)
        axl__str_puts(&s, pieces[below(f, N_PIECES)]);
    assert_ok(axl__str_status(&s));
    axl__json value =
        axl__json_text(axl__arena_strndup(&f->arena, axl__str_text(&s), s.len), s.len);
    axl__str_free(&s);
    return value;
}

static void random_conversation(fixture *f, axl__conversation *c)
{
    size_t n = 1 + below(f, TURNS_MAX - 1);

    *c = (axl__conversation){ .n = n };
    c->turns = axl__arena_alloc(&f->arena, n * sizeof *c->turns);
    for (size_t i = 0; i < n; i++) {
        axl__chat_turn *turn = &c->turns[i];
        axl__json_maker m;
        turn->role = i % 2 == 0 ? "user" : "assistant";
        axl__json role = axl__json_text(turn->role, strlen(turn->role)), text = random_text(f);
        axl__json_make(&m, &f->arena, &turn->node, AXL__JSON_OBJECT);
        assert_non_null(axl__json_add(&m, "role", &role));
        assert_non_null(axl__json_add(&m, "content", &text));
        turn->node.next = i + 1 < n ? &c->turns[i + 1].node : NULL;
    }
    c->messages =
        (axl__json){ .type = AXL__JSON_ARRAY, .count = (uint32_t)n, .child = &c->turns[0].node };
}

static void compare_ways(fixture *f, const axl__chat *chat)
{
    axl__conversation c;
    axl__chat_text t;

    axl__arena_reset(&f->arena);
    random_conversation(f, &c);
    axl_status status = axl__chat_text_init(&t, chat, &f->arena, &c, "reasoning_content");
    if (status == AXL_OK)
        assert_ok(axl__chat_find_plain(&t));
    for (size_t i = 0; i < c.n && status == AXL_OK; i++) {
        axl__text_span fast, slow;
        bool *found = t.found;
        f->n_turns++;
        if (!found || !found[i])
            continue;
        assert_ok(axl__chat_find_turn(&t, i, AXL__TURN_WHOLE, &fast));
        t.found = NULL;
        assert_ok(axl__chat_find_turn(&t, i, AXL__TURN_WHOLE, &slow));
        t.found = found;
        f->n_found++;
        if (fast.begin != slow.begin || fast.end != slow.end)
            fail_msg("turn %zu of %zu in \"%s\" is %zu..%zu, not %zu..%zu", i, c.n,
                     axl__str_text(&t.text), fast.begin, fast.end, slow.begin, slow.end);
    }
    axl__chat_text_free(&t);
}

static void test_chat_turns__are_the_same_either_way(void **state)
{
    fixture f = { .ctx = test_context(), .state = 11 };
    static const char config[] = "base_model: model\nlearning_rate: 1e-3\nnum_epochs: 1\n"
                                 "micro_batch_size: 1\ngradient_accumulation_steps: 1\n"
                                 "datasets: [{path: x, type: alpaca}]\n";
    axl_config *cfg;
    axl_tokenizer *tok;

    (void)state;
    axl__arena_init(&f.arena, f.ctx);
    assert_ok(axl_config_parse(&cfg, f.ctx, config, strlen(config), NULL, NULL));
    assert_ok(axl_tokenizer_open(&tok, f.ctx, test_source_path("examples/tiny-llama"), NULL));
    for (size_t i = 0; i < N_TEMPLATES; i++) {
        bool own = strchr(templates[i], '{') != NULL;
        axl__chat_choice choice = { .cfg = cfg,
                                    .name = own ? "jinja" : templates[i],
                                    .jinja = own ? templates[i] : NULL };
        axl__chat chat;
        assert_ok(axl__chat_open(&chat, &choice, tok));
        for (int k = 0; k < (test_is_slow() ? 20 : 300); k++)
            compare_ways(&f, &chat);
        axl__chat_close(&chat);
    }
    assert_true(f.n_found > f.n_turns / 3);
    axl_tokenizer_free(tok);
    axl_config_free(cfg);
    axl__arena_free(&f.arena);
    axl_context_free(f.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat_turns__are_the_same_either_way),
    };

    return test_run(tests);
}
