"""Several corpora in one image set: built together or merged, kept apart, split by corpus, sampled evenly."""

import json
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import SMALL, Command
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.data.folds import RAVDESS_FOLDS
from ser_images.data.splits import make_split, n_folds
from ser_images.spectrogram_gen.cli import main
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow, write_manifest
from ser_images.spectrogram_gen.dataset.merge import merge, read_sets
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.dataset.recordings import read_recording
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.training.balance import balanced_weights

Write = Callable[..., Path]


@pytest.fixture
def corpora(tmp_path: Path, write_wav: Write, tone: Samples) -> Path:
    """RAVDESS and a table, whose speakers and files have the same names, and one recording that both have."""
    for actor in ("01", "02"):
        write_wav(f"two/ravdess/03-01-05-01-01-01-{actor}.wav", tone * int(actor) / 4)
        write_wav(f"two/ravdess/03-01-04-01-01-01-{actor}.wav", tone[::-1] * int(actor) / 4)
    write_wav("two/mine/03-x.wav", tone / 4)
    write_wav("two/mine/04-x.wav", tone / 5)
    (tmp_path / "two/mine/data.csv").write_text("file,label,speaker\n03-x,anger,01\n04-x,sad,02\n")
    return tmp_path / "two"


def facts(folder: Path) -> list[tuple[str, str, str, str, str]]:
    rows = ImageSet.read(folder).rows
    return sorted((row.corpus, row.clip, row.label, row.speaker, row.source) for row in rows)


EXPECTED = [
    ("mine", "mine-03-x", "angry", "mine-01", "mine/03-x.wav"),
    ("mine", "mine-04-x", "sad", "mine-02", "mine/04-x.wav"),
    ("ravdess", "ravdess-03-01-04-01-01-01-01", "sad", "ravdess-01", "ravdess/03-01-04-01-01-01-01.wav"),
    ("ravdess", "ravdess-03-01-04-01-01-01-02", "sad", "ravdess-02", "ravdess/03-01-04-01-01-01-02.wav"),
    ("ravdess", "ravdess-03-01-05-01-01-01-01", "angry", "ravdess-01", "ravdess/03-01-05-01-01-01-01.wav"),
    ("ravdess", "ravdess-03-01-05-01-01-01-02", "angry", "ravdess-02", "ravdess/03-01-05-01-01-01-02.wav"),
]


def test_built_together_or_merged_they_are_the_same(command: Command, corpora: Path, tmp_path: Path) -> None:
    together = ["build", corpora / "ravdess", corpora / "mine", "--label-map", "canonical", "--out", tmp_path / "all"]
    code, out, error = command(main, *together, "--jobs", 1)
    assert code == 0
    assert "6 rendered" in out
    assert "labels: anger is angry" in error
    assert facts(tmp_path / "all") == EXPECTED
    for name in ("ravdess", "mine"):
        arguments = ["build", corpora / name, "--label-map", "canonical", "--out", tmp_path / name, "--jobs", 1]
        assert command(main, *arguments)[0] == 0
    code, out, _ = command(main, "merge", tmp_path / "ravdess", tmp_path / "mine", "--out", tmp_path / "merged")
    assert (code, out) == (0, f"{tmp_path}/merged: 6 images of mine, ravdess\n")
    assert facts(tmp_path / "merged") == EXPECTED
    for row in ImageSet.read(tmp_path / "all").rows:
        assert (tmp_path / "all" / row.image).read_bytes() == (tmp_path / "merged" / row.image).read_bytes()
        assert read_recording(corpora, row, tmp_path / "all/manifest.csv")[1] == 16000
    code, out, _ = command(main, *together, "--jobs", 1)
    assert "0 rendered, 6 kept" in out


def test_a_file_that_describes_the_corpora(command: Command, corpora: Path, tmp_path: Path) -> None:
    (corpora / "all.toml").write_text(
        '[mine]\nsource = "mine"\ncolumns = "label=speaker,speaker="\n'
        '[ravdess]\nsource = "ravdess"\nlabel_map = "angry="\nchannel = "speech"\n'
    )
    code, _, _ = command(main, "build", corpora / "all.toml", "--out", tmp_path / "all", "--jobs", 1)
    assert code == 0
    assert [fact[:4] for fact in facts(tmp_path / "all")] == [
        ("mine", "mine-03-x", "01", ""), ("mine", "mine-04-x", "02", ""),
        ("ravdess", "ravdess-03-01-04-01-01-01-01", "sad", "ravdess-01"),
        ("ravdess", "ravdess-03-01-04-01-01-01-02", "sad", "ravdess-02"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "cannot be read as TOML"),
        ("", "expected a table for each corpus"),
        ('mine = "mine"\n', "expected a table for each corpus"),
        ('[mine]\nsource = "mine"\nsauce = "x"\n', "[mine]: unknown key 'sauce': expected source, "),
        ('[mine]\nlabel_map = "canonical"\n', '[mine]: expected text for every key, and source = "FOLDER"'),
        ("[mine]\nsource = 3\n", "[mine]: expected text"),
        ('["a/b"]\nsource = "mine"\n', "corpus 'a/b': expected a name such as nemo"),
        ('[mine]\nsource = "missing"\n', "missing: no such folder"),
    ],
)
def test_files_that_describe_nothing(command: Command, corpora: Path, tmp_path: Path, text: str, message: str) -> None:
    (corpora / "all.toml").write_text(text)
    code, _, error = command(main, "build", corpora / "all.toml", "--out", tmp_path / "all", "-q")
    assert (code, error.count("\n")) == (2, 1)
    assert message in error
    assert not (tmp_path / "all").exists()


def test_sources_that_cannot_be_one_set(command: Command, corpora: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ([corpora / "mine", corpora / "mine"], "a second corpus 'mine'; name each in a TOML file"),
        (
            [corpora / "mine", corpora / "ravdess", "--columns", "path=file"],
            "--columns is for one corpus; describe several",
        ),
        ([corpora / "mine", corpora / "ravdess", "--corpus", "table"], "--corpus is for one corpus"),
    ):
        code, _, error = command(main, "build", *arguments, "--out", tmp_path / "all", "-q")
        assert (code, error.count("\n")) == (2, 1)
        assert message in error


def test_links_and_a_map_for_several(command: Command, corpora: Path, tmp_path: Path) -> None:
    """A corpus of links to recordings elsewhere; a map whose labels not every corpus has."""
    (tmp_path / "links").mkdir()
    for path in (corpora / "mine").iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    arguments = ["build", tmp_path / "links", corpora / "ravdess", "--label-map", "anger=angry"]
    code, _, _ = command(main, *arguments, "--out", tmp_path / "all", "--jobs", 1)
    assert code == 0
    assert {fact[4] for fact in facts(tmp_path / "all") if fact[0] == "links"} == {"links/03-x.wav", "links/04-x.wav"}


def test_a_label_cannot_lead_out_of_a_merged_set(corpora: Path, tmp_path: Path) -> None:
    build(find_clips(corpora / "ravdess", "ravdess").clips, corpora / "ravdess", tmp_path / "first", SMALL, Plan())
    rows = [replace(row, label="../../x") for row in ImageSet.read(tmp_path / "first").rows]
    write_manifest(tmp_path / "first/manifest.csv", rows)
    with pytest.raises(UserError, match="leads out of"):
        merge(read_sets([f"a={tmp_path}/first"]), tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_the_same_sound_in_two_corpora_is_found(command: Command, corpora: Path) -> None:
    code, out, _ = command(main, "check", corpora / "ravdess", corpora / "mine")
    assert code == 0
    assert "identical sound: 1\n  mine-03-x = ravdess-03-01-05-01-01-01-01\n" in out


def test_a_merge_that_cannot_be_written_leaves_nothing(corpora: Path, tmp_path: Path) -> None:
    """Files may not grow here, as on a full disk."""
    build(find_clips(corpora / "ravdess", "ravdess").clips, corpora / "ravdess", tmp_path / "set", SMALL, Plan())
    sets = read_sets([f"a={tmp_path}/set", f"b={tmp_path}/set"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(UserError, match=r"full: File too large; nothing was merged"):
            merge(sets, tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.glob("*full*"))


def test_sets_that_cannot_be_merged(corpora: Path, tmp_path: Path, voices: Path) -> None:
    clips = find_clips(corpora / "ravdess", "ravdess").clips
    for name, spec in (("first", SMALL), ("second", SMALL), ("other", ImageSpec.of_feature("mfcc"))):
        build(clips, corpora / "ravdess", tmp_path / name, spec, Plan())
    with pytest.raises(UserError, match=r"of different specs: a \w+ \(mel\), b \w+ \(mfcc\); build them with"):
        merge(read_sets([f"a={tmp_path}/first", f"b={tmp_path}/other"]), tmp_path / "all")
    with pytest.raises(UserError, match="second: a second corpus 'ravdess'; name it: NAME="):
        read_sets([f"{tmp_path}/first", f"{tmp_path}/second"])
    with pytest.raises(UserError, match="corpus 'a:b': expected a name"):
        merge(read_sets([f"a:b={tmp_path}/first", f"c={tmp_path}/second"]), tmp_path / "all")
    both = merge(read_sets([f"a={tmp_path}/first", f"b={tmp_path}/second"]), tmp_path / "both")
    with pytest.raises(UserError, match="both and a both hold a corpus 'a'"):
        merge({"both": both, "a": ImageSet.read(tmp_path / "first")}, tmp_path / "all")
    three = merge({"both": both, "c": ImageSet.read(tmp_path / "first")}, tmp_path / "three")
    assert three.corpora == ("a", "b", "c")
    with pytest.raises(UserError, match="exists already"):
        merge(read_sets([f"a={tmp_path}/first"]), tmp_path / "three")


def row_of(corpus: str, speaker: str, label: str, take: int) -> ManifestRow:
    clip = f"{corpus}-{speaker}-{label}-{take}"
    return ManifestRow(
        f"{label}/{clip}.png", clip, label, f"{corpus}-{speaker}", "", corpus, "original", "[]", f"{corpus}{clip}",
        "", "", "", "{}",
    )  # fmt: skip


def rows_of(corpus: str, speakers: list[str]) -> list[ManifestRow]:
    return [
        row_of(corpus, speaker, label, take) for speaker in speakers for label in ("angry", "sad") for take in range(6)
    ]


ACTORS = [f"{actor:02}" for actor in range(1, 25)]


def test_folds_are_those_of_each_corpus() -> None:
    nemo, alone = rows_of("nemo", list("abcdefg")), rows_of("one", ["x"])
    rows = [*rows_of("ravdess", ACTORS), *nemo, *alone]
    assert n_folds(rows, "speaker") == 5
    tested = []
    for fold, actors in enumerate(RAVDESS_FOLDS):
        split = make_split(rows, "speaker", fold)
        test = [rows[index] for index in split.test]
        assert {row.speaker.removeprefix("ravdess-") for row in test if row.corpus == "ravdess"} == actors
        own = make_split(nemo, "speaker", fold)
        assert {row.clip for row in test if row.corpus == "nemo"} == {nemo[index].clip for index in own.test}
        assert {rows[index].corpus for index in split.valid} == {"ravdess", "nemo"}
        assert {rows[index].corpus for index in split.train} == {"ravdess", "nemo", "one"}
        speakers = [{rows[index].speaker for index in part} for part in (split.train, split.valid, split.test)]
        assert sum(map(len, speakers)) == len(set[str]().union(*speakers))
        tested += [row.clip for row in test]
    assert sorted(tested) == sorted(row.clip for row in rows if row.corpus != "one")


def test_the_same_sound_in_two_corpora_is_left_out_of_training() -> None:
    rows = [*rows_of("ravdess", ACTORS), *rows_of("nemo", list("abcdefg"))]
    tested = next(index for index in make_split(rows, "speaker", 0).test if rows[index].corpus == "ravdess")
    other = next(index for index in make_split(rows, "speaker", 0).train if rows[index].corpus == "nemo")
    rows[other] = replace(rows[other], sample_hash=rows[tested].sample_hash)
    assert make_split(rows, "speaker", 0).left_out == (rows[other].clip,)


def test_weights_give_each_group_the_same_share() -> None:
    rows = [*rows_of("a", ["x"]), *rows_of("b", ["x", "y", "z"])]
    for by, groups in (("corpus", 2), ("speaker", 4), ("label", 2)):
        weights = balanced_weights(rows, by)
        assert weights.mean() == pytest.approx(1)
        sums: Counter[str] = Counter()
        for row, weight in zip(rows, weights, strict=True):
            sums[getattr(row, by)] += weight
        assert len(sums) == groups
        assert list(sums.values()) == pytest.approx([len(rows) / groups] * groups)
    assert np.array_equal(balanced_weights(rows, "none"), np.ones(len(rows)))


def test_training_examples_are_drawn_evenly(images: ImageSet) -> None:
    from fastai.torch_core import set_seed

    from ser_images.export.bundle.bundle import Normalisation
    from ser_images.train.training.loaders import data_loaders

    rows = tuple(
        replace(row, corpus="rare" if row.speaker == "01" and row.label in ("calm", "happy") else "common")
        for row in images.rows
    )
    changed = replace(images, rows=rows)
    split = make_split(rows, "stratified")
    shares = {}
    import torch

    for balance in ("none", "corpus"):
        set_seed(0)
        loaders = data_loaders(
            changed, split, Normalisation(0.5, 0.25), "images", 8, torch.device("cpu"), balance=balance
        )
        rare = {images.folder / row.image for row in rows if row.corpus == "rare"}
        drawn = [index for _ in range(20) for index in loaders.train.get_idxs()]
        items = loaders.train.dataset.items
        shares[balance] = float(np.mean([items[index][0][0] in rare for index in drawn]))
        assert len(loaders.valid_ds) == len(split.valid)
    assert shares["none"] < 0.15
    assert shares["corpus"] == pytest.approx(0.5, abs=0.05)


def test_a_linear_layer_heeds_the_weights() -> None:
    from ser_images.export.architectures.speech.pretrained_speech import Block
    from ser_images.train.training.embedded import Embedded
    from ser_images.train.training.linear_probe import Regularisation, fit_probe

    rng = np.random.default_rng(0)
    rows = [*rows_of("a", ["x"]), *rows_of("b", ["x", "y", "z", "w"])]
    targets = np.array([row.label == "sad" for row in rows], np.intp)
    sign = np.array([1 if row.corpus == "a" else -1 for row in rows])  # the corpora contradict each other
    values = (sign * (2 * targets - 1))[:, None] + rng.normal(0, 1, (len(rows), 4))
    values[:, 1:] = rng.normal(0, 1, (len(rows), 3))
    plain = Embedded(tuple(rows), values.astype(np.float32), targets)
    fixed = Regularisation(10, plain, np.full((len(rows), 2), 0.5))
    weights = {
        balance: fit_probe(replace(plain, balance=balance), (Block(4),), 2, regularisation=fixed).head.state_dict()
        for balance in ("none", "corpus")
    }
    none, corpus = (weights[balance]["weight"][1, 0] for balance in ("none", "corpus"))
    assert none < corpus < -0.3 * none


def test_metrics_by_corpus(images: ImageSet) -> None:
    from ser_images.train.evaluation.groups import groups
    from ser_images.train.evaluation.predictions import Predictions

    rows = [*rows_of("a", ["x"]), *rows_of("b", ["x", "y"])]
    right = np.array([[1, 0] if row.label == "angry" else [0, 1] for row in rows], np.float32)
    right[:12] = right[:12, ::-1]
    found = groups(Predictions(tuple(rows), ("angry", "sad"), right))
    assert [(group.value, group.clips, group.uar) for group in found["corpus"]] == [("a", 12, 0.0), ("b", 24, 1.0)]
    assert json.loads(rows[0].attributes) == {}


def test_metrics_by_language_of_the_corpora_or_of_the_clips() -> None:
    from ser_images.train.evaluation.groups import groups
    from ser_images.train.evaluation.predictions import Predictions

    rows = [*rows_of("nemo", ["x"]), *rows_of("emo-db", ["x"]), *rows_of("a", ["x"])]
    rows[-1] = replace(rows[-1], attributes='{"language": "Polish"}')
    right = np.array([[1, 0] if row.label == "angry" else [0, 1] for row in rows], np.float32)
    found = groups(Predictions(tuple(rows), ("angry", "sad"), right))
    assert {group.value: group.clips for group in found["language"]} == {"Polish": 13, "German": 12, "": 11}
