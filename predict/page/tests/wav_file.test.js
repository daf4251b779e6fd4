import assert from "node:assert/strict";
import { test } from "node:test";

import { UserError } from "../core/errors.js";
import { WavFile } from "../core/wav_file.js";
import { CONSTANTS } from "./constants.js";
import { noise, wav } from "./sounds.js";

const open = (blob) => WavFile.open(blob, "a.wav", CONSTANTS);
const read = async (blob) => [...(await (await open(blob)).readAll())];
const fails = (blob, message) =>
  assert.rejects(
    () => read(blob),
    (error) => error instanceof UserError && message.test(error.message) && error.message.startsWith("a.wav: "),
  );

const CONTENTS = {
  8: Uint8Array.of(0, 128, 192, 255),
  16: Int16Array.of(-32768, 0, 16384, 32767),
  24: Uint8Array.of(0, 0, 128, 0, 0, 0, 0, 0, 64, 255, 255, 127),
  32: Int32Array.of(-(2 ** 31), 0, 2 ** 30, 2 ** 31 - 1),
};

for (const [bits, content] of Object.entries(CONTENTS)) {
  test(`PCM of ${bits} bits`, async () => {
    const last = Math.fround(1 - 2 ** (1 - Number(bits)));
    assert.deepEqual(await read(wav(content, { bits: Number(bits) })), [-1, 0, 0.5, last]);
    assert.deepEqual(await read(wav(content, { bits: Number(bits), extensible: true })), [-1, 0, 0.5, last]);
  });
}

for (const [bits, kind] of [
  [32, Float32Array],
  [64, Float64Array],
]) {
  test(`float of ${bits} bits`, async () => {
    assert.deepEqual(await read(wav(kind.of(-1, 0, 0.5, 1.5), { bits, format: 3 })), [-1, 0, 0.5, 1.5]);
  });
}

test("channels are averaged", async () => {
  assert.deepEqual(
    await read(wav(Float32Array.of(1, 0, -0.5, 0.25), { bits: 32, format: 3, channels: 2 })),
    [0.5, -0.125],
  );
});

test("chunks before the samples are skipped, also of an odd size", async () => {
  const chunks = [
    ["LIST", Uint8Array.of(1, 2, 3)],
    ["bext", new Uint8Array(8)],
  ];
  assert.deepEqual(await read(wav(CONTENTS[16], { chunks })), await read(wav(CONTENTS[16])));
});

test("a writer to a pipe does not know the length", async () => {
  for (const size of [0x7fffffff, 0xffffffff]) assert.equal((await read(wav(CONTENTS[16], { size }))).length, 4);
});

test("RF64 has the size in another chunk", async () => {
  const data = Int16Array.of(1, 2, 3, 4); // the last two are another chunk's
  assert.equal((await read(wav(data, { id: "RF64", size: 0xffffffff, ds64: 4 }))).length, 2);
});

test("half a frame at the end is left out", async () => {
  assert.equal((await read(wav(Uint8Array.of(1, 2, 3)))).length, 1);
});

test("blocks are the recording", async () => {
  const file = await open(wav(noise(20000), { bits: 32, format: 3 }));
  const blocks = [];
  for await (const block of file.blocks(0.5)) blocks.push(block);
  assert.deepEqual(
    blocks.map((block) => block.length),
    [8000, 8000, 4000],
  );
  assert.deepEqual(
    blocks.flatMap((block) => [...block]),
    [...noise(20000)],
  );
  assert.equal(file.durationS, 1.25);
});

test("what is wrong with a file", async () => {
  await fails(new Blob([]), /an empty file; record or copy it again/);
  await fails(new Blob(["no sound, but text"]), /not a WAV file that the page can read \(no RIFF\); convert it/);
  await fails(wav(CONTENTS[16]).slice(0, 20), /its header/);
  await fails(wav(CONTENTS[16]).slice(0, 36), /no chunk data/);
  await fails(wav(CONTENTS[16], { format: 17 }), /format 17 of 16 bits, expected PCM or float/);
  await fails(wav(CONTENTS[16], { rateHz: 100 }), /header with 100 Hz and 1 channels, expected 4000 to 768000 Hz/);
  await fails(wav(CONTENTS[16], { channels: 0 }), /16000 Hz and 0 channels/);
  await fails(wav(new Int16Array(0)), /holds no samples; record it again/);
  await fails(wav(CONTENTS[16], { size: 1000 }), /cut short \(its header promises more sound than it holds\)/);
  await fails(
    wav(Float32Array.of(0, NaN), { bits: 32, format: 3 }),
    /not numbers \(NaN or infinite\); export it again/,
  );
});
