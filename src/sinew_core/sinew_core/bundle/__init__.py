"""Policy bundles: a trained actor as a folder that any robot computer can verify and run.

Reading and running need numpy and safetensors only; `sinew_core.bundle.writer` needs onnx.
"""

from sinew_core.bundle.manifest import Manifest
from sinew_core.bundle.reader import Bundle, load_bundle
from sinew_core.bundle.runtime import NumpyPolicy, PolicyNetwork

__all__ = ["Bundle", "Manifest", "NumpyPolicy", "PolicyNetwork", "load_bundle"]
