"""The base model from its GGUF file, and low-rank adapters on it, kept on disk in PEFT's format."""

import json
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AttentionInterface, AutoModelForCausalLM, AutoTokenizer

RANK, ALPHA = 16, 32
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


class Lora(torch.nn.Module):
    """A frozen linear layer W with a trained low-rank addition: x W' + (x A') B' * alpha / rank."""

    def __init__(self, linear):
        super().__init__()
        self.linear = linear
        self.a = torch.nn.Parameter(torch.empty(RANK, linear.in_features))
        self.b = torch.nn.Parameter(torch.zeros(linear.out_features, RANK))
        torch.nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        a, b = self.a.to(x.dtype), (self.b * (ALPHA / RANK)).to(x.dtype)
        y = torch.addmm(F.linear(flat, self.linear.weight), F.linear(flat, a), b.t())
        return y.view(*x.shape[:-1], -1)


def plain_attention(module, query, key, value, attention_mask, scaling=None, **_):
    """Causal attention by batched products: for sequences of a few hundred tokens faster on a CPU, backwards above all, than the fused kernel."""
    batch, heads, length, width = query.shape
    groups = key.shape[1]
    query = (query * scaling).reshape(batch * groups, heads // groups * length, width)
    key, value = key.reshape(batch * groups, length, width), value.reshape(batch * groups, length, width)
    future = torch.full((length, length), -1e9, dtype=query.dtype).triu(1).repeat(heads // groups, 1)
    chances = torch.softmax(torch.baddbmm(future.expand(batch * groups, -1, -1), query, key.transpose(1, 2)), -1)
    return torch.bmm(chances, value).view(batch, heads, length, width).transpose(1, 2), None


AttentionInterface.register("plain", plain_attention)


def load_base(gguf, dtype, attention="sdpa"):
    """(tokenizer, model): the weights of the GGUF file, dequantised."""
    folder, name = os.path.split(os.path.abspath(gguf))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation=attention).to(dtype)
    return tokenizer, model.requires_grad_(False)


def targets(model):
    """(PEFT's name, parent, attribute) of each layer that has an adapter."""
    for name, parent in list(model.named_modules()):
        for attribute in TARGETS:
            if hasattr(parent, attribute):
                yield f"base_model.model.{name}.{attribute}", parent, attribute


def attach(model):
    """Adds untrained adapters to the model and returns their parameters."""
    parameters = []
    for _, parent, attribute in targets(model):
        layer = Lora(getattr(parent, attribute))
        setattr(parent, attribute, layer)
        parameters += [layer.a, layer.b]
    return parameters


def save(model, folder):
    os.makedirs(folder, exist_ok=True)
    tensors = {}
    for name, parent, attribute in targets(model):
        layer = getattr(parent, attribute)
        tensors[f"{name}.lora_A.weight"] = layer.a.detach().to(torch.float16).contiguous()
        tensors[f"{name}.lora_B.weight"] = layer.b.detach().to(torch.float16).contiguous()
    save_file(tensors, os.path.join(folder, "adapter_model.safetensors"), metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": BASE,
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "target_modules": TARGETS,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")


def load(model, folder):
    """Puts a saved adapter into the attached layers, to train on from it."""
    tensors = load_file(os.path.join(folder, "adapter_model.safetensors"))
    for name, parent, attribute in targets(model):
        layer = getattr(parent, attribute)
        layer.a.data.copy_(tensors[f"{name}.lora_A.weight"])
        layer.b.data.copy_(tensors[f"{name}.lora_B.weight"])


def merge(model, folder):
    """Adds a saved adapter into the model's own weights."""
    tensors = load_file(os.path.join(folder, "adapter_model.safetensors"))
    with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as file:
        config = json.load(file)
    for name, parent, attribute in targets(model):
        a, b = (tensors[f"{name}.lora_{side}.weight"].float() for side in "AB")
        weight = getattr(parent, attribute).weight
        weight.data += (b @ a * (config["lora_alpha"] / config["r"])).to(weight.dtype)
