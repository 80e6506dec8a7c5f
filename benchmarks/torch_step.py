"""The ordinary PyTorch side: one source for the torch and the jtorch column, `torch` passed in."""

import importlib
from typing import Any

import numpy as np

from .problems import CNN, GPT, MLP, Problem, weights


def make_mlp(torch: Any, problem: MLP) -> Any:
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            w = problem.width
            self.layers = nn.ModuleList(nn.Linear(w, w) for _ in range(problem.layers))
            self.head = nn.Linear(w, problem.classes)

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = torch.relu(layer(x))
            return self.head(x)

    return Net()


def make_cnn(torch: Any, problem: CNN) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            pairs = list(zip(problem.channels, problem.channels[1:], strict=False))
            self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
            self.norms = nn.ModuleList(nn.BatchNorm2d(o) for _, o in pairs)
            self.head = nn.Linear(problem.flat, problem.classes)

        def forward(self, x: Any) -> Any:
            for conv, norm in zip(self.convs, self.norms, strict=True):
                x = F.max_pool2d(torch.relu(norm(conv(x))), 2)
            return self.head(torch.flatten(x, 1))

    return Net()


def make_gpt(torch: Any, problem: GPT) -> Any:
    nn, F = torch.nn, torch.nn.functional
    w, heads = problem.width, problem.heads

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(w)
            self.qkv = nn.Linear(w, 3 * w)
            self.proj = nn.Linear(w, w)
            self.norm2 = nn.LayerNorm(w)
            self.up = nn.Linear(w, 4 * w)
            self.down = nn.Linear(4 * w, w)

        def attend(self, x: Any) -> Any:
            B, T, C = x.shape
            q, k, v = (
                part.view(B, T, heads, C // heads).transpose(1, 2)
                for part in self.qkv(x).split(C, dim=2)
            )
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.proj(y.transpose(1, 2).contiguous().view(B, T, C))

        def forward(self, x: Any) -> Any:
            x = x + self.attend(self.norm1(x))
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Embedding(problem.vocabulary, w)
            self.position = nn.Embedding(problem.context, w)
            self.blocks = nn.ModuleList(Block() for _ in range(problem.layers))
            self.norm = nn.LayerNorm(w)
            self.head = nn.Linear(w, problem.vocabulary)

        def forward(self, ids: Any) -> Any:
            positions = torch.arange(ids.size(1), device=ids.device)
            x = self.token(ids) + self.position(positions)
            for block in self.blocks:
                x = block(x)
            logits = self.head(self.norm(x))
            return logits.view(-1, logits.size(-1))

    return Net()


MAKERS = {MLP: make_mlp, CNN: make_cnn, GPT: make_gpt}


class TorchStep:
    """A model, an optimizer and the unmodified training loop, over torch or jtorch."""

    def __init__(self, module: str, device: str) -> None:
        # importlib, because which of the two is imported is the point of this class
        self.torch = importlib.import_module(module)
        self.device = self.torch.device(device)

    def build(self, problem: Problem) -> None:
        torch, rng = self.torch, np.random.default_rng(0)
        self.model = MAKERS[type(problem)](torch, problem)
        start = weights(problem, rng)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(torch.from_numpy(start.pop(name)))
        assert not start, f"the model has no {sorted(start)}"
        self.model.to(self.device)
        parameters = self.model.parameters()
        if isinstance(problem, CNN):
            self.optimizer = torch.optim.SGD(parameters, lr=problem.lr, momentum=problem.momentum)
        else:
            self.optimizer = torch.optim.AdamW(parameters, lr=problem.lr)
        self.data = [
            (torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device).view(-1))
            for x, y in problem.batches(rng)
        ]

    def loss(self, step: int) -> Any:
        """Forward and backward of one step."""
        x, y = self.data[step % len(self.data)]
        self.optimizer.zero_grad()
        loss = self.torch.nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        return loss

    def run(self, first: int, steps: int, sync_every: int) -> float:
        """Train; the loss is read every `sync_every` steps and at the end."""
        for step in range(first, first + steps):
            loss = self.loss(step)
            self.optimizer.step()
            if (step + 1) % sync_every == 0:
                loss.item()
        return float(loss.item())
