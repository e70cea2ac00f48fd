"""The scripts that host pages load: put together once from the files in `static/embed`, each under two addresses.

`/embed.js` is the newest one and cached shortly. `/embed-<digest>.js` never changes, so a host page may name its
`integrity`. Files of this service alone: no other origin's script is in them. `/embed-status.js` has the element for a
user's connections, in a file of its own, since most pages need one of the two. Every host page loads them,
so comments and white space are left out, and names of their own are shortened.

Each language has a script of its own: all of them in one would not fit into its six kilobytes.
"""

import hashlib
import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from string import ascii_letters

from starlette.requests import Request
from starlette.responses import Response

from service.errors import NotFound
from service.web.cached import IMMUTABLE, CachedAnswer
from service.web.languages import Language, languages
from service.web.request_language import page_language

_FOLDER = Path(__file__).parent.parent / "static" / "embed"
# No string of these files holds a comment's marks with spaces around them.
_COMMENT = re.compile(r"(^|\s)(//\s.*|/\*\*\s.*\*/)$")
# Where white space may be left out: beside these signs, outside of texts. No regular expression of these files has any.
_TEXT = re.compile(r'("(?:[^"\\\n]|\\.)*"|`[^`]*`)')
_SPACE = re.compile(r" ?(=>|[!=]==|&&|\|\||\?\?=?|[-+*]=|[=?:,{}()<>;]) ?(?! )")
_BREAK = re.compile(r"(?<=[{};,(])\n|\n(?=})")  # each statement of these files ends with ";" or a block
_LAST_SIGN = re.compile(r";(?=})|,(?=[)}\]])")  # of a block or a list, which needs none
_SHEET_SPACE = re.compile(r"\s?([{}:;,])\s")  # not before ":" alone, where it would change a selector
_PRIVATE = re.compile(
    r"#([a-z]\w+)"
)  # a class's own names, which no other script can use; the styles have no such word
# Top-level names of a file that are shortened: of these forms only, which no text and no property has.
_OWN = re.compile(r"^(?:const|function) ([A-Z_]{3,}|[a-z]+(?:Of|For|Value)|(?:make|when)[A-Z]\w+)\b", re.MULTILINE)
_SENTENCE = re.compile(r'_\("([^"]+)"\)')
# Host pages load it from other origins: as a module, with `crossorigin` and `integrity`, and under an embedder policy.
_FOR_HOST_PAGES = {"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"}


def _code_of(path: Path) -> str:
    """The lines of a file, without indentation and comments: every host page loads them."""
    lines = (_COMMENT.sub("", line).strip() for line in path.read_text("utf-8").splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def _without_space(code: str) -> str:
    """The code without the white space that only its readers need; texts stay as they are, but for style sheets."""
    parts = _TEXT.split(code)
    parts[::2] = [_LAST_SIGN.sub("", _BREAK.sub("", _SPACE.sub(r"\1", part))) for part in parts[::2]]
    parts[1::2] = [_SHEET_SPACE.sub(r"\1", part) if part.startswith("`\n") else part for part in parts[1::2]]
    return "".join(parts)


def _with_short_names(code: str, own: Sequence[str]) -> str:
    """The code with private names, and the names in `own`, of one letter each, the most frequent first."""
    for names, sign in ((_PRIVATE, "#"), (re.compile(rf"\b({'|'.join(own)})\b"), "$")):
        counted = Counter(names.findall(code)).most_common()
        short = {name: sign + letter for (name, _), letter in zip(counted, ascii_letters, strict=False)}
        code = names.sub(partial(_shortened, short), code)
    return code


def _shortened(short: Mapping[str, str], found: re.Match[str]) -> str:
    return short.get(found[1], found[0])


def _in_language(code: str, language: Language) -> str:
    return _SENTENCE.sub(lambda found: json.dumps(language.say(found[1]), ensure_ascii=False), code)


def assemble(parts: Sequence[str], present: str, language: Language) -> bytes:
    """One script of these files, in a function of its own; where `present` holds, it was loaded and does nothing."""
    source = "".join(_code_of(_FOLDER / name) for name in parts)
    body = _with_short_names(_without_space(_in_language(source, language)), _OWN.findall(source))
    return f'(()=>{{"use strict";if({present})return;{body}}})();\n'.encode()


@dataclass(frozen=True)
class EmbedScript:
    """A script's bytes in one language; its addresses are `/<name>.js` and `/<name>-<digest>.js`."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        """What the address that always answers these bytes names."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def integrity(self) -> str:
        """The value of the attribute `integrity`. Reference: w3.org/TR/SRI."""
        return f"sha384-{b64encode(hashlib.sha384(self.content).digest()).decode()}"

    def tag(self, public_url: str) -> str:
        """The element with which a host page loads exactly these bytes."""
        source = f"{public_url.rstrip('/')}/{self.name}-{self.digest}.js"
        return f'<script src="{source}" integrity="{self.integrity}" crossorigin defer></script>'


class EmbedScripts:
    """One script in each language, and its answers."""

    def __init__(self, parts: Sequence[str], present: str, name: str) -> None:
        self._parts, self._present, self._name = parts, present, name

    @cached_property  # not when the module is loaded: assembling took a twentieth of the time to the first answer
    def by_language(self) -> dict[str, EmbedScript]:
        """The script by the codes of its languages."""
        return {
            code: EmbedScript(self._name, assemble(self._parts, self._present, language))
            for code, language in languages().items()
        }

    @cached_property
    def _by_digest(self) -> dict[str, EmbedScript]:
        return {script.digest: script for script in self.by_language.values()}

    async def newest(self, request: Request) -> Response:
        """GET /<name>.js: the script that host pages on other sites load, in the language that is asked for."""
        script = self.by_language[page_language(request).code]
        headers = _FOR_HOST_PAGES | {"Vary": "Accept-Language"}
        return CachedAnswer(script.content, "text/javascript", headers).to(request)

    async def pinned(self, request: Request) -> Response:
        """GET /<name>-{digest}.js: the same script under an address that never changes. Raises NotFound for others."""
        script = self._by_digest.get(request.path_params["digest"])
        if script is None:
            raise NotFound
        return CachedAnswer(script.content, "text/javascript", _FOR_HOST_PAGES, IMMUTABLE).to(request)


EMBED_SCRIPTS = EmbedScripts(
    ("source.js", "address.js", "views.js", "flow.js", "element.js"), "window.MagicLink?.open", "embed"
)
STATUS_SCRIPTS = EmbedScripts(("source.js", "status.js"), 'customElements.get("magic-link-status")', "embed-status")
