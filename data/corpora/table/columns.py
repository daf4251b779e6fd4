"""The columns of a table: which one holds the path, which one the label, …

columns = Columns.of(table.names, parse_columns("path=file_id,label=emotion"), "data.tsv")
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ser_images.data.common.errors import UserError

USUAL = {
    "path": ("file_name", "filename", "path", "file", "audio", "file_id", "filepath", "file_path", "audio_path",
             "audio_file", "recording", "wav", "wav_path", "fname", "clip"),
    "label": ("label", "emotion", "class", "emotion_label", "category"),
    "speaker": ("speaker", "speaker_id", "actor", "actor_id", "speaker_name", "spk", "spk_id", "client_id"),
    "gender": ("gender", "sex", "speaker_gender"),
    "start": ("start", "start_s", "start_time", "begin", "onset"),
    "end": ("end", "end_s", "end_time", "stop"),
}  # fmt: skip
"""What a clip takes from a table, and the usual names of the columns that hold it, in order of preference."""
NEEDED = ("path", "label")


@dataclass(frozen=True)
class Columns:
    """The columns of one table.

    Attributes:
        used: by what they hold, a key of `USUAL`.
        others: those that become attributes.
        guessed: what was found by a usual name.
    """

    used: Mapping[str, str]
    others: tuple[str, ...]
    guessed: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[str], chosen: Mapping[str, str], table: str) -> "Columns":
        """The columns that were chosen; the rest by their usual names.

        Raises:
            UserError: a chosen column that the table does not have, or no path or label.
        """
        if missing := [name for name in chosen.values() if name and name not in names]:
            raise UserError(f"{table}: no column {missing[0]!r}; its columns are {', '.join(names)}")
        guesses = {
            what: guess for what in USUAL.keys() - chosen.keys() if (guess := _guess(what, names, {*chosen.values()}))
        }
        used = {what: chosen.get(what) or guesses.get(what, "") for what in USUAL}
        used = {what: name for what, name in used.items() if name}
        if lacking := [what for what in NEEDED if what not in used]:
            raise UserError(
                f"{table}: none of its columns has a usual name for the {lacking[0]}; give it, such as "
                f"--columns {lacking[0]}={names[0] if names else 'NAME'} (its columns are {', '.join(names)})"
            )
        others = tuple(name for name in names if name not in used.values() and not name.startswith("Unnamed:"))
        return cls(used, others, tuple(what for what in USUAL if what in guesses))

    def text(self) -> str:
        """The columns as `--columns` takes them."""
        return ",".join(f"{what}={name}" for what, name in self.used.items())


def parse_columns(text: str) -> dict[str, str]:
    """The columns of `--columns`, such as `path=file_id,gender=`; an empty name: the table does not have it.

    Raises:
        UserError: not such pairs.
    """
    pairs = [part.partition("=") for part in text.split(",") if part]
    for what, equals, _ in pairs:
        if not equals or what.strip() not in USUAL:
            raise UserError(f"--columns {text}: expected such as path=file_id,label=emotion; of {', '.join(USUAL)}")
    columns = {what.strip(): name.strip() for what, _, name in pairs}
    if empty := [what for what in NEEDED if columns.get(what) == ""]:
        raise UserError(f"--columns {text}: a table needs a column for the {empty[0]}")
    return columns


def is_table_of_clips(names: Sequence[str]) -> bool:
    """Whether columns of these names say of files which label they have."""
    return all(_guess(what, names, ()) for what in NEEDED)


def _guess(what: str, names: Sequence[str], taken: Collection[str]) -> str:
    simple = {name.strip().lower().replace(" ", "_").replace("-", "_"): name for name in reversed(names)}
    found = [simple[usual] for usual in USUAL[what] if usual in simple]
    return next((name for name in found if name not in taken), "")
