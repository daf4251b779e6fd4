import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_LAG_S } from "../app/limits.js";
import { LiveSession } from "../app/worker/live.js";
import { Model } from "../core/model.js";
import { CONSTANTS } from "./constants.js";
import { sine } from "./sounds.js";

const RATE_HZ = 16000;

/** Everything is speech, and `dark`. */
class SlowInference {
  constructor(delayMs) {
    this._delayMs = delayMs;
  }

  async run(name, feeds) {
    if (name === "vad") return { output: Float32Array.of(0.9), stateN: feeds.state.data };
    await new Promise((resolve) => setTimeout(resolve, this._delayMs));
    return { probabilities: Float32Array.of(0.8, 0.2) };
  }
}

/** What a session reports of seconds of a tone that arrive at once, or, with `paced`, when the ones before are done. */
async function windowsOf(seconds, { delayMs = 0, paced = false } = {}) {
  const windows = [];
  const session = new LiveSession(new Model(CONSTANTS, new SlowInference(delayMs)), RATE_HZ, (one) => windows.push(one));
  for (let second = 0; second < seconds; second++) {
    session.add(sine(RATE_HZ, 1000, RATE_HZ, 0.3));
    if (paced) await session._running;
  }
  await session.finish();
  return { windows, session };
}

test("a device that keeps up drops nothing", async () => {
  const { windows, session } = await windowsOf(4, { paced: true });
  assert.deepEqual(
    windows.map(({ endS, label, dropped, lostS }) => [endS, label, dropped, lostS]).slice(0, 8),
    Array.from({ length: 8 }, (_, k) => [0.5 * (k + 1), "dark", 0, 0]),
  );
  assert.equal(session.durationS, 4);
  assert.deepEqual(windows.at(-1).segments.map(({ label }) => label), ["dark"]);
});

test("a slow device drops windows, not segments, and counts them", async () => {
  const { windows } = await windowsOf(6, { delayMs: 20 });
  const last = windows.at(-1);
  assert.ok(last.dropped >= 8, `${last.dropped} dropped`);
  assert.equal(windows.length - 1 + last.dropped, 12);
  const [{ startS, endS }] = windows.flatMap(({ segments }) => segments);
  assert.ok(startS < 0.1 && endS > 5.9, `${startS} to ${endS}`);
});

test("sound beyond what may wait is lost, and counted", async () => {
  const { windows, session } = await windowsOf(MAX_LAG_S + 5);
  assert.equal(windows.at(-1).lostS, 4); // one second is taken at once
  assert.equal(session.durationS, MAX_LAG_S + 1);
});
