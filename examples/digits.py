"""Train a small convolutional network on scikit-learn's handwritten digits."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset, random_split


class Digits(Dataset):
    """1797 grey 8x8 images, one channel first, and their labels."""

    def __init__(self):
        digits = load_digits()
        self.images = (digits.images / 16.0).astype("float32")[:, None]
        self.labels = digits.target

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return torch.from_numpy(self.images[index]), int(self.labels[index])


class Net(nn.Module):
    """Two convolution blocks and a classifier: (N, 1, 8, 8) -> (N, 10)."""

    def __init__(self, dropout):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, kernel_size=3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x):
        x = self.features(x)
        x = torch.flatten(x, 1)
        return self.classifier(self.dropout(x))


def progress(epoch, done, total, loss):
    """Redraw one line on a terminal; stay silent in a pipe or a log file."""
    if not sys.stderr.isatty():
        return
    filled = 30 * done // total
    bar = "#" * filled + "." * (30 - filled)
    end = "\n" if done == total else ""
    print(f"\repoch {epoch:2d} [{bar}] {done}/{total} loss {loss:.4f}", end=end, file=sys.stderr)


def train_epoch(model, loader, criterion, optimizer, epoch):
    """One pass over the data; returns the loss of every step."""
    model.train()
    losses = []
    for batch, (images, labels) in enumerate(loader, start=1):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        progress(epoch, batch, len(loader), losses[-1])
    return losses


def evaluate(model, loader):
    """The share of right answers."""
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for images, labels in loader:
            predicted = model(images).argmax(dim=1)
            correct += (predicted == labels).sum().item()
            total += labels.size(0)
    return correct / total


def check_checkpoint(model, loader, path, dropout, accuracy):
    """Save the weights, load them into a new network, and see the same accuracy."""
    torch.save(model.state_dict(), path)
    restored = Net(dropout)
    restored.load_state_dict(torch.load(path))
    restored_accuracy = evaluate(restored, loader)
    if restored_accuracy != accuracy:
        raise SystemExit(f"the checkpoint scores {restored_accuracy:.4f}, not {accuracy:.4f}")
    print(f"checkpoint reloaded: {restored_accuracy:.4f}")


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--dropout", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--checkpoint", metavar="FILE", help="where to keep the weights")
    parser.add_argument("--log", metavar="FILE", help="write every step's loss as JSON lines")
    return parser.parse_args()


def main():
    args = parse_args()
    torch.manual_seed(args.seed)

    data = Digits()
    split = torch.Generator().manual_seed(42)
    train_set, test_set = random_split(data, [len(data) - 360, 360], generator=split)
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=180)

    model = Net(args.dropout)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)

    losses = []
    for epoch in range(1, args.epochs + 1):
        epoch_losses = train_epoch(model, train_loader, criterion, optimizer, epoch)
        rate = scheduler.get_last_lr()[0]
        scheduler.step()
        losses += epoch_losses
        mean = sum(epoch_losses) / len(epoch_losses)
        accuracy = evaluate(model, test_loader)
        print(f"epoch {epoch:2d}  lr {rate:.4f}  loss {mean:.4f}  test accuracy {accuracy:.4f}")

    if args.log:
        lines = (json.dumps({"step": step, "loss": loss}) for step, loss in enumerate(losses))
        Path(args.log).write_text("\n".join(lines) + "\n")
    accuracy = evaluate(model, test_loader)
    print(f"final test accuracy: {accuracy:.4f}")
    with tempfile.TemporaryDirectory() as folder:
        path = args.checkpoint or Path(folder) / "digits.pt"
        check_checkpoint(model, test_loader, path, args.dropout, accuracy)


if __name__ == "__main__":
    main()
