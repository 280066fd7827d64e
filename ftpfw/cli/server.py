"""``ftpfw server``: show, audit, convert and generate configurations of FTP servers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import click

from ftpfw.cli.configuration import note, open_configuration
from ftpfw.cli.host import POLICY_FILE, open_policy
from ftpfw.cli.output import JSON_OPTION, echo_json, echo_table, shown
from ftpfw.server.audit import Finding, audit
from ftpfw.server.checks import Severity
from ftpfw.server.forms import TABLES, WRITERS
from ftpfw.server.options import Form, Given, Option, Reading, Standing, Unexpressed
from ftpfw.server.recipes import FILES, Purpose, Recipe, make
from ftpfw.server.recipes import Place as Site
from ftpfw.server.sarif import render_sarif
from ftpfw.server.settings import Names, Origin, paths

CONFIGURATION = click.Path(path_type=Path)
FORM = click.Choice([form.value for form in Form])
DAEMON_OPTION = click.option(
    "--daemon", "form", type=FORM, help="What the file is written for; else it is guessed."
)
FAIL_ON = [*(severity.value for severity in Severity), "never"]


@click.group()
def server() -> None:
    """Look at, judge, convert and make configurations of FTP servers.

    FILE is a vsftpd.conf, a pure-ftpd.conf, Debian's /etc/pure-ftpd/conf directory, a file with
    pure-ftpd's flags, a proftpd.conf, or wu-ftpd's ftpaccess.
    """


@server.command()
@click.argument("file", type=CONFIGURATION)
@DAEMON_OPTION
@click.option(
    "--options", is_flag=True, help="Every option of the daemon, and what becomes of it elsewhere."
)
@JSON_OPTION
def show(file: Path, form: str | None, options: bool, as_json: bool) -> None:
    """Print what FILE sets the server to do, and what becomes of its options elsewhere.

    Elsewhere, an option is obeyed as one of the settings; ignored, which makes nothing less
    safe; or refused, since a server that did without it would let too much through.
    """
    reading = open_configuration(file, form)
    if options:
        _echo_options(TABLES[reading.daemon], as_json)
        return
    settings = [(path, reading.settings.get(path), what) for path, what in paths().items()]
    if as_json:
        echo_json(
            {
                "file": reading.file,
                "daemon": reading.daemon,
                "form": reading.form,
                "settings": {
                    path: {
                        "value": _plain(value),
                        **_where(reading, path),
                    }
                    for path, value, _ in settings
                },
                "options": [_option(one) for one in reading.given],
            }
        )
        return
    rows = [
        [path, _words(value, path), _place(reading, reading.settings.origin(path)), what]
        for path, value, what in settings
    ]
    echo_table(f"{reading.file} ({reading.form})", ["setting", "value", "from", "what"], rows)
    elsewhere = [one for one in reading.given if one.standing is not Standing.OBEYED]
    if elsewhere:
        click.echo()
        columns = ["option", "value", "from", "elsewhere", "what"]
        echo_table(
            "Not among the settings", columns, [_option_row(reading, one) for one in elsewhere]
        )


@server.command("audit")
@click.argument("file", type=CONFIGURATION)
@DAEMON_OPTION
@click.option("--policy", type=POLICY_FILE, help="The firewall's policy, to hold it against.")
@JSON_OPTION
@click.option("--sarif", is_flag=True, help="SARIF 2.1.0, for code scanners and editors.")
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    default=Severity.ERROR.value,
    show_default=True,
    help="Exit code 1 if there is a finding as bad as that.",
)
@click.pass_context
def audit_(
    context: click.Context,
    *,
    file: Path,
    form: str | None,
    policy: Path | None,
    as_json: bool,
    sarif: bool,
    fail_on: str,
) -> None:
    """Say what is dangerous or broken in FILE, each with the line that mends it."""
    if as_json and sarif:
        raise click.UsageError("--json and --sarif exclude each other")
    reading = open_configuration(file, form)
    findings = audit(reading, open_policy(policy) if policy else None)
    if sarif:
        echo_json(render_sarif(findings))
    elif as_json:
        echo_json(
            {
                "file": reading.file,
                "daemon": reading.daemon,
                "form": reading.form,
                "findings": [_as_object(one) for one in findings],
            }
        )
    else:
        _echo_findings(reading, findings)
    context.exit(1 if any(_is_as_bad(one, fail_on) for one in findings) else 0)


@server.command()
@click.argument("file", type=CONFIGURATION)
@DAEMON_OPTION
@click.option(
    "--to",
    "target",
    type=click.Choice([form.value for form in WRITERS]),
    required=True,
    help="The daemon, and of Pure-FTPd the syntax.",
)
@click.pass_context
def convert(context: click.Context, file: Path, form: str | None, target: str) -> None:
    """Print the configuration of FILE for another daemon.

    What that daemon has no words for goes to standard error, and what it does instead; the same
    for options that only their own daemon can be trusted with. Then the exit code is 1.
    """
    reading = open_configuration(file, form)
    written = WRITERS[Form(target)](reading.settings)
    click.echo(written.text, nl=False)
    ignored = [one for one in reading.given if one.standing is Standing.IGNORED]
    for one in ignored:
        note(f"{one.origin}: {one.option.name} left out, harmless: {one.option.what}")
    for one in reading.refused():
        note(f"{one.origin}: {one.option.name} left out, look at it: {one.option.what}")
    for missing in written.unexpressed:
        note(_missing(missing, target))
    context.exit(1 if written.unexpressed or reading.refused() else 0)


@server.command()
@click.option(
    "--daemon",
    "form",
    type=click.Choice([form.value for form in WRITERS]),
    required=True,
    help="The daemon, and of Pure-FTPd the syntax.",
)
@click.option(
    "--for",
    "purpose",
    type=click.Choice([purpose.value for purpose in Purpose]),
    required=True,
    help="What the server is for.",
)
@click.option("--address", help="The address to listen on; without it, every one of the host.")
@click.option("--public", help="The address under which a gateway publishes the server.")
@click.option("--port", type=click.IntRange(1, 65535), default=21, show_default=True)
@click.option(
    "--passive-ports", default="61000-61199", show_default=True, help="Two for each session."
)
@click.option("--root", default="/srv/ftp", show_default=True, help="What the server serves.")
@click.option("--inetd", is_flag=True, help="Sessions come from inetd.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory to write configuration, setup.sh and gateway.toml to.",
)
def generate(
    *,
    form: str,
    purpose: str,
    address: str | None,
    public: str | None,
    port: int,
    passive_ports: str,
    root: str,
    inetd: bool,
    output: Path | None,
) -> None:
    """Make a safe server: its configuration, the commands it takes, the firewall's policy.

    The policy is for the server's own host, or with --public for the gateway before it.
    """
    ports = _passive(passive_ports)
    if not root.startswith("/"):
        raise click.UsageError("--root takes an absolute path")
    here, there = _host("--address", address), _host("--public", public)
    if there and here is None:
        raise click.UsageError("--public takes --address, by which the gateway knows the server")
    if here and there and here.version != there.version:
        raise click.UsageError("--public and --address are of two IP versions")
    site = Site(root.rstrip("/") or "/", here, port, ports, inetd, there)
    recipe = make(Purpose(purpose), Form(form), site)
    if output is None:
        _echo_recipe(recipe, form)
    else:
        _write_recipe(recipe, Form(form), output)
    for missing in recipe.unexpressed:
        note(_missing(missing, form))


# Printing


def _echo_options(rows: Sequence[Option], as_json: bool) -> None:
    if as_json:
        echo_json([_row_as_object(row) for row in rows])
        return
    columns = ["option", "default", "elsewhere", "what"]
    cells = [[row.name, row.default, _elsewhere(row), row.what] for row in rows]
    echo_table("Every option", columns, cells)


def _elsewhere(row: Option) -> str:
    if row.paths or row.harmless is None:
        return row.standing("")
    unless = " or ".join(word or "empty" for word in row.harmless)
    return f"{Standing.REFUSED} unless {unless}" if unless else Standing.REFUSED


def _row_as_object(row: Option) -> dict[str, Any]:
    return {
        "option": row.name,
        "default": row.default,
        "manual": row.documented or row.default,
        "elsewhere": _elsewhere(row),
        "settings": row.paths,
        "what": row.what,
    }


def _echo_findings(reading: Reading, findings: Sequence[Finding]) -> None:
    if not findings:
        click.echo(f"{reading.file} ({reading.form}): nothing to object to")
        return
    rows = [
        [one.severity, one.id, _place(reading, one.origin), f"{one.what}: {one.why}", one.mend]
        for one in findings
    ]
    columns = ["severity", "id", "where", "what", "mend"]
    echo_table(f"{reading.file} ({reading.form})", columns, [[*map(shown, row)] for row in rows])


def _place(reading: Reading, origin: Origin) -> str:
    """Where something is: the title names the file already."""
    if origin.line is None:
        return f"default of {origin.option}" if origin.option else "always"
    return f"line {origin.line}" if origin.file == reading.file else str(origin)


def _is_as_bad(finding: Finding, fail_on: str) -> bool:
    order = [severity.value for severity in Severity]
    return fail_on != "never" and order.index(finding.severity) >= order.index(fail_on)


def _as_object(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "file": finding.origin.file,
        "line": finding.origin.line,
        "what": finding.what,
        "why": finding.why,
        "mend": finding.mend,
    }


def _missing(one: Unexpressed, daemon: str) -> str:
    wanted, instead = _words(one.wanted, one.path), _words(one.instead, one.path)
    return f"{one.path} is {wanted}, but {daemon} has no words for that and does: {instead}"


def _echo_recipe(recipe: Recipe, form: str) -> None:
    name = FILES.get(Form(form), form)
    for title, text in (
        (f"configuration: {name}", recipe.configuration),
        ("commands, as root", recipe.commands),
        ("the firewall: gateway.toml", recipe.policy),
    ):
        click.echo(f"### {title}\n")
        click.echo(text)


def _write_recipe(recipe: Recipe, form: Form, output: Path) -> None:
    name = Path(FILES[form]).name if form in FILES else f"{form}.sh"
    output.mkdir(parents=True, exist_ok=True)
    for file, text in (
        (name, recipe.configuration),
        ("setup.sh", recipe.commands),
        ("gateway.toml", recipe.policy),
    ):
        (output / file).write_text(text, encoding="utf-8")
        click.echo(f"wrote {output / file}")


def _passive(passive: str) -> range:
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", passive, re.ASCII)
    if not match or not 1024 <= int(match[1]) < int(match[2]) <= 65535:
        raise click.UsageError("--passive-ports takes two ports from 1024 to 65535, as 61000-61199")
    return range(int(match[1]), int(match[2]) + 1)


def _host(option: str, text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text) if text else None
    except ValueError:
        raise click.UsageError(f"{option}: {text!r} is no IP address") from None


def _option(one: Given) -> dict[str, Any]:
    return {
        "option": one.option.name,
        "value": one.text,
        "file": one.origin.file,
        "line": one.origin.line,
        "standing": one.standing,
        "what": one.option.what,
    }


def _option_row(reading: Reading, one: Given) -> list[str]:
    where = _place(reading, one.origin)
    cells = [one.option.name, one.text, where, one.standing, one.option.what]
    return [shown(cell) for cell in cells]


def _where(reading: Reading, path: str) -> dict[str, Any]:
    origin = reading.settings.origin(path)
    return {"file": origin.file if origin.line else None, "line": origin.line}


def _plain(value: Any) -> Any:
    """A setting's value for JSON."""
    match value:
        case range():
            return f"{value.start}-{value.stop - 1}"
        case tuple():
            return [_plain(one) for one in value]
        case Names():
            return {"pattern": value.pattern, "syntax": value.syntax}
        case None | bool() | int() | Enum():
            return value
        case _:
            return str(value)


def _words(value: Any, path: str) -> str:
    """A setting's value for people."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() if path.endswith(("umask", "mode")):
            return f"0{value:o}"
        case tuple():
            return shown(", ".join(map(str, value))) or "none named"
        case _:
            return shown(str(_plain(value))) or '""'
