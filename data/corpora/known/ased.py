"""ASED: 2,474 clips of 65 speakers, Amharic; n1-01-02-01-05.wav is emotion-sentence-repetition-gender-speaker.

Retta EA, Almekhlafi E, Sutcliffe R, Mhamed M, Ali H, Feng J (2023). A New Amharic Speech Emotion Dataset and
Classification Benchmark. ACM Transactions on Asian and Low-Resource Language Information Processing 22(1).
"""

from ser_images.data.corpora.named import NamedCorpus

ASED = NamedCorpus(
    "ased",
    r"(?P<label>[nfhsa])\d-(?P<sentence>\d\d)-(?P<repetition>\d\d)-(?P<gender>0[12])-(?P<speaker>\d\d)",
    {"n": "neutral", "f": "fearful", "h": "happy", "s": "sad", "a": "angry"},
    values={"gender": {"01": "female", "02": "male"}},
    example="s4-05-02-02-65.wav",
    language="Amharic",
    licence="ASED is freely available for research (https://github.com/Ethio2021/ASED_V1). Cite: Retta EA et al. "
    "(2023). ACM Transactions on Asian and Low-Resource Language Information Processing 22(1).",
)
