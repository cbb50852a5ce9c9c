"""Record the terminal of a fit as the picture of README.md.

    pip install pyte
    python docs/terminal.py

It runs `kerasft fit resnet_digits` in an empty folder, on a pseudo terminal.
"""

import io
import os
import pty
import struct
import sys
import tempfile
import termios
from fcntl import ioctl
from pathlib import Path

import pyte
from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 92, 60
SVG = Path(__file__).parent / "pages/assets/fit.svg"
# Fonts of the reader: nothing is loaded from another host.
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace;
 font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def record(command: list[str]) -> pyte.Screen:
    """Return the screen of a terminal after a command."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.ByteStream(screen)
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": str(HEIGHT)}
        os.execv(command[0], command)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    while True:
        try:
            stream.feed(os.read(terminal, 4096))
        except OSError:  # the command has ended
            break
    os.waitpid(process, 0)
    return screen


def line(screen: pyte.Screen, row: int) -> Text:
    """Return a line of the screen with its colors."""
    text = Text()
    for column in range(WIDTH):
        char = screen.buffer[row][column]
        color = "" if char.fg == "default" else char.fg
        color = f"#{color}" if len(color) == 6 and color.isalnum() and color not in NAMES else color
        text.append(char.data, style=f"{'bold ' * char.bold}{color.replace('brown', 'yellow')}")
    text.rstrip()
    return text


NAMES = {"yellow"}  # six letters that are no hexadecimal number


def main() -> None:
    """Write the picture."""
    kerasft = Path(sys.executable).parent / "kerasft"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        screen = record([str(kerasft), "fit", "resnet_digits", "--name", "first"])
    lines = [line(screen, row) for row in range(HEIGHT)]
    while lines and not lines[-1].plain:
        lines.pop()
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    console.print(Text("$ kerasft fit resnet_digits --name first", style="bold"))
    for one in lines:
        console.print(one, soft_wrap=True)
    console.print()  # the last line is not cut off
    SVG.write_text(console.export_svg(title="", code_format=FORMAT), encoding="utf-8")


if __name__ == "__main__":
    main()
