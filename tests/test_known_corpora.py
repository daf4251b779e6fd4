"""Corpora that are read by their file names, on generated sound under those names."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.data.corpora.named import NamedCorpus
from ser_images.data.corpora.registry import OURS, corpora_by_name, language_of, licence_id_of, licence_of
from ser_images.data.labels import EMOTIONS
from ser_images.spectrogram_gen.cli import main
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.sound_file import Samples

Write = Callable[..., Path]
NAMES = {
    "crema-d": [
        ("AudioWAV/1001_DFA_ANG_XX.wav", "angry", "1001", "male", {"sentence": "DFA", "level": "unspecified"}),
        ("AudioWAV/1091_WSI_SAD_HI.wav", "sad", "1091", "female", {"sentence": "WSI", "level": "high"}),
        ("AudioWAV/1040_ITH_SAD_X.wav", "sad", "1040", "male", {"sentence": "ITH", "level": "unspecified"}),
    ],
    "tess": [
        ("OAF_Pleasant_surprise/OAF_back_ps.wav", "surprised", "OAF", "female", {"word": "back"}),
        ("YAF_fear/YAF_young_fear.wav", "fearful", "YAF", "female", {"word": "young"}),
        ("OAF_neutral/OA_bite_neutral.wav", "neutral", "OAF", "female", {"word": "bite"}),
    ],
    "savee": [
        ("AudioData/DC/sa03.wav", "sad", "DC", "male", {"sentence": "03"}),
        ("ALL/KL_su15.wav", "surprised", "KL", "male", {"sentence": "15"}),
        ("JE/n30.wav", "neutral", "JE", "male", {"sentence": "30"}),
    ],
    "emo-db": [
        ("wav/03a01Fa.wav", "happy", "03", "male", {"text": "a01", "version": "a"}),
        ("wav/16b10Lb.wav", "boredom", "16", "female", {"text": "b10", "version": "b"}),
        ("wav/08a05Wa.wav", "angry", "08", "female", {"text": "a05", "version": "a"}),
    ],
    "nemo": [
        ("samples/WR0_surprised_64.opus", "surprised", "WR0", "male", {"sentence": "64"}),
        ("samples/EB0_happiness_13.wav", "happy", "EB0", "female", {"sentence": "13"}),
    ],
    "ased": [
        ("04Sad/s4-05-02-02-65.wav", "sad", "65", "male", {"sentence": "05", "repetition": "02"}),
        ("02Fearful/f2-07-02-01-62.wav", "fearful", "62", "female", {"sentence": "07", "repetition": "02"}),
    ],
    "urdu": [
        ("Angry/SM4_F48_A0100.wav", "angry", "SM4", "male", {"file": "48"}),
        ("Happy/SF1_F1_H01.wav", "happy", "SF1", "female", {"file": "1"}),
    ],
}
"""Names as published: file, label, speaker, gender, attributes."""


@pytest.mark.parametrize("corpus", NAMES)
def test_names_of_published_corpora(
    command: Command, write_wav: Write, tone: Samples, tmp_path: Path, corpus: str
) -> None:
    for name, *_ in NAMES[corpus]:
        write_wav(f"{corpus}/{Path(name).with_suffix('.wav')}", tone)
    listing = find_clips(tmp_path / corpus, corpus)
    found = {
        clip.path.relative_to(tmp_path / corpus).with_suffix("").as_posix(): (
            clip.label, clip.speaker, clip.gender, dict(clip.attributes),
        )
        for clip in listing.clips
    }  # fmt: skip
    assert found == {Path(name).with_suffix("").as_posix(): tuple(rest) for name, *rest in NAMES[corpus]}
    code, out, error = command(main, "build", tmp_path / corpus, "--out", tmp_path / "images", "--jobs", 1)
    assert (code, error) == (0, f"corpus {corpus}: files are named as in {corpus} (--corpus to choose another)\n")
    assert f"{len(NAMES[corpus])} rendered" in out
    assert {row.corpus for row in ImageSet.read(tmp_path / "images").rows} == {corpus}


@pytest.mark.parametrize("corpus", NAMES)
def test_each_example_is_a_name_of_its_own_corpus_only(corpus: str) -> None:
    example = Path(corpora_by_name()[corpus].example)  # type: ignore[attr-defined]
    assert [one.name for one in OURS if one.recognises(example)] == [corpus]
    assert not corpora_by_name()[corpus].recognises(Path("kids.wav"))


def test_labels_are_those_of_ravdess_but_for_boredom() -> None:
    labels = {label for corpus in OURS for label in corpus.labels.values()}  # type: ignore[attr-defined]
    assert labels == {*EMOTIONS, "boredom"}


def test_every_published_corpus_names_its_language_licence_and_paper() -> None:
    for corpus in OURS:
        assert licence_of(corpus.name) == corpus.licence
        assert corpus.language or corpus.name == "synthetic"
        assert "Cite: " in corpus.licence or corpus.name == "synthetic"
    assert licence_id_of("nemo") == "cc-by-nc-sa-4.0"
    assert (language_of("nemo"), language_of("emo-db"), language_of("folder")) == ("Polish", "German", "")
    assert (licence_of("folder"), licence_id_of("folder")) == ("", "other")


def test_the_doubled_repackaging_of_tess(write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    for folder in ("", "TESS Toronto emotional speech set data/"):
        write_wav(f"tess/{folder}OAF_angry/OAF_back_angry.wav", tone)
    listing = find_clips(tmp_path / "tess", "tess")
    assert [clip.name for clip in listing.clips] == ["OAF_back_angry"]
    assert [path.parts[-3] for path in listing.repeated] == ["TESS Toronto emotional speech set data"]


def test_a_speaker_with_the_same_file_names_as_another(write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    for speaker in ("DC", "JE"):
        write_wav(f"savee/{speaker}/a01.wav", tone)
    assert [clip.name for clip in find_clips(tmp_path / "savee", "savee").clips] == ["DC_a01", "JE_a01"]


def test_patterns_that_are_none() -> None:
    with pytest.raises(UserError, match=r"corpus 'mine': pattern '\(': "):
        NamedCorpus("mine", "(", {})
    with pytest.raises(UserError, match="has no group 'label'"):
        NamedCorpus("mine", r"\d+", {})
    corpus = NamedCorpus("mine", r"(?P<label>[A-Z])\d", {"A": "angry"})
    assert corpus.recognises(Path("x/A1.wav"))
    assert not corpus.recognises(Path("x/B1.wav"))


def test_a_corpus_of_another_package(tmp_path: Path, write_wav: Write, tone: Samples, distributions: Path) -> None:
    """Installed from a wheel beside ours, it is detected, built and listed; a broken one is one line."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "1"\n'
        '[project.entry-points."ser_images.corpora"]\nmine = "mine:MINE"\n'
        '[tool.setuptools]\npy-modules = ["mine"]\n'
    )
    code = (
        "from ser_images.data.corpora.named import NamedCorpus\n"
        "MINE = NamedCorpus('mine', r'(?P<speaker>[a-z]+)-(?P<label>[AH])\\d', {'A': 'angry', 'H': 'happy'}, "
        "licence='Ours.')\n"
    )
    (project / "mine.py").write_text(code)
    python = _environment(tmp_path / "venv", distributions)
    _install(python, project, tmp_path / "wheels")
    for name in ("anna-A1", "ben-H2"):
        write_wav(f"corpus/x/{name}.wav", tone)
    out = _run(python, "build", tmp_path / "corpus", "--out", tmp_path / "images", "--jobs", 1)
    assert "corpus mine: files are named as in mine" in out.stderr
    rows = ImageSet.read(tmp_path / "images").rows
    assert [(row.corpus, row.label, row.speaker) for row in rows] == [
        ("mine", "angry", "anna"), ("mine", "happy", "ben"),
    ]  # fmt: skip
    assert "mine: Ours.\n" in _run(python, "corpora").stdout
    assert _python(python, LICENCE).stdout == "Ours.\n"
    (project / "mine.py").write_text("raise RuntimeError('broken')\n")
    _install(python, project, tmp_path / "wheels")
    out = _run(python, "check", tmp_path / "corpus")
    assert (out.returncode, out.stderr.count("\n")) == (2, 1)
    assert "error: mine: its corpus 'mine' cannot be loaded (RuntimeError: broken)" in out.stderr
    assert _python(python, LICENCE).stdout == "\n"  # the card of a training is written all the same


def _environment(folder: Path, distributions: Path) -> Path:
    """A virtual environment with our wheel; its requirements are those of the environment that runs the tests."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin/python"
    (wheel,) = distributions.glob("*.whl")
    _pip(python, wheel)
    site = next(folder.glob("lib/python*/site-packages"))
    host = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "host.pth").write_text(f"{host}\n")
    return python


def _install(python: Path, project: Path, wheels: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(wheels), str(project)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = wheels.glob("mine-*.whl")
    _pip(python, wheel)


def _pip(python: Path, wheel: Path) -> None:
    options = ["--quiet", "--no-deps", "--no-index", "--force-reinstall"]
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, str(wheel)]
    subprocess.run(command, check=True)


LICENCE = "from ser_images.data.corpora.registry import licence_of; print(licence_of('mine'))"


def _run(python: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return _python(python, "from ser_images.spectrogram_gen.cli import main; main()", *arguments)


def _python(python: Path, code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [str(python), "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=python.parent)
