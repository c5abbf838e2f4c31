"""The shapes of `origin bench` in PyTorch: the same prompts and answers, with a static cache and random weights.

Prints the JSON fields that `origin bench --json` prints for its models, so that both can be run in one call and put side by
side:

    origin bench --json --formats f16 > adlib.json; python3 benches/pytorch.py > pytorch.json

Decode steps are compiled where `torch.compile` works (`--eager` never compiles), which on a GPU records them as CUDA graphs.
"""

import argparse
import json
import statistics
import sys
import time

import torch
import torch._dynamo
import torch.nn.functional as F

# As in origin/src/bench.rs.
PROMPT, ANSWER, STEP_TOKENS_MAX, PROMPT_ROUNDS = 128, 64, 4096, 4
# Decode steps that compile and warm up and do not count.
WARM = 3

# layers, dim, hidden, heads, kv_heads, head_dim, vocab, whether the head is a matrix of its own
SHAPES = {
    "SmolLM2-135M": (30, 576, 1536, 9, 3, 64, 49152, False),
    "Llama-3.2-1B": (16, 2048, 8192, 32, 8, 64, 128256, False),
    "Llama-3.1-8B": (32, 4096, 14336, 32, 8, 128, 128256, True),
    "tiny": (2, 64, 128, 4, 2, 16, 256, True),
}
TYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}


def static(tensor):
    """A tensor that stays where it is, so that a recorded step may hold its address and need not copy it."""
    torch._dynamo.mark_static_address(tensor)
    return tensor


class Model:
    """A model of the Llama family. Its cache is (layers, 2, batch, kv_heads, positions, head_dim)."""

    def __init__(self, shape, batch, dtype, device):
        layers, dim, hidden, heads, kv_heads, head_dim, vocab, has_head = SHAPES[shape]
        self.heads, self.kv_heads, self.head_dim, self.vocab = heads, kv_heads, head_dim, vocab
        self.device = device

        def matrix(rows, cols):
            return static(torch.randn(rows, cols, dtype=dtype, device=device) / cols**0.5)

        self.embedding = matrix(vocab, dim)
        self.head = matrix(vocab, dim) if has_head else self.embedding
        self.layers = [
            {
                "qkv": matrix((heads + 2 * kv_heads) * head_dim, dim),
                "output": matrix(dim, heads * head_dim),
                "gate_up": matrix(2 * hidden, dim),
                "down": matrix(dim, hidden),
            }
            for _ in range(layers)
        ]
        self.norm = static(torch.ones(dim, dtype=dtype, device=device))
        positions = PROMPT + ANSWER
        cached = (layers, 2, batch, kv_heads, positions, head_dim)
        self.cache = static(torch.zeros(cached, dtype=dtype, device=device))
        frequencies = 500000.0 ** (-torch.arange(0, head_dim, 2, device=device) / head_dim)
        angles = torch.outer(torch.arange(positions, device=device), frequencies)
        self.cosines, self.sines = static(angles.cos().to(dtype)), static(angles.sin().to(dtype))
        # What each position attends to: itself and those before.
        self.mask = static(torch.ones(positions, positions, dtype=torch.bool, device=device).tril())

    def rotate(self, x, positions):
        a, b = x.chunk(2, dim=-1)
        cosines, sines = self.cosines[positions], self.sines[positions]
        return torch.cat((a * cosines - b * sines, b * cosines + a * sines), dim=-1)

    def normed(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.norm, 1e-5)

    def step(self, tokens, positions, first):
        """The likeliest next token of each of the sequences from `first` on; tokens (batch, count), positions (count)."""
        batch, count = tokens.shape
        x = F.embedding(tokens, self.embedding)
        mask = self.mask[positions]
        for index, layer in enumerate(self.layers):
            qkv = F.linear(self.normed(x), layer["qkv"]).view(batch, count, -1, self.head_dim).transpose(1, 2)
            query, key, value = qkv.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
            keys, values = self.cache[index, :, first : first + batch]
            keys.index_copy_(2, positions, self.rotate(key, positions))
            values.index_copy_(2, positions, value)
            query = self.rotate(query, positions)
            attended = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, enable_gqa=True)
            x = x + F.linear(attended.transpose(1, 2).reshape(batch, count, -1), layer["output"])
            gate, up = F.linear(self.normed(x), layer["gate_up"]).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, layer["down"])
        return F.linear(self.normed(x[:, -1]), self.head).argmax(-1)


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def prefill(model, batch):
    """Seconds for all prompts, as many in a step as it takes."""
    positions = torch.arange(PROMPT, device=model.device)
    tokens = torch.randint(model.vocab, (batch, PROMPT), device=model.device)
    at_once = STEP_TOKENS_MAX // PROMPT
    rounds = []
    for _ in range(PROMPT_ROUNDS):
        wait(model.device)
        started = time.perf_counter()
        for first in range(0, batch, at_once):
            model.step(tokens[first : first + at_once], positions, first)
        wait(model.device)
        rounds.append(time.perf_counter() - started)
    return statistics.median(rounds[1:])


def decode(model, batch, eager):
    """Seconds for a token of each sequence, and how the step ran."""
    tokens = torch.randint(model.vocab, (batch, 1), device=model.device)

    def run(step):
        seconds = []
        fed = tokens
        for position in range(PROMPT, PROMPT + ANSWER):
            at = torch.tensor([position], device=model.device)
            wait(model.device)
            started = time.perf_counter()
            # As a server does, which must look at each token.
            fed = step(fed, at, 0).cpu().to(model.device)[:, None]
            seconds.append(time.perf_counter() - started)
        return statistics.median(seconds[WARM:])

    if not eager:
        try:
            torch._dynamo.reset()
            return run(torch.compile(model.step, mode="reduce-overhead", fullgraph=True)), "compiled"
        except Exception as error:
            print(f"not compiled: {str(error).splitlines()[0]}", file=sys.stderr)
    return run(model.step), "eager"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default="SmolLM2-135M,Llama-3.2-1B,Llama-3.1-8B")
    parser.add_argument("--batches", default="1,8,32,128")
    parser.add_argument("--type", default="f16", choices=TYPES)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--eager", action="store_true", help="never compile")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU; --device cpu measures the processor")
    name = torch.cuda.get_device_name() if arguments.device == "cuda" else "cpu"
    report = {"device": name, "torch": torch.__version__, "models": []}
    with torch.inference_mode():
        for shape in arguments.shapes.split(","):
            for batch in map(int, arguments.batches.split(",")):
                model = Model(shape, batch, TYPES[arguments.type], arguments.device)
                common = {"shape": shape, "weights": arguments.type.upper(), "batch": batch}
                phases = [("prefill", batch * PROMPT, prefill(model, batch), "eager")]
                phases.append(("decode", batch, *decode(model, batch, arguments.eager)))
                for phase, tokens, seconds, how in phases:
                    rate = {"milliseconds": seconds * 1e3, "tokens_per_second": tokens / seconds}
                    report["models"].append({**common, "phase": phase, "tokens": tokens, **rate, "step": how})
                del model
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
