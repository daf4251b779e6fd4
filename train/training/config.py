"""TrainConfig: every choice of a training, apart from its images and their split.

config = TrainConfig("resnet34", epochs=30).resolved()

The one place where options are declared: `ser-train`, recipe files and `train_model` take theirs from here. It imports
neither NumPy nor torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from ser_images.data.common.errors import UserError
from ser_images.train.training.old_options import renamed
from ser_images.train.training.options import Option, from_mapping, require_valid

AUTO = "auto"
PRETRAINED_TAGS = ("imagenet", "speech")
"""Pretrained weights that `weights` names: of ImageNet, and of speech networks."""
_OF_EPOCHS = (
    "epochs", "epoch_over", "lr", "backbone_lr", "lr_suggestion", "schedule", "weight_decay", "mixup",
    "label_smoothing", "class_weights", "class_weight", "mask", "ema_decay", "monitor", "keep", "patience", "plateau",
)  # fmt: skip
"""Fields without effect on a linear probe, which has no epochs."""
_MANY = 10_000


@dataclass(frozen=True)
class TrainConfig:
    """Every choice of a training; each field declares its help text, its default and its allowed values.

    Fields whose default is `auto` or None depend on the architecture and its weights: see `resolved`.

    Raises:
        UserError: a value out of range, or two that exclude each other.
    """

    architecture: Annotated[str, Option("Network, such as resnet34 or cnn4; see ser-train networks.")] = "resnet34"
    weights: Annotated[
        str,
        Option(
            "Initial weights: imagenet, speech (networks for speech), none (random initialisation), the folder or zip "
            "of a run, a folder of folds (each starts from its own), or a file with a state dict.",
            auto="imagenet for resnet34, speech for campplus and campplus-whisper, else none",
        ),
    ] = AUTO
    freeze: Annotated[
        bool | None,
        Option(
            "Freeze the backbone; its embeddings are computed once per image and cached.",
            auto="with --weights speech",
        ),
    ] = None
    linear_probe: Annotated[
        bool | None,
        Option(
            "Fit a regularised linear layer to the embeddings of a frozen, pretrained speech network, in place of "
            "epochs.",
            auto="with --weights speech and --freeze",
        ),
    ] = None
    corpus_heads: Annotated[
        bool | None,
        Option(
            "Of a linear probe: a layer for each corpus, mixed by the corpus that a clip sounds like.",
            auto="with --linear-probe and several corpora",
        ),
    ] = None
    adapt: Annotated[
        str,
        Option(
            "speaker: also train a head that adapts to a speaker's voice, for ser-predict; the plain predictions do "
            "not change.",
            choices=(AUTO, "speaker", "none"),
            auto="speaker with --weights speech, else none",
        ),
    ] = AUTO
    epochs: Annotated[int, Option("Maximum number of epochs.", 1, _MANY)] = 20
    epoch_over: Annotated[
        str,
        Option(
            "An epoch shows each training clip once, as a randomly chosen variant (clips), or every image (images).",
            choices=("clips", "images"),
        ),
    ] = "clips"
    teacher: Annotated[
        str,
        Option(
            "A run whose probabilities and embeddings the network learns to imitate (distillation), or a folder of "
            "folds (each imitates its own)."
        ),
    ] = ""
    teacher_weight: Annotated[
        float, Option("Weight of the teacher's probabilities in the loss; the labels have the rest to 1.", 0, 1)
    ] = 0.5
    embedding_weight: Annotated[
        float, Option("Weight of the distance from the teacher's embeddings in the loss.", 0, 1000)
    ] = 5.0
    batch_size: Annotated[int, Option("Images in a training step.", 2, 4096)] = 32
    lr: Annotated[float | None, Option("Maximum learning rate, or auto: found by lr_find.", 1e-8, 10, auto=AUTO)] = None
    backbone_lr: Annotated[
        float,
        Option(
            "Learning rate of the backbone as a fraction of --lr: below 1 to continue from other weights; needs "
            "--schedule one-cycle or flat.",
            1e-6, 1,
        ),
    ] = 1.0  # fmt: skip
    lr_suggestion: Annotated[
        str, Option("Which suggestion of lr_find to use with --lr auto.", choices=("valley", "steep", "minimum"))
    ] = "valley"
    schedule: Annotated[
        str,
        Option(
            "Learning rate schedule: one-cycle (Smith 2018), flat, or fine-tune (fastai: one epoch with a frozen "
            "backbone, then one-cycle with lower learning rates for earlier layers).",
            choices=(AUTO, "one-cycle", "flat", "fine-tune"),
            auto="fine-tune with --weights imagenet, else one-cycle",
        ),
    ] = AUTO
    weight_decay: Annotated[float, Option("Decoupled weight decay, as in AdamW.", 0, 10)] = 0.05
    mixup: Annotated[float, Option("Alpha of mixup (Zhang et al. 2018); 0 disables it.", 0, 10)] = 0.0
    label_smoothing: Annotated[float, Option("Fraction of the target spread over all labels.", 0, 0.9999)] = 0.1
    class_weights: Annotated[
        str,
        Option("Label weights in the loss: none, or balanced (inverse frequency).", choices=("none", "balanced")),
    ] = "none"
    class_weight: Annotated[
        dict[str, float],
        Option("A further factor for one label's weight in the loss, LABEL=FACTOR; may be repeated.", 1e-3, 1e3),
    ] = field(default_factory=dict)
    balance: Annotated[
        str,
        Option(
            "Give each corpus, speaker or label the same share of the training clips: drawn more often, in a linear "
            "probe weighted.",
            choices=("none", "corpus", "speaker", "label"),
        ),
    ] = "none"
    mask: Annotated[
        float, Option("SpecAugment (Park et al. 2019): maximum width of a mask, as a fraction of the axis.", 0, 0.9999)
    ] = 0.1
    masks: Annotated[
        int | None,
        Option("SpecAugment: masks per image and axis; 0 disables them.", 0, _MANY, auto="1, 0 with --freeze"),
    ] = None
    time_shift: Annotated[
        float | None,
        Option(
            "Maximum random circular shift in time, as a fraction of the width; 0 disables it.",
            0, 0.9999, auto="0.05, 0 with --freeze",
        ),
    ] = None  # fmt: skip
    shift_bands: Annotated[
        float,
        Option("Maximum random shift in frequency, as a fraction of the height; 0 disables it.", 0, 0.9999),
    ] = 0.0
    conditions: Annotated[
        float,
        Option(
            "Fraction of the training images shown under random recording conditions: rooms, microphones, noise, "
            "limited bands; 0 disables them.",
            0, 1,
        ),
    ] = 0.0  # fmt: skip
    ema_decay: Annotated[
        float,
        Option(
            "Decay per step of an exponential moving average of the weights, which is validated and kept; 0 disables "
            "it.",
            0, 0.9999,
        ),
    ] = 0.99  # fmt: skip
    monitor: Annotated[
        str,
        Option(
            "Validation metric that selects the best epoch and stops early.",
            choices=("valid_loss", "accuracy", "uar"),
        ),
    ] = "uar"
    keep: Annotated[str, Option("Keep the weights of the best or the last epoch.", choices=("best", "last"))] = "best"
    patience: Annotated[
        int, Option("Stop after this many epochs without improvement of --monitor; 0: never.", 0, _MANY)
    ] = 0
    plateau: Annotated[
        int,
        Option(
            "Divide the learning rate after this many epochs without improvement of --monitor; 0: never; needs "
            "--schedule flat.",
            0, _MANY,
        ),
    ] = 0  # fmt: skip
    plateau_factor: Annotated[float, Option("What --plateau divides the learning rate by.", 1.01, 1e6)] = 10.0
    refit: Annotated[
        bool | None,
        Option(
            "After calibration, train again from the start with the validation clips included; needs --keep last or "
            "--linear-probe.",
            auto="with --linear-probe, where test clips are evaluated",
        ),
    ] = None
    seed: Annotated[int, Option("Seed of the split, the initial weights and all random draws.", 0, 2**32 - 1)] = 0

    def __post_init__(self) -> None:
        require_valid(self)
        if self.plateau and self.schedule != "flat":
            raise UserError(f"--plateau needs --schedule flat: {self.schedule} changes the learning rate itself")
        if self.backbone_lr != 1 and (self.freeze or self.schedule == "fine-tune"):
            raise UserError("--backbone-lr needs a backbone that is trained, by --schedule one-cycle or flat")
        chooses_epoch = self.keep != "last" or self.patience or self.plateau
        if self.refit and chooses_epoch and not self._may_probe:
            raise UserError("--refit leaves no clips to choose an epoch: use --keep last, no --patience or --plateau")
        if self.linear_probe and self.freeze is False:
            raise UserError("--linear-probe needs the embeddings of a frozen backbone: use --freeze")
        if self.corpus_heads and not self._may_probe:
            raise UserError("--corpus-heads are of a linear probe: use --linear-probe, or leave one out")
        if self.freeze and (self.masks or self.time_shift or self.shift_bands or self.conditions):
            raise UserError(
                "--freeze computes embeddings once per image: use --masks 0 --time-shift 0 --shift-bands 0 "
                "--conditions 0"
            )
        if self.teacher and self.freeze:
            raise UserError("--teacher needs a network that is trained: leave out --freeze, or --teacher")
        if self.teacher and self.mixup:
            raise UserError("--teacher says nothing of mixed images: leave out --mixup, or --teacher")

    @property
    def _may_probe(self) -> bool:
        return self.weights in (AUTO, "speech") if self.linear_probe is None else self.linear_probe

    def resolved(self, test: bool = True) -> "TrainConfig":
        """The same with every default that depends on the architecture filled in; `weights="auto"` imports torch.

        Args:
            test: whether test clips are evaluated; the validation clips are then free for `refit`.

        Raises:
            UserError: an unknown architecture, or values that exclude each other once they are filled in.
        """
        weights = _default_weights(self.architecture) if self.weights == AUTO else self.weights
        freeze = weights == "speech" or bool(self.linear_probe) if self.freeze is None else self.freeze
        linear_probe = weights == "speech" and freeze if self.linear_probe is None else self.linear_probe
        adapt = "speaker" if weights == "speech" else "none"
        schedule = "fine-tune" if weights == "imagenet" else "one-cycle"
        masks, time_shift = (0, 0.0) if freeze else (1, 0.05)
        return replace(
            self,
            weights=weights,
            freeze=freeze,
            linear_probe=linear_probe,
            corpus_heads=linear_probe if self.corpus_heads is None else self.corpus_heads,
            adapt=adapt if self.adapt == AUTO else self.adapt,
            refit=linear_probe and test if self.refit is None else self.refit,
            schedule=schedule if self.schedule == AUTO else self.schedule,
            masks=masks if self.masks is None else self.masks,
            time_shift=time_shift if self.time_shift is None else self.time_shift,
        )

    @property
    def without_effect(self) -> list[str]:
        """Fields that were given a value although a linear probe, which this training has, makes nothing of them."""
        if not self.linear_probe:
            return []
        usual = replace(TrainConfig(), schedule="one-cycle")
        return [name for name in _OF_EPOCHS if getattr(self, name) not in (getattr(usual, name), AUTO)]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], warn: bool = False) -> "TrainConfig":
        """The config with these values, defaults for the others; names and values of older versions are accepted.

        Args:
            warn: log a line for each old name or value.

        Raises:
            UserError: an unknown name, a value of another type, or one that no training can run with.
        """
        if isinstance(values, Mapping):
            values = dict(renamed(name, value, warn) for name, value in values.items())
        return from_mapping(cls, values)


def _default_weights(name: str) -> str:
    from ser_images.export.architectures import architecture

    return architecture(name).pretrained_tag or "none"
