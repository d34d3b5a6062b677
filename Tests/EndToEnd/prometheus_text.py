"""Reads Prometheus's text format, version 0.0.4, strictly: errors that a scraper might tolerate
fail here."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) (\S.*)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram|summary|untyped)")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')


class Family:
    def __init__(self, name, help_text):
        self.name = name
        self.help = help_text
        self.kind = None
        # (suffix, labels as a sorted tuple of pairs) -> text of the value
        self.samples = {}


def parse_labels(text, line):
    labels = []
    position = 0
    while position < len(text):
        match = LABEL.match(text, position)
        assert match, f"bad labels: {line}"
        labels.append((match[1], re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])))
        position = match.end()
    assert len({name for name, _ in labels}) == len(labels), f"a label twice: {line}"
    return tuple(sorted(labels))


def parse(page):
    """The families of a page by name; raises AssertionError at the first flaw."""
    text = page.decode("ascii")
    assert text.endswith("\n") and not text.endswith("\n\n"), "the page ends with one line end"
    families = {}
    current = None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            match = HELP.fullmatch(line)
            assert match, line
            assert match[1] not in families, f"a family in two places: {line}"
            current = families[match[1]] = Family(match[1], match[2])
        elif line.startswith("# TYPE "):
            match = TYPE.fullmatch(line)
            assert match and current and match[1] == current.name and current.kind is None, line
            current.kind = match[2]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"not a sample: {line!r}"
            name, labels, value = match.groups()
            assert current and current.kind, f"no TYPE in front of {line}"
            suffix = name[len(current.name):]
            allowed = ("_bucket", "_sum", "_count") if current.kind == "histogram" else ("",)
            assert name.startswith(current.name) and suffix in allowed, f"in the wrong family: {line}"
            key = (suffix, parse_labels(labels or "", line))
            assert key not in current.samples, f"a series twice: {line}"
            float(value)
            current.samples[key] = value
    for family in families.values():
        check(family)
    return families


def check(family):
    if family.kind == "counter":
        assert family.name.endswith("_total"), f"a counter that is no _total: {family.name}"
        for value in family.samples.values():
            assert float(value) >= 0, family.name
    if family.kind == "histogram":
        check_histogram(family)


def check_histogram(family):
    series = {}
    for (suffix, labels), value in family.samples.items():
        rest = tuple(pair for pair in labels if pair[0] != "le")
        entry = series.setdefault(rest, {"buckets": []})
        if suffix == "_bucket":
            entry["buckets"].append((float(dict(labels)["le"]), int(value)))
        else:
            entry[suffix] = float(value)
    for rest, entry in series.items():
        bounds = [bound for bound, _ in entry["buckets"]]
        counts = [count for _, count in entry["buckets"]]
        assert bounds == sorted(set(bounds)), f"bounds in no order: {family.name}{rest}"
        assert counts == sorted(counts), f"buckets that shrink: {family.name}{rest}"
        assert bounds[-1] == float("inf") and counts[-1] == entry["_count"], family.name
        assert entry["_sum"] >= 0, family.name


def value(families, name, **labels):
    """One sample's value; 0 when the series is not there."""
    family = families[name]
    return float(family.samples.get(("", tuple(sorted(labels.items()))), 0))


def total(families, name, **labels):
    """The sum of all samples whose labels include these."""
    wanted = set(labels.items())
    return sum(
        float(text) for (suffix, found), text in families[name].samples.items()
        if suffix == "" and wanted <= set(found))


def count(families, name, **labels):
    """A histogram's count."""
    return float(families[name].samples[("_count", tuple(sorted(labels.items())))])
