"""Configuration of the display: commands of server, window manager and panel, and their files."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from controller.runtimes.base import TemplateSpec

GEOMETRY = "1280x800"
"""Until the first browser asks for its own size."""
MAX_CUT_TEXT = 64 * 1024 * 1024
"""Bytes. The stream holds the operator's ``STREAMSPACE_PASTE_LIMIT``; the server's own limit, 256
KiB by default, would drop what that allows without a word. This is the largest it can be set to."""
PLAIN = [[38, 44, 56], [24, 28, 36]]
PLEASANT = [[47, 86, 133], [22, 33, 62]]
"""Background of whole desktops, top and bottom."""
APPLICATIONS = Path("/usr/share/applications")
RESOURCES_FILE = "Xresources"
"""What ``XENVIRONMENT`` names: how a terminal looks, wherever it is started from."""
THEME = "theme"
"""Folder beside ``rc.xml``, as Openbox lays themes out: titles and menus in the panel's colours."""
_FIELD_CODES = re.compile(r"%[a-zA-Z]")
_OWN = ("tint2", "openbox", "obconf")


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A program that the root menu offers."""

    name: str
    command: str


def server(xvnc: str, template: TemplateSpec, socket: Path, authority: Path) -> list[str]:
    """argv of the VNC server: one unix socket, no TCP port, no password.

    The socket's mode and folder are what protects it. Two things are not obvious: sessions
    may not change the clipboard's policy back (``AllowOverride``), and repeated handshakes that
    are broken off do not lock out the next one (``UseBlacklist``: all peers of a unix socket
    look alike).
    """
    to_session = template.clipboard in ("both", "to_session")
    from_session = template.clipboard in ("both", "from_session")
    return [
        xvnc,
        *("-displayfd", "{displayfd}"),
        *("-rfbunixpath", str(socket), "-rfbunixmode", "0600", "-rfbport", "-1"),
        *("-SecurityTypes", "None", "-UseBlacklist", "0", "-AllowOverride", "desktop"),
        *("-nolisten", "tcp", "-auth", str(authority)),
        *("-AlwaysShared", "-geometry", GEOMETRY, "-depth", "24"),
        *("-AcceptCutText", str(int(to_session)), "-SendCutText", str(int(from_session))),
        *("-MaxCutText", str(MAX_CUT_TEXT)),
        *("-desktop", "".join(c for c in template.display_name if c.isprintable()) or "Desktop"),
    ]


def write_configuration(folder: Path, find: Callable[..., str | None], *, panel: bool) -> None:
    """Write ``rc.xml``, ``menu.xml``, the theme, ``tint2rc`` and ``Xresources``. Raises OSError."""
    entries = installed(find) if panel else []
    (folder / "menu.xml").write_text(menu(entries), encoding="utf-8")
    (folder / "rc.xml").write_text(openbox(folder / "menu.xml", panel=panel), encoding="utf-8")
    themerc = folder / THEME / "openbox-3" / "themerc"
    themerc.parent.mkdir(parents=True, exist_ok=True)
    themerc.write_text(_THEME, encoding="utf-8")
    (folder / "tint2rc").write_text(_TINT2, encoding="utf-8")
    (folder / RESOURCES_FILE).write_text(_RESOURCES, encoding="utf-8")


def installed(find: Callable[..., str | None]) -> list[MenuEntry]:
    """Programs with a window that this machine's application folder names, terminal first."""
    terminal = find("xterm")
    entries = [MenuEntry("Terminal", terminal)] if terminal else []
    names = {"xterm", "uxterm"}
    for path in sorted(APPLICATIONS.glob("*.desktop")):
        entry = _read_entry(path, find, terminal)
        if entry and entry.name.lower() not in names:
            names.add(entry.name.lower())
            entries.append(entry)
    return entries[:1] + sorted(entries[1:], key=lambda e: e.name.lower())


def menu(entries: Iterable[MenuEntry]) -> str:
    """The root menu, as Openbox reads it."""
    items = "\n".join(
        f'    <item label={quoteattr(entry.name)}><action name="Execute"><command>'
        f"{_text(entry.command)}</command></action></item>"
        for entry in entries
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<openbox_menu xmlns="http://openbox.org/3.4/menu">
  <menu id="root-menu" label="Applications">
{items}
    <separator/>
    <menu id="client-list-combined-menu"/>
  </menu>
</openbox_menu>
"""


def openbox(menu_file: Path, *, panel: bool) -> str:
    """Openbox's configuration: one window fills the screen, or a desktop with titles and menu."""
    alone = '<application type="normal"><decor>no</decor><maximized>true</maximized></application>'
    root = (
        "".join(
            f'<mousebind button="{button}" action="Press"><action name="ShowMenu">'
            "<menu>root-menu</menu></action></mousebind>"
            for button in ("Left", "Right")
        )
        if panel
        else ""
    )
    return (
        _OPENBOX.replace("@APPLICATIONS@", "" if panel else alone)
        .replace("@ROOT@", root)
        .replace("@MENU@", _text(str(menu_file)))
        .replace("@THEME@", _text(str(menu_file.parent / THEME)))
    )


def _read_entry(
    path: Path, find: Callable[..., str | None], terminal: str | None
) -> MenuEntry | None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        entry = parser["Desktop Entry"]
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError):
        return None  # somebody else's broken file costs its menu entry only
    name, command = entry.get("Name", ""), _FIELD_CODES.sub("", entry.get("Exec", "")).strip()
    program = command.split()[0].strip('"') if command else ""
    hidden = "true" in (entry.get("NoDisplay"), entry.get("Hidden")) or "OnlyShowIn" in entry
    if entry.get("Type") != "Application" or hidden or not (name and find(program)):
        return None
    if Path(program).name.startswith(_OWN) or Path(program).name in ("xterm", "uxterm"):
        return None
    if entry.get("Terminal") == "true":
        return MenuEntry(name, f"{terminal} -e {command}") if terminal else None
    return MenuEntry(name, command)


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_OPENBOX = """<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew><followMouse>no</followMouse></focus>
  <placement><policy>Smart</policy><center>yes</center></placement>
  <theme>
    <name>@THEME@</name><titleLayout>NLIMC</titleLayout>
    <font place="ActiveWindow"><name>Sans</name><size>9</size><weight>bold</weight></font>
    <font place="InactiveWindow"><name>Sans</name><size>9</size></font>
    <font place="MenuHeader"><name>Sans</name><size>9</size><weight>bold</weight></font>
    <font place="MenuItem"><name>Sans</name><size>10</size></font>
  </theme>
  <desktops><number>1</number><popupTime>0</popupTime></desktops>
  <keyboard>
    <keybind key="A-F4"><action name="Close"/></keybind>
    <keybind key="A-Tab"><action name="NextWindow"><finalactions>
      <action name="Focus"/><action name="Raise"/><action name="Unshade"/>
    </finalactions></action></keybind>
  </keyboard>
  <mouse>
    <dragThreshold>4</dragThreshold><doubleClickTime>400</doubleClickTime>
    <context name="Frame">
      <mousebind button="A-Left" action="Press"><action name="Focus"/><action name="Raise"/>
      </mousebind>
      <mousebind button="A-Left" action="Drag"><action name="Move"/></mousebind>
    </context>
    <context name="Titlebar">
      <mousebind button="Left" action="Drag"><action name="Move"/></mousebind>
      <mousebind button="Left" action="DoubleClick"><action name="ToggleMaximize"/></mousebind>
    </context>
    <context name="Titlebar Top Right Bottom Left TLCorner TRCorner BRCorner BLCorner">
      <mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/>
      </mousebind>
    </context>
    <context name="Top"><mousebind button="Left" action="Drag"><action name="Resize">
      <edge>top</edge></action></mousebind></context>
    <context name="Left"><mousebind button="Left" action="Drag"><action name="Resize">
      <edge>left</edge></action></mousebind></context>
    <context name="Right"><mousebind button="Left" action="Drag"><action name="Resize">
      <edge>right</edge></action></mousebind></context>
    <context name="Bottom"><mousebind button="Left" action="Drag"><action name="Resize">
      <edge>bottom</edge></action></mousebind></context>
    <context name="TRCorner BRCorner TLCorner BLCorner">
      <mousebind button="Left" action="Drag"><action name="Resize"/></mousebind>
    </context>
    <context name="Client">
      <mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/>
      </mousebind>
      <mousebind button="Middle" action="Press"><action name="Focus"/><action name="Raise"/>
      </mousebind>
      <mousebind button="Right" action="Press"><action name="Focus"/><action name="Raise"/>
      </mousebind>
    </context>
    <context name="Close"><mousebind button="Left" action="Click"><action name="Close"/>
    </mousebind></context>
    <context name="Maximize"><mousebind button="Left" action="Click">
      <action name="ToggleMaximize"/></mousebind></context>
    <context name="Iconify"><mousebind button="Left" action="Click"><action name="Iconify"/>
    </mousebind></context>
    <context name="Root">@ROOT@</context>
  </mouse>
  <menu><file>@MENU@</file></menu>
  <applications>@APPLICATIONS@</applications>
</openbox_config>
"""

_THEME = """\
border.width: 1
padding.width: 8
padding.height: 5
window.client.padding.width: 0
window.client.padding.height: 0
window.handle.width: 3
window.active.border.color: #3d4c6b
window.inactive.border.color: #2a3550
window.active.title.bg: Flat Solid
window.active.title.bg.color: #26344f
window.inactive.title.bg: Flat Solid
window.inactive.title.bg.color: #1e283d
window.active.title.separator.color: #26344f
window.inactive.title.separator.color: #1e283d
window.active.label.bg: Parentrelative
window.inactive.label.bg: Parentrelative
window.active.label.text.color: #eef1f6
window.inactive.label.text.color: #97a5bf
window.label.text.justify: left
window.active.handle.bg: Flat Solid
window.active.handle.bg.color: #26344f
window.inactive.handle.bg: Flat Solid
window.inactive.handle.bg.color: #1e283d
window.active.grip.bg: Flat Solid
window.active.grip.bg.color: #26344f
window.inactive.grip.bg: Flat Solid
window.inactive.grip.bg.color: #1e283d
window.*.button.*.bg: Parentrelative
window.active.button.*.image.color: #c3cee2
window.inactive.button.*.image.color: #74829e
window.active.button.hover.bg: Flat Solid
window.active.button.hover.bg.color: #3d4c6b
window.inactive.button.hover.bg: Flat Solid
window.inactive.button.hover.bg.color: #3d4c6b
menu.border.width: 1
menu.border.color: #3d4c6b
menu.separator.color: #33415f
menu.separator.padding.width: 10
menu.separator.padding.height: 4
menu.title.bg: Flat Solid
menu.title.bg.color: #1b2a4a
menu.title.text.color: #97a5bf
menu.items.bg: Flat Solid
menu.items.bg.color: #1e283d
menu.items.text.color: #e6ecf7
menu.items.disabled.text.color: #74829e
menu.items.active.bg: Flat Solid
menu.items.active.bg.color: #3450a8
menu.items.active.text.color: #ffffff
menu.items.active.disabled.text.color: #c3cee2
osd.bg: Flat Solid
osd.bg.color: #1e283d
osd.border.width: 1
osd.border.color: #3d4c6b
osd.label.bg: Parentrelative
osd.label.text.color: #e6ecf7
osd.hilight.bg: Flat Solid
osd.hilight.bg.color: #3450a8
"""

_TINT2 = """
rounded = 0
border_width = 0
background_color = #1b2a4a 100
border_color = #000000 0

rounded = 4
border_width = 0
background_color = #ffffff 12
border_color = #000000 0

rounded = 4
border_width = 0
background_color = #ffffff 30
border_color = #000000 0

panel_items = TC
panel_monitor = all
panel_position = bottom center horizontal
panel_size = 100% 32
panel_padding = 6 3 6
panel_background_id = 1
panel_dock = 0
wm_menu = 1
strut_policy = follow_size

taskbar_mode = single_desktop
taskbar_padding = 0 0 4
task_text = 1
task_icon = 1
task_centered = 0
task_maximum_size = 200 26
task_padding = 8 2 6
task_font = Sans 9
task_font_color = #e6ecf7 100
task_background_id = 2
task_active_background_id = 3
mouse_left = toggle_iconify
mouse_right = close

time1_format = %H:%M
time1_font = Sans bold 9
clock_font_color = #e6ecf7 100
clock_padding = 10 0
clock_tooltip = %A, %d %B %Y
"""

_RESOURCES = """\
XTerm*faceName: DejaVu Sans Mono
XTerm*faceSize: 11
XTerm*background: #161b26
XTerm*foreground: #dbe4f3
XTerm*cursorColor: #6fe3bd
XTerm*borderWidth: 0
XTerm*internalBorder: 8
XTerm*saveLines: 10000
XTerm*scrollBar: false
XTerm*VT100.selectToClipboard: true
"""
