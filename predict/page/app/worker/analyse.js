import { activeRange, meanSquare } from "../../core/audio.js";
import { prefixErrors } from "../../core/errors.js";
import { Model } from "../../core/model.js";
import { timeline } from "../../core/timeline.js";
import { WavFile } from "../../core/wav_file.js";
import { Cancelled } from "../cancelled.js";
import { MAX_CLIP_S } from "../limits.js";
import { DecodedSound } from "./decoded_sound.js";
import { Overview } from "./overview.js";
import { nextTask } from "./tasks.js";

/**
 * @typedef {import("../../core/segments.js").Segment} Segment
 * @typedef {{blob: Blob}} WavSource which is read in slices
 * @typedef {{samples: Float32Array<ArrayBuffer>, rateHz: number}} DecodedSource
 * @typedef {WavSource | DecodedSource} Source
 * @typedef {import("./overview.js").OverviewResult} OverviewResult
 * @typedef {WavFile | DecodedSound} Sound
 * @typedef {{source: Source, name: string, minConfidence: number}} AnalysePayload
 *
 * @typedef {object} ClipResult
 * @property {"clip"} kind
 * @property {string} name
 * @property {number} durationS
 * @property {number} classifiedS
 * @property {boolean} speech
 * @property {string} label
 * @property {[string, number][]} ranked labels with their probabilities, best first
 * @property {import("../../core/render.js").Grey} image
 * @property {[number, number]} rangeS what was classified, without the silence at both ends
 * @property {number} levelDbfs of this part
 * @property {OverviewResult} overview
 *
 * @typedef {object} TimelineResult
 * @property {"timeline"} kind
 * @property {string} name
 * @property {number} durationS
 * @property {Segment[]} segments
 * @property {OverviewResult} overview
 */

/**
 * The prediction for a recording, or, where it is longer than the model's window, its segments.
 *
 * @param {import("./main.js").Loaded} loaded
 * @param {AnalysePayload} payload
 * @param {import("./main.js").Call} call
 * @returns {Promise<ClipResult | TimelineResult>}
 * @throws {import("../../core/errors.js").UserError | Cancelled}
 */
export async function analyse({ constants, inference }, { source, name, minConfidence }, call) {
  const model = new Model(constants, inference, { minConfidence });
  const sound = await openSound(source, name, constants);
  if (sound.durationS > MAX_CLIP_S) return toTimeline(sound, model, call);
  const samples = await sound.readAll();
  const prediction = await prefixErrors(name, () => model.classify(samples, sound.rateHz));
  return prediction.cropped ? toTimeline(sound, model, call) : toClip(sound, samples, prediction, model);
}

/**
 * @param {Source} source
 * @param {string} name
 * @param {import("./main.js").Constants} constants
 * @returns {Promise<Sound>}
 */
async function openSound(source, name, constants) {
  if ("blob" in source) return WavFile.open(source.blob, name, constants);
  return new DecodedSound(source.samples, source.rateHz, name);
}

/**
 * @param {Sound} sound
 * @param {Float32Array} samples
 * @param {import("../../core/prediction.js").Prediction} prediction
 * @param {Model} model
 * @returns {ClipResult}
 */
function toClip({ name, rateHz, durationS }, samples, prediction, model) {
  const [start, end] = activeRange(samples, rateHz, model.constants);
  const overview = new Overview(samples.length);
  overview.add(samples);
  return {
    kind: "clip",
    name,
    durationS,
    classifiedS: prediction.classifiedS ?? durationS,
    speech: prediction.speech,
    label: prediction.label,
    ranked: prediction.ranked(),
    image: model.image(samples, rateHz),
    rangeS: [start / rateHz, end / rateHz],
    levelDbfs: 10 * Math.log10(meanSquare(samples.subarray(start, end))),
    overview: overview.result(),
  };
}

/**
 * @param {Sound} sound
 * @param {Model} model
 * @param {import("./main.js").Call} call
 * @returns {Promise<TimelineResult>}
 */
async function toTimeline(sound, model, { report, signal }) {
  const overview = new Overview(Math.round(sound.durationS * sound.rateHz));
  const progress = (/** @type {number} */ doneS) => report({ fraction: doneS / sound.durationS });
  const blocks = observed(sound.blocks(model.constants.streams.block_s), overview, signal);
  const found = await timeline(sound.rateHz, blocks, model, { progress });
  return { kind: "timeline", name: sound.name, ...found, overview: overview.result() };
}

/**
 * The blocks, until the analysis is cancelled.
 *
 * @param {AsyncIterable<Float32Array>} blocks
 * @param {Overview} overview
 * @param {AbortSignal} signal
 */
async function* observed(blocks, overview, signal) {
  for await (const block of blocks) {
    await nextTask();
    if (signal.aborted) throw new Cancelled();
    overview.add(block);
    yield block;
  }
}
