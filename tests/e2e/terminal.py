"""Runs a program on its own terminal: reads what it draws as a screen of characters, and sends keys."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata

PATIENCE = 60


def columns(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """The part of a VT100 that these programs use. A cell is a character with its combining marks, or None after a wide one."""

    def __init__(self, columns_wide, rows):
        self.width, self.height = columns_wide, rows
        self.cells = [[" "] * columns_wide for _ in range(rows)]
        self.row = self.column = 0
        self.alternate = self.wrapped = self.coloured = False
        self.rest = ""

    def resize(self, columns_wide, rows):
        self.cells = [(line + [" "] * columns_wide)[:columns_wide] for line in self.cells[:rows]]
        self.cells += [[" "] * columns_wide for _ in range(rows - len(self.cells))]
        self.width, self.height = columns_wide, rows
        self.row, self.column = min(self.row, rows - 1), min(self.column, columns_wide - 1)

    def lines(self):
        return ["".join(cell for cell in line if cell is not None).rstrip() for line in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def take(self, text):
        text = self.rest + text
        self.rest = ""
        i = 0
        while i < len(text):
            if text[i] == "\x1b":
                end = self._escape(text, i)
                if end is None:
                    self.rest = text[i:]
                    return
                i = end
            else:
                self._put(text[i])
                i += 1

    def _escape(self, text, i):
        """The end of the sequence, or None if it is incomplete."""
        if len(text) < i + 2:
            return None
        if text[i + 1] == "]":
            end = text.find("\x07", i)
            return None if end < 0 else end + 1
        if text[i + 1] in "()":
            return i + 3 if len(text) >= i + 3 else None
        if text[i + 1] != "[":
            if text[i + 1] == "M":
                self.row = max(0, self.row - 1)
            return i + 2
        end = i + 2
        while end < len(text) and not "@" <= text[end] <= "~":
            end += 1
        if end == len(text):
            return None
        self._control(text[i + 2:end], text[end])
        return end + 1

    def _control(self, parameters, kind):
        if parameters.startswith("?"):
            if "1049" in parameters:
                self.alternate = kind == "h"
            return
        numbers = [int(n) if n.isdigit() else 0 for n in parameters.split(";")]
        first = numbers[0] or 1
        if kind in "Hf":
            second = (numbers + [1])[1] or 1
            self.row, self.column = min(first, self.height) - 1, min(second, self.width) - 1
        elif kind in "ABCD":
            self.row += {"A": -first, "B": first}.get(kind, 0)
            self.column += {"C": first, "D": -first}.get(kind, 0)
            self.row, self.column = max(0, min(self.row, self.height - 1)), max(0, min(self.column, self.width - 1))
        elif kind == "G":
            self.column = min(first, self.width) - 1
        elif kind == "d":
            self.row = min(first, self.height) - 1
        elif kind == "X":
            self._blank(self.row, self.column, min(self.column + first, self.width))
        elif kind == "K":
            self._blank(self.row, {0: self.column}.get(numbers[0], 0), self.width if numbers[0] != 1 else self.column + 1)
        elif kind == "J":
            if numbers[0] == 0:
                self._blank(self.row, self.column, self.width)
            for row in range(self.row + 1 if numbers[0] == 0 else 0, self.height):
                self._blank(row, 0, self.width)
        elif kind == "P":
            line = self.cells[self.row]
            del line[self.column:self.column + first]
            line += [" "] * (self.width - len(line))
        elif kind == "L":
            for _ in range(first):
                self.cells.insert(self.row, [" "] * self.width)
                self.cells.pop()
        elif kind == "M":
            for _ in range(first):
                self.cells.pop(self.row)
                self.cells.append([" "] * self.width)
        elif kind == "m":
            self.coloured = self.coloured or any(30 <= n <= 37 or 90 <= n <= 97 for n in numbers)

    def _blank(self, row, begin, end):
        self.cells[row][begin:end] = [" "] * (end - begin)

    def _put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._next_row()
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character == "\t":
            self.column = min(self.width - 1, self.column // 8 * 8 + 8)
        elif character >= " " and character != "\x7f":
            width = columns(character)
            if width == 0:
                if self.column > 0:
                    self.cells[self.row][self.column - 1] = (self.cells[self.row][self.column - 1] or "") + character
                return
            if self.column + width > self.width:
                self.wrapped = True
                self.column = 0
                self._next_row()
            self.cells[self.row][self.column] = character
            if width == 2:
                self.cells[self.row][self.column + 1] = None
            self.column += width

    def _next_row(self):
        if self.row + 1 < self.height:
            self.row += 1
        else:
            self.cells.pop(0)
            self.cells.append([" "] * self.width)


class Terminal:
    def __init__(self, command, env, width=100, height=30):
        self.screen = Screen(width, height)
        self.raw = b""
        self.master, slave = pty.openpty()
        self._size(width, height)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env={"TERM": "xterm-256color"} | env,
                                        preexec_fn=own_terminal)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def _size(self, width, height):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def resize(self, width, height):
        self.screen.resize(width, height)
        self._size(width, height)
        os.kill(self.process.pid, signal.SIGWINCH)

    def type(self, text):
        os.write(self.master, text.encode())

    def attributes(self):
        """The terminal's current settings."""
        return termios.tcgetattr(self.master)

    def read(self, seconds=0.05):
        """Reads the available output. Returns false when the program has closed the terminal."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return False
        self.raw += data
        self.screen.take(data.decode("utf-8", "replace"))
        return bool(data)

    def wait(self, text, squeeze=False, seconds=PATIENCE):
        """Waits until the screen shows the text. `squeeze`: ignores line breaks."""
        def shown():
            return self.screen.text().replace("\n", "") if squeeze else self.screen.text()
        if squeeze:
            text = text.replace("\n", "")
        end = time.monotonic() + seconds
        while text not in shown():
            if not self.read() or time.monotonic() > end:
                raise AssertionError(f"{text!r} is not on the screen:\n{self.screen.text()}")

    def finish(self, seconds=PATIENCE):
        """Waits for the exit. Returns the exit code."""
        end = time.monotonic() + seconds
        while self.read() and time.monotonic() < end and self.process.poll() is None:
            pass
        code = self.process.wait(timeout=seconds)
        while select.select([self.master], [], [], 0)[0] and self.read(0):
            pass
        return code
