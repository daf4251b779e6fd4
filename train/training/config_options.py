"""The options of a training: help text, type and range of each field of `TrainConfig`."""

from typing import Annotated

from ser_images.data.common.command_line import MAX_SEED
from ser_images.train.training.options import Option

AUTO = "auto"
_MANY = 10_000

Architecture = Annotated[str, Option("Network, such as resnet34 or cnn4; see ser-train networks.")]
Weights = Annotated[
    str,
    Option(
        "Initial weights: imagenet, speech (networks for speech), none (random initialisation), the folder or zip "
        "of a run, a folder of folds (each starts from its own), or a file with a state dict.",
        auto="imagenet for resnet34, speech for campplus and campplus-whisper, else none",
    ),
]
Freeze = Annotated[
    bool | None,
    Option(
        "Freeze the backbone; its embeddings are computed once per image and cached.",
        auto="with --weights speech",
    ),
]
LinearProbe = Annotated[
    bool | None,
    Option(
        "Fit a regularised linear layer to the embeddings of a frozen, pretrained speech network, in place of epochs.",
        auto="with --weights speech and --freeze",
    ),
]
CorpusHeads = Annotated[
    bool | None,
    Option(
        "Of a linear probe: a layer for each corpus, mixed by the corpus that a clip sounds like.",
        auto="with --linear-probe and several corpora",
    ),
]
Adapt = Annotated[
    str,
    Option(
        "speaker: also train a head that adapts to a speaker's voice, for ser-predict; the plain predictions do "
        "not change.",
        choices=(AUTO, "speaker", "none"),
        auto="speaker with --weights speech, else none",
    ),
]
Epochs = Annotated[int, Option("Maximum number of epochs.", 1, _MANY)]
EpochOver = Annotated[
    str,
    Option(
        "An epoch shows each training clip once, as a randomly chosen variant (clips), or every image (images).",
        choices=("clips", "images"),
    ),
]
Teacher = Annotated[
    str,
    Option(
        "A run whose probabilities and embeddings the network learns to imitate (distillation), or a folder of "
        "folds (each imitates its own)."
    ),
]
TeacherWeight = Annotated[
    float, Option("Weight of the teacher's probabilities in the loss; the labels have the rest to 1.", 0, 1)
]
EmbeddingWeight = Annotated[float, Option("Weight of the distance from the teacher's embeddings in the loss.", 0, 1000)]
BatchSize = Annotated[int, Option("Images in a training step.", 2, 4096)]
Lr = Annotated[float | None, Option("Maximum learning rate, or auto: found by lr_find.", 1e-8, 10, auto=AUTO)]
BackboneLr = Annotated[
    float,
    Option(
        "Learning rate of the backbone as a fraction of --lr: below 1 to continue from other weights; needs "
        "--schedule one-cycle or flat.",
        1e-6, 1,
    ),
]  # fmt: skip
LrSuggestion = Annotated[
    str, Option("Which suggestion of lr_find to use with --lr auto.", choices=("valley", "steep", "minimum"))
]
Schedule = Annotated[
    str,
    Option(
        "Learning rate schedule: one-cycle (Smith 2018), flat, or fine-tune (fastai: one epoch with a frozen "
        "backbone, then one-cycle with lower learning rates for earlier layers).",
        choices=(AUTO, "one-cycle", "flat", "fine-tune"),
        auto="fine-tune with --weights imagenet, else one-cycle",
    ),
]
WeightDecay = Annotated[float, Option("Decoupled weight decay, as in AdamW.", 0, 10)]
Mixup = Annotated[float, Option("Alpha of mixup (Zhang et al. 2018); 0 disables it.", 0, 10)]
LabelSmoothing = Annotated[float, Option("Fraction of the target spread over all labels.", 0, 0.9999)]
ClassWeights = Annotated[
    str,
    Option("Label weights in the loss: none, or balanced (inverse frequency).", choices=("none", "balanced")),
]
ClassWeight = Annotated[
    dict[str, float],
    Option("A further factor for one label's weight in the loss, LABEL=FACTOR; may be repeated.", 1e-3, 1e3),
]
Balance = Annotated[
    str,
    Option(
        "Give each corpus, speaker or label the same share of the training clips: drawn more often, in a linear "
        "probe weighted.",
        choices=("none", "corpus", "speaker", "label"),
    ),
]
Mask = Annotated[
    float, Option("SpecAugment (Park et al. 2019): maximum width of a mask, as a fraction of the axis.", 0, 0.9999)
]
Masks = Annotated[
    int | None,
    Option("SpecAugment: masks per image and axis; 0 disables them.", 0, _MANY, auto="1, 0 with --freeze"),
]
TimeShift = Annotated[
    float | None,
    Option(
        "Maximum random circular shift in time, as a fraction of the width; 0 disables it.",
        0, 0.9999, auto="0.05, 0 with --freeze",
    ),
]  # fmt: skip
ShiftBands = Annotated[
    float,
    Option("Maximum random shift in frequency, as a fraction of the height; 0 disables it.", 0, 0.9999),
]
Conditions = Annotated[
    float,
    Option(
        "Fraction of the training images shown under random recording conditions: rooms, microphones, noise, "
        "limited bands; 0 disables them.",
        0, 1,
    ),
]  # fmt: skip
EmaDecay = Annotated[
    float,
    Option(
        "Decay per step of an exponential moving average of the weights, which is validated and kept; 0 disables "
        "it.",
        0, 0.9999,
    ),
]  # fmt: skip
Monitor = Annotated[
    str,
    Option(
        "Validation metric that selects the best epoch and stops early.",
        choices=("valid_loss", "accuracy", "uar"),
    ),
]
Keep = Annotated[str, Option("Keep the weights of the best or the last epoch.", choices=("best", "last"))]
Patience = Annotated[int, Option("Stop after this many epochs without improvement of --monitor; 0: never.", 0, _MANY)]
Plateau = Annotated[
    int,
    Option(
        "Divide the learning rate after this many epochs without improvement of --monitor; 0: never; needs "
        "--schedule flat.",
        0, _MANY,
    ),
]  # fmt: skip
PlateauFactor = Annotated[float, Option("What --plateau divides the learning rate by.", 1.01, 1e6)]
Refit = Annotated[
    bool | None,
    Option(
        "After calibration, train again from the start with the validation clips included; needs --keep last or "
        "--linear-probe.",
        auto="with --linear-probe, where test clips are evaluated",
    ),
]
Seed = Annotated[int, Option("Seed of the split, the initial weights and all random draws.", 0, MAX_SEED)]
