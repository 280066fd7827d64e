"""``ftpfw rules``: generate, apply, check and remove the rule set of a policy."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from difflib import unified_diff
from pathlib import Path

import click

from ftpfw.cli.confirm import confirmed
from ftpfw.cli.host import (
    POLICY_FILE,
    open_policy,
    require_interfaces,
    require_root,
    require_served,
)
from ftpfw.cli.interrupts import interrupts_deferred
from ftpfw.cli.output import JSON_OPTION, echo_json, echo_table
from ftpfw.cli.unload import CTHELPER_MODULE, retire_helper
from ftpfw.conntrack import cthelper
from ftpfw.errors import FtpfwError, HostError
from ftpfw.helper.backends import INSPECTED, resolve_backend
from ftpfw.helper.state import State
from ftpfw.ruleset import apply as applier
from ftpfw.ruleset.compile import compile_families, compile_policy
from ftpfw.ruleset.drift import Drift
from ftpfw.ruleset.explain import render_explanation
from ftpfw.ruleset.firewalld import render_script
from ftpfw.ruleset.iptables import render_save
from ftpfw.ruleset.model import Family, RuleSet
from ftpfw.ruleset.nftables import render_nftables
from ftpfw.ruleset.policy import Backend, Policy

FAMILIES = {"iptables": Family.IPV4, "ip6tables": Family.IPV6}
FORMATS = (*FAMILIES, "nftables", "firewalld")
BACKENDS = [backend.value for backend in Backend if backend is not Backend.AUTO]
SHOWN = 40
"""Differences that a table names."""

UNRESOLVED = (
    'The policy\'s backend = "auto" was not resolved on a host: these are the rules of'
    " borrowed, its first choice. --helper-backend takes another."
)


@click.group()
def rules() -> None:
    """Generate, apply, check and remove the rule set of a policy."""


@rules.command()
@click.argument("policy", type=POLICY_FILE)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="iptables-save text of IPv4 or of IPv6, a file for nft -f, or a script for firewalld.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Tell what the rules do instead, in plain words and in the order of a packet's path.",
)
@click.option(
    "--helper-backend",
    "backend",
    type=click.Choice(BACKENDS),
    help="The backend to write rules for; without it, the policy's.",
)
def generate(policy: Path, format_: str | None, explain: bool, backend: str | None) -> None:
    """Print the rule set of POLICY; nothing is applied.

    Each rule stands under a sentence that says what it is for. Where the policy's
    backend is auto, root gets what this host offers, anybody else borrowed.
    """
    if (format_ is None) is not explain:
        raise click.UsageError("one of --format and --explain says what to print")
    wanted = open_policy(policy)
    chosen = Backend(backend) if backend else _offered(wanted)
    notes = [] if chosen else [UNRESOLVED]
    click.echo(_generated(wanted, chosen or Backend.BORROWED, format_, notes), nl=False)


def _generated(policy: Policy, backend: Backend, format_: str | None, notes: list[str]) -> str:
    if format_ in FAMILIES:
        return render_save(compile_policy(policy, backend, FAMILIES[format_]), notes)
    if format_ == "firewalld":
        return render_script(policy, backend, notes)
    rulesets = compile_families(policy, backend)
    if format_ is None:
        return "".join(f"{note}\n\n" for note in notes) + render_explanation(rulesets)
    return render_nftables(rulesets, notes)


@rules.command("apply")
@click.argument("policy", type=POLICY_FILE)
@click.option(
    "--backend",
    "firewall",
    type=click.Choice(applier.NAMES),
    help="The firewall to use; without it, where rules live already.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, as a diff; change nothing.")
@click.option(
    "--confirm",
    "seconds",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Ask whether to keep the rules, and roll back unless told so in time.",
)
def apply_(policy: Path, firewall: str | None, dry_run: bool, seconds: int | None) -> None:
    """Make the rule set of POLICY live: all of it, or nothing.

    It replaces an older one of ftpfw's. Foreign rules stay as they are. Refused where a
    helper runs that could not serve them: one with another queue, zone, mark or backend.
    """
    wanted = open_policy(policy)
    require_root("apply rules")
    require_interfaces(wanted)
    backend = resolve_backend(wanted)
    rulesets = compile_families(wanted, backend)
    firewall = applier.choose_firewall(rulesets, firewall)
    if dry_run:
        _echo_difference(rulesets, firewall)
        return
    require_served(wanted, backend, State.here())
    with interrupts_deferred(), ExitStack() as undo:
        # A rule cannot name a helper that is not there, and rules may well come first.
        if backend is Backend.CTHELPER and cthelper.make_known(wanted.helper.queue[0]):
            undo.callback(retire_helper)
        undo.callback(applier.apply(rulesets, firewall))
        if seconds is not None and not confirmed("keep these rules?", seconds):
            undo.close()
            with suppress(OSError):  # the terminal may be gone
                click.echo()
            raise FtpfwError("not confirmed: rolled back, the rules are as they were before")
        undo.pop_all()
    click.echo(f"applied on {firewall}: {_count(rulesets)}")
    if backend in INSPECTED and State.here().helper_pid() is None:
        click.echo("note: no inspector runs: `ftpfw helper POLICY`, or `ftpfw load`", err=True)


@rules.command()
@click.argument("policy", type=POLICY_FILE)
@JSON_OPTION
@click.pass_context
def check(context: click.Context, policy: Path, as_json: bool) -> None:
    """Compare the live rules with those of POLICY; exit code 1 if they differ."""
    wanted = open_policy(policy)
    require_root("read rules")
    rulesets = compile_families(wanted, resolve_backend(wanted))
    firewall = applier.choose_firewall()
    drift = applier.check(rulesets, firewall)
    if as_json:
        echo_json({"firewall": firewall, "drift": [_as_object(one) for one in drift]})
    elif drift:
        columns = ["what", "table", "chain", "wanted", "found"]
        rows = [_as_row(one) for one in drift[:SHOWN]]
        echo_table(f"{firewall} differs from {policy}", columns, rows)
        if len(drift) > SHOWN:
            click.echo(f"and {len(drift) - SHOWN} more differences; --json has them all")
    else:
        click.echo(f"{firewall} holds the rules of {policy}: {_count(rulesets)}")
    context.exit(1 if drift else 0)


@rules.command()
@click.argument("policy", type=POLICY_FILE)
def remove(policy: Path) -> None:
    """Take every rule and chain of ftpfw's away; foreign rules stay.

    POLICY is not read: a policy that is broken by now must not keep its rules in place.
    """
    del policy
    require_root("remove rules")
    homes = applier.firewalls_with_ours()
    with interrupts_deferred():
        for firewall in homes:
            applier.remove(firewall)
        if CTHELPER_MODULE.exists() and State.here().helper_pid() is None:
            retire_helper()
    click.echo(f"removed from {' and '.join(homes)}" if homes else "no rules of ftpfw's are here")


def _echo_difference(rulesets: list[RuleSet], firewall: str) -> None:
    live, wanted = applier.texts(rulesets, firewall)
    colours = {"+": "green", "-": "red", "@": "cyan"}
    lines = list(unified_diff(live, wanted, f"live on {firewall}", "wanted", lineterm="", n=2))
    for line in lines:
        click.secho(line, fg=colours.get(line[0]))
    click.echo(f"nothing was changed; {'see above' if lines else f'{firewall} is as wanted'}")


def _offered(policy: Policy) -> Backend | None:
    """The policy's backend; for ``auto`` what this host offers, None where it does not tell.

    Nothing else asks the host: the rules may be meant for another one.
    """
    if policy.helper.backend is not Backend.AUTO:
        return policy.helper.backend
    if os.geteuid() != 0:
        return None
    try:
        return resolve_backend(policy)
    except HostError:
        return None


def _count(rulesets: list[RuleSet]) -> str:
    counts = [
        f"{sum(len(chain.rules) for chain in ruleset.chains)} {ruleset.family}"
        for ruleset in rulesets
    ]
    return f"{' and '.join(counts) or 'no'} rules"


def _as_object(drift: Drift) -> dict[str, str | None]:
    return {
        "kind": drift.kind,
        "family": drift.family,
        "table": drift.table,
        "chain": drift.chain,
        "wanted": drift.wanted,
        "found": drift.found,
    }


def _as_row(drift: Drift) -> list[str]:
    place = f"{drift.family} {drift.table}"
    if drift.wanted is None and drift.found is None:
        return [drift.kind, place, drift.chain, "(the chain)", ""]
    return [drift.kind, place, drift.chain, drift.wanted or "", drift.found or ""]
