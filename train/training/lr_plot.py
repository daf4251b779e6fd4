"""The plot of the learning rate finder."""

from matplotlib.figure import Figure

from ser_images.train.training.learner import LRFinderResult


def plot_lr_finder(result: LRFinderResult, lr: float) -> Figure:
    """Loss over learning rate, with the suggestions and the learning rate `lr` that was used."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    plotted = slice(len(result.lrs) // 10, -5)  # as fastai: the first are noise, the last diverge
    axes.plot(result.lrs[plotted], result.losses[plotted], color="0.3")
    for colour, (name, suggestion) in zip(("C0", "C1", "C2"), result.suggestions.items(), strict=True):
        axes.axvline(suggestion, color=colour, linestyle="--", label=f"{name} {suggestion:.2e}")
    axes.axvline(lr, color="black", linewidth=1, label=f"used {lr:.2e}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss", title="Learning rate finder")
    axes.legend()
    return figure
