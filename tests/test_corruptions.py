"""Corruptions: noise, babble, microphones, rooms, distance, codecs and the rest of the way into a file."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.data.synthesis.prosody import NEUTRAL
from ser_images.data.synthesis.voice import Voice, speak
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.train.analysis.corruptions.babble import N_TALKERS, babble
from ser_images.train.analysis.corruptions.codec import opus
from ser_images.train.analysis.corruptions.groups import CLEAN, GROUPS
from ser_images.train.analysis.corruptions.microphone import RESPONSES
from ser_images.train.analysis.corruptions.noise import pink, traffic
from ser_images.train.analysis.corruptions.room import impulse_response
from ser_images.train.analysis.corruptions.table import BY_GROUP, CORRUPTIONS, choose
from ser_images.train.cli import main

RATE_HZ = 16000


@pytest.fixture
def sound() -> Samples:
    """A second of 100 Hz, 1 kHz and 6 kHz, equally loud, half a second of silence before and after."""
    seconds = np.arange(RATE_HZ) / RATE_HZ
    waves = sum(np.sin(2 * np.pi * hz * seconds) for hz in (100, 1000, 6000))
    return np.pad(0.1 * waves, RATE_HZ // 2).astype(np.float32)


@pytest.fixture
def click() -> Samples:
    """One sample, in silence: what comes out is the impulse response."""
    samples = np.zeros(2 * RATE_HZ, np.float32)
    samples[100] = 0.5
    return samples


def strength(samples: Samples, rate_hz: int, hz: float) -> float:
    middle = samples[rate_hz // 2 : rate_hz // 2 + rate_hz]
    return float(np.abs(np.mean(middle * np.exp(-2j * np.pi * hz * np.arange(middle.size) / rate_hz))) * 2)


def power_db(samples: Samples, rate_hz: int, low_hz: float, high_hz: float) -> float:
    band = butter(4, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    return float(10 * np.log10(np.mean(sosfilt(band, samples) ** 2)))


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44100])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_duration_and_type_are_kept(sound: Samples, name: str, rate_hz: int) -> None:
    corrupted, new_hz = CORRUPTIONS[name](sound, rate_hz)
    assert corrupted.dtype == np.float32
    assert corrupted.size / new_hz == pytest.approx(sound.size / rate_hz, abs=0.12)  # MP3 pads
    assert np.isfinite(corrupted).all()
    assert np.array_equal(corrupted, sound) == (name == CLEAN)
    again, _ = CORRUPTIONS[name](sound, rate_hz)
    assert np.array_equal(corrupted, again)


def test_gain_rounds_and_clips_to_16_bits(sound: Samples) -> None:
    quiet, _ = CORRUPTIONS["gain -30 dB"](sound, RATE_HZ)
    assert quiet.max() == pytest.approx(sound.max() / 10**1.5, abs=2**-15)
    assert np.array_equal(np.round(quiet * 2**15), quiet * 2**15)
    loud, _ = CORRUPTIONS["gain +10 dB"](4 * sound, RATE_HZ)
    assert (loud.min(), loud.max()) == (-1, 1 - 2**-15)
    assert np.mean(loud == loud.max()) > 0.05
    nothing, _ = CORRUPTIONS["gain -30 dB"](sound * 1e-4, RATE_HZ)
    assert not nothing.any()


NOISES = [name for group in ("noise", "babble") for name in BY_GROUP[group]]


@pytest.mark.parametrize("name", NOISES)
def test_noise_has_the_requested_ratio_to_the_speech(sound: Samples, name: str) -> None:
    there, _ = CORRUPTIONS[name](sound, RATE_HZ)
    speech = np.mean(sound[RATE_HZ // 2 : -RATE_HZ // 2] ** 2)
    snr_db = int(name.split()[-3])
    assert 10 * np.log10(speech / np.mean((there - sound) ** 2)) == pytest.approx(snr_db, abs=0.2)


@pytest.mark.parametrize("name", NOISES)
def test_noise_on_silence_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="silence"):
        CORRUPTIONS[name](np.zeros(RATE_HZ, np.float32), RATE_HZ)


@pytest.mark.parametrize("name", [*NOISES, *BY_GROUP["room"], *BY_GROUP["distance"]])
def test_each_clip_has_its_own_noise_and_its_own_room(sound: Samples, name: str) -> None:
    """Two clips of the same length: what is added to them is not proportional."""
    other = sound[::-1].copy()
    added = [CORRUPTIONS[name](samples, RATE_HZ)[0] - samples for samples in (sound, other)]
    assert abs(np.corrcoef(added[0], added[1])[0, 1]) < 0.5


def test_the_colours_of_noise() -> None:
    rng = np.random.default_rng(0)
    for make, slope_db in ((pink, 0), (traffic, -6)):
        noise = make(10 * RATE_HZ, RATE_HZ, rng)
        octaves = [power_db(noise, RATE_HZ, hz, 2 * hz) for hz in (500, 1000, 2000)]
        assert np.diff(octaves) == pytest.approx([slope_db, slope_db], abs=0.5)


def test_babble_is_of_several_talkers_who_never_stop() -> None:
    samples = np.asarray(babble(30 * RATE_HZ, RATE_HZ, np.random.default_rng(0)), np.float32)
    voice = speak("01", Voice.of(1, seed=0), NEUTRAL, np.random.default_rng(0))
    blocks = np.sqrt(np.mean(samples.reshape(-1, RATE_HZ // 10) ** 2, axis=1))
    assert blocks.min() > 0.2 * blocks.mean()
    assert np.mean(samples**2) == pytest.approx(N_TALKERS, rel=0.1), "talkers of equal level, independent of each other"
    assert kurtosis(samples) < 0.5 * kurtosis(voice), "a sum of talkers is closer to normal noise than one talker"
    assert power_db(samples, RATE_HZ, 200, 1000) > power_db(samples, RATE_HZ, 4000, 7900) + 10


def kurtosis(samples: Samples) -> float:
    return float(np.mean(samples**4) / np.mean(samples**2) ** 2)


@pytest.mark.parametrize("drr_db", [-6.0, 3.0])
@pytest.mark.parametrize("rt60_s", [0.3, 1.0])
def test_an_impulse_response_has_its_decay_and_its_ratio(rt60_s: float, drr_db: float) -> None:
    response = impulse_response(RATE_HZ, rt60_s, drr_db, np.random.default_rng(0))
    direct, reverberation = response[0], response[1:]
    assert 10 * np.log10(direct**2 / np.sum(reverberation**2)) == pytest.approx(drr_db, abs=1e-6)
    decay_db = 10 * np.log10(np.cumsum(reverberation[::-1] ** 2)[::-1] / np.sum(reverberation**2))  # Schroeder (1965)
    from_5_to_25_db = np.flatnonzero(decay_db < -25)[0] - np.flatnonzero(decay_db < -5)[0]
    assert 3 * from_5_to_25_db / RATE_HZ == pytest.approx(rt60_s, rel=0.1)


def test_a_room_does_not_delay_the_direct_sound(click: Samples) -> None:
    for name in BY_GROUP["room"]:
        there, _ = CORRUPTIONS[name](click, RATE_HZ)
        assert np.argmax(np.abs(there)) == 100
        assert there[100] == pytest.approx(0.5, abs=1e-6)
        assert np.abs(there[:100]).max() < 1e-6


def test_with_each_doubling_of_the_distance_the_direct_sound_loses_6_db_and_reverberation_nothing(
    click: Samples,
) -> None:
    heights, tails = [], []
    for name in ("distance 1 m", "distance 2 m", "distance 4 m"):
        there, _ = CORRUPTIONS[name](click, RATE_HZ)
        heights.append(20 * np.log10(there[100]))
        tails.append(10 * np.log10(np.sum(there[101:] ** 2)))
    assert np.diff(heights) == pytest.approx([-6, -6], abs=0.1)
    assert np.ptp(tails) < 0.5
    assert heights[0] == pytest.approx(tails[0], abs=0.5), "equal at 1 m"


@pytest.mark.parametrize("name", RESPONSES)
def test_a_microphone_has_its_response_and_no_delay(click: Samples, name: str) -> None:
    there, _ = CORRUPTIONS[name](click, RATE_HZ)
    gains_db = 20 * np.log10(np.abs(np.fft.rfft(there)) / 0.5)
    for hz, gain_db in RESPONSES[name]:
        if gain_db > -10 and 100 <= hz < RATE_HZ / 2:
            assert gains_db[round(hz * there.size / RATE_HZ)] == pytest.approx(gain_db, abs=1.5), hz
    assert np.argmax(np.abs(there)) == 100


def test_frequencies_outside_the_band_are_removed(sound: Samples) -> None:
    line, _ = CORRUPTIONS["telephone band"](sound, RATE_HZ)
    half, rate_hz = CORRUPTIONS["8 kHz"](sound, RATE_HZ)
    for there, rate, kept, lost in ((line, RATE_HZ, (1000,), (100, 6000)), (half, rate_hz, (100, 1000), (2000,))):
        for hz in kept:
            assert strength(there, rate, hz) == pytest.approx(0.1, rel=0.05)
        for hz in lost:
            assert strength(there, rate, hz) < 0.002
    assert rate_hz == 8000


def test_g711_has_256_values_of_a_telephone_line(sound: Samples) -> None:
    there, rate_hz = CORRUPTIONS["telephone G.711"](sound, RATE_HZ)
    assert rate_hz == 8000
    assert 10 < np.unique(there).size <= 256
    assert strength(there, rate_hz, 1000) == pytest.approx(0.1, rel=0.05)
    assert strength(there, rate_hz, 100) < 0.002


@pytest.mark.parametrize(
    "name", ["MP3 at lowest bit rate", "Opus 20 kbit/s", "Opus 8 kbit/s", "Vorbis at lowest quality"]
)
def test_codecs_keep_the_speech_and_lose_some_of_it(name: str) -> None:
    speech = speak("01", Voice.of(1, seed=0), NEUTRAL, np.random.default_rng(0))
    there, rate_hz = CORRUPTIONS[name](speech, 48000)
    assert rate_hz == 48000
    there = there[: speech.size]
    delay = np.argmax(np.correlate(there[20000:40000], speech[22000:38000], "valid")) - 2000
    error = np.roll(there, -delay) - speech
    ratio_db = 10 * np.log10(np.mean(speech**2) / np.mean(error**2))
    assert -3 < ratio_db < 40
    assert power_db(there, rate_hz, 200, 1000) == pytest.approx(power_db(speech, rate_hz, 200, 1000), abs=3)


def test_opus_at_a_rate_that_it_does_not_know(sound: Samples) -> None:
    assert opus(sound, 44100, 1.0)[1] == 48000
    assert opus(sound, 24000, 1.0)[1] == 24000


def test_channels_and_polarity(sound: Samples) -> None:
    stereo, _ = CORRUPTIONS["reversed stereo"](sound, RATE_HZ)
    assert stereo == pytest.approx(sound / 2, abs=1e-4)
    assert np.array_equal(CORRUPTIONS["reversed polarity"](sound, RATE_HZ)[0], -sound)


def test_groups_and_single_corruptions_are_chosen() -> None:
    assert tuple(BY_GROUP) == GROUPS
    assert choose("") == CORRUPTIONS
    assert list(choose("babble, Opus 8 kbit/s")) == [CLEAN, *BY_GROUP["babble"], "Opus 8 kbit/s"]
    assert not any("," in name for name in CORRUPTIONS), "commas separate names"


def test_an_unknown_corruption(command: Command) -> None:
    code, out, error = command(main, "robustness", "nowhere", "recordings", "--corruptions", "room,rain")
    assert (code, out) == (2, "")
    assert error == (
        "error: --corruptions 'rain': expected some of gain, noise, babble, microphone, room, distance, codec, "
        "channel, or one corruption as in robustness.csv, such as 'babble 20 dB SNR'\n"
    )
    assert "gain, noise, babble, microphone" in " ".join(
        command(main, "robustness", "--help")[1].replace("│", "").split()
    )
