"""Genders as corpora write them."""

_WORDS = {
    "female": "f female w woman women girl weiblich frau femme féminin feminin fille mujer femenino femmina donna "
    "femminile kobieta k żeńska ż žena feminino mulher vrouw kvinna",
    "male": "m male man men boy männlich mann maennlich homme masculin garçon hombre masculino uomo maschio maschile "
    "mężczyzna męska muž homem jongen pojke",
}
_GENDERS = {word: gender for gender, words in _WORDS.items() for word in words.split()}


def gender_of(text: str) -> str:
    """`female` or `male`, as a usual word or letter in a European language says it; empty for anything else."""
    return _GENDERS.get(text.strip().casefold(), "")
