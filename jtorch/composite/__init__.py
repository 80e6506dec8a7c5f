"""Composites: public functions written over tensors, by family.  Importing a family publishes it."""

from . import bounds as bounds
from . import calculus as calculus
from . import casting as casting
from . import data_dependent as data_dependent
from . import elementwise as elementwise
from . import indexing as indexing
from . import inplace_functions as inplace_functions
from . import legacy_types as legacy_types
from . import matmul as matmul
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
from . import nn_vision as nn_vision
from . import queries as queries
from . import reduction as reduction
from . import shape as shape
from . import splitting as splitting
from . import views as views
from . import windows as windows
