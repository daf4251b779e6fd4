import assert from "node:assert/strict";
import { test } from "node:test";

import { AudioBuffer } from "../core/audio_buffer.js";

/** Ten samples a second, each its own index, in chunks of four. */
function filled() {
  const buffer = new AudioBuffer(10);
  for (let at = 0; at < 20; at += 4) buffer.add(Float32Array.of(at, at + 1, at + 2, at + 3));
  return buffer;
}

test("samples by their time", () => {
  const buffer = filled();
  assert.deepEqual([...buffer.between(0.3, 0.9)], [3, 4, 5, 6, 7, 8]);
  assert.deepEqual([...buffer.between(-1, 0.2)], [0, 1]);
  assert.deepEqual([...buffer.between(1.8, 5)], [18, 19]);
  assert.equal(buffer.between(3, 5).length, 0);
  assert.equal(buffer.endS, 2);
});

test("what is forgotten is gone, the rest keeps its time", () => {
  const buffer = filled();
  buffer.forget(-1);
  buffer.forget(0.6);
  assert.deepEqual([...buffer.between(0, 1)], [6, 7, 8, 9]);
  assert.equal(buffer.durationS, 1.4);
  buffer.forget(5);
  assert.equal(buffer.durationS, 0);
  buffer.add(Float32Array.of(20));
  assert.deepEqual([...buffer.between(2, 3)], [20]);
});
