"""Figures of recordings and their images: one clip with its variants, and a contact sheet by class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ser_images.data.clip import Clip
from ser_images.data.common.errors import prefix_errors
from ser_images.data.common.text import plot_text
from ser_images.data.labels import label_of, ordered_labels
from ser_images.spectrogram_gen.audio import pad_or_trim, prepare
from ser_images.spectrogram_gen.augment import Step, apply_to_recording, apply_to_voice
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.inspect.axes import plot_image, row_label
from ser_images.spectrogram_gen.render import render_prepared
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec


def clip_figure(clip: Clip, spec: ImageSpec, plan: Plan) -> Figure:
    """Waveform above image of a clip and each of its variants.

    Raises:
        UserError: the recording can't be read or holds no sound.
    """
    sound = _sound(clip, spec)
    variants = list(plan.variants(clip))
    figure = Figure(figsize=(1 + 3.2 * len(variants), 5.5), layout="constrained")
    columns = figure.subplots(2, len(variants), squeeze=False, sharex=True).T
    seconds = np.arange(spec.n_samples) / spec.sample_rate_hz
    for (waveform, image), (name, steps) in zip(columns, variants, strict=True):
        samples = apply_to_recording(steps, pad_or_trim(apply_to_voice(steps, sound, spec), spec), spec)
        waveform.plot(seconds, samples, linewidth=0.5)
        waveform.set(title=_title(name, steps), ylim=(-1, 1))
        plot_image(image, render_prepared(sound, spec, steps), spec)
    columns[0][0].set_ylabel("amplitude")
    who = plot_text(f"{clip.name}: {clip.label}, speaker {clip.speaker or 'unknown'}")
    figure.suptitle(f"{who}, image spec {spec.hash}")
    return figure


def contact_sheet(clips: Sequence[Clip], spec: ImageSpec, scheme: str, columns: int = 6) -> Figure:
    """A row of images for each label: its first clips, as far as possible of different speakers."""
    labels = ordered_labels(label_of(clip, scheme) for clip in clips)
    figure = Figure(figsize=(2.2 * columns + 1, 1.9 * len(labels)), layout="constrained")
    grid = figure.subplots(len(labels), columns, squeeze=False, sharex=True, sharey=True)
    for row, label in zip(grid, labels, strict=True):
        chosen = _select_over_speakers([clip for clip in clips if label_of(clip, scheme) == label], columns)
        for axes, clip in zip(row, chosen, strict=False):
            plot_image(axes, render_prepared(_sound(clip, spec), spec), spec)
            axes.set_title(plot_text(clip.name), fontsize=7)
        for axes in row:
            axes.set(xlabel="", ylabel="")
        row[0].set_ylabel(f"{plot_text(label)}\n{row_label(spec)}")
    for axes in grid[-1]:
        axes.set_xlabel("time (s)")
    return figure


def _sound(clip: Clip, spec: ImageSpec) -> Samples:
    samples, rate_hz = read_mono(clip.path, clip.start_s, clip.end_s)
    with prefix_errors(clip.path):
        return prepare(samples, rate_hz, spec)


def _title(name: str, steps: Sequence[Step]) -> str:
    return "\n".join([name, *(f"{step.name} {step.amount:g}" for step in steps)])


def _select_over_speakers(clips: Sequence[Clip], most: int) -> list[Clip]:
    turns: dict[str, int] = {}
    ranked = []
    for clip in clips:
        turns[clip.speaker] = turns.get(clip.speaker, 0) + 1
        ranked.append((turns[clip.speaker], clip.name, clip))
    return [clip for _, _, clip in sorted(ranked)[:most]]
