"""Numbers with their nouns, for messages: `counted(2, "speaker")`."""


def counted(count: int, noun: str) -> str:
    """The count and the noun, in the plural unless it is one: `1 speaker`, `1440 clips`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
