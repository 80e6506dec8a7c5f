"""Composites: public functions written over tensors, by family.  Importing a family
publishes it.
"""

from . import bounds as bounds
from . import calculus as calculus
from . import casting as casting
from . import data_dependent as data_dependent
from . import elementwise as elementwise
from . import fft as fft
from . import fft_short_time as fft_short_time
from . import host_functions as host_functions
from . import indexing as indexing
from . import inplace_functions as inplace_functions
from . import layouts as layouts
from . import legacy_types as legacy_types
from . import linalg_decompositions as linalg_decompositions
from . import linalg_functions as linalg_functions
from . import linalg_lowrank as linalg_lowrank
from . import linalg_removed as linalg_removed
from . import linalg_solve as linalg_solve
from . import matmul as matmul
from . import native as native
from . import new_methods as new_methods
from . import nn_activation as nn_activation
from . import nn_attention as nn_attention
from . import nn_dropout as nn_dropout
from . import nn_embedding as nn_embedding
from . import nn_loss as nn_loss
from . import nn_mask as nn_mask
from . import nn_misc as nn_misc
from . import nn_norm as nn_norm
from . import nn_pool as nn_pool
from . import nn_range as nn_range
from . import nn_recurrent as nn_recurrent
from . import nn_torch as nn_torch
from . import nn_vision as nn_vision
from . import numbers as numbers
from . import quantize as quantize
from . import queries as queries
from . import reduction as reduction
from . import segments as segments
from . import shape as shape
from . import splitting as splitting
from . import views as views
from . import windows as windows
