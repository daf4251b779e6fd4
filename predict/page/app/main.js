/** The page: views, what they act on, and the worker. */

import { Analysis } from "./analysis.js";
import { Live } from "./live.js";
import { cacheForOfflineUse } from "./offline.js";
import { Recordings, messageOf } from "./recordings.js";
import { TEXTS } from "./texts.js";
import { AboutView } from "./views/about_view.js";
import { LiveView } from "./views/live_view.js";
import { PageView } from "./views/page_view.js";
import { RecordingView } from "./views/recording_view.js";

const ABOUT = "model/about.json";

const analysis = new Analysis(new Worker(new URL("./worker/main.js", import.meta.url), { type: "module" }));
const aboutView = new AboutView();
const recordingView = new RecordingView({
  open: (file) => recordings.open(file),
  record: () => recordings.record(),
  stop: () => recordings.stop(),
  cancel: () => recordings.cancel(),
  again: () => recordings.again(),
});
const page = new PageView(recordingView.element, aboutView.element);
/** @type {Promise<import("../core/constants.js").Constants>} */
const loaded = analysis.call("load", {}, { onEvent: ({ megabytes }) => page.showLoading(megabytes) });
const recordings = new Recordings(analysis, loaded, recordingView);

try {
  await Promise.all([showAbout(), startLive()]);
  await cacheForOfflineUse(() => page.showUpdate());
} catch (error) {
  page.showError(messageOf(error));
}

async function startLive() {
  const constants = await loaded;
  const view = new LiveView({ start: () => live.start(), stop: () => live.stop() }, constants);
  const live = new Live(analysis, view);
  page.showReady(constants, view.element);
}

async function showAbout() {
  const response = await fetch(ABOUT);
  if (response.ok) aboutView.show(await response.json());
  else aboutView.showError(TEXTS.notFetched(ABOUT, `status ${response.status}`));
}
