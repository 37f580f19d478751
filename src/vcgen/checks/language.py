"""Language: a text must be in the requested one. By script, and by common words for Latin scripts.

No library: the fastest takes a hundred times as long, as it decides between all languages. A text
that is undecided here passes.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from vcgen.checks.codes import Problem, Side, problem
from vcgen.checks.tokenize import TokenizedText

_HAN, _KANA, _HANGUL = (
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff",
    r"\u3040-\u30ff",
    r"\uac00-\ud7af",
)
# Letters of each language; a language that is missing has Latin script or is unknown.
SCRIPTS: Mapping[str, str] = {
    "zh": _HAN, "ja": _HAN + _KANA, "ko": _HANGUL, "ru": r"\u0400-\u04ff", "uk": r"\u0400-\u04ff",
    "bg": r"\u0400-\u04ff", "el": r"\u0370-\u03ff", "he": r"\u0590-\u05ff", "ar": r"\u0600-\u06ff",
    "fa": r"\u0600-\u06ff", "ur": r"\u0600-\u06ff", "hi": r"\u0900-\u097f", "bn": r"\u0980-\u09ff",
    "ta": r"\u0b80-\u0bff", "th": r"\u0e00-\u0e7f", "ka": r"\u10a0-\u10ff",
}  # fmt: skip
_NAMES: Mapping[str, str] = {
    "english": "en", "spanish": "es", "french": "fr", "german": "de", "italian": "it",
    "portuguese": "pt", "dutch": "nl", "polish": "pl", "swedish": "sv", "turkish": "tr",
    "vietnamese": "vi", "indonesian": "id", "chinese": "zh", "mandarin": "zh", "japanese": "ja",
    "korean": "ko", "russian": "ru", "ukrainian": "uk", "bulgarian": "bg", "greek": "el",
    "hebrew": "he", "arabic": "ar", "persian": "fa", "urdu": "ur", "hindi": "hi",
    "bengali": "bn", "tamil": "ta", "thai": "th", "georgian": "ka", "español": "es",
    "français": "fr", "deutsch": "de", "italiano": "it", "português": "pt",
    "中文": "zh", "日本語": "ja",
}  # fmt: skip
_COMMON: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the a an of and is are was were to in on at with it its he she they his her their "
        "this that then after before while what why how who where when does do there from by for "
        "as into be has have which one next",
        "es": "el la los las un una de del y en que es son está están con por para su sus "
        "al se lo qué cómo cuándo después luego mientras hombre mujer video no "
        "hace como",
        "fr": "le la les un une des de du et est sont dans sur avec il elle ils qui que ce cette "
        "pour par au aux son sa ses puis ensuite homme femme vidéo pourquoi quand l d n une",
        "de": "der die das ein eine einen einem und ist sind im in den dem des mit auf er sie es "
        "zu von dann nach während mann frau wird werden was warum wie nicht sich aus an",
        "it": "il lo la gli le un una di del della e è sono nel nella con che per da al si "
        "poi dopo mentre uomo donna video perché come cosa in dei",
        "pt": "o a os as um uma de do da dos das e é são está em no na com que por "
        "para se seu sua depois então enquanto homem mulher vídeo não como ao",
        "nl": "de het een en is zijn in op met van naar dat die hij zij ze dan na terwijl man "
        "vrouw wat waarom hoe niet er te aan door voor wordt",
        "pl": "i w na z do jest są nie się to że po a jak co kobieta "
        "mężczyzna który która potem następnie przez jej jego od",
        "sv": "och en ett är i på med av till som det den han hon de sedan efter man "
        "kvinna vad varför hur inte för sig",
        "tr": "bir ve bu ile için de da sonra kad\u0131n adam ne neden nas\u0131l var olarak "
        "daha o videoda",
        "vi": "và của một là có trong với được người đang sau đó không cho vào trên",
        "id": "dan yang di ke dari dengan ini itu pada untuk adalah seorang pria wanita kemudian "
        "setelah tidak sedang apa mengapa",
    }.items()
}
_END_OF_TAG = re.compile(r"[-_ (]")
_OWN = {code: re.compile(f"[{script}]") for code, script in SCRIPTS.items()}
_KANAS = re.compile(f"[{_KANA}]")
_LETTER = re.compile(r"[^\W\d_]")
_WIDE = re.compile(f"[{_HAN}{_KANA}{_HANGUL}]")
_NOT_LATIN = re.compile(r"[\u0370-\u1dff\u2e80-\ud7ff\uf900-\ufaff]")
# A wide character has the content of three letters: itself and two more.
_WIDE_WORTH = 2
_FEW = 3


@lru_cache(maxsize=64)
def code_of(language: str) -> str:
    """Return `en` for `English`, `en` or `en-GB`; an empty string for an unknown language."""
    name = language.strip().lower()
    tag = _END_OF_TAG.split(name, maxsplit=1)[0]
    found = _NAMES.get(name) or _NAMES.get(tag) or tag
    return found if found in _COMMON or found in SCRIPTS else ""


def find_other_language(side: Side, reading: TokenizedText, wanted: str) -> list[Problem]:
    """Find a text in another language than `wanted`, a code; an empty code skips the check."""
    if not wanted:
        return []
    if wanted in SCRIPTS:
        wrong = _other_script(reading.text, wanted)
    else:
        wrong = _mostly_not_latin(reading.text) or _other_words(reading, wanted)
    if not wrong:
        return []
    return [problem("wrong-language", f"the {side} is not in the language asked for", side=side)]


def _weight(text: str) -> int:
    return len(_LETTER.findall(text)) + _WIDE_WORTH * len(_WIDE.findall(text))


def _other_script(text: str, wanted: str) -> bool:
    if text.isascii():
        return len(_LETTER.findall(text)) > _FEW
    own = "".join(_OWN[wanted].findall(text))
    if wanted == "zh" and len(_KANAS.findall(text)) * 5 > len(own):
        return True
    if wanted == "ja" and len(own) > 20 and not _KANAS.search(text):
        return True
    return 3 * _weight(own) < _weight(text)


def _mostly_not_latin(text: str) -> bool:
    if text.isascii():
        return False
    foreign = "".join(letter for letter in _NOT_LATIN.findall(text) if letter.isalpha())
    return bool(foreign) and 4 * _weight(foreign) > _weight(text)


def _other_words(reading: TokenizedText, wanted: str) -> bool:
    """Whether the text has common words of another language and few of this one."""
    vocabulary = reading.vocabulary
    own = len(_COMMON[wanted] & vocabulary)
    # The usual cases: text in this language, and too short a text.
    if 8 * own >= len(vocabulary) or len(vocabulary) < 2 * _FEW:
        return False
    other = max(len(common & vocabulary) for code, common in _COMMON.items() if code != wanted)
    return other >= _FEW and other > 2 * own
