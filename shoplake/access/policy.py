"""The policy file: roles and what each may see and do, every rule with the line that it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoplake.errors import PolicyError

if TYPE_CHECKING:
    from yaml import Node

    from shoplake.settings import Settings

PACKAGED = Path(__file__).with_name("policy.yaml")
PIPELINE = (
    "land",
    "collect",
    "consume",
    "drain",
    "run",
    "stream",
    "producers",
    "lake",
    "quarantine",
    "releases",
    "publish",
    "status",
)
CONSOLES = frozenset(
    [
        *PIPELINE,
        "serve",
        "kpi",
        "kpis",
        "sql",
        "queries",
        "live",
        "catalog",
        "keys",
        "users",
        "tokens",
        "access",
        "audit",
        "privacy",
    ]
)
"""What can be used: commands, and the pages and endpoints of the same name.

``queries`` are those of others that run; ``live`` is the last hour of the streams,
``catalog`` a page alone.
"""
EXPORTS = frozenset(["kpi", "sql", "lake", "quarantine", "audit"])
"""What rows can be taken out of."""
LIMITS = ("optional", "required")
SIGHT = ("tables", "sensitive", "hide", "limits", "unlimited", "smallest_group")
ROLE_KEYS = frozenset(["about", *SIGHT, "consoles", "exports"])


@dataclass(frozen=True)
class Rule:
    """A word of the policy and its line."""

    text: str
    line: int


@dataclass(frozen=True)
class Limit:
    """A column scope: by the user's own values (optional or required), or by fixed ones."""

    attribute: str
    line: int
    is_required: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Role:
    """What the users of a role may see and do."""

    name: str
    line: int
    about: str
    tables: tuple[Rule, ...]
    sensitive: tuple[Rule, ...]
    hide: tuple[Rule, ...]
    limits: tuple[Limit, ...]
    unlimited: tuple[Rule, ...]
    consoles: tuple[Rule, ...]
    exports: tuple[Rule, ...]
    smallest_group: Rule | None

    @property
    def group_size(self) -> int:
        """Give the fewest customers that a group must have to show its figures."""
        return int(self.smallest_group.text) if self.smallest_group else 0


@dataclass(frozen=True)
class Policy:
    """A policy file that was read."""

    file: Path
    sensitivities: Mapping[str, Rule]
    attributes: Mapping[str, tuple[Rule, ...]]
    roles: Mapping[str, Role]

    def role(self, name: str) -> Role:
        """Give a role.

        Raises:
            PolicyError: the policy has none of that name.

        """
        if name not in self.roles:
            raise PolicyError(
                f"The policy {self.file} has no role {name!r}.", hint=f"Roles: {', '.join(sorted(self.roles))}."
            )
        return self.roles[name]


def matching(rules: tuple[Rule, ...], full_name: str) -> Rule | None:
    """Give the first rule whose pattern fits a name."""
    return next((rule for rule in rules if fnmatchcase(full_name, rule.text)), None)


def load_policy(settings: Settings) -> Policy:
    """Read the home's ``policy.yaml``, or the packaged one.

    Raises:
        PolicyError: it is no YAML, or says something that a policy cannot say; the line is named.

    """
    own = settings.home / "policy.yaml"
    file = own if own.is_file() else PACKAGED
    return _read(file, file.stat().st_mtime_ns)


@cache
def _read(file: Path, _changed: int) -> Policy:
    import yaml

    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PolicyError(
            f"{file} cannot be read: {error}", hint="Correct the file; nobody has access until then."
        ) from error
    return _Reader(file).policy(node)


class _Reader:
    """Turns YAML nodes into rules, each with its line."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def policy(self, node: Node | None) -> Policy:
        top = self._mapping(node, {"version", "sensitivities", "attributes", "roles"})
        if "version" not in top or self._text(top["version"], node) != "1":
            raise self._wrong(node, "version must be 1")
        roles = self._mapping(top.get("roles"))
        return Policy(
            file=self._file,
            sensitivities={name: Rule(name, _line(n)) for name, n in self._mapping(top.get("sensitivities")).items()},
            attributes={name: self._rules(n) for name, n in self._mapping(top.get("attributes")).items()},
            roles={name: self._role(name, n) for name, n in roles.items()},
        )

    def _role(self, name: str, node: Node) -> Role:
        said = self._mapping(node, set(ROLE_KEYS))
        smallest = said.get("smallest_group")
        if smallest is not None and not self._text(smallest, node).isdigit():
            raise self._wrong(smallest, "smallest_group is a number of customers")
        return Role(
            name=name,
            line=_line(node) - 1,
            about=self._text(said["about"], node) if "about" in said else "",
            tables=self._rules(said.get("tables")),
            sensitive=self._rules(said.get("sensitive")),
            hide=self._rules(said.get("hide")),
            limits=tuple(self._limit(k, n) for k, n in self._mapping(said.get("limits")).items()),
            unlimited=self._rules(said.get("unlimited")),
            consoles=self._rules(said.get("consoles")),
            exports=self._rules(said.get("exports")),
            smallest_group=Rule(self._text(smallest, node), _line(smallest)) if smallest is not None else None,
        )

    def _limit(self, attribute: str, node: Node) -> Limit:
        from yaml import SequenceNode

        if isinstance(node, SequenceNode):
            values = tuple(rule.text for rule in self._rules(node))
            if not values:
                raise self._wrong(node, "a limit without a value lets nothing through; leave the tables out instead")
            return Limit(attribute, _line(node), values=values)
        if (word := self._text(node, node)) not in LIMITS:
            raise self._wrong(node, f"a limit is a list of values, or one of {', '.join(LIMITS)}")
        return Limit(attribute, _line(node), is_required=word == "required")

    def _mapping(self, node: Node | None, known: set[str] | None = None) -> dict[str, Node]:
        from yaml import MappingNode

        if node is None:
            return {}
        if not isinstance(node, MappingNode):
            raise self._wrong(node, "here stands a list of names with values")
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = self._text(key, key)
            if known is not None and name not in known:
                raise self._wrong(key, f"{name!r} is not known here; known are {', '.join(sorted(known))}")
            if name in found:
                raise self._wrong(key, f"{name!r} stands twice")
            found[name] = value
        return found

    def _rules(self, node: Node | None) -> tuple[Rule, ...]:
        from yaml import SequenceNode

        if node is None:
            return ()
        if not isinstance(node, SequenceNode):
            raise self._wrong(node, "here stands a list")
        return tuple(Rule(self._text(item, item), _line(item)) for item in node.value)

    def _text(self, node: Node | None, place: Node | None) -> str:
        from yaml import ScalarNode

        if not isinstance(node, ScalarNode):
            raise self._wrong(node or place, "here stands one word")
        return str(node.value)

    def _wrong(self, node: Node | None, why: str) -> PolicyError:
        place = f"{self._file}:{_line(node)}" if node is not None else str(self._file)
        return PolicyError(f"{place}: {why}.", hint="Correct the line; nobody has access until then.")


def _line(node: Any) -> int:  # noqa: ANN401 - the library is not typed
    return int(node.start_mark.line) + 1
