"""TrainConfig: every choice of a training, apart from its images and their split.

config = TrainConfig("resnet34", epochs=30).resolved()

The one place of the defaults: `ser-train`, recipe files and `train_model` take theirs from here. Help texts and ranges
are in `config_options.py`. It imports neither NumPy nor torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.train.training import config_options as options
from ser_images.train.training.config_options import AUTO
from ser_images.train.training.old_options import renamed
from ser_images.train.training.options import from_mapping, require_valid

PRETRAINED_TAGS = ("imagenet", "speech")
"""Pretrained weights that `weights` names: of ImageNet, and of speech networks."""
_OF_EPOCHS = (
    "epochs", "epoch_over", "lr", "backbone_lr", "lr_suggestion", "schedule", "weight_decay", "mixup",
    "label_smoothing", "class_weights", "class_weight", "mask", "ema_decay", "monitor", "keep", "patience", "plateau",
)  # fmt: skip
"""Fields without effect on a linear probe, which has no epochs."""


@dataclass(frozen=True)
class TrainConfig:
    """Every choice of a training; each field declares its type, its help text and its allowed values.

    Fields whose default is `auto` or None depend on the architecture and its weights: see `resolved`.

    Raises:
        UserError: a value out of range, or two that exclude each other.
    """

    architecture: options.Architecture = "resnet34"
    weights: options.Weights = AUTO
    freeze: options.Freeze = None
    linear_probe: options.LinearProbe = None
    corpus_heads: options.CorpusHeads = None
    adapt: options.Adapt = AUTO
    epochs: options.Epochs = 20
    epoch_over: options.EpochOver = "clips"
    teacher: options.Teacher = ""
    teacher_weight: options.TeacherWeight = 0.5
    embedding_weight: options.EmbeddingWeight = 5.0
    batch_size: options.BatchSize = 32
    lr: options.Lr = None
    backbone_lr: options.BackboneLr = 1.0
    lr_suggestion: options.LrSuggestion = "valley"
    schedule: options.Schedule = AUTO
    weight_decay: options.WeightDecay = 0.05
    mixup: options.Mixup = 0.0
    label_smoothing: options.LabelSmoothing = 0.1
    class_weights: options.ClassWeights = "none"
    class_weight: options.ClassWeight = field(default_factory=dict)
    balance: options.Balance = "none"
    mask: options.Mask = 0.1
    masks: options.Masks = None
    time_shift: options.TimeShift = None
    shift_bands: options.ShiftBands = 0.0
    conditions: options.Conditions = 0.0
    ema_decay: options.EmaDecay = 0.99
    monitor: options.Monitor = "uar"
    keep: options.Keep = "best"
    patience: options.Patience = 0
    plateau: options.Plateau = 0
    plateau_factor: options.PlateauFactor = 10.0
    refit: options.Refit = None
    seed: options.Seed = 0

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
