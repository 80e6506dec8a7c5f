"""`torch.backends`: the switches of PyTorch's own kernel libraries, which scripts set at their top.

XLA chooses its kernels itself, so a switch keeps the value it was given and steers nothing.
"""

from . import cpu as cpu
from . import cuda as cuda
from . import cudnn as cudnn
from . import mkl as mkl
from . import mkldnn as mkldnn
from . import mps as mps
from . import openmp as openmp
