import assert from "node:assert/strict";
import { test } from "node:test";

import { fixed, floatRepr, round, roundHalfEven } from "../core/python_numbers.js";

test("half is rounded to the even neighbour", () => {
  assert.deepEqual([0.5, 1.5, 2.5, 2.4, 2.6, -0.5, -1.5, -2.6].map(roundHalfEven), [0, 2, 2, 2, 3, 0, -2, -3]);
});

test("decimals are those of the exact binary value, ties even", () => {
  assert.equal(fixed(2.675, 2), "2.67"); // lies below
  assert.equal(fixed(0.03125, 4), "0.0312"); // a tie
  assert.equal(fixed(0.09375, 4), "0.0938");
  assert.equal(fixed(0.5, 0), "0");
  assert.equal(fixed(1.5, 0), "2");
  assert.equal(fixed(-0.03125, 4), "-0.0312");
  assert.equal(fixed(4, 6), "4.000000");
  assert.equal(round(0.00004999, 4), 0);
  assert.equal(round(3.141592653, 4), 3.1416);
});

test("floats have a point or an exponent, as in Python", () => {
  const expected = { "4.0": 4, "0.0": 0, "-0.0": -0, 0.1: 0.1, 0.0001: 0.0001, "1e-05": 0.00001, "1.5e-07": 1.5e-7 };
  for (const [text, value] of Object.entries(expected)) assert.equal(floatRepr(value), text);
  assert.equal(floatRepr(1234567890123456), "1234567890123456.0");
  assert.equal(floatRepr(1e16), "1e+16");
  assert.equal(floatRepr(1.25e100), "1.25e+100");
});
