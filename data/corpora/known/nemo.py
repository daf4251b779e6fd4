"""nEMO: 4,481 clips of nine actors, Polish; named speaker_emotion_sentence. Its data.tsv adds text and age.

Christop I (2024). nEMO: Dataset of Emotional Speech in Polish. LREC-COLING 2024, 12111-12116.
"""

from ser_images.data.corpora.named import NamedCorpus

NEMO = NamedCorpus(
    "nemo",
    r"(?P<speaker>[A-Z]{2}0)_(?P<label>anger|fear|happiness|neutral|sadness|surprised)_(?P<sentence>\d+)",
    {
        "anger": "angry", "fear": "fearful", "happiness": "happy", "neutral": "neutral", "sadness": "sad",
        "surprised": "surprised",
    },
    {
        "EB0": "female", "IC0": "female", "KD0": "female", "KS0": "male", "MK0": "female", "MP0": "male",
        "SM0": "male", "TP0": "male", "WR0": "male",
    },
    example="WR0_surprised_64.wav",
    language="Polish",
    licence="nEMO is licensed CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/). Cite: Christop I "
    "(2024). LREC-COLING 2024, 12111-12116.",
    licence_id="cc-by-nc-sa-4.0",
)  # fmt: skip
"""Speaker MK0 has no surprise, and MP0 about half as many clips as the others."""
