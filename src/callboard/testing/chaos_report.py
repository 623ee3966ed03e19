"""What a chaos showed: for each declared policy what struck it, what it did, and whether that is what it says."""

from collections import Counter
from collections.abc import Sequence

import msgspec


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One strike held against the policy: what was to follow and what did."""

    policy: str
    fault: str
    expected: str
    did: str
    ok: bool
    run: str = ""
    path: str = ""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One declared policy.

    Attributes:
        policy: its name, such as `tool refund`.
        says: what is declared, in words.
        struck: which faults it met, and how often.
        did: what it did about them, and how often.
        wrong: how often that was not what it says.
        unmet: faults that it never met.
        unused: parts of it that were never used, in words.
    """

    policy: str
    says: str
    struck: dict[str, int] = {}
    did: dict[str, int] = {}
    wrong: int = 0
    unmet: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def tried(self) -> bool:
        """Whether anything ever put it to the test."""
        return bool(self.struck or self.did)


class RuleLine(msgspec.Struct, frozen=True):
    """A rule: how many calls fitted it, and how many it struck."""

    rule: str
    seen: int
    struck: int


class RunLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run: where it stands, and why it did not succeed."""

    flow: str
    run: str
    status: str
    error: str = ""


class ChaosReport(msgspec.Struct, frozen=True):
    """The whole report. It can be stored as JSON with `msgspec.json.encode`."""

    seed: int
    lines: tuple[Line, ...]
    checks: tuple[Check, ...]
    rules: tuple[RuleLine, ...]
    runs: tuple[RunLine, ...]
    kills: int = 0

    @property
    def ok(self) -> bool:
        """Whether each policy that was tried did what it says."""
        return not self.wrong

    @property
    def wrong(self) -> tuple[Check, ...]:
        """What was not as declared."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def untried(self) -> tuple[str, ...]:
        """What no rule ever exercised, a line each."""
        policies = [f"{line.policy}: {missed}" for line in self.lines for missed in _missed(line)]
        rules = [f"rule {rule.rule}: struck nothing" for rule in self.rules if not rule.struck]
        return tuple(policies + rules)

    def line(self, policy: str) -> Line:
        """The line of a policy by its name. Raises KeyError."""
        for line in self.lines:
            if line.policy == policy:
                return line
        raise KeyError(policy)

    def text(self) -> str:
        """The report for people."""
        ended = Counter(run.status for run in self.runs)
        runs = ", ".join(f"{count} {status}" for status, count in ended.most_common()) or "none"
        said = [f"chaos with seed {self.seed}: {len(self.runs)} runs: {runs}; workers killed: {self.kills}", ""]
        for line in self.lines:
            if line.tried:
                said += [f"{line.policy}: {_verdict(line)}"]
                facts = (("says", line.says), ("struck by", _counts(line.struck)), ("did", _counts(line.did)))
                said += [f"  {name:<10} {fact}" for name, fact in facts if fact]
        if self.wrong:
            said += ["", "not as declared:"]
            said += [
                f"  {c.policy}, {c.fault}: {c.expected} was declared; {c.did} ({c.run} {c.path})" for c in self.wrong
            ]
        if self.untried:
            said += ["", "never tried:", *(f"  {what}" for what in self.untried)]
        return "\n".join(said)


def merged(reports: Sequence[ChaosReport]) -> ChaosReport:
    """Several reports on one app as one. What any of them tried was tried."""
    lines: dict[str, Line] = {}
    rules: dict[str, RuleLine] = {}
    for report in reports:
        for line in report.lines:
            lines[line.policy] = _joined(lines[line.policy], line) if line.policy in lines else line
        for rule in report.rules:
            before = rules.get(rule.rule)
            seen, struck = (0, 0) if before is None else (before.seen, before.struck)
            rules[rule.rule] = RuleLine(rule.rule, rule.seen + seen, rule.struck + struck)
    return ChaosReport(
        reports[0].seed if reports else 0,
        tuple(lines.values()),
        tuple(check for report in reports for check in report.checks),
        tuple(rules.values()),
        tuple(run for report in reports for run in report.runs),
        sum(report.kills for report in reports),
    )


def _joined(one: Line, other: Line) -> Line:
    return Line(
        one.policy,
        one.says,
        dict(Counter(one.struck) + Counter(other.struck)),
        dict(Counter(one.did) + Counter(other.did)),
        one.wrong + other.wrong,
        tuple(kind for kind in one.unmet if kind in other.unmet),
        tuple(part for part in one.unused if part in other.unused),
    )


def _missed(line: Line) -> list[str]:
    if not line.tried:
        return ["nothing ever struck or used it"]
    return [*([f"never met {', '.join(line.unmet)}"] if line.unmet else []), *line.unused]


def _verdict(line: Line) -> str:
    return f"NOT AS DECLARED ({line.wrong})" if line.wrong else "as declared"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(name if count == 1 else f"{name} {count}x" for name, count in counts.items())
