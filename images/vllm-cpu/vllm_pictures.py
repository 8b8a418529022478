"""A plugin of vLLM that lets it load a LLaVA where there is no torchvision, beside the CPU build of torch.

vLLM 0.32's modules of LLaVA import its module of Pixtral, and that one takes the function `_num_image_tokens` from
transformers' image processor by torchvision. transformers has it in its image processor by PIL, too.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

BY_TORCHVISION = "transformers.models.pixtral.image_processing_pixtral"
BY_PIL = "transformers.models.pixtral.image_processing_pil_pixtral"


def load() -> None:
    """Give whoever imports the first module the second; vLLM calls this in each process before it imports a model."""
    if importlib.util.find_spec("torchvision") is None:
        sys.modules[BY_TORCHVISION] = importlib.import_module(BY_PIL)
