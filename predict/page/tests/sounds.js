/** Synthetic sound for tests. */

/** White noise from -0.5 to 0.5, the same for a seed: a linear congruential generator. */
export function noise(size, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

export function sine(size, frequencyHz, rateHz, amplitude = 1) {
  return Float32Array.from({ length: size }, (_, k) => amplitude * Math.sin((2 * Math.PI * frequencyHz * k) / rateHz));
}

/** A WAV file of frames (each a list of integers), with this many bits; `data` is the whole chunk's content. */
export function wav(
  data,
  {
    channels = 1,
    rateHz = 16000,
    bits = 16,
    format = 1,
    size,
    chunks = [],
    extensible = false,
    id = "RIFF",
    ds64,
  } = {},
) {
  const block = (channels * bits) / 8;
  const fields = [
    [2, extensible ? 0xfffe : format],
    [2, channels],
    [4, rateHz],
    [4, rateHz * block],
    [2, block],
    [2, bits],
  ];
  if (extensible)
    fields.push([2, 22], [2, bits], [4, 0], [2, format], [2, 0], [4, 0x00100000], [4, 0xaa000080], [4, 0x719b3800]);
  const extra =
    ds64 === undefined
      ? []
      : [
          chunk(
            "ds64",
            littleEndian([
              [4, 0],
              [4, 0],
              [4, ds64],
              [4, 0],
              [4, 0],
              [4, 0],
              [4, 0],
            ]),
          ),
        ];
  const parts = [
    ...extra,
    chunk("fmt ", littleEndian(fields)),
    ...chunks.map(([name, content]) => chunk(name, content)),
  ];
  return new Blob([
    id,
    littleEndian([[4, 0]]),
    "WAVE",
    ...parts,
    "data",
    littleEndian([[4, size ?? data.byteLength]]),
    data,
  ]);
}

function chunk(name, content) {
  return new Blob([name, littleEndian([[4, content.byteLength]]), content, new Uint8Array(content.byteLength % 2)]);
}

function littleEndian(fields) {
  return Uint8Array.from(
    fields.flatMap(([width, value]) => Array.from({ length: width }, (_, k) => (value >>> (8 * k)) & 255)),
  );
}
