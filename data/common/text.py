"""Text for messages: numbers with their nouns, and lines that a terminal shows as they are.

counted(2, "speaker"); one_line(label)
"""

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What ends a line, commands a terminal, reverses the order of letters, or is not Unicode."""


def one_line(text: str) -> str:
    """The text with control characters as escapes, such as `\\x1b`."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def plot_text(text: str) -> str:
    """The text as matplotlib shows it unchanged, in one line: it would read what is between dollar signs as TeX."""
    return one_line(text).replace("$", r"\$")


def counted(count: int, noun: str) -> str:
    """The count and the noun, in the plural unless it is one: `1 speaker`, `1440 clips`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
