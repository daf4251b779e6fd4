import assert from "node:assert/strict";
import { test } from "node:test";

import { LabelSmoother, applyHysteresis } from "../core/smoothing.js";

const KERNEL = [0.25, 0.5, 0.25];
const of = (...values) => Float32Array.from(values);

test("a label changes where another is more probable by the margin", () => {
  assert.equal(applyHysteresis(of(0.4, 0.6), 0.1, null), 1);
  assert.equal(applyHysteresis(of(0.46, 0.54), 0.1, 0), 0);
  assert.equal(applyHysteresis(of(0.4, 0.6), 0.1, 0), 1);
});

test("the kernel reaches one window back and one ahead", () => {
  const smoother = new LabelSmoother(0.1, KERNEL);
  assert.deepEqual(smoother.feed(of(1, 0)), []);
  const [first] = smoother.feed(of(0, 1));
  assert.deepEqual([first.label, ...first.probabilities], [0, 0.75, 0.25]);
  const [last] = smoother.finish();
  assert.deepEqual([last.label, ...last.probabilities], [1, 0.25, 0.75]);
});

test("a preview changes nothing", () => {
  const smoother = new LabelSmoother(0.1, KERNEL);
  smoother.feed(of(1, 0));
  assert.equal(smoother.preview(of(0, 1)).label, 1);
  assert.equal(smoother.finish()[0].label, 0);
});
