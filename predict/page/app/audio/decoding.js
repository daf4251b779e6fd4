import { UserError } from "../../core/errors.js";
import { decimal } from "../format.js";
import { MAX_DECODED_S, MIN_BYTES_PER_S } from "../limits.js";
import { TEXTS } from "../texts.js";

/** @typedef {import("../worker/analyse.js").Source} Source */

/**
 * The sound of a file: WAV as it is, other formats decoded to mono samples.
 *
 * @param {File} file
 * @param {number} rateHz of decoded samples
 * @returns {Promise<Source>}
 * @throws {UserError} too long, or in a format that the browser does not know
 */
export async function openSource(file, rateHz) {
  if (file.size === 0 || (await isWav(file))) return { blob: file };
  await requireShort(file);
  const context = new OfflineAudioContext(1, 1, rateHz);
  try {
    return { samples: toMono(await context.decodeAudioData(await file.arrayBuffer())), rateHz };
  } catch (error) {
    if (error instanceof DOMException) throw new UserError(TEXTS.undecodable(file.name));
    throw error;
  }
}

/** @param {Blob} blob */
async function isWav(blob) {
  const head = await blob.slice(0, 12).text();
  return ["RIFF", "RF64", "BW64"].includes(head.slice(0, 4)) && head.slice(8) === "WAVE";
}

/** @param {File} file */
async function requireShort(file) {
  const durationS = await estimateDurationS(file);
  if (durationS <= MAX_DECODED_S) return;
  throw new UserError(TEXTS.tooLong(file.name, decimal(durationS / 60), MAX_DECODED_S / 60));
}

/**
 * The length by the file's own header, or, where it has none, by the number of bytes.
 *
 * @param {File} file
 * @returns {Promise<number>}
 */
async function estimateDurationS(file) {
  const url = URL.createObjectURL(file);
  try {
    const known = await durationOf(url);
    return Number.isFinite(known) ? known : file.size / MIN_BYTES_PER_S;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * @param {string} url
 * @returns {Promise<number>} NaN where the browser cannot read it
 */
function durationOf(url) {
  return new Promise((resolve) => {
    const audio = new Audio();
    audio.preload = "metadata";
    audio.addEventListener("loadedmetadata", () => resolve(audio.duration));
    audio.addEventListener("error", () => resolve(NaN));
    audio.src = url;
  });
}

/** @param {AudioBuffer} buffer */
function toMono(buffer) {
  const mono = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const samples = buffer.getChannelData(channel);
    for (let k = 0; k < mono.length; k++) mono[k] += samples[k];
  }
  if (buffer.numberOfChannels > 1) for (let k = 0; k < mono.length; k++) mono[k] /= buffer.numberOfChannels;
  return mono;
}
