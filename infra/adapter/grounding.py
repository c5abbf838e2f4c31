"""How far a copy keeps to its brief: the numbers and the words that the brief does not hold."""

import re

UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SPELLED = {word: n for n, word in enumerate(UNITS)} | {word: 20 + 10 * n for n, word in enumerate(TENS)}
SPELLED |= {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "half": 0.5, "quarter": 0.25, "twice": 2, "double": 2, "triple": 3}
SMALL = {"zero", "one"}  # read as words: "no one", "one of them"
COUNTS = {"two", "three", "half", "quarter", "twice", "double"}  # often a count of the features listed
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
COMMON = set("""a an the and or of to for with in on at by from your our is that this it its be are was were as you we us they them their he she his her
has have had do does did not no so but if then than when while what which who how there here one all any each every more most just only up out off over
into through can will would may might must should about after before until own new now never always still also very too get make take see come go
it's that's you'll you're we're don't we'll i'm let's""".split())


def numbers(text):
    """The numbers written in digits, as written."""
    return set(NUMBER.findall(text))


def spelled(text):
    return {word for word in map(str.lower, WORD.findall(text)) if word in SPELLED and word not in SMALL}


def invented_numbers(brief_text, copy_text):
    """Numbers in the copy, in digits or as words, that the brief holds in neither form."""
    digits, words = numbers(brief_text), spelled(brief_text)
    values = {n.replace(",", "") for n in digits} | {n.replace(",", "").replace(".", "") for n in digits}
    lower = brief_text.lower()
    out = {n for n in numbers(copy_text) if n not in digits and n.replace(",", "") not in values and SPELLED_BY_VALUE.get(n) not in words}
    for word in spelled(copy_text) - words:
        if str(SPELLED[word]) not in values and not re.search(r"(?<![^\W\d_])" + word[:5], lower):
            out.add(word)
    return out


SPELLED_BY_VALUE = {str(value): word for word, value in SPELLED.items() if word not in ("twice", "double", "triple")}


def stem(word):
    word = word.lower().split("'")[0].split("’")[0]
    for end in ("ings", "ing", "ied", "ies", "ed", "es", "ly", "ers", "er", "s", "e", "y"):
        if word.endswith(end) and len(word) - len(end) >= 3:
            return word[: -len(end)][:6]
    return word[:6]


def content(text):
    """The stems of the words that carry meaning, in order."""
    return [stem(word) for word in WORD.findall(text) if len(word) > 2 and word.lower() not in COMMON]


def novelty(brief_text, copy_text):
    """The share of the copy's content words whose stem the brief does not hold."""
    held, used = set(content(brief_text)), content(copy_text)
    return sum(word not in held for word in used) / max(1, len(used))
