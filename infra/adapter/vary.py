"""Small variations of a pair, drawn anew each epoch, under which the copy stays as good an answer as it was.

A 135-million-parameter model learns a fixed figure by heart; a figure that changes from epoch to epoch can only be copied from the card. Fields that a copy
does not use come and go, so that short and long briefs are met alike; phrases that it does use are now and then demanded.
"""

import copy as copying
import re

from card import items
from grounding import SPELLED, WORD, content

FIGURE = re.compile(r"(?<![\d.,:/])\d+(?:[.,]\d+)*(?![\d:/])")
YEAR = re.compile(r"(?:19|20)\d\d$")


def strings(value):
    if isinstance(value, str):
        return [value]
    return [text for part in (value.values() if isinstance(value, dict) else value) for text in strings(part)]


def replaced(value, change):
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: part if key == "channel" else replaced(part, change) for key, part in value.items()}
    return [replaced(part, change) for part in value]


def new_figure(figure, rng):
    """Another figure of the same shape and of about the same size."""
    if figure.isdigit() and int(figure) <= 31:
        return str(rng.randint(10, 31))
    if figure.isdigit() and int(figure) <= 59:
        return str(rng.randint(32, 59))
    kept = len(figure) - len(figure.rstrip("0"))
    head = [c if not c.isdigit() else str(rng.randint(1 if i == 0 else 0, 9)) for i, c in enumerate(figure[: len(figure) - kept])]
    return "".join(head) + figure[len(figure) - kept :]


def other_figures(brief, copy, rng):
    """The pair with its figures of two digits and more exchanged on both sides, or as it is where a figure is derived or spelled out."""
    asked, written = "\n".join(strings(brief)), "\n".join(strings(copy))
    figures = {f for f in FIGURE.findall(asked) if sum(map(str.isdigit, f)) > 1 and not YEAR.match(f) and f not in ("24", "100", "360")}
    if any(f not in FIGURE.findall(asked) for f in FIGURE.findall(written)):
        return brief, copy
    if any(SPELLED.get(word.lower(), 0) > 9 for word in WORD.findall(written)):
        return brief, copy
    table, taken = {}, set(FIGURE.findall(asked))
    for figure in sorted(figures):
        for _ in range(20):
            new = new_figure(figure, rng)
            if new not in taken:
                table[figure] = new
                taken.add(new)
                break
    change = lambda text: FIGURE.sub(lambda m: table.get(m[0], m[0]), text)
    new_brief, new_copy = replaced(brief, change), replaced(copy, change)
    held = "\n".join(strings(new_brief))
    if any(number not in held for number in re.findall(r"\d+(?:[.,]\d+)*", "\n".join(strings(new_copy)))):
        return brief, copy
    return new_brief, new_copy


def without_unused(brief, copy, rng):
    """Optional fields that the copy does not draw on, dropped at random."""
    brief = copying.deepcopy(brief)
    product, brand = brief["product"], brief.get("brand") or {}
    written = "\n".join(strings(copy))
    used = set(content(written))
    lower = written.lower()
    unused = lambda text: not used & set(content(text)) and not any(f in written for f in re.findall(r"\d+", text))

    for key in ("features", "benefits"):
        if product.get(key):
            product[key] = [text for text in product[key] if not (unused(text) and rng.random() < 0.3)]
            rng.shuffle(product[key])
    for key in ("price", "offer", "url"):
        if product.get(key) and unused(product[key]) and rng.random() < 0.4:
            del product[key]
    if brief.get("audience") and unused(brief["audience"]) and rng.random() < 0.3:
        del brief["audience"]
    if brief.get("objective") and rng.random() < 0.25:
        del brief["objective"]
    if brief.get("call_to_action") and brief["call_to_action"].lower() not in lower and rng.random() < 0.3:
        del brief["call_to_action"]
    if brief.get("must_exclude") and rng.random() < 0.2:
        del brief["must_exclude"]
    if brand.get("voice") and rng.random() < 0.2:
        del brand["voice"]
    return brief


def with_demands(brief, copy, rng):
    """A phrase or a call to action that the copy already holds, demanded by the brief."""
    brief = copying.deepcopy(brief)
    written = "\n".join(strings(copy)).lower()
    if not brief.get("must_include") and rng.random() < 0.2:
        words = " ".join([brief["product"]["description"]] + brief["product"].get("features", [])).split()
        phrases = []
        for n in (1, 2, 3):
            for at in range(len(words) - n + 1):
                phrase = " ".join(words[at : at + n]).strip(".,;:()")
                ends = [content(word) for word in (words[at], words[at + n - 1])]
                if all(ends) and not re.search(r"[.,;:()]", phrase) and re.search(r"(?<!\w)" + re.escape(phrase.lower()) + r"(?!\w)", written):
                    phrases.append(phrase)
        if phrases:
            brief["must_include"] = [rng.choice(phrases)]
    if not brief.get("call_to_action") and rng.random() < 0.5:
        last = items(copy)[-1][1].split("\n")[-1]
        if brief["channel"] == "landing_hero" or (brief["channel"] == "email" and len(last) <= 40 and len(last.split()) > 1 and last[-1] not in ".,!?:"):
            brief["call_to_action"] = last
    return brief


def varied(brief, copy, rng):
    brief = with_demands(without_unused(brief, copy, rng), copy, rng)
    return other_figures(brief, copy, rng) if rng.random() < 0.5 else (brief, copy)
