"""jtorch: PyTorch's imperative API on JAX alone.  Assembly only: no logic lives here."""

import sys as _sys
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi

from . import _conflict as _conflict  # first: nothing else is sound beside the other `jtorch`

from . import _aten as _aten  # isort: skip
from . import _settings as _settings
from . import accelerator as accelerator
from . import amp as amp
from . import autograd as autograd
from . import backends as backends
from . import compiler as compiler
from . import composite as composite
from . import cpu as cpu
from . import creation as creation
from . import cuda as cuda
from . import distributed as distributed
from . import distributions as distributions
from . import fft as fft
from . import func as func
from . import futures as futures
from . import fx as fx
from . import jit as jit
from . import linalg as linalg
from . import masked as masked
from . import multiprocessing as multiprocessing
from . import nn as nn
from . import onnx as onnx
from . import optim as optim
from . import overrides as overrides
from . import parallel as parallel
from . import profiler as profiler
from . import random as random
from . import random_ops as random_ops
from . import random_rejection as random_rejection
from . import serialization as serialization
from . import signal as signal
from . import special as special
from . import storage as storage
from . import utils as utils
from . import version as version
from . import vision as vision
from ._absent import module_attribute as __getattr__
from ._compile import compile as compile
from ._engine import dtype as _dtype
from ._engine import dtype_tags as _dtype_tags
from ._engine.device import device as device
from ._engine.device import get_default_device as get_default_device
from ._engine.device import set_default_device as set_default_device
from ._engine.dtype import can_cast as can_cast
from ._engine.dtype import dtype as dtype
from ._engine.dtype import finfo as finfo
from ._engine.dtype import get_default_dtype as get_default_dtype
from ._engine.dtype import iinfo as iinfo
from ._engine.dtype import promote_types as promote_types
from ._engine.dtype import set_default_dtype as set_default_dtype
from ._engine.errors import AcceleratorError as AcceleratorError
from ._engine.errors import OutOfMemoryError as OutOfMemoryError
from ._functions import NAMESPACES as _NAMESPACES
from ._layout import channels_last as channels_last
from ._layout import channels_last_3d as channels_last_3d
from ._layout import contiguous_format as contiguous_format
from ._layout import layout as layout
from ._layout import memory_format as memory_format
from ._layout import preserve_format as preserve_format
from ._layout import sparse_coo as sparse_coo
from ._layout import sparse_csr as sparse_csr
from ._layout import strided as strided
from ._size import Size as Size
from ._tensor_str import set_printoptions as set_printoptions
from .amp import GradScaler as GradScaler
from .amp import autocast as autocast
from .autograd import enable_grad as enable_grad
from .autograd import inference_mode as inference_mode
from .autograd import no_grad as no_grad
from .autograd import set_grad_enabled as set_grad_enabled
from .autograd.anomaly_mode import is_anomaly_enabled as is_anomaly_enabled
from .autograd.grad_mode import is_grad_enabled as is_grad_enabled
from .autograd.grad_mode import is_inference_mode_enabled as is_inference_mode_enabled
from .cuda import Event as Event
from .cuda import Stream as Stream
from .debug import pending as pending
from .debug import report as report
from .func import vmap as vmap
from .interop import from_dlpack as from_dlpack
from .interop import from_jax as from_jax
from .interop import to_dlpack as to_dlpack
from .nn import parallel as _nn_parallel
from .random import Generator as Generator
from .random import default_generator as default_generator
from .random import get_rng_state as get_rng_state
from .random import initial_seed as initial_seed
from .random import manual_seed as manual_seed
from .random import seed as seed
from .random import set_rng_state as set_rng_state
from .random import thread_safe_generator as thread_safe_generator
from .serialization import load as load
from .serialization import save as save
from .storage import TypedStorage as TypedStorage
from .storage import UntypedStorage as UntypedStorage
from .tensor import Tensor as Tensor

globals().update(_dtype.NAMES)
globals().update(_dtype_tags.TAGS)
globals().update(_NAMESPACES["torch"])
nn.DataParallel = parallel.DataParallel
nn.parallel = _nn_parallel
newaxis = None
torch = _sys.modules[__name__]  # PyTorch, too, has itself among its names

__version__ = version.__version__
