from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips, synthetic
from ser_images.data.labels import EMOTIONS
from ser_images.data.synthesis.prosody import NEUTRAL, PROSODY_BY_EMOTION, draw_prosody
from ser_images.data.synthesis.voice import RATE_HZ, Voice, speak
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.sound_file import Samples


def mean_pitch_hz(samples: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
    """The median over frames of the strongest autocorrelation between 70 and 500 Hz; no code of the voice's own."""
    step, pitches = RATE_HZ // 50, []
    loud = np.abs(samples).max() * 0.2
    for start in range(0, samples.size - 2 * step, step):
        frame = samples[start : start + 2 * step].astype(float)
        if np.abs(frame).max() > loud:
            spectrum = np.abs(np.fft.rfft(frame * np.hanning(frame.size), 4 * frame.size)) ** 2
            correlation = np.fft.irfft(spectrum)
            lags = slice(RATE_HZ // 500, RATE_HZ // 70)
            pitches.append(RATE_HZ / (lags.start + np.argmax(correlation[lags])))
    return float(np.median(pitches))


@pytest.mark.slow
def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for folder, seed in (("one", 7), ("two", 7), ("three", 8)):
        synthetic.write(tmp_path / folder, actors=1, repetitions=1, seed=seed)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.wav"))
    assert len(files) == 30
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
        assert (tmp_path / "one" / file).read_bytes() != (tmp_path / "three" / file).read_bytes()


def test_names_and_format_are_those_of_ravdess(voices: Path) -> None:
    listing = find_clips(voices, "synthetic")
    assert (len(listing.clips), listing.unparsed, listing.repeated) == (120, (), ())
    assert {clip.label for clip in listing.clips} == set(EMOTIONS)
    assert {clip.gender for clip in listing.clips} == {"female", "male"}
    assert [clip.label for clip in listing.clips].count("neutral") * 2 == 120 // 7.5
    info = soundfile.info(listing.clips[0].path)
    assert (info.samplerate, info.channels, info.subtype) == (48000, 1, "PCM_16")


def test_what_exists_is_left_as_it_is(tmp_path: Path) -> None:
    synthetic.write(tmp_path, actors=1, repetitions=1)
    first = sorted(tmp_path.rglob("*.wav"))[0]
    first.write_bytes(b"mine")
    assert synthetic.write(tmp_path, actors=1, repetitions=1) == 30
    assert first.read_bytes() == b"mine"


def test_other_recordings_do_not_become_synthetic(
    tmp_path: Path, write_wav: Callable[..., Path], tone: Samples
) -> None:
    write_wav("Actor_02/03-01-01-01-01-01-02.wav", tone)
    with pytest.raises(UserError, match="holds recordings that were not synthesized; give a new folder"):
        synthetic.write(tmp_path, actors=1, repetitions=1)
    assert len(list(tmp_path.rglob("*.*"))) == 1


@pytest.mark.parametrize("statement", ["01", "02"])
def test_a_voice_has_the_pitch_it_was_given(statement: str) -> None:
    rng = np.random.default_rng(0)
    voice = Voice(pitch_hz=120, tract=1, excursion_st=0, rate=1, tilt_db=0, jitter=0, expressiveness=1)
    samples = speak(statement, voice, NEUTRAL, rng)
    assert mean_pitch_hz(samples) == pytest.approx(120, rel=0.03)


def test_emotions_differ_as_in_the_literature() -> None:
    """Juslin & Laukka 2003, table 7: anger, fear and joy are higher, faster and louder than sadness."""
    voice = Voice.of(1, seed=0)
    measured = {}
    for emotion in ("happy", "angry", "fearful", "sad"):
        clips = [
            speak("01", voice, draw_prosody(emotion, 1.0, np.random.default_rng(seed)), np.random.default_rng(seed))
            for seed in range(5)
        ]
        pitch = np.mean([mean_pitch_hz(clip) for clip in clips])
        duration = np.mean([np.ptp(np.flatnonzero(np.abs(clip) > 0.01)) / RATE_HZ for clip in clips])
        level = np.mean([np.sqrt(np.mean(clip**2)) for clip in clips])
        measured[emotion] = pitch, duration, level
    for emotion in ("happy", "angry", "fearful"):
        assert measured[emotion][0] > 1.1 * measured["sad"][0]
        assert measured[emotion][1] < 0.9 * measured["sad"][1]
        assert measured[emotion][2] > 1.5 * measured["sad"][2]


def test_neighbouring_emotions_overlap() -> None:
    """No single correlate separates calm from neutral: some calm renditions are higher than some neutral ones."""
    rng = np.random.default_rng(0)
    draws = {emotion: [draw_prosody(emotion, 1.0, rng) for _ in range(200)] for emotion in PROSODY_BY_EMOTION}
    for name in NEUTRAL.__dataclass_fields__:
        calm, neutral = ([getattr(draw, name) for draw in draws[emotion]] for emotion in ("calm", "neutral"))
        assert max(min(calm), min(neutral)) < min(max(calm), max(neutral)), name


def test_numbers_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--actors 0: expected 1 to 99"):
        synthetic.write(tmp_path, actors=0)
    with pytest.raises(UserError, match="--repetitions 100: expected 1 to 99"):
        synthetic.write(tmp_path, repetitions=100)


def test_unseen_speakers_are_neither_trivial_nor_at_chance(images: ImageSet) -> None:
    """An SVM on row statistics of the images, leave one speaker out: well above 1/8, well below 1."""
    rows = [row for row in images.rows if row.variant == "original"]
    features = []
    for row in rows:
        with Image.open(images.folder / row.image) as image:
            active = np.asarray(image)[:, np.asarray(image).max(axis=0) > 100]
        features.append([*active.mean(axis=1), *active.std(axis=1), active.shape[1]])
    classifier = make_pipeline(StandardScaler(), SVC(C=10))
    labels, speakers = ([getattr(row, name) for row in rows] for name in ("label", "speaker"))
    recognised = cross_val_score(classifier, features, labels, groups=speakers, cv=LeaveOneGroupOut()).mean()
    assert 0.25 < recognised < 0.9
