"""Explanation of a prediction: the image under its class activation map, and the probabilities beside it."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from ser_images.data.common.text import plot_text
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.onnx import Images
from ser_images.export.models import open_bundle, read_network
from ser_images.predict.prediction import Prediction
from ser_images.spectrogram_gen.inspect.axes import plot_image


def explanation(
    model: Path, image: Images, prediction: Prediction, title: str, verify_key: Path | None = None
) -> Figure:
    """Plot an image of shape (rows, frames), the activation map of its most probable label, and all probabilities.

    Args:
        model: a folder or a zip with weights: the map needs gradients, which ONNX does not give.
    """
    files, bundle = open_bundle(model, verify_key)
    heat = activation_map(read_network(files, bundle), bundle, image, int(prediction.values.argmax()))
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    plot_image(left, Image.fromarray(image), bundle.spec)
    extent = left.images[0].get_extent()
    left.imshow(heat[::-1], cmap="viridis", alpha=0.35, extent=extent, origin="lower", aspect="auto")
    left.set_title(plot_text(title))
    ranked = prediction.ranked()
    right.barh(list(map(plot_text, ranked))[::-1], list(ranked.values())[::-1])
    right.set(xlim=(0, 1), xlabel="probability", title=plot_text(f"{prediction.label} {prediction.confidence:.0%}"))
    return figure


def activation_map(network: torch.nn.Module, bundle: Bundle, image: Images, label: int) -> NDArray[np.float32]:
    """Grad-CAM of the last feature maps for a label, 0 to 1, in the image's shape.

    Selvaraju RR et al. (2017). Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization. ICCV. For a network without feature maps, the gradient of the label by each pixel
    (Simonyan K, Vedaldi A, Zisserman A (2014). Deep Inside Convolutional Networks. ICLR workshop.)
    """
    maps: list[torch.Tensor] = []

    def keep(_: torch.nn.Module, __: object, output: torch.Tensor) -> None:
        if isinstance(output, torch.Tensor) and output.dim() == 4 and output.shape[2:].numel() > 1:
            maps[:] = [output]

    hooks = [module.register_forward_hook(keep) for module in network.modules()]
    mean, std = bundle.normalisation
    grey = (torch.from_numpy(image.astype(np.float32)) / bundle.spec.white - mean) / std
    batch = grey[None, None].requires_grad_()
    logits = network(batch)
    for hook in hooks:
        hook.remove()
    (gradient,) = torch.autograd.grad(logits[0, label], maps[0] if maps else batch)
    if not maps:
        return np.asarray(gradient[0, 0].abs() / gradient.abs().max().clamp_min(1e-12))
    heat = torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * maps[0]).sum(dim=1, keepdim=True)).detach()
    heat = torch.nn.functional.interpolate(heat, image.shape, mode="bilinear")[0, 0]
    return np.asarray(heat / heat.max().clamp_min(1e-12))
