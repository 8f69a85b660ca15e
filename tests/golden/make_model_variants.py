# SPDX-License-Identifier: Apache-2.0
# Makes tests/golden/model_variants: tiny random models of each family in the forms
# that checkpoints come in, and what they compute.
#
#   make_model_variants.py OUT [NAME…]
#
# Each OUT/NAME is a model directory without a tokenizer, with a PEFT adapter in OUT/NAME/adapter, and
#   expect.json         input_ids of two sequences; loss with the adapter, without, and with it in f64; train: of some
#                       variants the losses of six steps from the adapter on, of the ids shifted by a place each
#   expect.safetensors  base.0, base.1: f32 logits without the adapter; lora.0, lora.1: with it;
#                       grad.TENSOR: gradient of the loss by each LoRA tensor, TENSOR named as in the adapter's file
#                       steps: logits without the adapter of the first sequence's last tokens, one after another
#                       gradients are computed in f64 where a variant says exact (in f32 those of a small model have
#                       few digits)
# The logits are those of each sequence alone.  The loss is the sum over the next-token positions of both sequences
# divided by their number.  Weights are read from the file and widened; everything is computed in f32.
# versions.json names the packages and the seed.
#
# config.json is written as transformers 5 does (dtype, rope_parameters) except where a variant says old: then as
# transformers 4 did (torch_dtype, rope_theta, rope_scaling).  Both are checked to load as the same model.
# Of a checkpoint with several parts (mistral3) the language model is computed; it is loaded as Axolotl does.
import argparse
import importlib.metadata
import json
import platform
import shutil
from pathlib import Path

import peft
import torch
import transformers
from safetensors.torch import save_file

SEED = 77
LENGTHS = (17, 9)
TRAIN_STEPS, TRAIN_RATE = 6, 0.02
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SOME = ["q_proj", "v_proj", "down_proj"]
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
SMALL = dict(vocab_size=24, hidden_size=16, intermediate_size=16, rms_norm_eps=1e-5)

VARIANTS = {
    # head of its own, as many key-value heads as heads, f32
    "untied_mha_f32": dict(
        dtype="float32", targets=ALL, old=False, shard=None,
        config=dict(vocab_size=97, hidden_size=32, intermediate_size=56, num_attention_heads=2, num_key_value_heads=2,
                    tie_word_embeddings=False, rms_norm_eps=1e-6)),
    # head tied to the embedding, four heads on one key-value head, bf16, two files and their index
    "tied_gqa_bf16_sharded": dict(
        dtype="bfloat16", targets=SOME, old=False, shard=50_000,
        config=dict(vocab_size=128, hidden_size=48, intermediate_size=80, num_attention_heads=4, num_key_value_heads=1,
                    tie_word_embeddings=True, rms_norm_eps=1e-5)),
    # heads wider than hidden / heads, f16, llama3 rope in the old form
    "head_dim_f16_llama3_old": dict(
        dtype="float16", targets=ALL, old=True, shard=None,
        config=dict(vocab_size=101, hidden_size=32, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2,
                    head_dim=24, tie_word_embeddings=False, rms_norm_eps=1e-5,
                    rope_parameters={"rope_theta": 500000.0, **LLAMA3})),
    # linear rope in the new form
    "rope_linear_new": dict(
        dtype="float32", targets=SOME, old=False, shard=None,
        config=dict(vocab_size=96, hidden_size=32, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2,
                    tie_word_embeddings=True, rms_norm_eps=1e-5,
                    rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0})),
    # a Llama with every bias that its config.json can ask for
    "llama_biases": dict(
        dtype="float32", targets=ALL, old=False, shard=None,
        config=dict(vocab_size=89, hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2,
                    attention_bias=True, mlp_bias=True, tie_word_embeddings=False, rms_norm_eps=1e-5)),
    # a window shorter than the texts
    "mistral_window": dict(
        family="Mistral", dtype="float32", targets=ALL, old=False, shard=None,
        config=dict(vocab_size=97, hidden_size=32, intermediate_size=56, num_attention_heads=4, num_key_value_heads=2,
                    sliding_window=5, tie_word_embeddings=False, rms_norm_eps=1e-5)),
    # without a window, as later releases have it; heads of a size of their own, in the old form
    "mistral_head_dim_bf16_old": dict(
        family="Mistral", dtype="bfloat16", targets=SOME, old=True, shard=None,
        config=dict(vocab_size=101, hidden_size=48, intermediate_size=64, num_attention_heads=4, num_key_value_heads=1,
                    head_dim=16, sliding_window=None, tie_word_embeddings=False, rms_norm_eps=1e-5,
                    rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})),
    # biases of q, k and v; the window in config.json is not used
    "qwen2_bias": dict(
        family="Qwen2", dtype="float32", targets=ALL, old=False, shard=None,
        config=dict(vocab_size=96, hidden_size=32, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2,
                    use_sliding_window=False, sliding_window=4, max_window_layers=0, tie_word_embeddings=True,
                    rms_norm_eps=1e-6, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})),
    # the upper layers have a window, in bf16 and the old form, which has no layer_types
    "qwen2_window_layers_bf16_old": dict(
        family="Qwen2", dtype="bfloat16", targets=SOME, old=True, shard=None,
        config=dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_attention_heads=2, num_key_value_heads=2,
                    num_hidden_layers=3, use_sliding_window=True, sliding_window=4, max_window_layers=1,
                    tie_word_embeddings=False, rms_norm_eps=1e-6)),
    # a head of its own that config.json does not know of: it says that the head is the embedding
    "own_head_said_to_be_tied": dict(
        dtype="float16", targets=ALL, old=False, shard=None, say_tied=True,
        config=dict(vocab_size=88, hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2,
                    tie_word_embeddings=False, rms_norm_eps=1e-6)),
    # heads of a size of their own, normalised in q and k
    "qwen3": dict(
        family="Qwen3", dtype="float32", targets=ALL, old=False, shard=None,
        config=dict(vocab_size=97, hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2,
                    head_dim=16, tie_word_embeddings=True, rms_norm_eps=1e-6,
                    rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})),
    # the same in bf16 and the old form, with biases and a window in the upper layers
    "qwen3_bias_window_bf16_old": dict(
        family="Qwen3", dtype="bfloat16", targets=SOME, old=True, shard=None,
        config=dict(vocab_size=90, hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=1,
                    num_hidden_layers=3, head_dim=24, attention_bias=True, use_sliding_window=True, sliding_window=5,
                    max_window_layers=1, tie_word_embeddings=False, rms_norm_eps=1e-6)),
    # frequencies by the longest text of a batch, one of which is longer than max_position_embeddings
    "llama_dynamic": dict(
        dtype="float32", targets=SOME, rank=2, exact=True, old=True, shard=None, batch=True,
        steps=9,
        config=dict(SMALL, num_attention_heads=2, num_key_value_heads=1, head_dim=12, max_position_embeddings=12,
                    tie_word_embeddings=True,
                    rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0})),
    # cosines and sines that are longer than one, a window, heads of a size of their own
    "mistral_yarn_window": dict(
        family="Mistral", dtype="float32", targets=SOME, rank=2, exact=True, old=False, shard=None,
        config=dict(SMALL, num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=5,
                    tie_word_embeddings=True,
                    rope_parameters={"rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "beta_fast": 4.0,
                                     "original_max_position_embeddings": 16})),
    # fused projections, three quarters of a head turn, by the long factors; a window shorter than the texts
    "phi3_longrope_window": dict(
        family="Phi3", train=True, dtype="float32", targets=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],
        rank=2, exact=True, old=False, shard=None, batch=True,
        config=dict(SMALL, num_attention_heads=2, num_key_value_heads=1, original_max_position_embeddings=12,
                    sliding_window=6, tie_word_embeddings=False,
                    rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75,
                                     "short_factor": [1.0, 1.1, 1.3], "long_factor": [1.0, 2.5, 9.0]})),
    # the short ones, in bf16 and the old form, the head tied to the embedding
    "phi3_tied_bf16_old": dict(
        family="Phi3", dtype="bfloat16", targets=["qkv_proj", "down_proj"], rank=2, exact=True, old=True, shard=None,
        config=dict(SMALL, num_attention_heads=2, num_key_value_heads=2, original_max_position_embeddings=64,
                    tie_word_embeddings=True,
                    rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0,
                                     "short_factor": [1.0, 1.1, 1.3, 2.0], "long_factor": [1.0, 2.5, 9.0, 11.0]})),
    # queries that grow with their position
    "ministral3": dict(
        family="Ministral3", train=True, dtype="float32", targets=SOME, rank=2, exact=True, old=False, shard=None,
        config=dict(SMALL, num_attention_heads=4, num_key_value_heads=2, head_dim=8, tie_word_embeddings=False,
                    rope_parameters={"rope_type": "yarn", "rope_theta": 1000000.0, "factor": 16.0, "beta_fast": 32.0,
                                     "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
                                     "original_max_position_embeddings": 4, "llama_4_scaling_beta": 0.3})),
    # the language model of a checkpoint that has an encoder of images, too
    "mistral3": dict(
        family="Mistral3", train=True, dtype="bfloat16", rank=2, exact=True, old=None, shard=None,
        targets=r"model\.language_model\..*\.(q_proj|v_proj|down_proj)",
        config=dict(
            tie_word_embeddings=False,
            vision_config=dict(model_type="pixtral", hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                               num_attention_heads=1, head_dim=8, image_size=4, patch_size=2),
            text_config=dict(SMALL, model_type="mistral", num_hidden_layers=2, max_position_embeddings=128,
                             num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=5,
                             bos_token_id=1, eos_token_id=2, pad_token_id=None))),
    # a window in some layers
    "ministral_layers_bf16": dict(
        family="Ministral", dtype="bfloat16", targets=SOME, rank=2, exact=True, old=None, shard=None,
        config=dict(SMALL, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=1, head_dim=12,
                    sliding_window=4, tie_word_embeddings=True,
                    layer_types=["full_attention", "sliding_attention", "sliding_attention"])),
    # GELU, norms around 0, a scaled embedding that is the head
    "gemma": dict(
        family="Gemma", seed=3013, dtype="float32", targets=SOME, old=False, shard=None, rank=2,
        config=dict(vocab_size=23, hidden_size=12, intermediate_size=10, num_attention_heads=2, num_key_value_heads=1,
                    head_dim=6, rms_norm_eps=1e-6)),
    # the exact GELU, biases, a head of its own, in bf16 and the old form
    "gemma_gelu_bias_bf16_old": dict(
        family="Gemma", seed=3025, dtype="bfloat16", targets=SOME, old=True, shard=None, rank=2,
        config=dict(vocab_size=23, hidden_size=12, intermediate_size=10, num_attention_heads=2, num_key_value_heads=2,
                    head_dim=6, hidden_act="gelu", attention_bias=True, tie_word_embeddings=False, rms_norm_eps=1e-6)),
    # caps that bend most scores and logits, a window shorter than the texts in every other layer
    "gemma2": dict(
        family="Gemma2", seed=3037, dtype="float32", targets=SOME, old=False, shard=None, rank=2,
        config=dict(vocab_size=23, hidden_size=12, intermediate_size=10, num_attention_heads=2, num_key_value_heads=1,
                    num_hidden_layers=4, head_dim=6, query_pre_attn_scalar=11, sliding_window=5,
                    attn_logit_softcapping=1.5, final_logit_softcapping=2.5, rms_norm_eps=1e-6)),
    # no cap on logits; layers with a window by their number alone
    "gemma2_bf16_old": dict(
        family="Gemma2", seed=3048, dtype="bfloat16", targets=SOME, old=True, shard=None, rank=2,
        config=dict(vocab_size=23, hidden_size=12, intermediate_size=10, num_attention_heads=2, num_key_value_heads=2,
                    head_dim=6, query_pre_attn_scalar=8, sliding_window=4,
                    attn_logit_softcapping=2.0, final_logit_softcapping=None, rms_norm_eps=1e-6)),
    # heads normalised, two sets of angles, one of them slowed
    "gemma3": dict(
        family="Gemma3", config_class="Gemma3TextConfig", seed=3054, dtype="float32", targets=ALL, old=False,
        shard=None, rank=2,
        config=dict(vocab_size=23, hidden_size=12, intermediate_size=10, num_attention_heads=2, num_key_value_heads=1,
                    num_hidden_layers=4, head_dim=6, query_pre_attn_scalar=11, sliding_window=5, rms_norm_eps=1e-6,
                    layer_types=["sliding_attention", "full_attention", "full_attention", "sliding_attention"],
                    rope_parameters={
                        "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 50000.0},
                        "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}})),
    # the same in bf16 and the old form, with a cap on logits
    "gemma3_pattern_bf16_old": dict(
        family="Gemma3", config_class="Gemma3TextConfig", seed=3062, dtype="bfloat16", targets=SOME, old=True,
        shard=None, rank=2,
        config=dict(vocab_size=23, hidden_size=12, intermediate_size=10, num_attention_heads=2, num_key_value_heads=2,
                    head_dim=6, query_pre_attn_scalar=8, sliding_window=4, rms_norm_eps=1e-6,
                    sliding_window_pattern=2, final_logit_softcapping=3.0,
                    rope_parameters={
                        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})),
}
WRAPPERS = {"mistral3": "Mistral3ForConditionalGeneration"}


def make_model(out, v):
    family = v.get("family", "Llama")
    common = dict(num_hidden_layers=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=None)
    wrapper = WRAPPERS.get(family.lower()) if "config_class" not in v else None
    config = getattr(transformers, v.get("config_class", family + "Config"))(
        **({} if wrapper else common) | v["config"])
    norms = 0.0 if family.startswith("Gemma") else 1.0  # a Gemma adds 1 to the weights
    model = getattr(transformers, wrapper or family + "ForCausalLM")(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            # wide enough that softmax and SiLU are far from linear; norms multiply by about one
            if name.endswith(".bias"):
                p.normal_(0.0, 0.5)
            else:
                p.normal_(norms, 0.2) if "norm" in name else p.normal_(0.0, 1.5 * p.shape[-1] ** -0.5)
    kwargs = {"max_shard_size": v["shard"]} if v["shard"] else {}
    model.to(getattr(torch, v["dtype"])).save_pretrained(out, **kwargs)
    (out / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((out / "config.json").read_text())
    if v.get("say_tied"):
        config["tie_word_embeddings"] = True
    return config


def old_form(config):
    """config.json as transformers 4 wrote it."""
    c = dict(config)
    c["torch_dtype"] = c.pop("dtype")
    rope = dict(c.pop("rope_parameters"))
    if "partial_rotary_factor" in rope:
        c["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    if "sliding_attention" in rope:  # Gemma 3: the one set has old names, the other a key
        c["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        c["sliding_window_pattern"] = c.pop("_sliding_window_pattern")
        rope = dict(rope["full_attention"])
    c["rope_theta"] = rope.pop("rope_theta")
    c["rope_scaling"] = rope if rope["rope_type"] != "default" else None
    if c.get("sliding_window_pattern") != 6:  # Gemma 3's own, which its tiny models here do not follow
        c.pop("layer_types", None)
    c["transformers_version"] = "4.51.3"
    return dict(sorted(c.items()))


def write(config, path):
    path.write_text(json.dumps(config, indent=2) + "\n")


def norm_forward(self, x):
    """transformers' own without its conversion to f32, which would spoil f64."""
    return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.variance_epsilon))


def gemma_norm_forward(self, x):
    return (1.0 + self.weight) * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps))


def capped_attention(module, query, key, value, attention_mask, scaling=None, softcap=None, **kwargs):
    """Gemma 2's eager attention in the type of its inputs; SDPA has no cap."""
    groups = module.num_key_value_groups
    scores = query @ key.repeat_interleave(groups, 1).transpose(2, 3) * scaling
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    weights = torch.softmax(scores + attention_mask, -1)
    return (weights @ value.repeat_interleave(groups, 1)).transpose(1, 2).contiguous(), weights


def load(path, dtype):
    """In f64 also the norms and the softmax are f64 (the eager attention converts to f32); the rope table stays f32."""
    exact = dtype == torch.float64
    wrapped = json.loads((path / "config.json").read_text())["model_type"] in WRAPPERS
    kind = transformers.AutoModelForImageTextToText if wrapped else transformers.AutoModelForCausalLM
    model = kind.from_pretrained(
        path, dtype=dtype, attn_implementation="sdpa" if exact else "eager")
    for m in model.modules() if exact else ():
        if type(m).__name__.endswith("RMSNorm"):
            m.forward = (gemma_norm_forward if type(m).__name__.startswith("Gemma") else norm_forward).__get__(m)
    if exact and model.config.model_type == "gemma2":
        transformers.AttentionInterface.register("capped", capped_attention)
        transformers.AttentionMaskInterface.register("capped", transformers.masking_utils.eager_mask)
        model.set_attn_implementation("capped")
    return model


def make_adapter(out, v):
    model = peft.get_peft_model(load(out, torch.float32), peft.LoraConfig(
        r=v.get("rank", 4), lora_alpha=8, lora_dropout=0.0, target_modules=v["targets"], task_type="CAUSAL_LM"))
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.1)
    model.save_pretrained(out / "adapter")
    (out / "adapter" / "README.md").unlink(missing_ok=True)
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = out.name                 # not where it lay on the machine
    if not isinstance(config["target_modules"], str):
        config["target_modules"] = sorted(config["target_modules"])  # a set: its order changes from run to run
    write(config, out / "adapter" / "adapter_config.json")


def logits_of(model, sequences):
    return [model(input_ids=torch.tensor([s]), use_cache=False).logits[0] for s in sequences]


def batch_logits_of(model, sequences):
    """The sequences as rows of one batch, filled up at their ends."""
    longest = max(len(s) for s in sequences)
    ids = torch.tensor([s + [0] * (longest - len(s)) for s in sequences])
    mask = torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in sequences])
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return [l[:len(s)] for l, s in zip(logits, sequences)]


def trained_logits_of(v, model, sequences):
    """What the loss is of: where frequencies follow the longest text, it matters who is in the batch."""
    return (batch_logits_of if v.get("batch") else logits_of)(model, sequences)


def step_logits_of(model, sequence, first):
    """Of the last token of the first ones, then of each further token with the keys and values before it kept."""
    cache, out, given = None, [], sequence[:first]
    for i in range(first, len(sequence) + 1):
        answer = model(input_ids=torch.tensor([given]), past_key_values=cache, use_cache=True)
        cache, given = answer.past_key_values, sequence[i:i + 1]
        out.append(answer.logits[0, -1])
    return torch.stack(out)


def loss_of(logits, sequences):
    sums = [torch.nn.functional.cross_entropy(l[:-1], torch.tensor(s[1:]), reduction="sum")
            for l, s in zip(logits, sequences)]
    return sum(sums) / sum(len(s) - 1 for s in sequences)


def with_adapter(out, dtype):
    return peft.PeftModel.from_pretrained(load(out, dtype), out / "adapter", is_trainable=True).to(dtype)


def gradients_of(model):
    return {n.replace(".default.", "."): p.grad for n, p in model.named_parameters()
            if p.requires_grad and p.grad is not None}


def shifted(sequence, k, vocab):
    """Ids of the k-th step: all moved by k, in a circle above the special ones."""
    return [3 + (x - 3 + k) % (vocab - 3) for x in sequence]


def train(out, sequences, vocab):
    """The losses of steps from the adapter on, as transformers' trainer makes them (AdamW, clipping at 1)."""
    model = with_adapter(out, torch.float32)
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=TRAIN_RATE, weight_decay=0.0)
    losses = []
    for k in range(TRAIN_STEPS):
        rows = [shifted(s, k, vocab) for s in sequences]
        loss = loss_of(batch_logits_of(model, rows), rows)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in params if p.grad is not None], 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def make_variant(out, v):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    new = make_model(out, v)
    old = new if v["old"] is None else old_form(new)
    sequences = [torch.randint(3, new.get("text_config", new)["vocab_size"], (n,)).tolist() for n in LENGTHS]
    found = []
    for form in (new, old):
        write(form, out / "config.json")
        with torch.no_grad():
            found.append(logits_of(load(out, torch.float32), sequences))
    assert all(torch.equal(a, b) for a, b in zip(*found)), "the two forms of config.json differ"
    write(old if v["old"] else new, out / "config.json")
    make_adapter(out, v)

    model = with_adapter(out, torch.float32)
    lora = logits_of(model, sequences)
    loss = loss_of(trained_logits_of(v, model, sequences), sequences)
    loss.backward()
    grads = gradients_of(model)
    exact = with_adapter(out, torch.float64)
    exact_loss = loss_of(trained_logits_of(v, exact, sequences), sequences)
    exact_loss.backward()
    exact_grads = gradients_of(exact)
    worst = max(((grads[n].double() - g).norm() / g.norm()).item() for n, g in exact_grads.items())
    if v.get("exact"):
        grads = {n: g.float() for n, g in exact_grads.items()}
    tensors = {f"base.{i}": t for i, t in enumerate(found[0])}
    tensors |= {f"lora.{i}": t.detach() for i, t in enumerate(lora)}
    tensors |= {f"grad.{n}": g for n, g in grads.items()}
    if v.get("steps"):
        with torch.no_grad():
            tensors["steps"] = step_logits_of(load(out, torch.float32), sequences[0], v["steps"])
    save_file({n: t.contiguous() for n, t in tensors.items()}, out / "expect.safetensors")
    more = {"train": train(out, sequences, new.get("text_config", new)["vocab_size"])} if v.get("train") else {}
    (out / "expect.json").write_text(json.dumps(more | {
        "input_ids": sequences, "loss": loss.item(), "loss_f64": exact_loss.item(),
        "loss_base": loss_of(found[0], sequences).item(), "worst_relative_f32_gradient_error": worst}) + "\n")
    print(out.name, "loss", loss.item(), "base", loss_of(found[0], sequences).item(), "f32 error", worst,
          sorted(p.name for p in out.iterdir()))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out", type=Path)
    p.add_argument("names", nargs="*", help="of variants; all of them by default")
    args = p.parse_args()
    out, names = args.out, args.names
    torch.set_num_threads(1)
    for i, (name, v) in enumerate(VARIANTS.items()):
        torch.manual_seed(v.get("seed", SEED + i))
        if not names or name in names:
            make_variant(out / name, v)
    (out / "versions.json").write_text(json.dumps({
        "seed": SEED, "python": platform.python_version(), "device": "cpu", "attention": "eager",
        **{n: importlib.metadata.version(n) for n in ("torch", "transformers", "peft", "safetensors")}}, indent=1) + "\n")


if __name__ == "__main__":
    main()
