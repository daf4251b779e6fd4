"""The page in Chromium: from the end of a word to its label, weight, time to ready, milliseconds a window.

    python benchmarks/page_latency.py RAVDESS_FOLDER [--model RUN] [--words 20] [--seed 1]

Clips with pauses between them are the browser's microphone. A second listener on the same stream, in a script of this
benchmark, finds when each clip ends; its label is there when the page has added the first window that reaches beyond
this end. The network's time is that of ONNX Runtime Web on the page, and of ONNX Runtime with one thread, for the same
image. Prints the results as JSON.
"""

import argparse
import gzip
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import soundfile
from playwright.sync_api import sync_playwright

from ser_images.data.common.command_line import command_line
from ser_images.data.corpora import find_clips
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.webpage.site import write_webpage
from ser_images.spectrogram_gen.audio import trim
from ser_images.spectrogram_gen.sound_file import Samples, read_mono

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from static_server import static_server

RATE_HZ = 48000
RUNS = 200
LISTEN = """
const LOUD = 10 ** (-50 / 20), PAUSE_MS = 800;
window.words = [];  // times at which they ended
window.windows = [];  // [time of appearance, text]
const createSource = AudioContext.prototype.createMediaStreamSource;
AudioContext.prototype.createMediaStreamSource = function (stream) {
  const source = createSource.call(this, stream), tap = this.createScriptProcessor(256, 1, 1);
  let lastLoud = null;
  tap.onaudioprocess = ({ inputBuffer }) => {
    const now = performance.now(), samples = inputBuffer.getChannelData(0);
    if (Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length) > LOUD) lastLoud = now;
    else if (lastLoud !== null && now - lastLoud > PAUSE_MS) (words.push(lastLoud), (lastLoud = null));
  };
  source.connect(tap).connect(this.destination);
  return source;
};
const post = MessagePort.prototype.postMessage;
MessagePort.prototype.postMessage = function (message, ...rest) {
  if (message instanceof MessagePort) window.started = performance.now();  // the page's collector begins
  return post.call(this, message, ...rest);
};
addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
  for (const { target, addedNodes } of changes)
    if (target.className === "windows") for (const node of addedNodes) windows.push([performance.now(), node.title]);
}).observe(document, { childList: true, subtree: true }));
"""
TIME_NETWORK = """async ([rows, frames, input, runs]) => {
  const at = (path) => new URL(path, document.baseURI).href;
  const ort = await import(at("vendor/onnxruntime-web/ort.wasm.bundle.min.mjs"));
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(at("model/network.onnx"), { logSeverityLevel: 3 });
  const pixels = new Uint8Array(rows * frames).map((_, k) => (k * 7919) % 256);
  const image = new ort.Tensor("uint8", pixels, [1, rows, frames]);
  const times = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await session.run({ [input]: image }, ["probabilities"]);
    times.push(performance.now() - start);
  }
  return times;
}"""


def conversation(source: Path, words: int, seed: int) -> Samples:
    """Clips without the silence at their ends, with 1.5 to 2.5 s of silence after each."""
    clips = find_clips(source, "ravdess").clips
    rng = np.random.default_rng(seed)
    parts: list[Samples] = [np.zeros(2 * RATE_HZ, np.float32)]
    for _ in range(words):
        clip = clips[rng.integers(len(clips))]
        samples, rate_hz = read_mono(clip.path)
        pause = np.zeros(round(rng.uniform(1.5, 2.5) * RATE_HZ), np.float32)
        parts += [trim(samples, rate_hz, 25), pause]
    return np.concatenate(parts)


def weight(site: Path) -> dict[str, float]:
    contents = [path.read_bytes() for path in site.rglob("*") if path.is_file()]
    sizes = {"raw": contents, "gzipped": [gzip.compress(content) for content in contents]}
    return {name: round(sum(map(len, several)) / 1e6, 2) for name, several in sizes.items()}


def seconds_to_ready(page: Any, url: str) -> float:
    start = time.perf_counter()
    page.goto(url)
    page.locator("[data-ready=true]").wait_for()
    return time.perf_counter() - start


def word_latencies_ms(page: Any, seconds: float) -> list[float]:
    """For each word, from its end to the first window that reaches beyond it and has a label."""
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Start listening").click()
    page.wait_for_timeout(1000 * seconds)
    page.get_by_role("button", name="Stop").click()
    started, words, windows = page.evaluate("[started, words, windows]")
    found = []
    for word in words:
        later = (appeared - word for appeared, title in windows if reaches(title, word - started))
        found.append(next(later, float("inf")))
    return found


def reaches(title: str, word_ms: float) -> bool:
    label, _, clock = title.rpartition(" at ")
    minutes, _, seconds = clock.partition(":")
    return label != "no speech" and 60 * int(minutes) + float(seconds) >= word_ms / 1000


def python_times_ms(site: Path, constants: dict[str, Any]) -> list[float]:
    """The same network in ONNX Runtime with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(site / "model/network.onnx", options)
    rows, frames = constants["spec"]["n_rows"], constants["spec"]["n_frames"]
    image = (np.arange(rows * frames) * 7919 % 256).astype(np.uint8).reshape(1, rows, frames)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        session.run(["probabilities"], {constants["model"]["input"]: image})
        times.append(1000 * (time.perf_counter() - start))
    return times


def summary(values: list[float]) -> dict[str, float]:
    return {f"p{percent}": round(float(np.percentile(values, percent)), 2) for percent in (50, 95)}


def measure(site: Path, played: Samples) -> dict[str, Any]:
    """All results of a site."""
    microphone = site.parent / "microphone.wav"
    soundfile.write(microphone, played, RATE_HZ, subtype="PCM_16")
    arguments = [
        "--no-sandbox", "--disable-background-networking", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
    ]  # fmt: skip
    constants = json.loads((site / "model/model.json").read_text())
    spec, name = constants["spec"], constants["model"]["input"]
    with static_server(site) as server, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        url = f"http://127.0.0.1:{server.server_port}/"
        context = browser.new_context(permissions=["microphone"])
        context.set_default_timeout(120_000)
        context.add_init_script(LISTEN)
        page = context.new_page()
        ready_s = {"first": seconds_to_ready(page, url)}
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        ready_s["again"] = seconds_to_ready(page, url)
        network_ms = page.evaluate(TIME_NETWORK, [spec["n_rows"], spec["n_frames"], name, RUNS])
        latencies_ms = word_latencies_ms(page, len(played) / RATE_HZ)
        browser.close()
    return {
        "word_to_label_ms": summary(latencies_ms) | {"words": len(latencies_ms)},
        "weight_mb": weight(site),
        "ready_s": {key: round(value, 2) for key, value in ready_s.items()},
        "window_ms": {"page": summary(network_ms), "onnxruntime": summary(python_times_ms(site, constants))},
    }


def main() -> None:
    """Print the results as JSON."""
    parser = argparse.ArgumentParser(description="latency, weight and speed of the page in Chromium")
    parser.add_argument("source", type=Path)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--words", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    played = conversation(arguments.source, arguments.words, arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        site = write_webpage(arguments.model, Path(folder) / "site")
        print(json.dumps(measure(site, played), indent=2))


if __name__ == "__main__":
    with command_line():
        main()
