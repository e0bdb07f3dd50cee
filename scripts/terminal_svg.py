"""Draws the screen of a terminal as an SVG picture. scripts/screens uses it."""

import re
import xml.sax.saxutils

import terminal

COLUMN, LINE, MARGIN, BASELINE = 8.4, 19, 16, 14  # in pixels, for a font size of 14
COLOURS = {31: "red", 32: "green", 33: "yellow"}  # those that peerctl uses
STYLE = """
  rect { fill: #0d1117; stroke: #30363d }
  text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #c9d1d9; white-space: pre }
  .bold { font-weight: bold; fill: #f0f6fc }
  .dim { fill: #8b949e }
  .green { fill: #3fb950 }
  .yellow { fill: #d29922 }
  .red { fill: #f85149 }
"""


class StyledCharacter(str):
    style = ()


class StyledScreen(terminal.Screen):
    """A terminal.Screen that also remembers the style of each character."""

    def __init__(self, *size):
        super().__init__(*size)
        self.style = ()

    def _control(self, parameters, kind):
        super()._control(parameters, kind)
        if kind != "m":
            return
        for number in (int(n or 0) for n in parameters.split(";")):
            if number == 0:
                self.style = ()
            elif number in (1, 2):
                self.style += (("bold", "dim")[number - 1],)
            elif number == 22:
                self.style = tuple(s for s in self.style if s not in ("bold", "dim"))
            elif number == 39 or 30 <= number <= 37:
                self.style = tuple(s for s in self.style if s in ("bold", "dim"))
                self.style += (COLOURS[number],) if number in COLOURS else ()

    def _put(self, character):
        super()._put(character)
        width = terminal.columns(character)
        if character >= " " and width > 0:
            styled = StyledCharacter(character)
            styled.style = self.style
            self.cells[self.row][self.column - width] = styled


def runs(line):
    """Splits a line into (column, columns, style, text). Gaps of two blanks and wide characters end a run, so that the
    picture keeps its columns whatever the font is."""
    found, column = [], 0
    for cell in line:
        if cell is None:  # the second half of a wide character
            continue
        style, width = getattr(cell, "style", ()), terminal.columns(cell[0])
        last = found[-1] if found else None
        is_gap = last and last[3].endswith("  ")
        if last and last[2] == style and width == 1 and last[1] == len(last[3]) and not (is_gap and cell != " "):
            last[1] += 1
            last[3] += cell
        else:
            found.append([column, width, style, str(cell)])
        column += width
    return [(column, len(text.rstrip()) if wide == len(text) else wide, style, text.rstrip())
            for column, wide, style, text in found if text.strip()]


def svg(screen, title):
    """The screen as an SVG document. Its <desc> has the text, for readers that cannot see the picture."""
    count = len(screen.text().rstrip().split("\n"))
    width, height = 2 * MARGIN + screen.width * COLUMN, 2 * MARGIN + count * LINE
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" '
           'role="img">', f"<title>{xml.sax.saxutils.escape(title)}</title>",
           f"<desc>{xml.sax.saxutils.escape(screen.text().rstrip())}</desc>", f"<style>{STYLE}</style>",
           f'<rect x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1}" rx="8"/>']
    for number, line in enumerate(screen.cells[:count]):
        for column, columns, style, text in runs(line):
            kind = f' class="{" ".join(style)}"' if style else ""
            out.append(f'<text x="{MARGIN + column * COLUMN:.1f}" y="{MARGIN + number * LINE + BASELINE}" '
                       f'textLength="{columns * COLUMN:.1f}"{kind}>{xml.sax.saxutils.escape(text)}</text>')
    return "\n".join(out) + "\n</svg>\n"


def text_of(picture):
    """The lines of text that a picture shows."""
    return xml.sax.saxutils.unescape(re.search(r"<desc>(.*)</desc>", picture, re.S)[1]).split("\n")


def title_of(picture):
    return re.search(r"<title>(.*)</title>", picture)[1]
