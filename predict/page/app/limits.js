/** Numbers of the page alone; those that Python shares are in model.json. */

export const MAX_DECODED_S = 20 * 60; // stereo at 48 kHz in 32 bits: 0.46 GB while it is decoded
export const MIN_BYTES_PER_S = 4000; // of compressed sound whose length the browser does not know: 32 kbit/s
export const MAX_RECORDED_S = 30 * 60;
export const MAX_CLIP_S = 60; // a longer recording gets a timeline, whatever its silence

export const QUIET_DBFS = -50; // root mean square of the classified part
export const FULL_SCALE = 0.999;
export const MIN_CLIPPED_SAMPLES = 8; // fewer are no audible clipping
export const SHORT_S = 0.5;

export const MAX_COLUMNS = 4000; // of a waveform
export const MAX_START_S = 5; // of the browser's sound processing
export const MAX_LAG_S = 10; // sound that waits for a slow device; more is lost
