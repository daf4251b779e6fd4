/**
 * The bytes of a WAV file as mono samples.
 *
 * @typedef {(view: DataView, at: number) => number} Decoder one sample, full scale 1
 */

/** @type {Record<string, Decoder>} */
const DECODERS = {
  8: (view, at) => (view.getUint8(at) - 128) / 2 ** 7,
  16: (view, at) => view.getInt16(at, true) / 2 ** 15,
  24: (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23,
  32: (view, at) => view.getInt32(at, true) / 2 ** 31,
  float32: (view, at) => view.getFloat32(at, true),
  float64: (view, at) => view.getFloat64(at, true),
};

/**
 * Mono samples: channels are averaged, in the precision and the order of NumPy's mean.
 *
 * @param {ArrayBuffer} bytes whole frames
 * @param {import("./wav_header.js").WavHeader} header
 */
export function decodeMono(bytes, { channels, bits, float }) {
  const [view, decode, width] = [new DataView(bytes), DECODERS[`${float ? "float" : ""}${bits}`], bits / 8];
  const mono = new Float32Array(bytes.byteLength / (width * channels));
  for (let frame = 0, at = 0; frame < mono.length; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, at += width)
      sum = Math.fround(sum + Math.fround(decode(view, at)));
    mono[frame] = sum / channels;
  }
  return mono;
}
