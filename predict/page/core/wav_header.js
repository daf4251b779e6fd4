/**
 * The header of a WAV file: RIFF, RF64 and BW64, PCM and float, WAVE_FORMAT_EXTENSIBLE.
 *
 * @typedef {object} WavHeader
 * @property {number} rateHz
 * @property {number} channels
 * @property {number} bits of a sample
 * @property {boolean} float
 * @property {number} start of the samples, in bytes
 * @property {number} size of the samples that are there, in bytes
 * @property {boolean} cutShort fewer than the header promises
 */

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const IN_DS64 = 0xffffffff; // of a size: RF64 has it in the chunk ds64

/** Why a file cannot be read as WAV. */
export class HeaderError extends Error {}

/**
 * @param {Blob} blob
 * @param {number} unknownLength a size from which on a header does not know the length
 * @returns {Promise<WavHeader>}
 * @throws {HeaderError}
 */
export async function readHeader(blob, unknownLength) {
  const head = await bytes(blob, 0, 12);
  if (!["RIFF", "RF64", "BW64"].includes(text(head, 0)) || text(head, 8) !== "WAVE") throw new HeaderError("no RIFF");
  const found = await findChunks(blob);
  if (!found.format) throw new HeaderError("no chunk fmt");
  if (!found.data) throw new HeaderError("no chunk data");
  const { start, size } = found.data;
  const there = blob.size - start;
  const cutShort = there < size && size < unknownLength;
  return { ...parseFormat(found.format), start, size: Math.min(size, there), cutShort };
}

/**
 * The chunk of the format, and where the samples are.
 *
 * @param {Blob} blob
 */
async function findChunks(blob) {
  let format, sizeInDs64;
  for (let at = 12; at + 8 <= blob.size;) {
    const head = await bytes(blob, at, 8);
    const [name, size] = [text(head, 0), head.getUint32(4, true)];
    if (name === "ds64") sizeInDs64 = Number((await bytes(blob, at + 16, 8)).getBigUint64(0, true));
    if (name === "fmt ") format = await bytes(blob, at + 8, Math.min(size, 40));
    if (name === "data")
      return { format, data: { start: at + 8, size: size === IN_DS64 ? (sizeInDs64 ?? size) : size } };
    at += 8 + size + (size % 2);
  }
  return { format };
}

/** @param {DataView} chunk */
function parseFormat(chunk) {
  if (chunk.byteLength < 16) throw new HeaderError("a short chunk fmt");
  const tag = chunk.getUint16(0, true);
  const kind = tag === EXTENSIBLE && chunk.byteLength >= 26 ? chunk.getUint16(24, true) : tag;
  const bits = chunk.getUint16(14, true);
  const known = { [PCM]: [8, 16, 24, 32], [FLOAT]: [32, 64] }[kind] ?? [];
  if (!known.includes(bits)) throw new HeaderError(`format ${kind} of ${bits} bits, expected PCM or float`);
  return { rateHz: chunk.getUint32(4, true), channels: chunk.getUint16(2, true), bits, float: kind === FLOAT };
}

/**
 * @param {Blob} blob
 * @param {number} start
 * @param {number} size
 */
async function bytes(blob, start, size) {
  const view = new DataView(await blob.slice(start, start + size).arrayBuffer());
  if (view.byteLength < size) throw new HeaderError("it ends within its header");
  return view;
}

/**
 * @param {DataView} view
 * @param {number} at
 */
function text(view, at) {
  return String.fromCharCode(...new Uint8Array(view.buffer, at, 4));
}
