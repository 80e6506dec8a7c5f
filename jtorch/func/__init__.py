"""`torch.func`: function transformations.  Assembly only."""

from .._transforms.forward import hessian as hessian
from .._transforms.forward import jacfwd as jacfwd
from .._transforms.forward import jvp as jvp
from .._transforms.forward import linearize as linearize
from .._transforms.reverse import grad as grad
from .._transforms.reverse import grad_and_value as grad_and_value
from .._transforms.reverse import jacrev as jacrev
from .._transforms.reverse import vjp as vjp
from .._transforms.vmap import vmap as vmap
from ._modules import functional_call as functional_call
from ._modules import functionalize as functionalize
from ._modules import replace_all_batch_norm_modules_ as replace_all_batch_norm_modules_
from ._modules import stack_module_state as stack_module_state
from ._rearrange import rearrange as rearrange

__all__ = [
    "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev",
    "jvp", "linearize", "rearrange", "replace_all_batch_norm_modules_", "stack_module_state", "vjp",
    "vmap",
]  # fmt: skip
