"""ViT, affine maps, filters, RandAugment and the transforms of samples.

torchvision needs PyTorch's build, so it is not among the tests' packages: NUMBERS are what
torchvision 0.29 gives for CASES (each result's mean, and its mean weighted with its places).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import jtorch
from jtorch import vision
from jtorch.vision.transforms import v2

BYTES = np.random.default_rng(0).integers(0, 256, (3, 20, 26)).astype("u1")
T, F = vision.transforms, vision.transforms.functional
CASES = {
    "affine": lambda T, x: T.functional.affine(x, 30, [3, -2], 0.8, [5, 10]),
    "affine bilinear": lambda T, x: T.functional.affine(
        x, 30, [3, -2], 1.2, 7.0, T.InterpolationMode.BILINEAR, [9.0, 8.0, 7.0]
    ),
    "rotate": lambda T, x: T.functional.rotate(x, 33, expand=True),
    "rotate center": lambda T, x: T.functional.rotate(x, 40, center=[3, 4], fill=[5.0]),
    "blur": lambda T, x: T.functional.gaussian_blur(x, [5, 3], [1.0, 2.0]),
    "sharp": lambda T, x: T.functional.adjust_sharpness(x, 2),
    "gamma": lambda T, x: T.functional.adjust_gamma(x, 2.0, 0.7),
    "autocontrast": lambda T, x: T.functional.autocontrast(x // 2),
    "equalize": lambda T, x: T.functional.equalize(x),
    "posterize": lambda T, x: T.functional.posterize(x, 3),
    "solarize": lambda T, x: T.functional.solarize(x, 100),
    "ten_crop": lambda T, x: T.functional.ten_crop(x, [5, 8], True)[6],
    "GaussianBlur": lambda T, x: T.GaussianBlur(5)(x),
    "RandomAffine": lambda T, x: T.RandomAffine(20, (0.1, 0.2), (0.8, 1.2), (1, 4, 2, 8))(x),
    "TrivialAugmentWide": lambda T, x: T.TrivialAugmentWide()(x),
    "RandAugment": lambda T, x: T.RandAugment()(x),
    "v2.Compose": lambda T, x: T.v2.Compose(
        [T.v2.RandomCrop(12, padding=2), T.v2.RandomHorizontalFlip(), T.v2.RandomErasing(1.0)]
    )(x, 1)[0],
    "v2.choice": lambda T, x: T.v2.RandomChoice([T.v2.RandomVerticalFlip(1.0), T.v2.Pad(3)])(x),
    "v2.order": lambda T, x: T.v2.RandomOrder([T.v2.RandomRotation(30), T.v2.RandomAffine(9)])(x),
    "v2.apply": lambda T, x: T.v2.RandomApply([T.v2.RandomInvert(1.0)], p=0.9)(x),
    "v2.RandAugment": lambda T, x: T.v2.RandAugment()(x),
    "v2.CutMix": lambda T, x: T.v2.CutMix(num_classes=2)(
        x[None].repeat(2, 1, 1, 1) // (x[:2, :1, :1, None] // 50 + 1), x[0, 0, :2].long() % 2
    )[0],
}
NUMBERS = {
    "affine": [76.63, 36.39],
    "affine bilinear": [117.92, 57.93],
    "rotate": [62.17, 30.68],
    "rotate center": [80.51, 35.98],
    "blur": [130.87, 65.45],
    "sharp": [130.37, 64.84],
    "gamma": [61.86, 30.71],
    "autocontrast": [130.65, 65.18],
    "equalize": [129.46, 64.85],
    "posterize": [115.65, 57.56],
    "solarize": [67.04, 33.81],
    "ten_crop": [130.44, 64.0],
    "GaussianBlur": [130.97, 65.5],
    "RandomAffine": [121.93, 60.95],
    "TrivialAugmentWide": [108.5, 53.87],
    "RandAugment": [128.85, 64.59],
    "v2.Compose": [120.48, 59.12],
    "v2.choice": [81.96, 40.88],
    "v2.order": [117.92, 58.88],
    "v2.apply": [123.86, 62.07],
    "v2.RandAugment": [128.85, 64.53],
    "v2.CutMix": [25.84, 12.91],
}


def measured(array):
    a = np.asarray(array, "f8").ravel()
    return [round(float(a.mean()), 2), round(float((a * np.linspace(0, 1, a.size)).mean()), 2)]


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_torchvisions(name):
    jtorch.manual_seed(7)
    got = CASES[name](T, jtorch.tensor(BYTES))
    assert measured(got.numpy()) == pytest.approx(NUMBERS[name], abs=0.05)


def test_all_pictures_of_a_sample_are_changed_alike():
    a = jtorch.tensor(BYTES)
    picture = F.to_pil_image(a) if _pillow() else None
    if picture is None:
        pytest.skip("Pillow is not installed")
    out = v2.RandomCrop(6)({"one": picture, "two": [picture, 3]})
    assert np.array_equal(np.asarray(out["one"]), np.asarray(out["two"][0]))
    assert out["two"][1] == 3


def _pillow():
    try:
        import PIL.Image
    except ImportError:
        return False
    return hasattr(PIL.Image, "fromarray")


def test_samples_pass_through():
    image, label = v2.Compose([v2.ToImage(), v2.ToDtype(jtorch.float32, scale=True)])(
        BYTES.transpose(1, 2, 0), 5
    )
    assert label == 5 and image.shape == (3, 20, 26)
    assert np.allclose(image.numpy(), BYTES / 255)
    first, second = v2.Normalize([0.5] * 3, [0.5] * 3)(image, image)
    assert second is image and np.allclose(first.numpy(), BYTES / 127.5 - 1, atol=1e-5)
    assert v2.Identity()(image) is image
    assert v2.Lambda(lambda x: x + 1, int)(image, 1)[1] == 2

    class Twice(v2.Transform):
        def transform(self, inpt, params):
            return inpt * 2

    assert np.allclose(Twice()({"x": image})["x"].numpy(), BYTES / 127.5)
    for wrong in (lambda: v2.Compose([]), lambda: v2.RandomApply([F.hflip], p=2)):
        with pytest.raises(ValueError):
            wrong()


def test_mixup():
    x, y = jtorch.rand(4, 3, 5, 6), jtorch.tensor([0, 2, 1, 2])
    mixed, labels = v2.MixUp(num_classes=3)(x, y)
    lam = float(labels[0, 0])
    assert np.allclose(mixed.numpy(), (lam * x + (1 - lam) * x.roll(1, 0)).numpy(), atol=1e-6)
    assert np.allclose(labels.sum(1).numpy(), 1)
    for wrong in (lambda: v2.MixUp()(x, y), lambda: v2.MixUp(num_classes=3)(x[0], y)):
        with pytest.raises(ValueError):
            wrong()


def reference(state, x, patch, heads):
    """The vision transformer written out in PyTorch's functions."""
    f = torch.nn.functional
    state = {k: torch.tensor(v.numpy()) for k, v in state.items()}
    n = x.shape[0]

    def norm(name, x):
        return f.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    def linear(name, x):
        return f.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    x = f.conv2d(x, state["conv_proj.weight"], state["conv_proj.bias"], patch)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([state["class_token"].expand(n, -1, -1), x], 1) + state["encoder.pos_embedding"]
    for i in range(2):
        at = f"encoder.layers.encoder_layer_{i}"
        y = norm(f"{at}.ln_1", x)
        weight, bias = (state[f"{at}.self_attention.in_proj_{k}"] for k in ("weight", "bias"))
        q, k, v = (
            t.unflatten(-1, (heads, -1)).transpose(1, 2)
            for t in f.linear(y, weight, bias).chunk(3, -1)
        )
        y = f.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + linear(f"{at}.self_attention.out_proj", y)
        y = f.gelu(linear(f"{at}.mlp.0", norm(f"{at}.ln_2", x)))
        x = x + linear(f"{at}.mlp.3", y)
    return linear("heads.head", torch.tanh(linear("heads.pre_logits", norm("encoder.ln", x)[:, 0])))


def test_vit_is_the_one_of_the_paper():
    jtorch.manual_seed(0)
    model = vision.models.VisionTransformer(
        16, 8, 2, 2, 12, 20, num_classes=7, representation_size=5
    )
    jtorch.nn.init.normal_(model.heads.head.weight)
    model.eval()
    x = np.random.default_rng(1).standard_normal((2, 3, 16, 16)).astype("f")
    want = reference(model.state_dict(), torch.tensor(x), 8, 2)
    got = model(jtorch.tensor(x)).detach().numpy()
    assert np.allclose(got, want.numpy(), atol=1e-5)
    with pytest.raises(AssertionError, match="Wrong image height"):
        model(jtorch.zeros(1, 3, 8, 16))
    stretched = vision.models.interpolate_embeddings(24, 8, model.state_dict(), reset_heads=True)
    assert stretched["encoder.pos_embedding"].shape == (1, 10, 12)
    assert not any(k.startswith("heads") for k in stretched)


# parameters of torchvision's own models, from its documentation
@pytest.mark.parametrize(
    ("name", "count"),
    [("vit_b_16", 86_567_656), ("vit_b_32", 88_224_232), ("vit_h_14", 632_045_800)],
)
def test_vit_sizes(name, count):
    with jtorch.device("meta"):
        model = getattr(vision.models, name)(**({"image_size": 224}))
    assert sum(p.numel() for p in model.parameters()) == count
    keys = list(model.state_dict())
    assert keys[:4] == [
        "class_token",
        "conv_proj.weight",
        "conv_proj.bias",
        "encoder.pos_embedding",
    ]
    assert "encoder.layers.encoder_layer_11.self_attention.in_proj_weight" in keys
    assert "encoder.layers.encoder_layer_0.mlp.3.bias" in keys and keys[-1] == "heads.head.bias"


def test_vit_loads_checkpoints_with_the_old_names():
    model = vision.models.VisionTransformer(8, 8, 1, 1, 4, 6, num_classes=2)
    old = {
        k.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): v
        for k, v in model.state_dict().items()
    }
    assert not model.load_state_dict(old).missing_keys
