const HEADER_BYTES = 44;
const IEEE_FLOAT = 3;

/**
 * Mono samples as a WAV file of 32-bit floats, so that a recording is classified as it was recorded.
 *
 * @param {Float32Array[]} blocks
 * @param {number} rateHz
 * @param {string} name
 */
export function toWavFile(blocks, rateHz, name) {
  const bytes = blocks.reduce((sum, block) => sum + block.byteLength, 0);
  const parts = /** @type {BlobPart[]} */ ([header(bytes, rateHz), ...blocks]); // little-endian, as browsers are
  return new File(parts, name, { type: "audio/wav" });
}

/**
 * @param {number} bytes of the samples
 * @param {number} rateHz
 */
function header(bytes, rateHz) {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (/** @type {number} */ at, /** @type {string} */ letters) =>
    [...letters].forEach((letter, k) => view.setUint8(at + k, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + bytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, IEEE_FLOAT, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, 4 * rateHz, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 32, true);
  text(36, "data");
  view.setUint32(40, bytes, true);
  return view.buffer;
}
