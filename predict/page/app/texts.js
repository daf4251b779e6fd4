/** Every text of the page. */

const WORKS_WITH = "WAV of any length; MP3, Ogg, FLAC and M4A where this browser has the decoder.";

export const TEXTS = {
  title: "Speech emotion recognition",
  promise: "Runs in this browser. No sound leaves this device.",
  tabs: { recording: "Recording", live: "Live", about: "About" },
  tabList: "Views",

  loading: (/** @type {number} */ megabytes) => `Loading the model: ${megabytes.toFixed(1)} MB`,
  ready: (/** @type {string} */ id, /** @type {number} */ labels) => `Model ${id}, ${labels} labels`,
  notFetched: (/** @type {string} */ path, /** @type {string} */ why) =>
    `${path} cannot be loaded (${why}); check the network and that the site is complete, then reload`,
  notOfItsKind: (/** @type {string} */ path) =>
    `${path} is another file than expected, perhaps an error page of the host; check that the site is complete`,
  noRuntime: (/** @type {string} */ path) =>
    `${path} cannot be run; the host must send .mjs files as text/javascript, and the site must be complete`,
  updated: "The page was updated.",
  reload: "Reload",
  bug: (/** @type {string} */ message) => `Unexpected error: ${message}; reload the page`,

  drop: "Drop a recording here",
  kinds: WORKS_WITH,
  choose: "Choose a file",
  record: "Record",
  stop: "Stop",
  cancel: "Cancel",
  threshold: "Uncertain below",
  thresholdHelp: "A less probable label is shown as “uncertain”.",
  decoding: (/** @type {string} */ name) => `Decoding ${name}`,
  analysing: (/** @type {string} */ name) => `Analysing ${name}`,
  recording: "Recording",
  recordingName: "recording.wav",

  play: "Play",
  playSegment: (/** @type {string} */ label, /** @type {string} */ at) => `Play ${label} at ${at}`,
  save: "Save the recording",
  probabilities: "Probabilities",
  confidence: (/** @type {string} */ percent) => `${percent} probable`,
  noSpeech: "Nobody speaks in this recording, as far as the speech detector can tell; it has no probabilities.",
  uncertain: (/** @type {string} */ label, /** @type {string} */ percent) =>
    `Most probable is ${label}, ${percent}, below the threshold.`,
  classified: (/** @type {string} */ part, /** @type {string} */ whole) =>
    `${part} s of sound classified, of a recording of ${whole} s`,
  waveform: "Waveform",
  image: "What the network reads",
  imageText: (/** @type {string} */ seconds, /** @type {string} */ topHz) =>
    `Spectrogram of ${seconds} s of sound, up to ${topHz} Hz`,
  quiet: (/** @type {string} */ level) => `Quiet: ${level} dBFS. Noise may decide the label; move closer to the microphone.`,
  clipped: "Clipped: the sound is at full scale in places. Lower the input level and record again.",
  short: (/** @type {string} */ seconds) => `Short: ${seconds} s of sound. A label needs about a second to be reliable.`,

  segments: "Segments",
  segmentsFound: (/** @type {number} */ count, /** @type {string} */ duration) =>
    `${count} ${count === 1 ? "segment" : "segments"} in ${duration}`,
  noSegments: (/** @type {string} */ duration) => `No speech in ${duration}`,
  timelineHelp: "Arrow keys move between segments, Enter plays one.",
  columns: { play: "Play", start: "Start", end: "End", label: "Label", confidence: "Confidence" },
  downloads: "Download segments",
  formats: /** @type {Record<string, string>} */ ({
    csv: "CSV",
    json: "JSON",
    audacity: "Audacity labels",
    textgrid: "Praat TextGrid",
  }),

  undecodable: (/** @type {string} */ name) =>
    `${name}: this browser cannot decode it; convert it to 16-bit WAV, or run: ser-predict file "${name}"`,
  tooLong: (/** @type {string} */ name, /** @type {string} */ minutes, /** @type {number} */ most) =>
    `${name}: about ${minutes} minutes, of which decoded sound would not fit in memory (at most ${most} minutes; ` +
    `WAV has no limit); convert it to WAV, or run: ser-predict timeline "${name}"`,

  startLive: "Start listening",
  stopLive: "Stop",
  opening: "Opening the microphone",
  listening: "Listening",
  stopped: "Stopped",
  silent: "no speech",
  waiting: "waiting for speech",
  now: "Now",
  level: "Level",
  levelText: (/** @type {string} */ level) => `${level} dBFS`,
  spectrogram: "Spectrogram of the last seconds",
  windows: "Windows, two a second",
  atTime: (/** @type {string} */ label, /** @type {string} */ at) => `${label} at ${at}`,
  segmentClosed: (/** @type {string} */ label, /** @type {string} */ start, /** @type {string} */ end) =>
    `${label} from ${start} to ${end}`,
  latency: (/** @type {number} */ milliseconds) => `Last window: ${Math.round(milliseconds)} ms after its sound`,
  dropped: (/** @type {number} */ windows) =>
    `This device is too slow: ${windows} ${windows === 1 ? "window was" : "windows were"} dropped. ` +
    "Close other tabs and programs.",
  lost: (/** @type {string} */ seconds) => `${seconds} s of sound were lost.`,
  liveName: "live.wav",

  insecure: "Browsers give the microphone to secure pages only; open this page over https or at localhost",
  denied: "The microphone was refused; allow it for this page in the browser's settings and try again",
  absent: "No microphone was found; connect one and try again",
  busy: "The microphone cannot be read, perhaps because another program uses it; close that program and try again",
  noSound: "The browser processes no sound; connect a device for output, such as headphones, and try again",
  unplugged: "The microphone was disconnected; connect it and start again",
  device: (/** @type {string} */ name, /** @type {number} */ rateHz) => `${name || "Microphone"}, ${rateHz} Hz`,
  processing: {
    echoCancellation: "echo cancellation",
    noiseSuppression: "noise suppression",
    autoGainControl: "gain control",
  },
  processingOff: "Echo cancellation, noise suppression and gain control are off.",
  processingOn: (/** @type {string} */ names) =>
    `This browser did not switch off: ${names}. It changes the voice, and labels with it.`,
  processingUnknown: (/** @type {string} */ names) => `This browser does not say whether it applies: ${names}.`,

  aboutLimits: "What a label means, and what not",
  limits: [
    "A label is the class of acted or rated speech that this voice resembles most. It is not what a person feels: " +
      "inferring emotion from a voice is fallible, and differs between people, languages, cultures and microphones.",
    "Do not use it for decisions about people. In places, law restricts or forbids emotion recognition; the European " +
      "Union's AI Act, for example, forbids it at work and in education, with few exceptions.",
    "Everything is computed on this device. The page makes no request to another host and stores no sound.",
  ],
  figures: "Measured",
  metrics: /** @type {Record<string, string>} */ ({
    accuracy: "accuracy",
    uar: "unweighted average recall (UAR)",
    macro_f1: "macro F1",
    ece: "expected calibration error",
  }),
  metric: "metric",
  value: "value",
  confusion: "Confusion matrix",
  confusionHelp: "Rows are true labels, columns predicted ones, cells numbers of clips.",
  trueLabel: "true label",
  by: (/** @type {string} */ column) => `By ${column}`,
  group: "group",
  count: /** @type {Record<string, string>} */ ({ n: "clips", uar: "UAR", accuracy: "accuracy", ece: "calibration error" }),
  card: "Model card",
  version: (/** @type {string} */ model, /** @type {string} */ version, /** @type {string} */ license) =>
    `Model ${model}, licence ${license}; page of ser-images ${version}.`,
  licences: "Licences",
  licenceFiles: /** @type {[string, string][]} */ ([
    ["model/LICENSE", "of the model"],
    ["NOTICE", "notices"],
    ["vendor/onnxruntime-web/LICENSE", "of ONNX Runtime Web"],
    ["vendor/onnxruntime-web/ThirdPartyNotices.txt", "notices of ONNX Runtime Web"],
  ]),
};
