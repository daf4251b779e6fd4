/**
 * The content of `model.json`, which predict/page_constants.py writes; its numbers have the same names there.
 *
 * @typedef {object} Constants
 * @property {{id: string, labels: string[], license: string, input: string, output: string}} model
 * @property {Spec} spec
 * @property {MelConstants} mel
 * @property {{min_sound_s: number, silence_dbfs: number, trim_block_s: number}} audio
 * @property {SoundFileConstants} sound_file
 * @property {VoiceActivityConstants} voice_activity
 * @property {SpeechCheckConstants} speech_check
 * @property {SegmenterConstants} speech_segments
 * @property {StreamConstants} streams
 * @property {{uncertain: string, no_speech: string, crop_tolerance_s: number}} prediction
 *
 * @typedef {object} Spec
 * @property {number} sample_rate_hz
 * @property {number} duration_s
 * @property {number} trim_db
 * @property {number} level_dbfs
 * @property {number} n_fft
 * @property {number} hop_length
 * @property {number} max_db
 * @property {number} range_db
 * @property {number} bit_depth
 * @property {string} hash
 * @property {number} n_samples
 * @property {number} n_frames
 * @property {number} n_rows
 * @property {number} white
 *
 * @typedef {object} MelConstants
 * @property {number[]} window
 * @property {number[]} weights
 * @property {number[]} bins
 * @property {number[]} starts
 * @property {number} power_floor
 *
 * @typedef {object} SoundFileConstants
 * @property {number} min_rate_hz
 * @property {number} max_rate_hz
 * @property {number} max_channels
 * @property {number} max_samples
 * @property {number} unknown_length
 *
 * @typedef {object} VoiceActivityConstants
 * @property {number} rate_hz
 * @property {number} block
 * @property {number} level_dbfs
 * @property {number} max_gain_db
 * @property {number} release_db_per_s
 *
 * @typedef {object} SpeechCheckConstants
 * @property {number} speech
 * @property {number} min_speech_s
 * @property {number} slowdown
 * @property {number} min_slowed_speech_s
 * @property {number} level_dbfs
 * @property {number} before_s
 * @property {number} after_s
 *
 * @typedef {object} SegmenterConstants
 * @property {number} begin
 * @property {number} end
 * @property {number} min_silence_s
 * @property {number} min_speech_s
 *
 * @typedef {object} StreamConstants
 * @property {number} chunk_s
 * @property {number} block_s
 * @property {number} kept_s
 * @property {number} before_s
 * @property {number} after_s
 * @property {number[]} kernel
 * @property {number} timeline_hop_s
 * @property {number} live_hop_s
 * @property {number} margin
 * @property {Range} timeline_hop_range_s
 * @property {Range} live_hop_range_s
 * @property {Range} window_range_s
 * @property {Range} margin_range
 *
 * @typedef {[number, number]} Range lowest and highest value
 */

export {};
