"""The policy in firewalld's language, for hosts where firewalld owns the firewall.

Spec: firewalld.policies(5), firewalld.policy(5), firewalld.richlanguage(5),
firewalld.helper(5), firewalld.service(5), firewalld.direct(5), firewall-cmd(1). What firewalld
makes of them was read off the rule sets of firewalld 1.3, with both of its FirewallBackends.

    zones       stay the administrator's: the script asks which zone an interface is in, and
                refuses one that holds other interfaces (``script``)
    policies    between zones accept control connections and translate addresses; services
                carry the helper (``objects``)
    direct      rules in tables raw, mangle and nat do what firewalld has no words for
                (``direct``)
    script      writes all of it, has it made live, and takes it away (``script``)

Three facts decide what is said in which part:

- firewalld accepts ``ct state established,related`` and ``ct status dnat`` ahead of every
  policy. So a connection to a published server never passes a policy that could attach the
  helper, and RELATED opens for any helper. Direct rules attach the one, and take from the
  other what this project never opens: privileged ports.
- A helper that is not registered, in whatever rule, fails the whole rule set, at boot too. The
  kernel loads its own by name; ours lives with a process. So ``cthelper`` is refused.
- ``firewall-cmd --reload`` takes direct rules away for a moment. Where they queue, lines pass
  unread meanwhile, as they do while no inspector runs; ``on_crash = "closed"`` is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from ftpfw.ruleset.compile import HELPER_NAME, families
from ftpfw.ruleset.firewalld import script
from ftpfw.ruleset.firewalld.direct import direct_lines
from ftpfw.ruleset.firewalld.expressible import require_firewalld_can
from ftpfw.ruleset.firewalld.objects import helpers, policies, services
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.ways import plan

__all__ = ["render_script"]


def render_script(policy: Policy, backend: Backend, notes: Iterable[str] = ()) -> str:
    """A POSIX shell script that has firewalld do what ``policy`` says, and undoes it.

    ``backend`` is resolved, so any but ``auto``; ``notes`` are comments about the whole, a
    line each. Raises PolicyError for what firewalld cannot express.
    """
    assert backend is not Backend.AUTO, "auto is resolved by the host"
    require_firewalld_can(policy, backend)
    helper = HELPER_NAME.get(backend)
    plans = [plan(policy, family, backend, helper) for family in families(policy)]
    files = (*helpers(plans), *services(plans), *policies(plans))
    return script.render(plans, backend, files, direct_lines(plans), notes)
