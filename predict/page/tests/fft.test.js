import assert from "node:assert/strict";
import { test } from "node:test";

import { newFft } from "../core/fft.js";
import { noise } from "./sounds.js";

/** The transform by its definition. */
function slowTransform(re, im) {
  const size = re.length;
  return re.map((_, k) => {
    let [sumRe, sumIm] = [0, 0];
    for (let n = 0; n < size; n++) {
      const angle = (-2 * Math.PI * ((k * n) % size)) / size;
      sumRe += re[n] * Math.cos(angle) - im[n] * Math.sin(angle);
      sumIm += re[n] * Math.sin(angle) + im[n] * Math.cos(angle);
    }
    return [sumRe, sumIm];
  });
}

for (const size of [1, 2, 3, 7, 16, 100, 400, 512, 441]) {
  test(`a transform of size ${size}`, () => {
    const [re, im] = [Float64Array.from(noise(size, 1)), Float64Array.from(noise(size, 2))];
    const expected = slowTransform([...re], [...im]);
    newFft(size).transform(re, im);
    const worst = Math.max(...expected.map(([a, b], k) => Math.hypot(re[k] - a, im[k] - b)));
    assert.ok(worst < 1e-10, `differs by ${worst}`);
  });
}

test("a transform can be used again", () => {
  const fft = newFft(100);
  const runs = [0, 1].map(() => {
    const [re, im] = [Float64Array.from(noise(100, 3)), new Float64Array(100)];
    fft.transform(re, im);
    return re;
  });
  assert.deepEqual(runs[0], runs[1]);
});
