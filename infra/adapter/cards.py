#!/usr/bin/env python3
"""Write briefs with the card and the prompt's token ids that this side makes of them, one JSON object a line, for the origin's tests to compare with.

cards.py GGUF OUT.jsonl FILE...     FILE: pairs-*.jsonl or briefs.jsonl
Up to 60 briefs: for each channel and each optional field one that has it, then every n-th brief.
"""

import json
import os
import sys

from transformers import AutoTokenizer

from card import card, prompt

WANTED = 60


def traits(brief):
    """What a brief exercises in the card: its channel and every field that it fills."""
    out = {("channel", brief["channel"]), ("ascii", card(brief).isascii())}
    for part, holder in (("brief", brief), ("product", brief["product"]), ("brand", brief.get("brand") or {})):
        out |= {(part, key, len(value) if isinstance(value, list) else 0) for key, value in holder.items() if value}
    if "framework" in brief:
        out.add(("framework", brief["framework"]))
    return out


def choose(briefs):
    chosen, seen = [], set()
    for index, brief in enumerate(briefs):
        if len(chosen) < WANTED * 3 // 4 and not traits(brief) <= seen:
            seen |= traits(brief)
            chosen.append(index)
    step = max(1, len(briefs) // (WANTED - len(chosen)))
    chosen += [index for index in range(0, len(briefs), step) if index not in chosen][: WANTED - len(chosen)]
    return [briefs[index] for index in sorted(chosen)]


def main(gguf, out, *files):
    tokenizer = AutoTokenizer.from_pretrained(os.path.dirname(gguf), gguf_file=os.path.basename(gguf))
    briefs = [json.loads(line)["brief"] for path in files for line in open(path, encoding="utf-8") if line.strip()]
    with open(out, "w", encoding="utf-8") as file:
        for brief in choose(briefs):
            row = {"brief": brief, "card": card(brief), "prompt": tokenizer.encode(prompt(brief))}
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
