#!/usr/bin/env python3
"""Train the house copywriter: a low-rank adapter on the default model, from brief/copy pairs, on the CPU.

train.py GGUF OUT PAIRS.jsonl... [--epochs N] [--minutes M] [--workers W] [--resume ADAPTER]

The learning rate falls over N epochs or M minutes, whichever is nearer, so that a busy machine ends on time with a finished schedule. Every half epoch the
adapter is saved in OUT/epoch-E.E, with the loss on pairs that are held out by product, and every 50 steps in OUT/newest. One line of progress goes to standard output every 20 steps.
Each of W workers is a process with one thread: on cores shared with other work that loses less time than one process with W threads.
"""

import argparse
import hashlib
import json
import math
import os
import random
import sys
import time

import torch
import torch.distributed as dist

import lora
from card import answer, items, prompt
from grounding import COUNTS, invented_numbers, novelty
from vary import strings, varied

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "data"))
from check import C as CHANNELS

RATE, WARMUP, BATCH_TOKENS, SMOOTHING, HELD_OUT = 1e-3, 30, 800, 0.02, 0.03
PAD = 2


def ordered(copy, channel):
    """The copy with its fields in the channel's order, in which the origin asks for them."""
    return {field: copy[field] for field in CHANNELS[channel] if field in copy}


def weight(brief, copy):
    """The chance that an epoch takes a pair: none if it invents a figure, less the more of its words the brief does not hold."""
    asked = "\n".join(strings(brief))
    written = "\n".join(text for field, text in items(copy) if field != "hashtags")
    invented = invented_numbers(asked, written)
    if invented - COUNTS:
        return 0.0
    strange = min(1.0, max(0.0, (novelty(asked, written) - 0.35) / 0.35))
    return (0.5 if invented else 1.0) * (1.0 - 0.65 * strange)


def held_out(brief):
    """Whether a pair is kept for validation: decided by the product's name, so that two copies for one brief stay together."""
    return int.from_bytes(hashlib.sha256(brief["product"]["name"].encode()).digest()[:4], "big") < HELD_OUT * 2**32


def read(files):
    """(training pairs, validation pairs, how many were dropped); a pair is (brief, copy, weight)."""
    train, valid, dropped = [], [], 0
    for path in files:
        for line in open(path, encoding="utf-8"):
            if not line.strip():
                continue
            row = json.loads(line)
            brief, copy = row["brief"], ordered(row["copy"], row["brief"]["channel"])
            share = weight(brief, copy)
            if share == 0.0:
                dropped += 1
            else:
                (valid if held_out(brief) else train).append((brief, copy, share))
    return train, valid, dropped


def encode(tokenizer, brief, copy):
    """The token ids of a pair's prompt and answer."""
    return tokenizer.encode(prompt(brief)), tokenizer.encode(answer(copy) + "<|im_end|>")


def batches(examples, workers, rng):
    """Tuples of one batch per worker, of at most BATCH_TOKENS together with the padding counted: similar lengths together, the tuples shuffled."""
    size = lambda e: len(e[0]) + len(e[1])
    out, current = [], []
    for example in sorted(examples, key=lambda e: size(e) + rng.randint(0, 20)):
        if current and (len(current) + 1) * max(map(size, current + [example])) > BATCH_TOKENS // workers:
            out.append(current)
            current = []
        current.append(example)
    out.append(current)
    out += [[]] * (-len(out) % workers)
    out = [out[at : at + workers] for at in range(0, len(out), workers)]
    rng.shuffle(out)
    return out


class SmoothedLoss(torch.autograd.Function):
    """Sum of the label-smoothed cross-entropies; the gradient is made in place, once, where F.cross_entropy passes over the scores many times."""

    @staticmethod
    def forward(ctx, logits, wanted, smoothing):
        scores = logits.float()
        whole = scores.logsumexp(-1)
        aim = scores.gather(1, wanted[:, None]).squeeze(1)
        loss = whole - (1 - smoothing) * aim - smoothing * scores.mean(-1)
        if logits.requires_grad:
            rows = torch.arange(len(wanted))
            gradient = scores.sub_(whole[:, None]).exp_().sub_(smoothing / scores.shape[-1])
            gradient[rows, wanted] -= 1 - smoothing
            ctx.save_for_backward(gradient.to(logits.dtype))
        return loss.sum()

    @staticmethod
    def backward(ctx, grad):
        return ctx.saved_tensors[0] * grad, None, None


def loss_of(model, batch, smoothing):
    """(sum of the losses of the answers' tokens, their number, all tokens). Padding stands last, where a causal model never looks, so no mask
    is needed; the vocabulary is scored at the answers' places only."""
    length = max(len(p) + len(a) for p, a in batch)
    ids = torch.full((len(batch), length), PAD)
    places, wanted = [], []
    for row, (p, a) in enumerate(batch):
        ids[row, : len(p) + len(a)] = torch.tensor(p + a)
        places += [row * length + at for at in range(len(p) - 1, len(p) + len(a) - 1)]
        wanted += a
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden.reshape(-1, hidden.shape[-1])[places])
    return SmoothedLoss.apply(logits, torch.tensor(wanted), smoothing), len(wanted), sum(len(p) + len(a) for p, a in batch)


@torch.no_grad()
def validate(model, examples, rank, workers):
    """Mean loss per answer token, unsmoothed."""
    total = torch.zeros(2)
    for group in batches(examples, workers, random.Random(0)):
        if group[rank]:
            loss, learnt, _ = loss_of(model, group[rank], 0.0)
            total += torch.tensor([loss.item(), learnt])
    dist.all_reduce(total)
    return (total[0] / total[1]).item()


def work(rank, options):
    """One worker: a thread, a copy of the model and its share of every step's batch."""
    workers = options.workers
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(options.port))
    dist.init_process_group("gloo", rank=rank, world_size=workers)
    torch.manual_seed(0)
    rng = random.Random(0)
    say = (lambda *words: print(*words, flush=True)) if rank == 0 else (lambda *words: None)

    train, valid, dropped = read(options.pairs)
    say(f"{len(train)} pairs to train on, weighing {sum(share for *_, share in train):.0f}; {len(valid)} held out, {dropped} dropped")
    tokenizer, model = lora.load_base(options.gguf, torch.bfloat16, "plain")
    parameters = lora.attach(model)
    if options.resume:
        lora.load(model, options.resume)
    optimiser = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    valid = [encode(tokenizer, brief, copy) for brief, copy, _ in valid]
    say(f"{sum(p.numel() for p in parameters)} parameters")

    def checkpoint(name):
        if rank == 0:
            lora.save(model, os.path.join(options.out, name))
        say(f"{name}: loss on held-out pairs {validate(model, valid, rank, workers):.4f}")

    begun, minutes, step, seen, epoch, recent, progress = time.time(), 0.0, 0, 0, 0, [], 0.0
    while progress < 1.0:
        plan = batches([encode(tokenizer, *varied(brief, copy, rng)) for brief, copy, share in train if rng.random() < share], workers, rng)
        for at, group in enumerate(plan):
            progress = max((epoch + at / len(plan)) / options.epochs, minutes / options.minutes)
            if progress >= 1.0:
                break
            rate = RATE * min(1.0, (step + 1) / WARMUP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
            for setting in optimiser.param_groups:
                setting["lr"] = rate
            loss, learnt, tokens = torch.zeros(()), 0.0, 0
            if group[rank]:
                loss, learnt, tokens = loss_of(model, group[rank], SMOOTHING)
                loss.backward()
            # Gradients, loss, counts and the clock are summed over the workers in one message, so that all workers go on from the same numbers.
            told = torch.tensor([loss.item(), learnt, tokens, (time.time() - begun) / 60 / workers])
            summed = torch.cat([told] + [(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in parameters])
            dist.all_reduce(summed)
            loss, learnt, tokens, minutes = summed[:4].tolist()
            offset = 4
            for p in parameters:
                p.grad = (summed[offset : offset + p.numel()] / learnt).view_as(p)
                offset += p.numel()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            step, seen, recent = step + 1, seen + int(tokens), recent[-19:] + [loss / learnt]
            if step % 20 == 0:
                say(f"epoch {epoch + at / len(plan):.2f} step {step} loss {sum(recent) / len(recent):.3f} rate {rate:.1e} {seen / minutes / 60:.0f} tokens/s {minutes:.0f} min")
            if rank == 0 and step % 50 == 0:
                lora.save(model, os.path.join(options.out, "newest"))
            if at + 1 == len(plan) // 2:
                checkpoint(f"epoch-{epoch}.5")
        else:
            checkpoint(f"epoch-{epoch + 1}.0")
        epoch += 1
    checkpoint("last")
    say(f"{step} steps, {seen} tokens, {minutes:.0f} minutes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf")
    parser.add_argument("out")
    parser.add_argument("pairs", nargs="+")
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--resume", help="an adapter to go on from; the schedule and the optimiser begin anew")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=29511)
    options = parser.parse_args()
    torch.multiprocessing.spawn(work, (options,), options.workers)


if __name__ == "__main__":
    main()
