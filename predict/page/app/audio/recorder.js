import { meanSquare } from "../../core/audio.js";
import { MAX_RECORDED_S } from "../limits.js";
import { TEXTS } from "../texts.js";
import { Microphone } from "./microphone.js";
import { toWavFile } from "./wav_writer.js";

/** @typedef {{seconds: number, levelDbfs: number}} RecorderState */

/** A recording from the microphone. */
export class Recorder {
  /**
   * @param {Microphone} microphone
   * @param {(state: RecorderState) => void} report
   * @param {() => void} end called where the recording is as long as it may be, or the microphone is unplugged
   */
  constructor(microphone, report, end) {
    this._microphone = microphone;
    this._report = report;
    this._end = end;
    this._samples = 0;
    /** @type {Float32Array[]} */
    this._blocks = [];
    const { port1, port2 } = new MessageChannel();
    this._port = port1;
    port1.onmessage = ({ data }) => this._add(data);
    microphone.sendTo(port2);
    microphone.onUnplugged(end);
  }

  get seconds() {
    return this._samples / this._microphone.rateHz;
  }

  get description() {
    return this._microphone.description;
  }

  /** The recording as a WAV file; the microphone is closed. */
  async stop() {
    this._port.close();
    const { rateHz } = this._microphone;
    await this._microphone.close();
    return toWavFile(this._blocks, rateHz, TEXTS.recordingName);
  }

  /** @param {Float32Array} block */
  _add(block) {
    this._blocks.push(block);
    this._samples += block.length;
    this._report({ seconds: this.seconds, levelDbfs: 10 * Math.log10(Math.max(1e-9, meanSquare(block))) });
    if (this.seconds >= MAX_RECORDED_S) this._end();
  }
}
