"""torch's module paths: `nn.modules.batchnorm._BatchNorm` and kin, as aliases of our own files."""

import sys
from types import ModuleType

from .. import (
    _ntuple,
    _transformer_stacks,
    activation,
    adaptive,
    containers,
    conv,
    distance,
    dropout,
    flatten,
    layer_norm,
    lazy,
    linear,
    linear_cross_entropy,
    loss,
    module,
    multihead_attention,
    norm,
    padding,
    parameter_containers,
    pooling,
    recurrent,
    recurrent_cells,
    sparse,
    transformer,
    transformer_layers,
    upsampling,
)
from ..module import Module

# Files that torch splits otherwise: torch's name, and where its content lives here.
_CONTENT = {
    "activation": (activation, multihead_attention),
    "adaptive": (adaptive,),
    "batchnorm": (norm, lazy),
    "channelshuffle": (flatten,),
    "container": (containers, parameter_containers),
    "conv": (conv, lazy),
    "distance": (distance,),
    "dropout": (dropout,),
    "flatten": (flatten,),
    "fold": (flatten,),
    "instancenorm": (norm, lazy),
    "lazy": (lazy,),
    "linear": (linear, lazy),
    "loss": (loss, linear_cross_entropy),
    "module": (module,),
    "normalization": (layer_norm,),
    "padding": (padding,),
    "pixelshuffle": (flatten,),
    "pooling": (pooling,),
    "rnn": (recurrent, recurrent_cells),
    "sparse": (sparse,),
    "transformer": (transformer_layers, _transformer_stacks, transformer),
    "upsampling": (upsampling,),
    "utils": (_ntuple,),
}


def _publish(name: str, parts: tuple[ModuleType, ...]) -> None:
    alias = ModuleType(f"{__name__}.{name}", f"torch.nn.modules.{name}: names of other files.")
    for part in parts:
        content = {k: v for k, v in vars(part).items() if not k.startswith("__")}
        vars(alias).update(content)
        layers = {k: content[k] for k in getattr(part, "__all__", ())}
        globals().update(layers)
    sys.modules[alias.__name__] = alias
    globals()[name] = alias


for _name, _parts in _CONTENT.items():
    _publish(_name, _parts)
