"""Transformers against PyTorch's: state, weights from a seed, masks, dropout, evaluation."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from layer_cases import floats

import jtorch

NAMES = ["Transformer", "TransformerEncoder", "TransformerDecoder", "TransformerEncoderLayer",
         "TransformerDecoderLayer"]  # fmt: skip
SMALL = {"d_model": 8, "nhead": 2, "dim_feedforward": 12}


def array(t: Any) -> np.ndarray:
    return t.detach().numpy()


def close(ours: Any, theirs: Any, what: str = "") -> None:
    np.testing.assert_allclose(array(ours), array(theirs), rtol=2e-4, atol=2e-5, err_msg=what)


def both(make: Callable[[Any], Any]) -> tuple[Any, Any]:
    made = []
    for m in (torch, jtorch):
        m.manual_seed(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # why nested tensors are not used
            made.append(make(m))
    return made[0], made[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_constructor_takes_what_pytorchs_takes(name: str):
    ours = inspect.signature(getattr(jtorch.nn, name)).parameters.values()
    theirs = inspect.signature(getattr(torch.nn, name)).parameters.values()
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.name, mine.kind) == (other.name, other.kind)
        assert mine.default == other.default or mine.name == "activation"


MODELS: dict[str, Callable[[Any], Any]] = {
    "encoder layer": lambda m: m.nn.TransformerEncoderLayer(**SMALL, dropout=0.3),
    "encoder layer, norm first, gelu": lambda m: m.nn.TransformerEncoderLayer(
        **SMALL, activation="gelu", batch_first=True, norm_first=True, bias=False
    ),
    "decoder layer": lambda m: m.nn.TransformerDecoderLayer(**SMALL, dropout=0.3),
    "decoder layer, norm first": lambda m: m.nn.TransformerDecoderLayer(
        **SMALL, activation=m.nn.SiLU(), norm_first=True
    ),
    "transformer": lambda m: m.nn.Transformer(
        8, 2, 2, 2, dim_feedforward=12, dropout=0.2, batch_first=True
    ),
}


def run(m: Any, model: Any) -> tuple[list[Any], list[Any]]:
    src = m.tensor(floats(5, 5, 8)).requires_grad_()
    tgt = m.tensor(floats(5, 5, 8, seed=1)).requires_grad_()
    mask = m.nn.Transformer.generate_square_subsequent_mask(5)
    padding = m.tensor(np.arange(5) >= np.array([[5], [4], [3], [5], [2]]))
    if isinstance(model, m.nn.Transformer):
        out = model(src, tgt, tgt_mask=mask, tgt_is_causal=True, src_mask=mask)
        args = (src, tgt)
    elif isinstance(model, m.nn.TransformerDecoderLayer):
        out = model(tgt, src, tgt_mask=mask, memory_key_padding_mask=padding)
        args = (src, tgt)
    else:
        out = model(src, src_key_padding_mask=padding)
        args = (src,)
    (out * m.tensor(floats(5, 5, 8, seed=3))).sum().backward()
    return [out], [t.grad for t in (*args, *model.parameters())]


@pytest.mark.parametrize("name", MODELS)
def test_values_and_gradients_in_training_with_dropout(name: str):
    theirs, ours = both(MODELS[name])
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert array(ours.state_dict()[key]).tobytes() == array(value).tobytes(), key
    public = {k for k in vars(theirs) if not k.startswith("_")}
    assert {k for k in vars(ours) if not k.startswith("_")} == public
    expected, expected_grads = run(torch, theirs)
    found, grads = run(jtorch, ours)
    close(found[0], expected[0])
    for mine, other in zip(grads, expected_grads, strict=True):
        close(mine, other)


@pytest.mark.parametrize("name", MODELS)
def test_a_copy_and_a_pickle_compute_the_same(name: str):
    ours = both(MODELS[name])[1].eval()
    expected = run(jtorch, ours)[0][0]
    for again in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        close(run(jtorch, again)[0][0], expected)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("aligned", [False, True])
def test_evaluation_gives_zeros_for_padding_where_pytorch_does(grad: bool, aligned: bool):
    outputs = []
    lengths = np.array([[5], [3]])
    hidden = np.arange(5) >= lengths if aligned else np.arange(5) < 5 - lengths
    theirs, ours = both(
        lambda m: m.nn.TransformerEncoder(
            m.nn.TransformerEncoderLayer(**SMALL, batch_first=True), 2, m.nn.LayerNorm(8)
        ).eval()
    )
    for m, model in ((torch, theirs), (jtorch, ours)):
        with m.set_grad_enabled(grad), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            outputs.append(model(m.tensor(floats(2, 5, 8)), src_key_padding_mask=m.tensor(hidden)))
    close(outputs[1], outputs[0])


def test_unbatched_input_and_a_custom_part():
    theirs, ours = both(lambda m: m.nn.Transformer(8, 2, 1, 1, 12).eval())
    src, tgt = floats(4, 8), floats(3, 8, seed=1)
    close(
        ours(jtorch.tensor(src), jtorch.tensor(tgt)), theirs(torch.tensor(src), torch.tensor(tgt))
    )
    encoder = jtorch.nn.Identity()
    assert jtorch.nn.Transformer(8, 2, 1, 1, 12, custom_encoder=encoder).encoder is encoder


def test_weights_travel_both_ways():
    theirs, _ = both(lambda m: m.nn.Transformer(8, 2, 1, 1, 12).eval())
    jtorch.manual_seed(9)
    fresh = jtorch.nn.Transformer(8, 2, 1, 1, 12, batch_first=True).eval()
    fresh.load_state_dict({k: jtorch.tensor(array(v)) for k, v in theirs.state_dict().items()})
    theirs.load_state_dict({k: torch.tensor(array(v)) for k, v in fresh.state_dict().items()})
    src = floats(4, 8)
    close(fresh(*[jtorch.tensor(src)] * 2), theirs(*[torch.tensor(src)] * 2))


def outcome(f: Callable[[], Any]) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            f()
    except (Exception, Warning) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


WRONG: list[Callable[[Any], Any]] = [
    lambda m: m.nn.TransformerEncoderLayer(8, 2, activation="tanh"),
    lambda m: m.nn.TransformerEncoder(m.nn.TransformerEncoderLayer(8, 2), 1),
    lambda m: m.nn.TransformerEncoder(m.nn.Linear(8, 2), 1),
    lambda m: m.nn.TransformerEncoder(
        m.nn.TransformerEncoderLayer(9, 3, batch_first=True), 1, enable_nested_tensor=True
    ),
    lambda m: m.nn.Transformer(8, 2, 1, 1, 4, batch_first=True)(m.zeros(2, 3, 8), m.zeros(1, 3, 8)),
    lambda m: m.nn.Transformer(8, 2, 1, 1, 4, batch_first=True)(m.zeros(2, 3, 7), m.zeros(2, 3, 8)),
    lambda m: m.nn.TransformerEncoderLayer(8, 2)(m.zeros(3, 1, 8), m.zeros(3, 3, dtype=m.int64)),
    lambda m: m.nn.TransformerEncoderLayer(8, 2)(m.zeros(3, 1, 8), is_causal=True),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_errors_and_warnings_are_pytorchs(wrong: Callable[[Any], Any]):
    expected = outcome(lambda: wrong(torch))
    assert expected != "no error"
    assert outcome(lambda: wrong(jtorch)) == expected
