"""torch.optim.lr_scheduler: learning rates as functions of the epoch.  Assembly only."""

from ._base import EPOCH_DEPRECATION_WARNING as EPOCH_DEPRECATION_WARNING
from ._base import LRScheduler as LRScheduler
from ._base import _enable_get_lr_call as _enable_get_lr_call
from ._base import _format_param as _format_param
from ._base import _initial_mode as _initial_mode
from ._base import _LRScheduler as _LRScheduler
from ._base import _param_groups_val_list as _param_groups_val_list
from ._base import _update_param_group_val as _update_param_group_val
from ._base import _warn_get_lr_called_within_step as _warn_get_lr_called_within_step
from ._composite import ChainedScheduler as ChainedScheduler
from ._composite import SequentialLR as SequentialLR
from ._cosine import CosineAnnealingLR as CosineAnnealingLR
from ._cosine import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from ._cyclic import CyclicLR as CyclicLR
from ._cyclic import OneCycleLR as OneCycleLR
from ._plateau import ReduceLROnPlateau as ReduceLROnPlateau
from ._simple import ConstantLR as ConstantLR
from ._simple import ExponentialLR as ExponentialLR
from ._simple import LambdaLR as LambdaLR
from ._simple import LinearLR as LinearLR
from ._simple import MultiplicativeLR as MultiplicativeLR
from ._simple import MultiStepLR as MultiStepLR
from ._simple import PolynomialLR as PolynomialLR
from ._simple import StepLR as StepLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
