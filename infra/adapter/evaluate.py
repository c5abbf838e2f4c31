#!/usr/bin/env python3
"""Sample copies for briefs that no pair holds and count the faults that data/check.py finds in them.

evaluate.py GGUF ADAPTER BRIEFS.jsonl [--limit N] [--samples K] [--out COPIES.jsonl]

Decoding is free-running, in batches: the field names are the model's own, nothing is resampled. The origin guides the decoding line by line, so these rates say
how much the adapter has learnt and are a lower bound for what the origin serves. ADAPTER may be "none".
"""

import argparse
import json
import os
import re
import sys
import time
from collections import Counter

import torch

import lora
from card import items, prompt, read_answer
from grounding import invented_numbers, novelty
from vary import strings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "data"))
from check import C as CHANNELS, DANGLING, faults

TEMPERATURE, TOP_P, PENALTY, LONGEST = 0.4, 0.9, 1.1, 320
END, PAD = 2, 2


def repeats(text):
    """Whether four words in a row occur twice."""
    words = re.findall(r"\w+", text.lower())
    grams = [tuple(words[at : at + 4]) for at in range(len(words) - 3)]
    return len(set(grams)) < len(grams)


def judged(brief, text, ended):
    """The copy that an answer holds, in the form of the pairs, and all that is wrong with it."""
    copy, strays = read_answer(text, CHANNELS[brief["channel"]])
    wrong = ["answer: not ended"] * (not ended) + [f"answer: stray line {line[:30]!r}" for line in strays]
    wrong += faults({"brief": brief, "copy": copy})
    asked, written = "\n".join(strings(brief)), "\n".join(text for field, text in items(copy) if field != "hashtags")
    measures = {
        "novelty": novelty(asked, written),
        "invented": sorted(invented_numbers(asked, written)),
        "repeats": repeats(written),
        "unfinished": not ended or any(DANGLING.search(text) or text[-1:] in ",;:-–" for _, text in items(copy)),
    }
    return copy, wrong, measures


def pick(logits, seen):
    """One token a row: repetition penalty on the answer so far, temperature, then the smallest set of tokens that holds TOP_P."""
    scores = logits.gather(1, seen)
    logits = logits.scatter(1, seen, torch.where(scores > 0, scores / PENALTY, scores * PENALTY))
    best, order = (logits / TEMPERATURE).topk(64)
    chances = best.softmax(-1)
    chances[chances.cumsum(-1) - chances > TOP_P] = 0
    return order.gather(1, torch.multinomial(chances, 1)).squeeze(1)


@torch.no_grad()
def sample(tokenizer, model, prompts):
    """One answer for each prompt, decoded together: padded on the left, the padding masked."""
    length = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (length - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (length - len(p)) + [1] * len(p) for p in prompts])
    position = (mask.cumsum(1) - 1).clamp(min=0)
    cache, outs, live = None, [[] for _ in prompts], torch.ones(len(prompts), dtype=torch.bool)
    seen = torch.full((len(prompts), 1), PAD)
    for _ in range(LONGEST):
        out = model(input_ids=ids, attention_mask=mask, position_ids=position, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        token = torch.where(live, pick(out.logits[:, -1].float(), seen), torch.tensor(END))
        live &= token != END
        for row in torch.nonzero(live).flatten().tolist():
            outs[row].append(token[row].item())
        if not live.any():
            break
        seen = torch.cat([seen, token[:, None]], 1)
        ids, position = token[:, None], position[:, -1:] + 1
        mask = torch.cat([mask, torch.ones(len(prompts), 1, dtype=mask.dtype)], 1)
    return [(tokenizer.decode(out), not alive) for out, alive in zip(outs, live.tolist())]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf")
    parser.add_argument("adapter")
    parser.add_argument("briefs")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    tokenizer, model = lora.load_base(options.gguf, torch.float32)
    if options.adapter != "none":
        lora.merge(model, options.adapter)
    model = model.to(torch.bfloat16)
    briefs = [json.loads(line)["brief"] for line in open(options.briefs, encoding="utf-8") if line.strip()]
    step = max(1, len(briefs) // options.limit)
    briefs = briefs[::step][: options.limit]

    begun, rows = time.time(), []
    jobs = sorted([(brief, index, k) for index, brief in enumerate(briefs) for k in range(options.samples)], key=lambda job: job[0]["channel"])
    for at in range(0, len(jobs), options.batch):
        part = jobs[at : at + options.batch]
        answers = sample(tokenizer, model, [tokenizer.encode(prompt(brief)) for brief, _, _ in part])
        for (brief, index, k), (text, ended) in zip(part, answers):
            copy, wrong, measures = judged(brief, text, ended)
            rows.append({"index": index, "sample": k, "brief": brief, "copy": copy, "faults": wrong, **measures})
    rows.sort(key=lambda row: (row["index"], row["sample"]))
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    first = [row for row in rows if row["sample"] == 0]
    clean = {row["index"] for row in rows if not row["faults"]}
    print(f"{len(briefs)} briefs, {options.samples} samples each, {time.time() - begun:.0f} s")
    print(f"first sample without a fault: {sum(not row['faults'] for row in first)} of {len(first)}")
    print(f"a sample without a fault among {options.samples}: {len(clean)} of {len(briefs)}")
    print(f"of all {len(rows)} samples: without a fault {sum(not row['faults'] for row in rows)}, with an invented number {sum(bool(row['invented']) for row in rows)}, "
          f"with four words repeated {sum(row['repeats'] for row in rows)}, unfinished {sum(row['unfinished'] for row in rows)}")
    print(f"share of content words that the brief does not hold: {sum(row['novelty'] for row in rows) / len(rows):.3f}")
    kinds = Counter(re.sub(r"['\"…].*|\d.*", "", fault).strip() for row in rows for fault in row["faults"])
    print("faults: " + ", ".join(f"{kind} {n}" for kind, n in kinds.most_common(12)))


if __name__ == "__main__":
    main()
