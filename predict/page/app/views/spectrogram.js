import { decimal } from "../format.js";
import { TEXTS } from "../texts.js";
import { SPECTROGRAM_COLOURS } from "./colours.js";
import { element } from "./dom.js";

const TICKS_HZ = [125, 250, 500, 1000, 2000, 4000, 8000];
const TICK_S = 0.5;

/**
 * The image of a clip, with its time in the recording and frequencies.
 *
 * @param {import("../worker/analyse.js").ClipResult} clip
 * @param {import("../../core/constants.js").Constants} constants
 */
export function spectrogram({ image, rangeS }, constants) {
  const { duration_s: durationS } = constants.spec;
  const startS = (rangeS[0] + rangeS[1] - durationS) / 2;
  const bandsHz = bandCentres(constants);
  const text = TEXTS.imageText(decimal(durationS), Math.round(bandsHz[bandsHz.length - 1]).toString());
  const canvas = element("canvas", { role: "img", "aria-label": text });
  draw(canvas, image, constants.spec);
  return element(
    "div",
    { class: "spectrogram" },
    element("div", { class: "hz-axis", "aria-hidden": "true" }, ...frequencyTicks(bandsHz)),
    canvas,
    element("div", { class: "time-axis", "aria-hidden": "true" }, ...timeTicks(startS, durationS)),
  );
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("../../core/render.js").Grey} image
 * @param {import("../../core/constants.js").Spec} spec
 */
function draw(canvas, image, { n_frames: width, n_rows: height, white }) {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  image.forEach((grey, at) => {
    const colour = 4 * Math.round((255 * grey) / white);
    pixels.data.set(SPECTROGRAM_COLOURS.subarray(colour, colour + 4), 4 * at);
  });
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(pixels, 0, 0);
}

/**
 * The centre of each band in Hz, by the weights of its filter.
 *
 * @param {import("../../core/constants.js").Constants} constants
 */
export function bandCentres({ mel, spec }) {
  return mel.starts.map((start, band) => {
    const end = mel.starts[band + 1] ?? mel.bins.length;
    const weights = mel.weights.slice(start, end);
    const sum = weights.reduce((a, b) => a + b, 0);
    const bin = weights.reduce((total, weight, k) => total + weight * mel.bins[start + k], 0) / sum;
    return (bin * spec.sample_rate_hz) / spec.n_fft;
  });
}

/** @param {number[]} bandsHz */
function frequencyTicks(bandsHz) {
  const known = TICKS_HZ.filter((hz) => bandsHz[0] <= hz && hz <= bandsHz[bandsHz.length - 1]);
  return known.map((hz) => {
    const band = bandsHz.findIndex((centre) => centre >= hz);
    const tick = element("span", {}, hz >= 1000 ? `${hz / 1000} kHz` : `${hz} Hz`);
    tick.style.bottom = `${(100 * (band + 0.5)) / bandsHz.length}%`;
    return tick;
  });
}

/**
 * @param {number} startS
 * @param {number} durationS
 */
function timeTicks(startS, durationS) {
  const first = Math.max(0, Math.ceil(startS / TICK_S));
  const count = Math.floor((startS + durationS) / TICK_S) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, k) => {
    const tick = element("span", {}, `${decimal((first + k) * TICK_S)} s`);
    tick.style.left = `${(100 * ((first + k) * TICK_S - startS)) / durationS}%`;
    return tick;
  });
}
