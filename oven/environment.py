"""Read settings from the environment, and name every value that is wrong: the setting, the value, what is valid.

A setting is declared where `oven_site/settings` reads it: `env.int("OVEN_TAPE_MAX_MB", default=256, least=1)`. A
wrong value is noted and the default taken, so that one start names all of them; then `finish` raises. What settings
mean together is checked in `oven_site/checks.py`.
"""

from __future__ import annotations

import base64
import difflib
import math
import string
import zoneinfo
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_network
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv

from oven import redaction

T = TypeVar("T")
N = TypeVar("N", int, float)
# For annotations: methods have the names of these types, as in the library.
_str: TypeAlias = str
_int: TypeAlias = int
_float: TypeAlias = float
_bool: TypeAlias = bool
_list: TypeAlias = list
OURS = ("OVEN_", "ART_S3_", "BLOBS_S3_")
# Read by the supervisor and bin/oven.
OTHERS = {"OVEN_PORT", "OVEN_FROM", "OVEN_NO_DOTENV", "OVEN_RUN"}
TRUE, FALSE = ("true", "on", "yes", "y", "ok", "1"), ("false", "off", "no", "n", "0")
HTTP = ("http", "https")
DATABASES = ("sqlite", "postgres", "postgresql", "psql", "pgsql")
LONGEST = 80  # characters of a value that a message shows


class SettingsError(ImproperlyConfigured):
    """One line for each setting that is wrong."""


class Environment(FileAwareEnv):
    """The environment and `.env`, with checked values. Empty is the default, but for texts and lists."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[_str] = set()
        self.constants: dict[_str, Any] = {}
        self.secrets: _list[_str] = []
        self.problems: _list[_str] = []

    # Reading

    def str(self, name: _str, default: Any = "", choices: Sequence[_str] = (), secret: _bool = False) -> Any:
        value = self._given(name, secret)
        if value is None or (choices and not value and "" not in choices):
            return default
        if not choices or value in choices:
            return value
        self._wrong(name, value, f"one of {', '.join(filter(None, choices))}")
        return default

    def bool(self, name: _str, default: _bool = False) -> _bool:
        value = self._given(name) or ""
        if value.strip().lower() in (*TRUE, *FALSE):
            return value.strip().lower() in TRUE
        if value.strip():
            self._wrong(name, value, "true or false")
        return default

    def int(self, name: _str, default: _int = 0, least: _int | None = None, most: _int | None = None) -> _int:
        return self._number(name, int, default, least, None, most)

    def float(
        self,
        name: _str,
        default: _float = 0.0,
        least: _float | None = None,
        above: _float | None = None,
        most: _float | None = None,
    ) -> _float:
        return self._number(name, float, default, least, above, most)

    def list(
        self,
        name: _str,
        default: Any = (),
        each: Callable[[_str], Any] | None = None,
        valid: _str = "",
        secret: _bool = False,
    ) -> Any:
        """Read entries between commas. `each` converts one, or raises ValueError; `valid` says what it takes."""
        value = self._given(name, secret)
        if value is None:
            return default
        entries = [entry.strip() for entry in value.split(",") if entry.strip()]
        self.secrets += entries if secret else []
        try:
            return [each(entry) for entry in entries] if each else entries
        except ValueError:
            self._wrong(name, value, f"a list, separated by commas, of {valid}", secret)
            return default

    def url(self, name: _str, default: _str = "", schemes: Sequence[_str] = HTTP) -> _str:
        """Read an address with one of the schemes."""
        value = self._given(name)
        if not value:
            return default
        try:
            return _url(value, schemes)
        except ValueError:
            self._wrong(name, value, f"an address that begins with {' or '.join(f'{each}://' for each in schemes)}")
            return default

    def template(self, name: _str, default: _str, fields: Sequence[_str], needed: _str = "") -> _str:
        """Read an http(s) address in which `fields` may stand in braces; `needed` must."""
        value = self._given(name)
        if not value:
            return default
        try:
            found = {field for _, field, _, _ in string.Formatter().parse(value)}
            _url(value.format(**{**dict.fromkeys(fields, "1"), "origin": "http://host"}))
        except (ValueError, LookupError, AttributeError):
            found = set()
        if found and (not needed or needed in found):
            return value
        braces = ", ".join(f"{{{field}}}" for field in fields)
        needs = f" and {{{needed}}} is needed" if needed else ""
        self._wrong(name, value, f"an address; {braces} may stand in it, nothing else in braces{needs}")
        return default

    def parsed(self, name: _str, default: _str, parse: Callable[[Any], T], valid: _str, secret: _bool = False) -> T:
        """Read what `parse` makes of a text; it raises ValueError for a wrong one."""
        value = self._given(name, secret)
        try:
            return parse(default if value is None else value)
        except ValueError:
            self._wrong(name, value, valid, secret)
            return parse(default)

    def db_url(self, name: _str, default: _str, **options: Any) -> Any:
        value = self._given(name)
        try:
            if value and urlsplit(value).scheme in DATABASES:
                return self.db_url_config(value, **options)
        except ValueError:
            pass
        if value:
            self._wrong(name, value, "sqlite:///file or postgres://user:password@host:5432/name")
        return self.db_url_config(default, **options)

    def constant(self, name: _str, value: T) -> T:
        """Return a value that was a setting before. `unknown` warns an installation that still sets it."""
        self.constants[name] = value
        return value

    def _given(self, name: _str, secret: _bool = False) -> _str | None:
        """Return the value, or None when there is none. A file's last line break is no part of what it holds."""
        self.names.add(name)
        file = self.ENVIRON.env.get(f"{name}_FILE")
        try:
            value = str(self.ENVIRON[name])
        except KeyError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            self._wrong(f"{name}_FILE", file, f"a text file that can be read ({error})")
            return None
        value = value.rstrip("\r\n") if file else value
        self.secrets += [value] if secret and value else []
        return value

    def _number(
        self,
        name: _str,
        convert: Callable[[_str], N],
        default: N,
        least: _float | None,
        above: _float | None,
        most: _float | None,
    ) -> N:
        value = self._given(name)
        if value is None or not value.strip():
            return default
        try:
            number = convert(value)
            low = number >= least if least is not None else above is None or number > above
            if low and math.isfinite(number) and (most is None or number <= most):
                return number
        except (ValueError, OverflowError):
            pass
        self._wrong(name, value, _bounds("a whole number" if convert is int else "a number", least, above, most))
        return default

    # Saying what is wrong

    def _wrong(self, name: _str, value: Any, valid: _str, secret: _bool = False) -> None:
        shown = redaction.MASK if secret else redaction.text(repr(value))
        shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
        self.problems.append(f"{name}={shown} is not valid: it must be {valid}.")

    def finish(self) -> None:
        """Raise SettingsError for all that is wrong."""
        if self.problems:
            raise SettingsError("\n".join(self.problems))

    def unknown(self) -> _list[_str]:
        """Return one line for each name that looks like a setting of ours and is none."""
        known = self.names | OTHERS
        given = {
            name for name in self.ENVIRON.env if name.startswith(OURS) and name.removesuffix("_FILE") not in known
        }
        return [self._no_setting(name, known) for name in sorted(given)]

    def _no_setting(self, name: _str, known: set[_str]) -> _str:
        if name in self.constants:
            return f"{name} is no longer a setting of Oven: it is always {self.constants[name]:g}."
        return f"{name} is not a setting of Oven{_nearest(name, known)}"


def network(text: str) -> str:
    """Return an address or a network as it is. Raises ValueError, for host bits within a network too."""
    ip_network(text)
    return text


def proxy(text: str) -> str:
    """Return an address, a network, or * for anybody. Raises ValueError."""
    return text if text == "*" else network(text)


def origin(text: str) -> str:
    """Return an origin as browsers write it; in its host * may stand for anything. Raises ValueError."""
    parts = urlsplit(_url(text))
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise ValueError(text)
    return text.rstrip("/").lower()


def host_name(text: str) -> str:
    """Return a host name, an address, `.example.com` or *. Raises ValueError: no scheme, port or path."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text.replace(":", "/")
    if any(char in bare for char in "/ @") or not text:
        raise ValueError(text)
    return text


def one_of(*known: str) -> Callable[[str], str]:
    """Return a function that returns what is known and raises ValueError for anything else."""

    def check(text: str) -> str:
        if text not in known:
            raise ValueError(text)
        return text

    return check


def seconds(text: str) -> float:
    """Return a number from 0 on. Raises ValueError."""
    number = float(text)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(text)
    return number


def time_zone(text: str) -> str:
    """Return the name of a time zone that Python and browsers know. Raises ValueError."""
    if text != "UTC" and text not in zoneinfo.available_timezones() - {"Factory", "localtime"}:
        raise ValueError(text)
    return text


def webhook_key(text: str) -> str:
    """Return a key of Standard Webhooks as it is, `whsec_` and base64. Raises ValueError."""
    base64.b64decode(text.removeprefix("whsec_"), validate=True)
    return text


def _url(text: str, schemes: Sequence[str] = HTTP) -> str:
    """Return an address as it is. Raises ValueError for another scheme, no host, or a port that is none."""
    parts = urlsplit(text)
    place = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in schemes or not place or parts.port == 0 or any(char.isspace() for char in text):
        raise ValueError(text)
    return text


def _bounds(kind: str, least: float | None, above: float | None, most: float | None) -> str:
    low = f" from {least:g}" if least is not None else f" above {above:g}" if above is not None else ""
    if most is None:
        return f"{kind}{low}{' on' if least is not None else ''}"
    return f"{kind}{low} to {most:g}" if least is not None else f"{kind}{low}, at most {most:g}"


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"; did you mean {found[0]}?" if found else "."
