"""The speech sounds that the synthesiser and the animated mouth share, and a small reader of English spelling.

Formant values are of the textbook kind for an adult male voice (Peterson and Barney 1952 for vowels).
"""

from typing import NamedTuple


class Phoneme(NamedTuple):
    """Sound and look of a phoneme.

    formants: Hz. duration: seconds. voice, noise: amplitudes 0..1; noise_kind: a filter of `voice.NOISES`.
    jaw: opening 0..1. round, wide: lip shapes. seal: lip closure. tuck: lower lip to the teeth. tongue: raised tip.
    """

    formants: tuple[float, float, float]
    duration: float
    voice: float
    noise: float
    noise_kind: str
    jaw: float
    round: float = 0.0
    wide: float = 0.0
    seal: float = 0.0
    tuck: float = 0.0
    tongue: float = 0.0


PHONEMES: dict[str, Phoneme] = {
    "sil": Phoneme((500, 1500, 2500), 0.20, 0.0, 0.0, "h", 0.04, seal=1.0),
    "aa": Phoneme((730, 1090, 2440), 0.13, 1.0, 0.0, "h", 0.62),
    "ae": Phoneme((660, 1720, 2410), 0.13, 1.0, 0.0, "h", 0.55, wide=0.45),
    "ah": Phoneme((640, 1190, 2390), 0.09, 0.9, 0.0, "h", 0.40),
    "ao": Phoneme((570, 840, 2410), 0.13, 1.0, 0.0, "h", 0.50, round=0.45),
    "eh": Phoneme((530, 1840, 2480), 0.10, 1.0, 0.0, "h", 0.40, wide=0.45),
    "er": Phoneme((490, 1350, 1690), 0.11, 0.9, 0.0, "h", 0.28, round=0.35),
    "ih": Phoneme((390, 1990, 2550), 0.08, 0.9, 0.0, "h", 0.26, wide=0.40),
    "iy": Phoneme((270, 2290, 3010), 0.12, 0.9, 0.0, "h", 0.17, wide=0.85),
    "uh": Phoneme((440, 1020, 2240), 0.09, 0.9, 0.0, "h", 0.26, round=0.55),
    "uw": Phoneme((300, 870, 2240), 0.13, 0.9, 0.0, "h", 0.17, round=1.0),
    "ax": Phoneme((500, 1500, 2500), 0.06, 0.8, 0.0, "h", 0.26),
    "w": Phoneme((290, 610, 2150), 0.07, 0.7, 0.0, "h", 0.12, round=1.0),
    "y": Phoneme((270, 2290, 3010), 0.06, 0.7, 0.0, "h", 0.16, wide=0.60),
    "r": Phoneme((310, 1060, 1380), 0.07, 0.7, 0.0, "h", 0.18, round=0.55),
    "l": Phoneme((340, 1050, 2880), 0.07, 0.7, 0.0, "h", 0.28, tongue=1.0),
    "m": Phoneme((270, 1000, 2200), 0.08, 0.45, 0.0, "h", 0.12, seal=1.0),
    "n": Phoneme((270, 1600, 2600), 0.07, 0.45, 0.0, "h", 0.20, tongue=0.9),
    "ng": Phoneme((270, 2000, 2700), 0.08, 0.45, 0.0, "h", 0.26),
    "b": Phoneme((250, 900, 2200), 0.07, 0.16, 0.25, "p", 0.10, seal=1.0),
    "d": Phoneme((250, 1700, 2600), 0.06, 0.16, 0.35, "t", 0.18, tongue=1.0),
    "g": Phoneme((250, 2000, 2500), 0.07, 0.16, 0.30, "k", 0.26),
    "p": Phoneme((400, 900, 2200), 0.09, 0.0, 0.55, "p", 0.10, seal=1.0),
    "t": Phoneme((400, 1700, 2600), 0.08, 0.0, 0.75, "t", 0.16, tongue=1.0),
    "k": Phoneme((400, 2000, 2500), 0.09, 0.0, 0.65, "k", 0.26),
    "f": Phoneme((340, 1100, 2080), 0.10, 0.0, 0.30, "f", 0.14, tuck=1.0),
    "v": Phoneme((280, 1100, 2080), 0.07, 0.45, 0.16, "f", 0.14, tuck=1.0),
    "th": Phoneme((320, 1290, 2540), 0.10, 0.0, 0.28, "th", 0.20, tongue=1.0),
    "dh": Phoneme((280, 1290, 2540), 0.05, 0.45, 0.12, "th", 0.20, tongue=1.0),
    "s": Phoneme((320, 1390, 2530), 0.11, 0.0, 0.60, "s", 0.10, wide=0.45),
    "z": Phoneme((260, 1390, 2530), 0.08, 0.40, 0.35, "s", 0.10, wide=0.40),
    "sh": Phoneme((300, 1840, 2750), 0.11, 0.0, 0.60, "sh", 0.14, round=0.65),
    "zh": Phoneme((280, 1840, 2750), 0.08, 0.40, 0.35, "sh", 0.14, round=0.60),
    "hh": Phoneme((500, 1500, 2500), 0.06, 0.0, 0.28, "h", 0.32),
}
"""Name -> phoneme. The position in this dictionary is the number stored in a data set (0 is silence)."""

NAMES = tuple(PHONEMES)
INDEX = {name: i for i, name in enumerate(NAMES)}
VOWELS = ("aa", "ae", "ah", "ao", "eh", "er", "ih", "iy", "uh", "uw")
PLOSIVES = ("b", "d", "g", "p", "t", "k")
ONSETS = ("b", "d", "g", "p", "t", "k", "f", "v", "th", "dh", "s", "z", "sh", "m", "n", "l", "r", "w", "y", "hh",
          "s t", "s p", "p l", "b r", "t r", "k l", "f r", "g r")  # fmt: skip
CODAS = ("n", "t", "s", "m", "l", "k", "d", "z", "p", "ng", "v", "b", "n d", "s t")

WORDS = {
    "a": "ax", "the": "dh ax", "of": "ah v", "to": "t uw", "and": "ae n d", "is": "ih z", "was": "w ah z",
    "one": "w ah n", "i": "aa ih", "you": "y uw", "are": "aa r", "my": "m aa ih", "hello": "hh eh l ax uh",
    "this": "dh ih s", "that": "dh ae t", "voice": "v ao ih s", "face": "f eh ih s", "faces": "f eh ih s ih z",
    "picture": "p ih k sh er", "talk": "t ao k", "talking": "t ao k ih ng", "speak": "s p iy k",
    "speaks": "s p iy k s", "computer": "k ax m p y uw t er", "made": "m eh ih d", "never": "n eh v er",
    "moves": "m uw v z", "move": "m uw v", "with": "w ih th", "no": "n ao uh", "yes": "y eh s", "by": "b aa ih",
    "here": "hh iy r", "every": "eh v r iy", "sound": "s aa uh n d", "word": "w er d", "words": "w er d z",
    "lips": "l ih p s", "close": "k l ao uh z", "open": "ao uh p ax n", "from": "f r ah m", "what": "w ah t",
    "have": "hh ae v", "be": "b iy", "me": "m iy", "we": "w iy", "he": "hh iy", "she": "sh iy", "so": "s ao uh",
    "do": "d uw", "who": "hh uw", "it": "ih t",
}  # fmt: skip
"""Words whose spelling the rules below would misread."""

_SPELLING = (
    ("tion", "sh ax n"), ("ough", "ao"), ("igh", "aa ih"), ("tch", "t sh"), ("sch", "s k"), ("ch", "t sh"),
    ("sh", "sh"), ("th", "th"), ("ph", "f"), ("wh", "w"), ("ck", "k"), ("ng", "ng"), ("qu", "k w"), ("ee", "iy"),
    ("ea", "iy"), ("oo", "uw"), ("ou", "aa uh"), ("ow", "ao uh"), ("oi", "ao ih"), ("oy", "ao ih"), ("ai", "eh ih"),
    ("ay", "eh ih"), ("au", "ao"), ("aw", "ao"), ("oa", "ao uh"), ("er", "er"), ("ir", "er"), ("ur", "er"),
    ("ar", "aa r"), ("or", "ao r"), ("ll", "l"), ("ss", "s"), ("tt", "t"), ("a", "ae"), ("b", "b"), ("c", "k"),
    ("d", "d"), ("e", "eh"), ("f", "f"), ("g", "g"), ("h", "hh"), ("i", "ih"), ("j", "d zh"), ("k", "k"), ("l", "l"),
    ("m", "m"), ("n", "n"), ("o", "aa"), ("p", "p"), ("q", "k"), ("r", "r"), ("s", "s"), ("t", "t"), ("u", "ah"),
    ("v", "v"), ("w", "w"), ("x", "k s"), ("y", "iy"), ("z", "z"),
)  # fmt: skip
_LONG = {"a": "eh ih", "e": "iy", "i": "aa ih", "o": "ao uh", "u": "y uw"}


def spell(word: str) -> list[str]:
    """Phonemes of one English word by table, else by letter-to-sound rules."""
    word = "".join(c for c in word.lower() if c.isalpha())
    if word in WORDS:
        return WORDS[word].split()
    sounds: list[str] = []
    at = 0
    silent_e = len(word) > 3 and word[-1] == "e" and word[-2] not in "aeiou" and word[-3] in "aeiou"
    while at < len(word):
        if silent_e and at == len(word) - 1:
            break
        if silent_e and at == len(word) - 3:
            sounds += _LONG[word[at]].split()
            at += 1
            continue
        for letters, phonemes in _SPELLING:
            if word.startswith(letters, at):
                sounds += phonemes.split()
                at += len(letters)
                break
        else:
            at += 1
    return sounds


def read(text: str) -> list[str]:
    """Phonemes of an English text; punctuation becomes silence."""
    sounds = ["sil"]
    for token in text.split():
        sounds += spell(token)
        if token[-1] in ",;:-":
            sounds.append("sil")
        elif token[-1] in ".!?":
            sounds += ["sil", "sil"]
    return [*sounds, "sil"]
