import { UserError } from "./errors.js";
import { fixed, roundHalfEven } from "./python_numbers.js";
import { HeaderError, readHeader } from "./wav_header.js";
import { decodeMono } from "./wav_samples.js";

const BLOCK_VALUES = 2 ** 20; // samples of all channels that are decoded at once

/** A WAV file that is read in slices, with the errors of spectrogram_gen/sound_file.py. */
export class WavFile {
  /**
   * @param {Blob} blob
   * @param {string} name
   * @param {import("./wav_header.js").WavHeader} header
   * @param {number} maxSamples
   */
  constructor(blob, name, header, maxSamples) {
    this._blob = blob;
    this.name = name;
    this._header = header;
    this._maxSamples = maxSamples;
  }

  /**
   * @param {Blob} blob
   * @param {string} name as errors name it
   * @param {import("./constants.js").Constants} constants
   * @throws {UserError} no WAV, damaged, cut short or empty
   */
  static async open(blob, name, { sound_file: limits }) {
    if (blob.size === 0) throw new UserError(`${name}: an empty file; record or copy it again`);
    const header = await headerOf(blob, name, limits.unknown_length);
    requireCredible(header, name, limits);
    if (header.cutShort) {
      throw new UserError(`${name}: cut short (its header promises more sound than it holds); copy or record it again`);
    }
    const file = new WavFile(blob, name, header, limits.max_samples);
    if (file.frames === 0) throw new UserError(`${name}: holds no samples; record it again`);
    return file;
  }

  get rateHz() {
    return this._header.rateHz;
  }

  /** Samples of each channel. */
  get frames() {
    return Math.floor(this._header.size / this._frameBytes);
  }

  get durationS() {
    return this.frames / this.rateHz;
  }

  get _frameBytes() {
    return (this._header.bits / 8) * this._header.channels;
  }

  /**
   * Mono samples, full scale 1, block by block.
   *
   * @param {number} blockS
   * @throws {UserError} samples that are not numbers
   */
  async *blocks(blockS) {
    const most = Math.max(1, Math.floor(BLOCK_VALUES / this._header.channels));
    const size = Math.min(most, Math.max(1, roundHalfEven(blockS * this.rateHz)));
    for (let frame = 0; frame < this.frames; frame += size) {
      yield await this._read(frame, Math.min(frame + size, this.frames));
    }
  }

  /**
   * The whole recording, mono.
   *
   * @throws {UserError} too long, or samples that are not numbers
   */
  async readAll() {
    if (this.frames > this._maxSamples) {
      const hours = fixed(this._maxSamples / this.rateHz / 3600, 1);
      throw new UserError(`${this.name}: longer than ${hours} hours; cut it into parts`);
    }
    const whole = new Float32Array(this.frames);
    let at = 0;
    for await (const block of this.blocks(Infinity)) {
      whole.set(block, at);
      at += block.length;
    }
    return whole;
  }

  /**
   * @param {number} from frame
   * @param {number} to frame
   */
  async _read(from, to) {
    const start = this._header.start;
    const slice = this._blob.slice(start + from * this._frameBytes, start + to * this._frameBytes);
    const mono = decodeMono(await slice.arrayBuffer(), this._header);
    if (!mono.every(Number.isFinite)) {
      throw new UserError(`${this.name}: holds samples that are not numbers (NaN or infinite); export it again`);
    }
    return mono;
  }
}

/**
 * @param {Blob} blob
 * @param {string} name
 * @param {number} unknownLength
 */
async function headerOf(blob, name, unknownLength) {
  try {
    return await readHeader(blob, unknownLength);
  } catch (error) {
    if (!(error instanceof HeaderError)) throw error;
    throw new UserError(`${name}: not a WAV file that the page can read (${error.message}); convert it to 16-bit WAV`);
  }
}

/**
 * @param {import("./wav_header.js").WavHeader} header
 * @param {string} name
 * @param {import("./constants.js").SoundFileConstants} limits
 */
function requireCredible({ rateHz, channels }, name, limits) {
  const { min_rate_hz: minHz, max_rate_hz: maxHz, max_channels: most } = limits;
  if (minHz <= rateHz && rateHz <= maxHz && 1 <= channels && channels <= most) return;
  throw new UserError(
    `${name}: header with ${rateHz} Hz and ${channels} channels, expected ${minHz} to ${maxHz} Hz and up to ${most} ` +
      `channels: damaged; copy or export it again`,
  );
}
