"""The card that the model reads and the answer that it writes.

This is the contract with the origin, which renders the same card in Rust and is tested against `cards.py`'s output, so a change here is a change there
and asks for a newly trained adapter.
"""

NEWLINE = " / "  # stands for a line break inside one text


def card(brief):
    """The brief as lines of `Name: value`, absent values left out."""
    product = brief["product"]
    lines = [f"Channel: {brief['channel']}", f"Product: {product['name']}", f"About: {product['description']}"]

    def listed(holder, names):
        for key, name in names:
            if holder.get(key):
                lines.append(f"{name}: " + "; ".join(holder[key]))

    def plain(holder, names):
        for key, name in names:
            if holder.get(key):
                lines.append(f"{name}: {holder[key]}")

    listed(product, (("features", "Features"), ("benefits", "Benefits")))
    plain(product, (("price", "Price"), ("offer", "Offer"), ("url", "Link")))
    plain(brief, (("audience", "Audience"), ("objective", "Objective")))
    lines.append("Tone: " + ", ".join(brief.get("tone") or ["professional"]))
    if brief.get("framework") not in (None, "auto", "none"):
        lines.append(f"Framework: {brief['framework']}")
    brand = brief.get("brand") or {}
    plain(brand, (("voice", "Voice"),))
    listed(brand, (("do", "Do"), ("dont", "Don't")))
    listed(brief, (("must_include", "Include"), ("must_exclude", "Avoid")))
    if brief.get("call_to_action") not in (None, "auto"):
        lines.append(f"Call to action: {brief['call_to_action']}")
    return "\n".join(lines)


def prompt(brief):
    """The card as the user's turn, up to the point where the model begins to write."""
    return f"<|im_start|>user\n{card(brief)}<|im_end|>\n<|im_start|>assistant\n"


def items(copy):
    """Each (field, text) of a copy, lists unrolled, in the copy's order."""
    return [(field, text) for field, value in copy.items() for text in (value if isinstance(value, list) else [value])]


def answer(copy):
    """One `field: text` line per item."""
    return "\n".join(f"{field}: " + text.replace("\n", NEWLINE) for field, text in items(copy))


def read_answer(text, fields):
    """The copy in an answer: {field: [texts]}; lines that name none of `fields` are returned apart."""
    copy, strays = {}, []
    for line in text.split("\n"):
        field, colon, rest = line.partition(": ")
        if colon and field in fields:
            copy.setdefault(field, []).append(rest.strip().replace(NEWLINE, "\n"))
        elif line.strip():
            strays.append(line)
    return copy, strays
