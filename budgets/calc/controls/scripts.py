"""The scripts of a change set for whoever runs it by hand, and what they print, read back. Pure: no Django.

Every word of a command is quoted by `shlex`, whatever a bill or a person wrote into it, and nothing of that stands in a
comment but letters, digits and a few signs. A script prints one line for each step, ``finops control-12 3 state
running``, which is pasted into the page of the change set: so the state before is recorded, and what became of it.
"""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from budgets.calc.controls.actions import KINDS, Command, command_words, state_text
from budgets.calc.controls.targets import AWS, Target
from finops_site.lib.language import gettext as _

CHECK, RUN, UNDO = "check", "run", "undo"
VERBS: Final = {
    CHECK: "Looks at what is there now, and changes nothing.",
    RUN: "Asks, and then does what was approved.",
    UNDO: "Puts back what was there before.",
}
# What a provider answers about something that is not there.
_GONE: Final = (
    "*NotFound*|*'not found'*|*'Not Found'*|*'was not found'*|*NoSuchEntity*|*'does not exist'*|*'could not be found'*"
)
# Where there is nothing to put back.
_NOT_THERE: Final = ("gone", "terminated", "shutting-down", "deleting")
# The functions of the script that read what a policy says: only one that denies is attached.
_DOCUMENTS: Final = {"iam-policy": "iam_policy", "scp": "control_policy"}
# state=$(...) and not a pipe: the status of the command is what counts.
FUNCTIONS: Final = f"""\
say() {{ printf 'finops %s %s\\n' "$set" "$*"; }}
squeeze() {{ printf '%s' "$1" | tr -s '[:space:]' ' ' | cut -c 1-100; }}
check() {{
  step=$1; shift
  if answer=$("$@" 2>&1 </dev/null); then say "$step" state "$(squeeze "$answer")"; return; fi
  case $answer in
    {_GONE}) say "$step" state gone ;;
    *) printf '%s\\n' "$answer" >&2 ;;
  esac
}}
try() {{
  step=$1; result=$2; shift 2
  if answer=$("$@" 2>&1 </dev/null); then say "$step" "$result"
  else say "$step" failed "$(squeeze "$answer")"; fi
}}
now() {{
  step=$1; shift
  if answer=$("$@" 2>&1 </dev/null); then
    answer=$(squeeze "$answer"); answer=${{answer% }}; answer=${{answer#PowerState/}}
    case $answer in ''|None|null) answer=none ;; esac
    return
  fi
  case $answer in
    {_GONE}) answer=gone ;;
    *) say "$step" failed "$(squeeze "$answer")"; return 1 ;;
  esac
}}
iam_policy() {{
  version=$(aws iam get-policy --policy-arn "$1" --query Policy.DefaultVersionId --output text </dev/null) &&
  aws iam get-policy-version --policy-arn "$1" --version-id "$version" --query PolicyVersion.Document \
    --output json </dev/null
}}
control_policy() {{
  aws organizations describe-policy --policy-id "$1" --query Policy.Content --output text </dev/null
}}
denies() {{
  step=$1; shift
  document=$("$@" 2>/dev/null | tr -d '[:space:]' | tr '[:upper:]' '[:lower:]')
  case $document in
    *'"effect":"allow"'*|*'\\u'*) ;;
    *'"effect":"deny"'*) return ;;
  esac
  say "$step" failed 'its policy cannot be read, or does not only deny: it is not attached'
  return 1
}}
rehearse() {{
  step=$1; shift
  if answer=$("$@" 2>&1 </dev/null); then return; fi
  case $answer in
    *DryRunOperation*) ;;
    *) printf 'step %s would be refused: %s\\n' "$step" "$(squeeze "$answer")" >&2 ;;
  esac
}}
in_account() {{
  actual=$(aws sts get-caller-identity --query Account --output text </dev/null) || actual=nobody
  test "$actual" = "$1" && return
  printf 'You are signed in to %s: what lies in %s is left out. Sign in there, and run this again.\\n' \
    "$actual" "$1" >&2
  return 1
}}"""


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """A step as a script needs it: its number, what it acts on, and the state before (empty: not read yet)."""

    number: int
    target: Target
    wanted: int
    before: str = ""


def one_line(text: str) -> str:
    """Text for a comment: nothing in it that a terminal or the shell would act on."""
    return re.sub(r"[^\w .,:/()@=+-]", "?", text, flags=re.ASCII)[:150]


def script(verb: str, change_set: int, title: str, steps: Sequence[ScriptStep]) -> str:
    """A script that checks, runs or undoes these steps; those of another AWS account than one is signed in to are left
    out when it runs, and printed."""
    lines = [
        "#!/bin/sh",
        f"# {one_line(title)}: change set {change_set}, {verb}",
        f"# {VERBS[verb]} Paste what it prints into the page of the change set.",
        "set -uf",
        f"set=control-{change_set}",
        FUNCTIONS,
    ]
    if verb == RUN:
        count = f"{len(steps)} step{'' if len(steps) == 1 else 's'}"
        lines += [
            f"printf 'Run {count} of %s? [yes/no] ' {shlex.quote(one_line(title))} >&2",
            'read -r answer && test "$answer" = yes || exit 1',
        ]
    for account, group in groupby(sorted(steps, key=_place), key=_place):
        indent = ""
        if account:
            lines += ["", f"if in_account {shlex.quote(account)}; then"]
            indent = "  "
        for step in group:
            lines += [f"{indent}{line}" for line in _step_lines(verb, step)]
        if account:
            lines.append("fi")
    return "\n".join([*lines, ""])


def _place(step: ScriptStep) -> str:
    """The AWS account of a step; empty where the command itself names the subscription or project."""
    return step.target.account if step.target.cloud == AWS else ""


def _step_lines(verb: str, step: ScriptStep) -> list[str]:
    kind, number = KINDS[step.target.kind], str(step.number)
    if verb == UNDO:
        return _undo_lines(step)
    if verb == CHECK:
        lines = [_line(["check", number], kind.read(step.target), step.target)]
        if kind.rehearse:
            lines.append(_line(["rehearse", number], kind.rehearse(step.target, step.before, step.wanted), step.target))
    else:
        lines = [_line(["try", number, "ok"], kind.do(step.target, step.before, step.wanted), step.target)]
    document = _DOCUMENTS.get(step.target.kind)
    if document is None:
        return lines
    policy = step.target.extra or step.target.name
    return [f"if {shlex.join(['denies', number, document, policy])}; then", *(f"  {line}" for line in lines), "fi"]


def _undo_lines(step: ScriptStep) -> list[str]:
    """Looks first: only what is as the action left it is put back, and what somebody changed meanwhile is left."""
    kind, number = KINDS[step.target.kind], str(step.number)
    undo = _line(["try", number, "undone"], kind.undo(step.target, step.before), step.target)
    ours = dict.fromkeys(kind.leaves(step.target, step.before, step.wanted))
    back = dict.fromkeys((step.before, *kind.back, *_NOT_THERE))
    return [
        f"if {_line(['now', number], kind.read(step.target), step.target)}; then",
        "  case $answer in",
        f"    {_pattern(ours)}) {undo} ;;",
        f"    {_pattern(back)}) say {number} undone ;;",
        f'    *) say {number} failed "somebody has changed it meanwhile ($answer): it is left as it is" ;;',
        "  esac",
        "fi",
    ]


def _pattern(states: Iterable[str]) -> str:
    return "|".join(map(shlex.quote, states))


def _line(words: list[str], command: Command, target: Target) -> str:
    return shlex.join([*words, *command_words(command, target)])


def shown_command(command: Command, target: Target) -> str:
    """A command as one may copy it from a page."""
    return shlex.join(command_words(command, target))


class BadPaste(ValueError):
    """What was pasted is not what a script of this change set printed; the message explains why."""


_LINE: Final = re.compile(r"finops control-(\d{1,18}) (\d{1,6}) (state|ok|failed|undone)(?: (.{0,200}))?")
_STATE: Final = re.compile(r"[\w ./:-]{0,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a script printed of a step: `what` is ``state``, ``ok``, ``failed`` or ``undone``."""

    number: int
    what: str
    text: str


def read_results(pasted: str, change_set: int, numbers: Iterable[int]) -> list[StepResult]:
    """What somebody pasted of a script's output, the last line of a step counts; raises BadPaste."""
    known, results = set(numbers), {}
    for line in pasted.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue
        if int(match[1]) != change_set:
            raise BadPaste(
                _("That is the output of change set {match}, and this is {change_set}.").format(
                    match=match[1], change_set=change_set
                )
            )
        number, text = int(match[2]), (match[4] or "").strip()
        if number not in known:
            raise BadPaste(_("There is no step {number} in this change set.").format(number=number))
        if match[3] == "state":
            text = state_text(text)
            if not _STATE.fullmatch(text):
                raise BadPaste(
                    _("Step {number}: {text!r} is no state that a provider prints.").format(
                        number=number, text=text[:60]
                    )
                )
        results[number] = StepResult(number, match[3], text)
    if not results:
        raise BadPaste(
            _("It holds no line that begins with: finops control-{change_set}").format(change_set=change_set)
        )
    return list(results.values())
