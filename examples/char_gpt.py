"""Train a small GPT, letter by letter, on the help texts that ship with Python."""

import argparse
import json
import math
from pathlib import Path
from pydoc_data.topics import topics

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    """Causal self-attention with several heads: (B, T, C) -> (B, T, C)."""

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).split(C, dim=2)
        q = q.view(B, T, self.heads, C // self.heads).transpose(1, 2)
        k = k.view(B, T, self.heads, C // self.heads).transpose(1, 2)
        v = v.view(B, T, self.heads, C // self.heads).transpose(1, 2)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        return self.proj(y.transpose(1, 2).contiguous().view(B, T, C))


class Block(nn.Module):
    """Attention and a two-layer network, each after a LayerNorm and around a skip."""

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Token ids (B, T) -> logits (B, T, vocabulary)."""

    def __init__(self, vocabulary, context, layers, width, heads, dropout):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.apply(self.init_weights)

    @staticmethod
    def init_weights(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, ids):
        positions = torch.arange(ids.size(1), device=ids.device)
        x = self.dropout(self.token(ids) + self.position(positions))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def make_optimizer(model, lr):
    """AdamW that shrinks the matrices and leaves biases and norms alone."""
    decay = [p for p in model.parameters() if p.dim() >= 2]
    no_decay = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": decay, "weight_decay": 0.1},
        {"params": no_decay, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))


def learning_rate(step, args):
    """A linear warm-up, then half a cosine down to a tenth."""
    if step < args.warmup:
        return args.lr * (step + 1) / args.warmup
    progress = (step - args.warmup) / max(1, args.steps - args.warmup)
    return args.lr * (0.1 + 0.45 * (1 + math.cos(math.pi * progress)))


def get_batch(data, args):
    """Random pieces of the text, and the same pieces one letter later."""
    starts = torch.randint(len(data) - args.context - 1, (args.batch_size,))
    x = torch.stack([data[i : i + args.context] for i in starts])
    y = torch.stack([data[i + 1 : i + 1 + args.context] for i in starts])
    return x, y


def train(model, data, args):
    """The training loop; returns the loss of every optimizer step."""
    optimizer = make_optimizer(model, args.lr)
    model.train()
    losses = []
    for step in range(args.steps):
        lr = learning_rate(step, args)
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for _ in range(args.accumulate):
            x, y = get_batch(data, args)
            logits = model(x)
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), y.view(-1))
            loss = loss / args.accumulate
            loss.backward()
            total = total + loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(total.item())
        if step % 20 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  lr {lr:.2e}  norm {norm.item():6.3f}  loss {losses[-1]:.4f}")
    return losses


@torch.no_grad()
def sample(model, prompt, length, temperature=0.8):
    """Continue `prompt` by `length` ids, the last `len(prompt)` of them in view."""
    model.eval()
    window = prompt.unsqueeze(0)
    ids = []
    for _ in range(length):
        logits = model(window)[:, -1] / temperature
        next_id = torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)
        window = torch.cat((window[:, 1:], next_id), dim=1)
        ids.append(next_id.item())
    return ids


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--accumulate", type=int, default=2, help="batches per step")
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--sample", type=int, default=300, help="letters to write at the end")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", metavar="FILE", help="write every step's loss as JSON lines")
    return parser.parse_args()


def main():
    args = parse_args()
    torch.manual_seed(args.seed)

    text = "\n\n".join(topics[name] for name in sorted(topics))
    letters = sorted(set(text))
    index = {letter: i for i, letter in enumerate(letters)}
    data = torch.tensor([index[letter] for letter in text], dtype=torch.long)
    frequency = torch.bincount(data).float() / len(data)
    entropy = -(frequency * frequency.log()).sum().item()

    model = GPT(len(letters), args.context, args.layers, args.width, args.heads, args.dropout)
    size = sum(p.numel() for p in model.parameters())
    print(f"{len(data)} letters, {len(letters)} different; {size} parameters")

    losses = train(model, data, args)
    if args.log:
        lines = (json.dumps({"step": step, "loss": loss}) for step, loss in enumerate(losses))
        Path(args.log).write_text("\n".join(lines) + "\n")

    tail = losses[-10:]
    print(f"unigram entropy: {entropy:.4f}")
    print(f"final loss: {sum(tail) / len(tail):.4f}")
    ids = sample(model, data[: args.context], args.sample)
    print("".join(letters[i] for i in ids))


if __name__ == "__main__":
    main()
