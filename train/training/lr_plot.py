"""The plot of the learning rate finder."""

from matplotlib.figure import Figure

from ser_images.train.training.learner import LRFinderResult


def plot_lr_finder(search: LRFinderResult, taken: float) -> Figure:
    """Loss over learning rate, with the suggestions and the rate that was taken."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    skipped = slice(len(search.rates) // 10, -5)  # as fastai: the first are noise, the last diverge
    axes.plot(search.rates[skipped], search.losses[skipped], color="0.3")
    for colour, (name, rate) in zip(("C0", "C1", "C2"), search.suggestions.items(), strict=True):
        axes.axvline(rate, color=colour, linestyle="--", label=f"{name} {rate:.2e}")
    axes.axvline(taken, color="black", linewidth=1, label=f"taken {taken:.2e}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss", title="Learning rate finder")
    axes.legend()
    return figure
