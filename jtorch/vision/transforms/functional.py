"""torchvision's functions of pictures.  Assembly only."""

from ._functional_base import InterpolationMode as InterpolationMode
from ._functional_base import adjust_brightness as adjust_brightness
from ._functional_base import adjust_contrast as adjust_contrast
from ._functional_base import adjust_hue as adjust_hue
from ._functional_base import adjust_saturation as adjust_saturation
from ._functional_base import center_crop as center_crop
from ._functional_base import convert_image_dtype as convert_image_dtype
from ._functional_base import crop as crop
from ._functional_base import erase as erase
from ._functional_base import get_dimensions as get_dimensions
from ._functional_base import get_image_size as get_image_size
from ._functional_base import hflip as hflip
from ._functional_base import invert as invert
from ._functional_base import normalize as normalize
from ._functional_base import pad as pad
from ._functional_base import pil_to_tensor as pil_to_tensor
from ._functional_base import resize as resize
from ._functional_base import resized_crop as resized_crop
from ._functional_base import rgb_to_grayscale as rgb_to_grayscale
from ._functional_base import to_grayscale as to_grayscale
from ._functional_base import to_pil_image as to_pil_image
from ._functional_base import to_tensor as to_tensor
from ._functional_base import vflip as vflip
from ._functional_more import *  # noqa: F403
