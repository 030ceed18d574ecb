"""Finds anything of the catalogue by its names, titles, synonyms and words, typing errors allowed for."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.catalogue.graph import Ref

if TYPE_CHECKING:
    from shoplake.catalogue.opening import Catalogue

TOKEN = re.compile(r"[a-z0-9]+")
NAME, TITLE, SYNONYM, PLACE, TEXT = "name", "title", "synonym", "place", "text"
WEIGHTS = {NAME: 60.0, TITLE: 55.0, SYNONYM: 40.0, PLACE: 14.0, TEXT: 12.0}
"""By where a word stands; ``PLACE`` is the name of what a column belongs to."""
KINDS = {"kpi": 9.0, "source": 6.0, "table": 5.0}
PREFIX, INSIDE, ALIKE = 0.75, 0.45, 0.35
"""What a word counts that begins with the one looked for, has it inside, or differs by a letter or two."""
EXACT, EXACT_TITLE, BEGINS = 1000.0, 900.0, 150.0
SHORTEST_INSIDE, SHORTEST_ALIKE = 3, 4
LEAST_ALIKE = 0.74
MOST_WORDS, LONGEST = 8, 200


@dataclass(frozen=True)
class Found:
    """Something that fits."""

    ref: Ref
    score: float


@dataclass(frozen=True)
class _Document:
    ref: Ref
    names: tuple[str, ...]
    """All that it is called in full, folded."""
    titles: tuple[str, ...]


class Index:
    """Words of everything in the catalogue, in memory."""

    def __init__(self, catalogue: Catalogue, languages: Sequence[Callable[[str], str]] = ()) -> None:
        """Index a catalogue.

        Args:
            catalogue: what to find.
            languages: each gives a title, a question or a text of a KPI in a language, beside English.

        """
        self._languages = (_same, *languages)
        self._documents: list[_Document] = []
        self._places: dict[str, dict[int, float]] = {}
        for entry in catalogue.entries.values():
            kpi = catalogue.kpis.get(entry.ref.name) if entry.kind == "kpi" else None
            texts = [entry.description, entry.owner, *([kpi.question, kpi.formula] if kpi else [])]
            titles = self._said(entry.title)
            self._add(
                entry.ref, (entry.ref.name, entry.title, entry.short_name), titles, kpi.synonyms if kpi else (), texts
            )
            for column in entry.columns:
                is_definition = kpi is not None
                known = self._said(column.description) if is_definition else ()
                text = [column.sensitivity, column.unit, *([] if is_definition else [column.description])]
                names = (column.name, f"{entry.ref.name}.{column.name}", f"{entry.title}.{column.name}")
                self._add(entry.ref._replace(column=column.name), names, known, (), text, entry.ref.name)
        self._words = sorted(self._places)

    def find(self, query: str, most: int = 50) -> list[Found]:
        """Give what fits every word of a query, the best first."""
        looked_for = _fold(query[:LONGEST]).strip()
        words = list(dict.fromkeys(TOKEN.findall(looked_for)))[:MOST_WORDS]
        if not words:
            return []
        scores: dict[int, float] | None = None
        for word in words:
            fits = self._fitting(word)
            scores = fits if scores is None else {n: scores[n] + fits[n] for n in scores.keys() & fits.keys()}
        found = [
            Found(one.ref, score + self._whole(one, looked_for))
            for n, score in (scores or {}).items()
            for one in (self._documents[n],)
        ]
        return sorted(found, key=lambda one: (-one.score, one.ref))[:most]

    def _said(self, text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(said(text) for said in self._languages))

    def _add(
        self,
        ref: Ref,
        names: tuple[str, ...],
        titles: Iterable[str],
        synonyms: Iterable[str],
        texts: Iterable[str],
        place: str = "",
    ) -> None:
        number, titles = len(self._documents), tuple(titles)
        self._documents.append(_Document(ref, tuple(map(_fold, names)), tuple(map(_fold, titles))))
        said = [one for text in texts for one in self._said(text)]
        for field, parts in ((TEXT, said), (PLACE, [place]), (SYNONYM, synonyms), (TITLE, titles), (NAME, names[:1])):
            for word in {word for part in parts for word in TOKEN.findall(_fold(part))}:
                known = self._places.setdefault(word, {})
                known[number] = max(known.get(number, 0.0), WEIGHTS[field])

    def _fitting(self, word: str) -> dict[int, float]:
        """Give what has a word, or one like it, with how well it fits."""
        fits: dict[int, float] = {}
        for known, share in self._like(word):
            for number, weight in self._places[known].items():
                fits[number] = max(fits.get(number, 0.0), weight * share)
        return fits

    def _like(self, word: str) -> Iterator[tuple[str, float]]:
        start, is_known = bisect_left(self._words, word), False
        for known in self._words[start:]:
            if not known.startswith(word):
                break
            is_known = True
            yield known, 1.0 if known == word else PREFIX
        if len(word) >= SHORTEST_INSIDE:
            yield from ((known, INSIDE) for known in self._words if word in known[1:])
        if not is_known and len(word) >= SHORTEST_ALIKE:
            yield from self._misspelt(word)

    def _misspelt(self, word: str) -> Iterator[tuple[str, float]]:
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extract

        alike = extract(word, self._words, scorer=OSA.normalized_similarity, score_cutoff=LEAST_ALIKE, limit=20)
        yield from ((known, ALIKE * similarity) for known, similarity, _ in alike)

    @staticmethod
    def _whole(one: _Document, looked_for: str) -> float:
        """Give what it is worth that the query as it stands is a name, or begins one."""
        kind = KINDS[one.ref.kind] if not one.ref.column else 0.0
        if looked_for in one.names:
            return EXACT + kind
        if looked_for in one.titles:
            return EXACT_TITLE + kind
        return kind + (BEGINS if any(name.startswith(looked_for) for name in (*one.names, *one.titles)) else 0.0)


def _same(text: str) -> str:
    return text


def _fold(text: str) -> str:
    """Give a text in small letters without marks, so that `Erlös` is found by `erlos`."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in folded if not unicodedata.combining(letter))


def counted(found: Iterable[Found]) -> Mapping[str, int]:
    """Count what was found by its kind; a column counts as one."""
    counts: dict[str, int] = {}
    for one in found:
        kind = "column" if one.ref.column else one.ref.kind
        counts[kind] = counts.get(kind, 0) + 1
    return counts
