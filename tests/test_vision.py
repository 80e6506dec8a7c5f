"""The stand-in for torchvision: transforms, datasets, models, grids."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch

import jtorch
from jtorch import vision
from jtorch.vision import transforms as T
from jtorch.vision.transforms import functional as F

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def close(mine, theirs, tolerance=1e-6):
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=tolerance, atol=tolerance)


def test_to_tensor_and_normalize():
    t = T.Compose([T.ToTensor(), T.Normalize((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))])(PICTURE)
    x = torch.tensor(PICTURE.transpose(2, 0, 1)).float().div(255)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3)))
    close(t, (x - mean) / std)
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        T.ToTensor()([1, 2])
    assert np.array_equal(np.asarray(F.to_pil_image(F.to_tensor(PICTURE))), PICTURE)


@pytest.mark.parametrize("size", [(3, 4), (12, 16), 3])
def test_resize_is_interpolate(size):
    x = jtorch.rand(3, 6, 8)
    want = torch.nn.functional.interpolate(
        torch.tensor(x.numpy())[None], size=size if isinstance(size, tuple) else (3, 4),
        mode="bilinear", antialias=True,
    )[0]  # fmt: skip
    close(F.resize(x, size), want, 1e-5)


def test_crops_pads_and_flips():
    x = jtorch.arange(48.0).view(1, 6, 8)
    a = x.numpy()
    assert np.array_equal(F.crop(x, 1, 2, 3, 4).numpy(), a[:, 1:4, 2:6])
    padded = np.pad(a, ((0, 0), (1, 2), (3, 0)))
    assert np.array_equal(F.pad(x, [3, 1, 0, 2]).numpy(), padded)
    assert np.array_equal(F.crop(x, -1, -3, 9, 11).numpy(), padded)
    assert np.array_equal(F.center_crop(x, 4).numpy(), a[:, 1:5, 2:6])
    assert F.center_crop(x, 10).shape == (1, 10, 10)
    assert np.array_equal(F.hflip(x).numpy(), a[..., ::-1])
    assert np.array_equal(F.vflip(x).numpy(), a[:, ::-1])
    assert np.array_equal(F.rotate(x[:, :, :6], 90).numpy(), np.rot90(a[:, :, :6], axes=(1, 2)))


def test_random_transforms_draw_as_torchvision_does():
    x = jtorch.arange(64.0).view(1, 8, 8)
    for seed in range(5):
        jtorch.manual_seed(seed), torch.manual_seed(seed)
        out = T.RandomCrop(5)(x)
        i = torch.randint(0, 4, size=(1,)).item()
        j = torch.randint(0, 4, size=(1,)).item()
        assert np.array_equal(out.numpy(), x.numpy()[:, i : i + 5, j : j + 5])
        flipped = bool(T.RandomHorizontalFlip()(x)[0, 0, 0] != 0)
        assert flipped == bool(torch.rand(1) < 0.5)


@pytest.mark.parametrize(
    "transform",
    [T.RandomResizedCrop(4), T.ColorJitter(0.4, 0.4, 0.4, 0.1), T.RandomErasing(1.0),
     T.Grayscale(3), T.RandomRotation(20), T.RandomGrayscale(1.0), T.Resize(5), T.RandomInvert(1.0),
     T.RandomApply([T.Pad(2)], 1.0), T.RandomOrder([T.Pad(1), T.CenterCrop(4)])],
)  # fmt: skip
def test_transforms_keep_what_a_picture_is(transform):
    x = jtorch.rand(3, 8, 8)
    y = transform(x)
    assert y.shape[0] == 3 and y.dtype == x.dtype and float(y.min()) >= 0 and float(y.max()) <= 1
    assert type(transform).__name__ in repr(transform)


def test_hue_turns_the_circle():
    red = jtorch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    assert F.adjust_hue(red, 1 / 3).flatten().tolist() == pytest.approx([0, 1, 0], abs=1e-5)
    assert F.adjust_hue(red, 0.0).flatten().tolist() == pytest.approx([1, 0, 0], abs=1e-5)


def _idx(array):
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape)
    return head + array.tobytes()


def test_mnist_reads_checks_and_names_what_is_missing(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="You can use download=True"):
        vision.datasets.MNIST(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    files = [_idx(images), _idx(np.arange(5, dtype=np.uint8))] * 2
    packed = [gzip.compress(f) for f in files]
    served = tmp_path / "served"
    served.mkdir()
    from jtorch.vision.datasets.mnist import _NAMES

    for name, data in zip(_NAMES, packed, strict=True):
        (served / f"{name}.gz").write_bytes(data)
    cls = vision.datasets.MNIST
    monkeypatch.setattr(cls, "mirrors", ("file:///nowhere/", served.as_uri() + "/"))
    monkeypatch.setattr(cls, "md5s", tuple(hashlib.md5(p).hexdigest() for p in packed))
    data = cls(tmp_path / "data", download=True, transform=T.ToTensor())
    x, y = data[3]
    assert x.shape == (1, 28, 28) and y == 3 and len(data) == 5
    assert np.array_equal((x[0] * 255).round().numpy().astype(np.uint8), images[3])
    loader = jtorch.utils.data.DataLoader(data, batch_size=5)
    assert next(iter(loader))[1].tolist() == [0, 1, 2, 3, 4]
    monkeypatch.setattr(cls, "md5s", ("0" * 32,) * 4)
    with pytest.raises(RuntimeError, match="another checksum"):
        cls(tmp_path / "other", download=True)


def test_cifar_runs_no_code(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [1, 0]}
    for i in range(1, 6):
        (folder / f"data_batch_{i}").write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["a", "b"]}))
    data = vision.datasets.CIFAR10(tmp_path)
    assert len(data) == 10 and data[0][1] == 1 and data.class_to_idx == {"a": 0, "b": 1}
    (folder / "data_batch_1").write_bytes(b"cos\nsystem\n(S'echo'\ntR.")
    with pytest.raises(pickle.UnpicklingError, match=r"cannot need (os|posix).system"):
        vision.datasets.CIFAR10(tmp_path)


def test_fake_data_and_folders(tmp_path):
    data = vision.datasets.FakeData(3, (3, 4, 4), 10, T.ToTensor())
    assert data[1][0].tolist() == data[1][0].tolist() and data[1][1] == data[1][1]
    with pytest.raises(IndexError):
        data[3]
    for name in ("cat/1.npy", "cat/deep/2.npy", "dog/3.npy"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    folder = vision.datasets.DatasetFolder(tmp_path, lambda path: path[-5], (".npy",))
    assert [folder[i] for i in range(3)] == [("1", 0), ("2", 0), ("3", 1)]
    assert folder.classes == ["cat", "dog"]
    with pytest.raises(FileNotFoundError, match="no valid file for the classes"):
        vision.datasets.ImageFolder(tmp_path)


# parameters of torchvision's own models, from its documentation
COUNTS = {
    "resnet18": 11_689_512, "resnet50": 25_557_032, "mobilenet_v2": 3_504_872,
    "alexnet": 61_100_840, "resnext50_32x4d": 25_028_904, "wide_resnet50_2": 68_883_240,
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_models_have_as_many_parameters(name):
    model = getattr(vision.models, name)()
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]


def test_resnet_names_its_parameters_as_torchvision():
    model = vision.models.resnet18(num_classes=10)
    keys = list(model.state_dict())
    assert len(keys) == 122
    for key in ("conv1.weight", "bn1.num_batches_tracked", "layer1.0.conv1.weight",
                "layer2.0.downsample.0.weight", "layer2.0.downsample.1.running_var",
                "layer4.1.bn2.bias", "fc.bias"):  # fmt: skip
        assert key in keys
    model.eval()
    assert model(jtorch.rand(1, 3, 32, 32)).shape == (1, 10)
    with pytest.raises(NotImplementedError, match="downloads no weights"):
        vision.models.resnet18(weights="DEFAULT")


def test_make_grid_and_save_image(tmp_path):
    x = jtorch.arange(5 * 3 * 4.0).view(5, 1, 3, 4) / 60
    grid = vision.utils.make_grid(x, nrow=2, padding=1, pad_value=0.5)
    assert grid.shape == (3, 13, 11)
    assert np.allclose(grid.numpy()[0, 5:8, 6:10], x.numpy()[3, 0])
    assert grid[0, 0, 0].item() == 0.5
    normal = vision.utils.make_grid(x, normalize=True)
    assert float(normal.max()) == 1.0
    path = tmp_path / "grid.png"
    vision.utils.save_image(x, path, nrow=2, padding=1)
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    start = data.index(b"IDAT") + 4
    size = struct.unpack(">I", data[start - 8 : start - 4])[0]
    rows = np.frombuffer(zlib.decompress(data[start : start + size]), np.uint8).reshape(13, 1 + 33)
    assert rows[:, 1:].reshape(13, 11, 3)[5, 6, 0] == int(float(x[3, 0, 0, 0]) * 255 + 0.5)


def test_under_the_runner_torchvision_is_this(tmp_path):
    code = (
        "import torchvision; from torchvision import transforms as T; print(torchvision.__name__)"
    )
    command = [sys.executable, "-m", "jtorch", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "jtorch.vision\n"
