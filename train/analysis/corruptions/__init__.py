"""Corruptions of recorded speech, by what causes them: noise, babble, microphone, room, codec, channel."""
