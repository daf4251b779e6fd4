import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.audio import normalize_rms, pad_or_trim, prepare, trim
from ser_images.spectrogram_gen.sound_file import Samples, read_blocks, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

Write = Callable[..., Path]
SPEC = ImageSpec()


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [("wav", "PCM_16", 1e-4), ("wav", "PCM_24", 1e-6), ("wav", "FLOAT", 1e-7), ("flac", "PCM_16", 1e-4),
     ("ogg", "VORBIS", 0.05), ("mp3", "MPEG_LAYER_III", 0.05), ("aiff", "PCM_16", 1e-4)],
)  # fmt: skip
def test_formats_of_libsndfile(write_wav: Write, tone: Samples, suffix: str, subtype: str, tolerance: float) -> None:
    samples, rate_hz = read_mono(write_wav(f"tone.{suffix}", tone, subtype=subtype))
    assert rate_hz == 16000
    assert samples.dtype == np.float32
    assert abs(np.sqrt(np.mean(samples**2)) - np.sqrt(np.mean(tone**2))) < tolerance


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(write_wav: Write, tone: Samples, channels: int) -> None:
    gains = np.arange(1, channels + 1)
    samples, _ = read_mono(write_wav("tone.wav", tone[:, None] * gains / channels, subtype="FLOAT"))
    assert samples == pytest.approx(tone * gains.mean() / channels, abs=1e-6)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000, 96000])
def test_any_rate_becomes_the_spec_s(rate_hz: int) -> None:
    seconds = np.arange(2 * rate_hz) / rate_hz
    sound = prepare(np.sin(2 * np.pi * 440 * seconds).astype(np.float32), rate_hz, SPEC)
    assert sound.size == pytest.approx(2 * 16000, abs=200)
    spectrum = np.abs(np.fft.rfft(sound))
    assert np.argmax(spectrum) * 16000 / sound.size == pytest.approx(440, abs=1)


def test_silence_is_trimmed_in_blocks_of_10_ms(tone: Samples) -> None:
    trimmed = trim(tone, 16000, 40)
    assert trimmed.size == pytest.approx(16000, abs=320)
    assert trim(tone + np.float32(1e-4), 16000, 40).size == trimmed.size
    assert trim(tone + np.float32(1e-4), 16000, 90).size == tone.size // 160 * 160


@pytest.mark.parametrize("gain_db", [-50, -20, 0, 6])
def test_level_does_not_depend_on_the_microphone(tone: Samples, gain_db: float) -> None:
    sound = prepare(tone * np.float32(10 ** (gain_db / 20)), 16000, SPEC)
    assert 20 * np.log10(np.sqrt(np.mean(sound**2))) == pytest.approx(-20, abs=1e-3)
    assert sound == pytest.approx(prepare(tone, 16000, SPEC), abs=1e-6)


def test_level_clips_nothing() -> None:
    click = np.zeros(16000, np.float32)
    click[100:110] = 1
    assert np.abs(normalize_rms(click, -20)).max() > 1


def test_the_level_is_measured_on_the_part_that_the_image_shows(tone: Samples) -> None:
    voice = trim(tone, 16000, 40)
    long = np.concatenate([np.tile(voice, 2), np.tile(voice / 5, 3), np.tile(voice, 2)])
    shown = pad_or_trim(prepare(long, 16000, SPEC), SPEC)
    assert 20 * np.log10(np.sqrt(np.mean(shown**2))) == pytest.approx(-20, abs=1e-3)


@pytest.mark.parametrize("size", [10, 47999, 48000, 48001, 96000])
def test_padding_and_cropping_are_exact_and_centred(size: int) -> None:
    samples = np.ones(size, np.float32)
    samples[size // 2] = 9
    padded = pad_or_trim(samples, SPEC)
    assert padded.size == 48000
    assert padded.sum() == min(size, 48000) + 8
    assert np.argmax(padded) == pytest.approx(24000, abs=1)


def test_bad_files(write_wav: Write, tone: Samples, tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.wav", tmp_path / "text.wav"
    empty.touch()
    text.write_text("not sound")
    with pytest.raises(UserError, match=r"empty\.wav: an empty file"):
        read_mono(empty)
    with pytest.raises(UserError, match=r"text\.wav: not a sound file that libsndfile can read"):
        read_mono(text)
    with pytest.raises(UserError, match=r"missing\.wav: no such file"):
        read_mono(tmp_path / "missing.wav")
    with pytest.raises(UserError, match="a folder, expected a sound file"):
        read_mono(tmp_path)
    with pytest.raises(UserError, match="holds no samples"):
        read_mono(write_wav("none.wav", tone[:0]))
    for value in (np.nan, np.inf):
        with pytest.raises(UserError, match="not numbers"):
            read_mono(write_wav("nan.wav", np.append(tone, value), subtype="FLOAT"))


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.95])
def test_a_truncated_file(write_wav: Write, tone: Samples, suffix: str, fraction: float) -> None:
    rng = np.random.default_rng(0)
    path = write_wav(f"cut.{suffix}", tone + rng.normal(0, 0.01, tone.size))
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(UserError, match=rf"cut\.{suffix}: (cut short|not a sound file)"):
        read_mono(path)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_from_a_pipe_may_not_know_its_length(write_wav: Write, tone: Samples, length: int) -> None:
    path = write_wav("pipe.wav", tone)
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = length.to_bytes(4, "little")
    path.write_bytes(content)
    samples, _ = read_mono(path)
    assert samples == pytest.approx(tone, abs=1e-4)


def test_too_little_sound(tone: Samples) -> None:
    with pytest.raises(UserError, match="20 ms of sound, expected at least 100 ms"):
        prepare(tone[8000:8320], 16000, SPEC)
    with pytest.raises(UserError, match="silence"):
        prepare(np.zeros(16000, np.float32), 16000, SPEC)
    with pytest.raises(UserError, match="0 ms of sound"):
        prepare(np.zeros(0, np.float32), 16000, SPEC)


def test_the_quietest_16_bit_sound_is_still_sound(write_wav: Write) -> None:
    rng = np.random.default_rng(0)
    path = write_wav("quiet.wav", rng.integers(-3, 4, 16000).astype(np.int16))
    samples, rate_hz = read_mono(path)
    assert prepare(samples, rate_hz, SPEC).size > 0
    assert soundfile.info(path).subtype == "PCM_16"


@pytest.mark.parametrize("size", [1000, 16000, 48000])
def test_blocks_together_are_the_recording(write_wav: Write, tone: Samples, size: int) -> None:
    path = write_wav("tone.mp3", np.stack([tone, 0.5 * tone], axis=1), subtype="MPEG_LAYER_III")
    samples, rate_hz = read_mono(path)
    rate, blocks = read_blocks(path, size / rate_hz)
    assert rate == rate_hz
    assert np.array_equal(np.concatenate(list(blocks)), samples)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_mp3_is_read_or_refused(write_wav: Write, tone: Samples, seed: int) -> None:
    """Bytes of the first frames overwritten: any outcome but another exception, and memory that fits the file."""
    rng = np.random.default_rng(seed)
    path = write_wav("damaged.mp3", tone + rng.normal(0, 0.01, tone.size), subtype="MPEG_LAYER_III")
    content = bytearray(path.read_bytes())
    for place in rng.integers(0, 400, 1 + seed % 8):
        content[place] = rng.integers(256)
    path.write_bytes(content)
    with memory_limit(2 << 30):
        reason, samples, rate_hz = read_or_reason(path)
    if samples is None:
        assert reason.startswith(f"{path}: ")
        assert "\n" not in reason
    else:
        assert samples.size < 400 * len(content)
        assert 4000 <= rate_hz <= 768_000


def read_or_reason(path: Path) -> tuple[str, Samples | None, int]:
    try:
        return "", *read_mono(path)
    except UserError as error:
        return str(error), None, 0


def xing_frames(content: bytearray) -> int:
    """Where an MP3's first frame says how many frames there are: after `Xing` or `Info` and four bytes of flags."""
    return max(content.find(b"Xing"), content.find(b"Info")) + 8


@pytest.mark.parametrize("frames", [0x7FFFFFFF, 0xFFFFFFFF, 16_700_000])
def test_an_mp3_that_claims_more_than_memory(write_wav: Write, tone: Samples, frames: int) -> None:
    path = write_wav("absurd.mp3", tone, subtype="MPEG_LAYER_III")
    content = bytearray(path.read_bytes())
    place = xing_frames(content)
    assert place > 8
    content[place : place + 4] = frames.to_bytes(4, "big")
    path.write_bytes(content)
    with (
        memory_limit(2 << 30),
        pytest.raises(UserError, match=r"absurd\.mp3: (cut short|damaged|not a sound)"),
    ):
        read_mono(path)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [(24, 100, "100 Hz and 1 channels, expected 4000 to 768000 Hz"), (24, 2**31 - 1, "2147483647 Hz"),
     (24, 0, "absurd.wav: ")],
)  # fmt: skip
def test_a_header_with_an_absurd_rate(write_wav: Write, tone: Samples, place: int, value: int, message: str) -> None:
    path = write_wav("absurd.wav", tone)
    content = bytearray(path.read_bytes())
    content[place : place + 4] = value.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_mono(path)


def test_more_channels_than_a_recording_has(write_wav: Write) -> None:
    path = write_wav("many.wav", np.zeros((100, 65)))
    with pytest.raises(UserError, match=r"65 channels, expected .* up to 64 channels"):
        read_mono(path)
    assert read_mono(write_wav("64.wav", np.zeros((100, 64))))[0].size == 100


@contextmanager
def memory_limit(size: int) -> Iterator[None]:
    """Let any allocation fail that takes the process past `size` more bytes of address space."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
