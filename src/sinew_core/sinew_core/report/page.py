"""Build one HTML page that needs no other file: text is escaped, pictures are embedded."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --ok: #1a7f37; --bad: #c0362c; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
.lead { margin-top: .2rem; opacity: .75; }
table { border-collapse: collapse; } th, td { padding: .3rem .9rem .3rem 0; text-align: left; }
td { font-variant-numeric: tabular-nums; border-top: 1px solid var(--line); }
.scroll { overflow-x: auto; }
.compact { font-size: .82rem; } .compact td, .compact th { padding: .15rem .6rem .15rem 0; }
.compact td:not(:last-child) { white-space: nowrap; }
.compact td:last-child { min-width: 8rem; }
figure { margin: 1rem 0; } img { max-width: 100%; border-radius: 6px; background: #fff; }
figcaption { opacity: .75; font-size: .9rem; }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; border-radius: 6px; }
.ok { color: var(--ok); } .bad { color: var(--bad); font-weight: 600; }
"""


class Page:
    """A page that grows from top to bottom; `html()` returns the whole of it."""

    def __init__(self, title: str, lead: str) -> None:
        """Start the page with its heading and one sentence under it."""
        self._title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>", f'<p class="lead">{html.escape(lead)}</p>']

    def section(self, heading: str) -> None:
        """Start a section."""
        self._parts.append(f"<h2>{html.escape(heading)}</h2>")

    def text(self, sentence: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{html.escape(sentence)}</p>")

    def verdict(self, sentence: str, *, good: bool) -> None:
        """Add a paragraph that says whether something held."""
        mark, kind = ("✓", "ok") if good else ("✗", "bad")
        self._parts.append(f'<p class="{kind}">{mark} {html.escape(sentence)}</p>')

    def bullets(self, sentences: Sequence[str]) -> None:
        """Add a list, nothing where it is empty."""
        items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
        if items:
            self._parts.append(f"<ul>{items}</ul>")

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], *, compact: bool = False
    ) -> None:
        """Add a table of text cells; a compact one has small text, and lines that do not break."""
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        kind = ' class="compact"' if compact else ""
        self._parts.append(f'<div class="scroll"><table{kind}><tr>{head}</tr>{body}</table></div>')

    def preformatted(self, text: str) -> None:
        """Add text whose line breaks matter, such as a configuration file."""
        self._parts.append(f"<pre>{html.escape(text)}</pre>")

    def figure(self, figure: Figure, caption: str) -> None:
        """Embed a matplotlib figure as a PNG."""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
        self._embed(buffer.getvalue(), caption)

    def picture(self, png: bytes, caption: str) -> None:
        """Embed a PNG."""
        self._embed(png, caption)

    def _embed(self, png: bytes, caption: str) -> None:
        data = base64.b64encode(png).decode()
        text = html.escape(caption)
        self._parts.append(
            f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
            f"<figcaption>{text}</figcaption></figure>"
        )

    def html(self) -> str:
        """Return the whole document."""
        body = "\n".join(self._parts)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self._title)}</title><style>{_STYLE}</style></head>\n"
            f"<body>\n{body}\n</body></html>\n"
        )
