"""TrainConfig: what one training run is, apart from its pictures and their split."""

from dataclasses import dataclass, field

from ser_images.data.common.errors import UserError

SCHEDULES = ("one-cycle", "flat", "fine-tune")
SUGGESTIONS = ("valley", "steep", "minimum")
MONITORS = ("valid_loss", "accuracy", "uar")
EPOCHS_OF = ("clips", "pictures")
CLASS_WEIGHTS = ("none", "balanced")
PRETRAINED_TAGS = ("imagenet", "speech")
"""Weights that others trained, as `--weights` calls them."""


@dataclass(frozen=True)
class TrainConfig:
    """Every choice of a training.

    Attributes:
        architecture: what `ser_images.export.architectures.architecture` knows it by.
        weights: `imagenet`, `voices`, `none`, or the path of a file of weights.
        freeze: the network's first part keeps its first weights, and what it says of each picture is computed once.
        epochs: passes at most.
        epoch_over: what a pass shows: each training clip once, in one of its variants drawn anew
            (`clips`), or every picture (`pictures`).
        batch_size: pictures in a training step.
        lr: the (highest) learning rate; None: found by fastai's lr_find.
        suggestion: which of lr_find's suggestions is taken.
        schedule: how the rate moves: `one-cycle` (Smith 2018), `flat`, or `fine-tune` (fastai: one epoch
            with the body frozen, then one-cycle with lower rates for earlier layers).
        weight_decay: decoupled, as in AdamW.
        mixup: alpha of its Beta distribution (Zhang et al. 2018); 0: none.
        label_smoothing: the share of the target spread over all labels.
        class_weights: `balanced` weighs each label by the inverse of its clips.
        class_factors: a further factor for a named label.
        mask: SpecAugment (Park et al. 2019): the largest share of rows, and of columns, in one mask.
        masks: such masks per picture and axis.
        roll: a picture is rolled in time by up to this share of its width.
        shift_bands: it is moved up or down by up to this share of its height.
        average: decay, a step, of a running average of the weights that is validated and kept; 0: none.
        monitor: what tells the best epoch and stops early, measured on validation clips.
        keep: weights of the `best` or the `last` epoch.
        patience: epochs without a better `monitor` before training stops; 0: never.
        plateau: epochs without a better `monitor` before the rate is divided; 0: never.
        plateau_factor: what it is divided by.
        refit: once validation clips have told the temperature, train again from the start with them among the rest.
        seed: of the split, the weights and every draw.

    Raises:
        UserError: a value that no training can run with.
    """

    architecture: str = "resnet34"
    weights: str = "imagenet"
    freeze: bool = False
    epochs: int = 20
    epoch_over: str = "clips"
    batch_size: int = 32
    lr: float | None = None
    suggestion: str = "valley"
    schedule: str = "one-cycle"
    weight_decay: float = 0.05
    mixup: float = 0.0
    label_smoothing: float = 0.1
    class_weights: str = "none"
    class_factors: dict[str, float] = field(default_factory=dict)
    mask: float = 0.1
    masks: int = 1
    roll: float = 0.05
    shift_bands: float = 0.0
    average: float = 0.99
    monitor: str = "uar"
    keep: str = "best"
    patience: int = 0
    plateau: int = 0
    plateau_factor: float = 10.0
    refit: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("lr-suggestion", self.suggestion, SUGGESTIONS)
        _one_of("monitor", self.monitor, MONITORS)
        _one_of("epoch-of", self.epoch_over, EPOCHS_OF)
        _one_of("class-weights", self.class_weights, CLASS_WEIGHTS)
        _one_of("keep", self.keep, ("best", "last"))
        _within("epochs", self.epochs, 1, 10_000)
        _within("batch-size", self.batch_size, 2, 4096)
        if self.lr is not None:
            _within("lr", self.lr, 1e-8, 10)
        for name in ("mixup", "weight_decay"):
            _within(name, getattr(self, name), 0, 10)
        for name in ("label_smoothing", "mask", "roll", "shift_bands", "average"):
            _within(name, getattr(self, name), 0, 0.9999)
        for name in ("masks", "patience", "plateau"):
            _within(name, getattr(self, name), 0, 10_000)
        _within("plateau-factor", self.plateau_factor, 1.01, 1e6)
        if self.plateau and self.schedule != "flat":
            raise UserError(f"--plateau goes with --schedule flat: {self.schedule} moves the rate itself")
        if self.refit and (self.keep != "last" or self.patience or self.plateau):
            raise UserError(
                "--refit has no clips to choose an epoch by: it goes with --keep last, no --patience or --plateau"
            )
        if self.freeze and (self.masks or self.roll or self.shift_bands):
            raise UserError("--freeze looks at each picture once: it goes with --masks 0 --roll 0 --shift-bands 0")
        for label, factor in self.class_factors.items():
            _within(f"class factor of {label}", factor, 1e-3, 1e3)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"--{name} {value}: expected one of {', '.join(known)}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"--{name.replace('_', '-')} {value}: expected {low:g} to {high:g}")
