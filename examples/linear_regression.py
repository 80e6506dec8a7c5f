"""Fit a line to noisy points with the textbook PyTorch loop."""

import argparse
import json

import torch
from torch import nn


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200, help="gradient steps")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", metavar="FILE", help="write every step's loss as JSON lines")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    torch.manual_seed(args.seed)

    x = torch.linspace(-1, 1, 100).unsqueeze(1)
    y = 3 * x - 2 + 0.1 * torch.randn(100, 1)

    model = nn.Linear(1, 1)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)

    losses = []
    for step in range(args.steps):
        prediction = model(x)
        loss = criterion(prediction, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % 20 == 0:
            print(f"step {step + 1:4d}  loss {loss.item():.5f}")

    print(f"y = {model.weight.item():.3f} x + {model.bias.item():.3f}   (true line: 3 x - 2)")
    if args.log:
        with open(args.log, "w") as log:
            for step, value in enumerate(losses):
                log.write(json.dumps({"step": step, "loss": value}) + "\n")


if __name__ == "__main__":
    main()
