"""The Optuna study of a search: in any database that SQLAlchemy knows, so that several machines can work on it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from ser_images.data.common.errors import UserError

_SETTINGS, ERROR = "settings", "error"
"""User attributes of a study and of a failed trial."""
_WAIT_S = 60
"""For another process that writes into the same SQLite file."""


def open_study(storage: str, name: str, pruner: str, steps: int, settings: Mapping[str, Any]) -> optuna.Study:
    """The study of this name, made where it is missing.

    Args:
        storage: URL of a database.
        pruner: one of `PRUNERS`.
        steps: of a trial: epochs, or folds.
        settings: what all trials of a study have in common, as JSON has it.

    Raises:
        UserError: the storage cannot be opened, or the study was begun with other settings.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shown = _without_password(storage)
    options = {"connect_args": {"timeout": _WAIT_S}} if storage.startswith("sqlite") else {}
    try:
        study = optuna.create_study(
            storage=optuna.storages.RDBStorage(storage, options), study_name=name, direction="maximize",
            pruner=_pruner(pruner, steps), load_if_exists=True,
        )  # fmt: skip
        if _SETTINGS not in study.user_attrs:
            study.set_user_attr(_SETTINGS, dict(settings))
        begun = study.user_attrs[_SETTINGS]
    except (SQLAlchemyError, optuna.exceptions.OptunaError, ImportError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"--storage {shown}: cannot be opened ({reason}); expected the URL of a database such as "
            f"sqlite:///study.db or postgresql://user@host/name"
        ) from error
    if different := [key for key in settings if begun.get(key) != settings[key]]:
        raise UserError(
            f"study {name} in {shown} was begun with other settings ({', '.join(different)}); give another --study or "
            f"--out"
        )
    return study


def _without_password(storage: str) -> str:
    try:
        return make_url(storage).render_as_string()
    except SQLAlchemyError:
        return storage


def _pruner(name: str, steps: int) -> optuna.pruners.BasePruner:
    """Median: not before a quarter of the steps, since the first epochs with a high learning rate say little."""
    if name == "median":
        return optuna.pruners.MedianPruner(n_warmup_steps=steps // 4)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=steps)
    return optuna.pruners.NopPruner()


def ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that completed, were pruned or failed; not those that are running or whose process was killed."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and (trial.state != optuna.trial.TrialState.FAIL or ERROR in trial.user_attrs)
    ]


def default_storage(out: Path) -> str:
    """A SQLite file in a folder."""
    return f"sqlite:///{out.absolute() / 'study.db'}"
