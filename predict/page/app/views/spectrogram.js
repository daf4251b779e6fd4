import { decimal } from "../format.js";
import { TEXTS } from "../texts.js";
import { SPECTROGRAM_COLOURS } from "./colours.js";
import { element } from "./dom.js";
import { timeAxis } from "./time_axis.js";

const TICKS_HZ = [125, 250, 500, 1000, 2000, 4000, 8000];
const MIN_GAP = 0.08; // between two ticks, of the height

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
    timeAxis(startS, startS + durationS),
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
  const ticks = [];
  let free = 0;
  for (const hz of TICKS_HZ) {
    const place = (bandsHz.findIndex((centre) => centre >= hz) + 0.5) / bandsHz.length;
    if (place < Math.max(free, MIN_GAP / 2)) continue;
    ticks.push(element("span", {}, hz >= 1000 ? `${hz / 1000} kHz` : `${hz} Hz`));
    ticks[ticks.length - 1].style.bottom = `${100 * place}%`;
    free = place + MIN_GAP;
  }
  return ticks;
}
