"""The bundle: what prediction needs to know of a trained model, beside its weights.

bundle = Bundle.read(Path("runs/ravdess"))
"""

import json
from dataclasses import dataclass
from pathlib import Path

from data.errors import UserError
from spectrogram_gen.spec import ImageSpec

BUNDLE, LEARNER = "bundle.json", "learner.pkl"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Bundle:
    """What a model takes and says.

    Attributes:
        architecture: name of its network.
        labels: in the order of its outputs.
        spec: of the pictures that it was trained on, and so of those that it may be shown.
    """

    architecture: str
    labels: tuple[str, ...]
    spec: ImageSpec

    def write(self, folder: Path) -> None:
        """Write `bundle.json` into a run's folder."""
        content = {
            "format_version": FORMAT_VERSION,
            "architecture": self.architecture,
            "labels": self.labels,
            "spec": json.loads(self.spec.to_json()),
            "spec_hash": self.spec.hash,
        }
        (folder / BUNDLE).write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Bundle":
        """The bundle of a run's folder; raises UserError where it is missing, altered or of a newer version."""
        path = folder / BUNDLE
        try:
            content = json.loads(path.read_text())
            version, labels = content["format_version"], tuple(content["labels"])
            spec, spec_hash = ImageSpec.from_dict(content["spec"]), content["spec_hash"]
            architecture = content["architecture"]
        except FileNotFoundError as error:
            raise UserError(f"{folder}: no run of ser-train (it has no {BUNDLE}); give a run's folder") from error
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: damaged ({error!r}); copy or train the run again") from error
        if version != FORMAT_VERSION:
            raise UserError(f"{path}: format version {version}, expected {FORMAT_VERSION}; install another version")
        if spec.hash != spec_hash:
            raise UserError(f"{path}: its spec is {spec.hash}, expected {spec_hash}; copy or train the run again")
        return cls(architecture, labels, spec)
