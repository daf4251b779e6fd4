"""What a network looked at: the picture with the class activation map over it, and the bars beside it."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import WEIGHTS, Bundle
from ser_images.export.formats.onnx import Images
from ser_images.export.models import open_bundle, read_network
from ser_images.predict.prediction import Prediction
from ser_images.spectrogram_gen.inspect.axes import plot_image


def explain(model: Path, picture: Images, prediction: Prediction, title: str, out: Path) -> None:
    """Draw a picture of shape (rows, frames), the activation map of its best label, and every label's bar.

    Raises:
        UserError: the model is no bundle with weights; the map needs the network's insides, which ONNX hides.
    """
    if model.is_file() and model.suffix.lower() != ".zip":
        raise UserError(f"--explain needs the run's folder or zip, with {WEIGHTS} in it, not {model}")
    files, bundle = open_bundle(model)
    heat = activation_map(read_network(files, bundle), bundle, picture, int(prediction.probabilities.argmax()))
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    plot_image(left, Image.fromarray(picture), bundle.spec)
    extent = left.images[0].get_extent()
    left.imshow(heat[::-1], cmap="viridis", alpha=0.35, extent=extent, origin="lower", aspect="auto")
    left.set_title(title)
    ranked = prediction.ranked()
    right.barh(list(ranked)[::-1], list(ranked.values())[::-1])
    right.set(xlim=(0, 1), xlabel="probability", title=f"{prediction.label} {prediction.confidence:.0%}")
    figure.savefig(out)


def activation_map(network: torch.nn.Module, bundle: Bundle, picture: Images, label: int) -> NDArray[np.float32]:
    """Where the last feature maps spoke for a label, 0 to 1, in the picture's shape.

    Selvaraju RR et al. (2017). Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization. ICCV. A network without feature maps is asked pixel by pixel: how much would each change the label?
    (Simonyan K, Vedaldi A, Zisserman A (2014). Deep Inside Convolutional Networks. ICLR workshop.)
    """
    maps: list[torch.Tensor] = []

    def keep(_: torch.nn.Module, __: object, output: torch.Tensor) -> None:
        if isinstance(output, torch.Tensor) and output.dim() == 4 and output.shape[2:].numel() > 1:
            maps[:] = [output]

    hooks = [module.register_forward_hook(keep) for module in network.modules()]
    mean, std = bundle.normalisation
    grey = (torch.from_numpy(picture.astype(np.float32)) / bundle.spec.white - mean) / std
    shown = grey[None, None].requires_grad_()
    logits = network(shown)
    for hook in hooks:
        hook.remove()
    (gradient,) = torch.autograd.grad(logits[0, label], maps[0] if maps else shown)
    if not maps:
        return np.asarray(gradient[0, 0].abs() / gradient.abs().max().clamp_min(1e-12))
    heat = torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * maps[0]).sum(dim=1, keepdim=True)).detach()
    heat = torch.nn.functional.interpolate(heat, picture.shape, mode="bilinear")[0, 0]
    return np.asarray(heat / heat.max().clamp_min(1e-12))
