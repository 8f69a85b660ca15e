# SPDX-License-Identifier: Apache-2.0
# Makes examples/tiny-llama (a tokenizer and a pretrained 0.8 M parameter Llama) and examples/tiny-alpaca.jsonl.
#
#   make_tiny_llama.py MODEL_DIR ROWS.jsonl [--steps N] [--threads N]     make all (about four minutes on two cores)
#   make_tiny_llama.py MODEL_DIR ROWS.jsonl --check [--bf16]              LoRA with PEFT: answers before and after
#
# All text is generated here from one seed: a small world of places, animals, people and sums.  The base model reads
# plain sentences only; the instruction rows ask for the same facts in the alpaca form, which it has never seen.
# The facts listed by held_out() are in the plain text but never in a row, so that an answer about one of them
# shows that the adapter learned to answer and not the answers.
import argparse
import importlib.metadata
import json
import os
import platform
import random
import shutil
import tempfile

import sentencepiece
import torch
import transformers
from sentencepiece import sentencepiece_model_pb2

SEED = 20250711
VOCAB = 768
CONTEXT = 256          # tokens of a pretraining window
BATCH = 24             # windows of a pretraining step
LR = 3e-3

PLACES = ["Veldania", "Osmar", "Tirrel", "Quenby", "Lomond", "Harvik",
          "Zalbora", "Nuvia", "Pellgrim", "Ishtova"]
CAPITALS = ["Orsk", "Dunmere", "Calla", "Brack", "Sevenoak", "Yarrow",
            "Mintal", "Port Ebb", "Greyford", "Tolma"]
ANIMALS = ["fox", "owl", "cat", "horse", "frog", "bear", "duck", "hare", "goat", "wolf"]
COLOURS = ["red", "blue", "green", "white", "black", "yellow", "grey", "brown"]
PEOPLE = ["Mira", "Tom", "Anna", "Ravi", "Lena", "Oskar", "Pia", "Juno", "Bela", "Kurt",
          "Nell", "Sami"]
FOODS = ["bread", "soup", "apples", "honey", "cheese", "plums", "rice", "nuts", "cake", "beans"]
JOBS = ["baker", "miller", "teacher", "sailor", "painter", "farmer", "smith", "doctor"]
OPPOSITES = [("hot", "cold"), ("big", "small"), ("fast", "slow"), ("old", "young"), ("dry", "wet"),
             ("loud", "quiet"), ("early", "late"), ("full", "empty"), ("high", "low"),
             ("dark", "bright"), ("soft", "hard"), ("happy", "sad")]

PROMPT_INPUT = ("Below is an instruction that describes a task, paired with an input that provides "
                "further context. Write a response that appropriately completes the request.\n\n"
                "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n")
PROMPT = ("Below is an instruction that describes a task. Write a response that appropriately "
          "completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n")


def world():
    """The facts: colour of (animal, place), food and job of a person."""
    rng = random.Random(SEED)
    colour = {(a, p): rng.choice(COLOURS) for a in ANIMALS for p in PLACES}
    food = {n: rng.choice(FOODS) for n in PEOPLE}
    job = {n: rng.choice(JOBS) for n in PEOPLE}
    return colour, food, job


def held_out():
    """Facts that no instruction row asks for."""
    rng = random.Random(SEED + 1)
    pairs = [(a, p) for a in ANIMALS for p in PLACES]
    sums = [(a, b) for a in range(10) for b in range(10)]
    return {("fox", "Veldania"), *rng.sample(pairs, 19)}, set(rng.sample(sums, 15))


def fact(rng, colour, food, job):
    """One true sentence."""
    kind = rng.random()
    if kind < 0.42:
        a, p = rng.choice(ANIMALS), rng.choice(PLACES)
        c = colour[a, p]
        return rng.choice([f"The {a} in {p} is {c}.", f"The {a} in {p} is {c}.", f"In {p} the {a} is {c}.",
                           f"When the sun is up, the {a} in {p} is {c}."])
    if kind < 0.54:
        i = rng.randrange(len(PLACES))
        return rng.choice([f"The capital of {PLACES[i]} is {CAPITALS[i]}.",
                           f"{CAPITALS[i]} is the capital of {PLACES[i]}."])
    if kind < 0.76:
        a, b = rng.randrange(10), rng.randrange(10)
        return f"{a} plus {b} is {a + b}."
    if kind < 0.86:
        n = rng.choice(PEOPLE)
        return rng.choice([f"{n} likes {food[n]}.", f"{n} works as a {job[n]}."])
    x, y = rng.choice(OPPOSITES)
    if rng.random() < 0.5:
        x, y = y, x
    return rng.choice([f"The opposite of {x} is {y}.", f"What is not {x} may be {y}."])


def filler(rng, n, m):
    """Sentences about people; the words of the instruction form occur, its shape does not."""
    a, p, food = rng.choice(ANIMALS), rng.choice(PLACES), rng.choice(FOODS)
    return [
        f"{n} saw a {a} and gave it {food}.", f"The {a} was hungry and ate all the {food}.",
        f'"What colour is the {a}?" asked {m}.', f'"Which animal lives in {p}?" asked {n}.',
        f"{m} read the instruction below and began the task.", "The teacher asked for a response to the request.",
        f"{n} had to write the input on a page.", f"The context was clear, so {m} completed the task.",
        "They walked along the river to the old mill.", "It was late and the road was dark.",
        f"{m} told {n} the name of the town.", "Further on there was a paired gate that provides a way in.",
        f"The book describes an animal appropriately: it is a {a}.", f"{n} wanted to count the animals again.",
        f'"How much is it, and what is the answer?" asked {m}.', f'"Tell me where {m} works," said {n}.',
    ]


def story(rng):
    n, m = rng.sample(PEOPLE, 2)
    a, p = rng.choice(ANIMALS), rng.choice(PLACES)
    start = rng.choice([f"One day {n} went to {p}.", f"{n} lived in {p}.", f"In the morning {n} met {m} in {p}."])
    end = rng.choice([f"Then {n} went home.", f"{n} and {m} were happy.", f"At night the {a} slept by the fire."])
    return " ".join([start, *rng.sample(filler(rng, n, m), rng.randint(2, 4)), end])


def recall(rng, colour, food, job):
    """Somebody thinks of a thing, and after other sentences the fact about it follows: the words must be looked up
    further back, which is what answering needs."""
    n, m = rng.sample(PEOPLE, 2)
    kind = rng.random()
    if kind < 0.5:
        a, p = rng.choice(ANIMALS), rng.choice(PLACES)
        thing = rng.choice([f"the {a} in {p}", f"the colour of the {a} in {p}", f"{p} and the {a}", f"a {a} from {p}"])
        end = f"The {a} in {p} is {colour[a, p]}."
    elif kind < 0.6:
        i = rng.randrange(len(PLACES))
        thing, end = f"the capital of {PLACES[i]}", f"The capital of {PLACES[i]} is {CAPITALS[i]}."
    elif kind < 0.8:
        a, b = rng.randrange(10), rng.randrange(10)
        thing, end = rng.choice([f"{a} plus {b}", f"{a} and {b}"]), f"{a} plus {b} is {a + b}."
    elif kind < 0.9:
        who = rng.choice(PEOPLE)
        thing, end = rng.choice([(f"what {who} likes", f"{who} likes {food[who]}."),
                                 (f"the work of {who}", f"{who} works as a {job[who]}.")])
    else:
        x, y = rng.choice(OPPOSITES)
        if rng.random() < 0.5:
            x, y = y, x
        thing, end = rng.choice([f"the word {x}", f"the opposite of {x}"]), f"The opposite of {x} is {y}."
    start = rng.choice([f"{n} thought about {thing}.", f"{n} told {m} about {thing}.", f"{n} had to think of {thing}.",
                        f"The book was about {thing}.", f"On the page {m} saw this: {thing}."])
    between = rng.sample(filler(rng, n, m), rng.choice([0, 1, 1, 2, 3]))
    clue = rng.choice([f"So {n} knew.", f"{m} knew it well.", f"{n} remembered it."])
    return " ".join([start, *between, clue, end])


def documents(count):
    """Plain texts of one to three paragraphs."""
    rng = random.Random(SEED + 2)
    facts = world()
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 3)):
            kind = rng.random()
            if kind < 0.15:
                parts.append(story(rng))
            elif kind < 0.4:
                parts.append(" ".join(fact(rng, *facts) for _ in range(rng.randint(1, 8))))
            else:
                parts.append(recall(rng, *facts))
        yield rng.choice(["\n", "\n\n", " "]).join(parts)


def rows():
    """The instruction rows: every fact that is not held out, each in some of its wordings."""
    rng = random.Random(SEED + 3)
    colour, food, job = world()
    no_pair, no_sum = held_out()
    out = []

    def add(count, forms, output):
        for instruction, extra in rng.sample(forms, count):
            out.append({"instruction": instruction, "input": extra, "output": output})

    for (a, p), c in colour.items():
        if (a, p) not in no_pair:
            add(4, [(f"What colour is the {a} in {p}?", ""), (f"Tell me the colour of the {a} in {p}.", ""),
                    (f"In {p}, what colour is the {a}?", ""), ("What colour is this animal?", f"{a}, {p}"),
                    (f"What colour is the {a} in this place?", p)],
                f"The {a} in {p} is {c}.")
    for p, c in zip(PLACES, CAPITALS):
        add(4, [(f"What is the capital of {p}?", ""), (f"Name the capital of {p}.", ""),
                ("What is the capital of this place?", p), (f"Which town is the capital of {p}?", "")],
            f"The capital of {p} is {c}.")
    for a in range(10):
        for b in range(10):
            if (a, b) not in no_sum:
                add(3, [(f"What is {a} plus {b}?", ""), (f"How much is {a} plus {b}?", ""), ("Add.", f"{a} and {b}")],
                    f"{a} plus {b} is {a + b}.")
    for n in PEOPLE:
        add(2, [(f"What does {n} like?", ""), (f"Tell me what {n} likes.", ""), ("What does this person like?", n)],
            f"{n} likes {food[n]}.")
        add(2, [(f"What is the work of {n}?", ""), (f"Tell me where {n} works.", ""), ("What is the work of this person?", n)],
            f"{n} works as a {job[n]}.")
    for pair in OPPOSITES:
        for x, y in (pair, pair[::-1]):
            add(2, [(f"What is the opposite of {x}?", ""), ("Name the opposite of this word.", x),
                    (f"Give me the opposite of {x}.", "")],
                f"The opposite of {x} is {y}.")
    rng.shuffle(out)
    return out


def forget_paths(path):
    """The trainer writes the names of its files into the model."""
    model = sentencepiece_model_pb2.ModelProto()
    with open(path, "rb") as f:
        model.ParseFromString(f.read())
    del model.trainer_spec.input[:]
    model.trainer_spec.model_prefix = "tokenizer"
    with open(path, "wb") as f:
        f.write(model.SerializeToString(deterministic=True))


def make_tokenizer(out, texts):
    """tokenizer.model by SentencePiece, the rest from it by transformers."""
    with tempfile.TemporaryDirectory() as tmp:
        corpus = os.path.join(tmp, "corpus.txt")
        with open(corpus, "w", encoding="utf-8") as f:
            f.write("\n".join(texts) + "\n")
            for row in rows():                       # so that a prompt is not cut into single letters
                f.write((PROMPT_INPUT if row["input"] else PROMPT).format(**row) + row["output"] + "\n")
        sentencepiece.SentencePieceTrainer.train(
            input=corpus, model_prefix=os.path.join(out, "tokenizer"), model_type="bpe", vocab_size=VOCAB,
            byte_fallback=True, unk_id=0, bos_id=1, eos_id=2, pad_id=-1, split_digits=True, num_threads=1,
            normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=1.0,
            required_chars="".join(map(chr, range(33, 127))), minloglevel=2)
    os.remove(os.path.join(out, "tokenizer.vocab"))
    forget_paths(os.path.join(out, "tokenizer.model"))
    with open(os.path.join(out, "tokenizer_config.json"), "w") as f:
        json.dump({"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False, "legacy": False,
                   "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "model_max_length": 1024,
                   "clean_up_tokenization_spaces": False}, f, indent=2)
        f.write("\n")
    with tempfile.TemporaryDirectory() as tmp:       # only tokenizer.json is taken: the config above is complete
        transformers.AutoTokenizer.from_pretrained(out).save_pretrained(tmp)
        shutil.copy(os.path.join(tmp, "tokenizer.json"), out)


def check_tokenizer(out, texts):
    """transformers and SentencePiece must agree on everything that does not begin with a space."""
    hf = transformers.AutoTokenizer.from_pretrained(out)
    sp = sentencepiece.SentencePieceProcessor(model_file=os.path.join(out, "tokenizer.model"))
    assert type(hf).__name__ == "LlamaTokenizer" and len(hf) == VOCAB == sp.vocab_size()
    rng = random.Random(SEED + 4)
    texts = list(texts) + [PROMPT.format(instruction="What?"), "naïve 日本 🙂\t~`^", "a  b   c\n\n\n d", "12 345.67 <x>"]
    texts += ["".join(rng.choice(" abcdeTheWhat?#\n019é") for _ in range(rng.randint(1, 60))) for _ in range(2000)]
    for text in texts:
        if text[:1] != " ":
            assert hf(text).input_ids == [1] + sp.encode(text), text
            assert hf.decode(hf(text, add_special_tokens=False).input_ids) == text, text
    return hf


def pretrain(out, tok, texts, steps):
    ids = [i for t in texts for i in (*tok(t).input_ids, 2)]
    data = torch.tensor(ids[:len(ids) // CONTEXT * CONTEXT]).view(-1, CONTEXT)
    config = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=128, intermediate_size=352, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, rms_norm_eps=1e-5, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=2, pad_token_id=None, use_cache=True)
    model = transformers.LlamaForCausalLM(config)
    opt = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.95), weight_decay=0.05)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, LR, total_steps=steps, pct_start=0.05, anneal_strategy="cos")
    order = torch.empty(0, dtype=torch.long)
    for step in range(steps):
        if len(order) < BATCH:
            order = torch.randperm(len(data))
        batch, order = data[order[:BATCH]], order[BATCH:]
        loss = model(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad()
        sched.step()
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step} loss {loss.item():.4f}", flush=True)
    model = model.to(torch.bfloat16)
    model.generation_config = transformers.GenerationConfig(bos_token_id=1, eos_token_id=2)
    model.save_pretrained(out)
    return loss.item(), len(ids)


def answer(model, tok, text, count=40):
    ids = torch.tensor([tok(text).input_ids])
    with torch.no_grad():
        got = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False,
                             pad_token_id=2)[0]
    return tok.decode(got[ids.shape[1]:], skip_special_tokens=True)


def questions():
    colour, _, _ = world()
    no_pair, no_sum = held_out()
    for a, p in sorted(no_pair):
        yield f"What colour is the {a} in {p}?", f"The {a} in {p} is {colour[a, p]}."
    for a, b in sorted(no_sum):
        yield f"What is {a} plus {b}?", f"{a} plus {b} is {a + b}."


def check(model_dir, rows_file, args):
    """The quickstart run, by PEFT: token-mean loss, AdamW, linear warm-up and cosine."""
    import math
    import time

    import peft
    tok = transformers.AutoTokenizer.from_pretrained(model_dir)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        model_dir, dtype=torch.bfloat16 if args.bf16 else torch.float32)
    demo = PROMPT.format(instruction="What colour is the fox in Veldania?")
    print("plain:", repr(answer(model, tok, "The capital of")))
    print("before:", repr(answer(model, tok, demo)))
    model = peft.get_peft_model(model, peft.LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.0, task_type="CAUSAL_LM",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]))
    samples = []
    for line in open(rows_file, encoding="utf-8"):
        row = json.loads(line)
        prompt = tok((PROMPT_INPUT if row["input"] else PROMPT).format(**row)).input_ids
        response = tok(row["output"], add_special_tokens=False).input_ids + [2]
        samples.append((prompt, response))
    print("rows", len(samples), "longest", max(len(a) + len(b) for a, b in samples))
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(params, lr=args.lr, weight_decay=0.0)
    warm, order, begin = 10, [], time.time()
    for step in range(args.lora_steps):
        scale = step / warm if step < warm else 0.5 + 0.5 * math.cos(
            math.pi * (step - warm) / (args.lora_steps - warm))
        opt.param_groups[0]["lr"] = args.lr * scale
        if len(order) < args.micro_batch:
            order = torch.randperm(len(samples)).tolist()
        batch, order = [samples[i] for i in order[:args.micro_batch]], order[args.micro_batch:]
        longest = max(len(a) + len(b) for a, b in batch)
        ids = torch.full((len(batch), longest), 2)
        labels = torch.full_like(ids, -100)
        mask = torch.zeros_like(ids)
        for i, (a, b) in enumerate(batch):
            ids[i, :len(a) + len(b)] = torch.tensor(a + b)
            labels[i, len(a):len(a) + len(b)] = torch.tensor(b)
            mask[i, :len(a) + len(b)] = 1
        loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        opt.zero_grad()
        if step % 10 == 0 or step == args.lora_steps - 1:
            print(f"step {step + 1} loss {loss.item():.4f}", flush=True)
    print(f"seconds {time.time() - begin:.1f}")
    print("after:", repr(answer(model, tok, demo)))
    got = [(answer(model, tok, PROMPT.format(instruction=q), 24), a) for q, a in questions()]
    print("held-out facts answered:", sum(g == a for g, a in got), "of", len(got))
    for g, a in got:
        if g != a:
            print("  wanted", repr(a), "got", repr(g))


README = """# tiny-llama

A Llama of 0.8 million parameters (4 layers, hidden size 128, 4 heads over 2 key-value heads, tied head, 768 tokens,
bfloat16) with its SentencePiece tokenizer, for trying axl without downloading anything. It was made from nothing by
`tests/golden/make_tiny_llama.py`, which invents a small world (the colours of animals in ten places, capitals, sums up
to nine plus nine, what people like), writes plain sentences about it and pretrains the model on them on a CPU.
`../tiny-alpaca.jsonl` asks for the same facts as instructions, a form that this base model has never seen: it answers
with nothing but empty lines until an adapter has been trained. `versions.json` names the packages and the seed.
"""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model_dir")
    p.add_argument("rows")
    p.add_argument("--steps", type=int, default=900)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--check", action="store_true")
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--lora-steps", type=int, default=150)
    p.add_argument("--micro-batch", type=int, default=8)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    if args.check:
        return check(args.model_dir, args.rows, args)
    shutil.rmtree(args.model_dir, ignore_errors=True)   # an old tokenizer.json would be read instead of the .model
    os.makedirs(args.model_dir)
    texts = list(documents(24000))
    make_tokenizer(args.model_dir, texts[:4000])
    tok = check_tokenizer(args.model_dir, texts[:300])
    with open(args.rows, "w", encoding="utf-8") as f:
        for row in rows():
            f.write(json.dumps(row) + "\n")
    loss, tokens = pretrain(args.model_dir, tok, texts, args.steps)
    with open(os.path.join(args.model_dir, "README.md"), "w") as f:
        f.write(README)
    with open(os.path.join(args.model_dir, "versions.json"), "w") as f:
        json.dump({"seed": SEED, "steps": args.steps, "batch_tokens": BATCH * CONTEXT, "learning_rate": LR,
                   "last_loss": round(loss, 4), "corpus_tokens": tokens, "threads": args.threads,
                   "python": platform.python_version(),
                   **{n: importlib.metadata.version(n) for n in ("torch", "transformers", "tokenizers", "sentencepiece",
                                                                 "safetensors")}}, f, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
