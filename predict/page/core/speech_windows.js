import { activeRange } from "./audio.js";
import { AudioBuffer } from "./audio_buffer.js";
import { Chunker } from "./chunks.js";
import { UserError } from "./errors.js";
import { SpeechSegmenter } from "./speech_segments.js";
import { SpeechDetector } from "./voice_activity.js";
import { WindowPlan } from "./windows.js";

/**
 * @typedef {import("./windows.js").Window} Window
 * @typedef {import("./speech_segments.js").SpeechSegment} SpeechSegment
 *
 * @typedef {{window: Window, probabilities: Float32Array}} ClassifiedWindow where speech begins or ends, fitted to it
 * @typedef {{windows: ClassifiedWindow[], ended: boolean}} SpeechPart new windows of one speech segment
 */

/** A stream of sound to classified windows over its speech, as predict/streaming/speech_windows.py. */
export class SpeechWindows {
  /**
   * @param {import("./model.js").Model} model
   * @param {number} rateHz
   * @param {number} windowS
   * @param {number} hopS
   */
  constructor(model, rateHz, windowS, hopS) {
    this._model = model;
    this._rateHz = rateHz;
    this._keptS = model.constants.streams.kept_s;
    this._chunks = new Chunker(rateHz, model.constants);
    this._audio = new AudioBuffer(rateHz);
    this._detector = new SpeechDetector(model.inference, rateHz, model.constants);
    this._segmenter = new SpeechSegmenter(model.constants);
    this._plan = new WindowPlan(windowS, hopS, model.constants);
  }

  /** Length of the sound that was processed. */
  get endS() {
    return this._audio.endS;
  }

  /** Length of the sound that is kept for coming windows. */
  get bufferedS() {
    return this._audio.durationS;
  }

  /**
   * The windows that are complete within these samples.
   *
   * @param {Float32Array} samples
   */
  async feed(samples) {
    const parts = [];
    for (const chunk of this._chunks.feed(samples)) parts.push(...(await this._process(chunk)));
    return parts;
  }

  /** The remaining windows: the stream has ended. */
  async finish() {
    const parts = await this._process(this._chunks.remainder(), true);
    for (const speech of this._segmenter.finish()) parts.push(await this._classify(speech));
    return parts;
  }

  /**
   * The window that ends at `nowS`; null where nobody speaks.
   *
   * @param {number} nowS
   */
  async current(nowS) {
    const speech = this._segmenter.current;
    if (speech === null || !this._segmenter.isSpeech(speech)) return null;
    return this._classified(this._plan.latest(speech, nowS));
  }

  /**
   * @param {Float32Array} chunk
   * @param {boolean} last
   */
  async _process(chunk, last = false) {
    const parts = [];
    this._audio.add(chunk);
    for (const speech of this._segmenter.feed(await this._detector.detect(chunk, last))) {
      parts.push(await this._classify(speech));
    }
    const speaking = this._segmenter.current;
    if (speaking) parts.push(await this._classify(speaking));
    this._audio.forget(this._plan.neededFromS(speaking, this.endS) - this._keptS);
    return parts;
  }

  /**
   * @param {SpeechSegment} speech
   * @returns {Promise<SpeechPart>}
   */
  async _classify(speech) {
    const windows = [];
    for (const window of this._plan.feed(speech)) {
      const classified = await this._classified(window);
      if (classified) windows.push(classified);
    }
    return { windows, ended: !speech.open };
  }

  /**
   * A window and its probabilities; null where its sound is silence, a click, or no speech after all.
   *
   * @param {Window} window
   * @returns {Promise<ClassifiedWindow | null>}
   */
  async _classified(window) {
    const fromS = Math.max(0, window.startS - window.beforeS);
    const samples = this._audio.between(fromS, window.endS + window.afterS);
    const found = this._imageOf(samples);
    if (found === null || !(await this._model.hasSpeech(samples, this._rateHz))) return null;
    const startS = window.beforeS ? fromS + found.start / this._rateHz : window.startS;
    const endS = window.afterS ? fromS + found.end / this._rateHz : window.endS;
    return { window: { ...window, startS, endS }, probabilities: await this._model.probabilities(found.image) };
  }

  /** @param {Float32Array} samples */
  _imageOf(samples) {
    try {
      const [start, end] = activeRange(samples, this._rateHz, this._model.constants);
      return { start, end, image: this._model.image(samples, this._rateHz) };
    } catch (error) {
      if (error instanceof UserError) return null;
      throw error;
    }
  }
}
