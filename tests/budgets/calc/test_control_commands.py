"""Commands of controls: what AWS's own service models and CLIs take, quoted whatever somebody named a resource."""

import json
import os
import shlex
import subprocess

import botocore.session
import jmespath
import pytest
from botocore import xform_name
from botocore.validate import validate_parameters

from budgets.calc.controls import actions, scripts
from budgets.calc.controls.actions import KINDS, AwsCall
from budgets.calc.controls.scripts import BadPaste, ScriptStep
from budgets.calc.controls.targets import (
    AWS,
    EXAMPLES,
    NAMED,
    NoTarget,
    Target,
    group_of,
    is_of_group,
    machine_of,
    named_target,
    says_production,
)

ACCOUNT, REGION = "111122223333", "eu-west-1"
SUBSCRIPTION = "0a1b2c3d-0000-1111-2222-333344445555"
LINES = {
    "asg": f"asg {ACCOUNT}/{REGION}/build agents",
    "eks-nodes": f"eks-nodes {ACCOUNT}/{REGION}/cluster/nodes",
    "azure-vmss": f"azure-vmss {SUBSCRIPTION}/group(1)/set-1",
    "google-group": "google-group project-1/zones/europe-west1-b/group-1",
    "kubernetes": "kubernetes context-1/dev/web",
    "scp": f"scp {ACCOUNT}/p-examplepolicy/444455556666",
    "iam-policy": f"iam-policy {ACCOUNT}/role/builders/arn:aws:iam::aws:policy/AWSDenyAll",
    "azure-policy": f"azure-policy {SUBSCRIPTION}/no-new-machines",
    "org-policy": "org-policy project-1/compute.disableSerialPortAccess",
    "aws-key": f"aws-key {ACCOUNT}/builder/AKIAEXAMPLEEXAMPLE00",
    "google-key": f"google-key project-1/build@project-1.iam.gserviceaccount.com/{'ab' * 20}",
    "azure-app": f"azure-app {SUBSCRIPTION}/{SUBSCRIPTION}",
    "lambda": f"lambda {ACCOUNT}/{REGION}/resize",
    "google-quota": "google-quota project-1/compute.googleapis.com/CPUS-per-project-region",
    "azure-quota": f"azure-quota {SUBSCRIPTION}/westeurope/standardDSv3Family",
}
FROM_BILLS = {
    "ec2": machine_of("i-0123456789abcdef0", ACCOUNT, REGION),
    "rds": machine_of(f"arn:aws:rds:{REGION}:{ACCOUNT}:db:orders", ACCOUNT, REGION),
    "rds-cluster": machine_of(f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:orders", ACCOUNT, REGION),
    "azure-vm": machine_of(
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/dev(1)/providers/Microsoft.Compute/virtualMachines/vm-1", "", ""
    ),
    "gce": machine_of("//compute.googleapis.com/projects/project-1/zones/europe-west1-b/instances/vm-1", "", ""),
}
TARGETS = {**FROM_BILLS, **{kind: named_target(line) for kind, line in LINES.items()}}
BEFORE = {"asg": "1 5 3", "eks-nodes": "1 5 3", "lambda": "none", "aws-key": "Active", "scp": "none"}


def before(kind):
    return BEFORE.get(kind, "7")


def test_every_kind_has_a_target_here_and_an_example_for_people():
    assert set(TARGETS) == set(KINDS)
    assert set(EXAMPLES) == set(NAMED) == set(LINES)


@pytest.mark.parametrize("kind", sorted(actions.ROLE_KINDS))
def test_aws_takes_every_call_as_its_service_model_has_it(kind):
    target, rules = TARGETS[kind], KINDS[kind]
    calls = [rules.read(target), rules.do(target, before(kind), 1), rules.undo(target, before(kind))]
    calls += [rules.rehearse(target, before(kind), 1)] if rules.rehearse else []
    session = botocore.session.get_session()
    for call in calls:
        assert isinstance(call, AwsCall)
        model = session.get_service_model(call.service).operation_model(call.operation)
        validate_parameters(dict(call.parameters), model.input_shape)
        words = actions.command_words(call, target)
        assert words[:3] == ["aws", call.service, xform_name(call.operation, "-")]
        options = {f"--{xform_name(name, '-')}" for name in call.parameters} | {"--region", "--query", "--output"}
        assert {word for word in words if word.startswith("--")} <= options
        if call.query:
            jmespath.compile(call.query)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - actions.ROLE_KINDS))
def test_the_other_clouds_have_words_for_looking_doing_and_undoing(kind):
    target, rules = TARGETS[kind], KINDS[kind]
    for words in (rules.read(target), rules.do(target, "7", 1), rules.undo(target, "7")):
        assert words[0] in ("az", "gcloud", "kubectl")
        assert all(isinstance(word, str) and word for word in words)
    assert rules.do(target, "7", 1) != rules.undo(target, "7")


def test_undo_restores_what_was_read_and_not_a_default():
    asg, rules = TARGETS["asg"], KINDS["asg"]
    assert rules.do(asg, "2 9 6", 1).parameters | {} == {
        "AutoScalingGroupName": "build agents",
        "MinSize": 1,
        "DesiredCapacity": 1,
    }
    assert rules.undo(asg, "2 9 6").parameters == {
        "AutoScalingGroupName": "build agents",
        "MinSize": 2,
        "MaxSize": 9,
        "DesiredCapacity": 6,
    }
    function = KINDS["lambda"]
    assert function.undo(TARGETS["lambda"], "none").operation == "DeleteFunctionConcurrency"
    assert function.undo(TARGETS["lambda"], "25").parameters["ReservedConcurrentExecutions"] == 25
    assert "--size=4" in KINDS["google-group"].undo(TARGETS["google-group"], "4")
    assert "delete" in KINDS["org-policy"].undo(TARGETS["org-policy"], "none")
    assert "disable-enforce" in KINDS["org-policy"].undo(TARGETS["org-policy"], "False")


@pytest.mark.parametrize(
    ("kind", "state", "verdict"),
    [
        ("ec2", "running", "ready"),
        ("ec2", "stopped", "same"),
        ("ec2", "terminated", "gone"),
        ("ec2", "none", "gone"),
        ("rds", "available", "ready"),
        ("rds", "modifying", "changed"),
        ("azure-vm", "running", "ready"),
        ("azure-vm", "deallocated", "same"),
        ("azure-vm", "stopped", "changed"),
        ("asg", "1 5 3", "ready"),
        ("asg", "0 5 0", "same"),
        ("asg", "gone", "gone"),
        ("kubernetes", "0", "same"),
        ("lambda", "none", "ready"),
        ("lambda", "0", "same"),
        ("aws-key", "Active", "ready"),
        ("aws-key", "none", "gone"),
        ("scp", "none", "ready"),
        ("scp", "p-examplepolicy", "same"),
        ("google-key", "ab True", "same"),
        ("google-key", "ab", "ready"),
        ("google-key", "none", "gone"),
    ],
)
def test_what_a_state_means(kind, state, verdict):
    assert actions.judge_state(kind, state, 0) == verdict


def test_nothing_is_ever_scaled_up():
    assert actions.judge_state("asg", "1 9 3", 5) == "same"
    assert actions.judge_state("google-group", "2", 2) == "same"


@pytest.mark.parametrize("line", ["aws-quota L-1216C47A", "service-quota ec2/L-1216C47A"])
def test_aws_quotas_cannot_be_lowered_and_what_works_is_named(line):
    with pytest.raises(NoTarget, match="never lowered: reserve a function's concurrency"):
        named_target(line)


def test_a_policy_that_may_allow_something_and_the_root_of_everything_are_no_targets():
    for name in ("AdministratorAccess", "ReadOnlyAccess", "job-function/Billing", "x/AWSDenyAll"):
        with pytest.raises(NoTarget, match="only AWSDenyAll denies"):
            named_target(f"iam-policy {ACCOUNT}/role/builders/arn:aws:iam::aws:policy/{name}")
    own = named_target(f"iam-policy {ACCOUNT}/role/builders/arn:aws:iam::{ACCOUNT}:policy/teams/deny-spend")
    assert own.extra.endswith(":policy/teams/deny-spend")
    with pytest.raises(NoTarget, match="name one account, or one OU"):
        named_target(f"scp {ACCOUNT}/p-examplepolicy/r-ab12")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (f"asg {ACCOUNT}/{REGION}/web-prod", "web-prod"),
        (f"asg {ACCOUNT}/{REGION}/Production", "Production"),
        (f"eks-nodes {ACCOUNT}/{REGION}/prod1/nodes", "prod1"),
        ("kubernetes prod-context/dev/web", "prod-context"),
        ("kubernetes context/production/web", "production"),
        ("kubernetes context/dev/web-live", "web-live"),
        ("google-group northwind-prod/zones/europe-west1-b/group-1", "northwind-prod"),
    ],
)
def test_what_is_named_says_production_in_any_of_its_words(line, word):
    assert says_production(named_target(line)) == word
    assert not any(map(says_production, TARGETS.values()))


HOSTILE = [
    "$(touch owned)",
    "`touch owned`",
    "a;touch owned",
    "a'b",
    'a"b',
    "-rf",
    "--profile",
    "file:///etc/passwd",
    "a\nb",
    "a|b",
    "../a",
    "ä",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", sorted(NAMED))
def test_a_hostile_name_is_no_target(kind, name):
    parts = LINES[kind].split("/")
    with pytest.raises(NoTarget):
        named_target("/".join([*parts[:-1], name]))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_id_in_a_bill_is_no_machine_and_no_group(name):
    for resource in (
        name,
        f"i-{name}",
        f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{name}",
        f"{FROM_BILLS['gce'].name}/{name}",
    ):
        with pytest.raises(NoTarget):
            machine_of(resource, ACCOUNT, REGION)
    with pytest.raises(NoTarget):
        group_of("i-0123456789abcdef0", ACCOUNT, REGION, {"aws:autoscaling:groupName": f"{name}'$(x)"})
    with pytest.raises(NoTarget):
        machine_of("i-0123456789abcdef0", name, REGION)


def test_a_machine_of_a_group_is_known_by_its_tags():
    assert is_of_group({"aws:autoscaling:groupName": "web"})
    assert is_of_group({"user:aws:autoscaling:groupName": "web"})
    assert not is_of_group({"Group": "web"})
    group = group_of("i-0123456789abcdef0", ACCOUNT, REGION, {"aws:autoscaling:groupName": "build agents"})
    assert group == Target("asg", AWS, ACCOUNT, REGION, "build agents")


# Scripts, run by a real shell with commands that answer as told.


@pytest.fixture
def shell(tmp_path):
    """Runs a script with an `aws` and a `gcloud` of ours in the path; returns what it printed and what was called."""

    def run(script, answers="", answer="yes\n", account=ACCOUNT):
        for name in ("aws", "az", "gcloud", "kubectl"):
            fake = tmp_path / name
            fake.write_text(
                "#!/bin/sh\n"
                f'case "$*" in "sts get-caller-identity"*) echo {account}; exit 0 ;; esac\n'
                f'printf \'%s\\n\' "{name}" "$@" --- >> calls\n{answers}\n'
            )
            fake.chmod(0o755)
        file = tmp_path / "script.sh"
        file.write_text(script)
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", str(file)],
            input=answer,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PATH": path},
            check=False,
        )
        calls = (tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else ""
        return done, [call.splitlines() for call in calls.split("---\n") if call.strip()]

    return run


def step(kind="ec2", number=1, state="running", target=None):
    return ScriptStep(number, target or TARGETS[kind], 0, state)


def test_the_checking_script_prints_states_and_changes_nothing(shell):
    script = scripts.script("check", 12, "Dev machines", [step()])
    done, calls = shell(script, 'case "$*" in *dry-run*) echo DryRunOperation >&2; exit 255 ;; *) echo running ;; esac')
    assert done.stdout == "finops control-12 1 state running\n", done.stderr
    assert [call[2] for call in calls] == ["describe-instances", "stop-instances"]
    assert "--dry-run" in calls[1]
    assert scripts.read_results(done.stdout, 12, [1]) == [scripts.StepResult(1, "state", "running")]


def test_what_is_gone_is_printed_as_gone_and_what_failed_not_at_all(shell):
    script = scripts.script("check", 12, "x", [step()])
    done, _ = shell(script, "echo 'An error occurred (InvalidInstanceID.NotFound)' >&2; exit 254")
    assert done.stdout == "finops control-12 1 state gone\n"
    done, _ = shell(script, "echo 'Unable to locate credentials' >&2; exit 253")
    assert done.stdout == ""


def test_the_running_script_asks_first(shell):
    script = scripts.script("run", 12, "Dev machines", [step(), step("gce", 2)])
    done, calls = shell(script, answer="no\n")
    assert (done.returncode, calls) == (1, [])
    done, calls = shell(script)
    assert done.stdout == "finops control-12 2 ok\nfinops control-12 1 ok\n"
    assert {call[0] for call in calls} == {"aws", "gcloud"}


def test_one_failure_does_not_end_the_script(shell):
    script = scripts.script("undo", 12, "x", [step(number=1), step(number=2)])
    done, _ = shell(script, "echo 'no  such\n\tluck' >&2; exit 1")
    assert done.stdout == "finops control-12 1 failed no such luck\nfinops control-12 2 failed no such luck\n"


def test_another_account_is_left_alone(shell):
    done, calls = shell(scripts.script("run", 12, "x", [step()]), account="999988887777")
    assert (done.stdout, calls) == ("", [])
    assert "You are signed in to 999988887777: what lies in 111122223333 is left out." in done.stderr


@pytest.mark.parametrize("name", [*HOSTILE, "a\n touch owned\n", "*", "~", "$HOME", "a b"])
@pytest.mark.parametrize("verb", ["check", "run", "undo"])
def test_even_a_target_that_slipped_through_reaches_the_command_as_one_word(shell, tmp_path, verb, name):
    target = Target("asg", AWS, ACCOUNT, REGION, name)
    # As the control left it, so that the undoing script puts it back.
    _, calls = shell(
        scripts.script(verb, 12, f"{name}\ntouch owned", [step(target=target, state="1 5 3")]), "echo 0 5 0"
    )
    assert not (tmp_path / "owned").exists()
    options = {"check": ["names"], "run": ["name"], "undo": ["names", "name"]}[verb]
    for call, option in zip(calls, options, strict=True):
        at = call.index(f"--auto-scaling-group-{option}")
        assert "\n".join(call[at + 1 :]).startswith(name)


@pytest.mark.parametrize(
    ("kind", "state", "shown", "printed"),
    [
        ("asg", "1 5 3", "0\\t5\\t0", "undone"),
        ("asg", "1 5 3", "1 5 3", "undone"),
        ("asg", "1 5 3", "2 5 4", "failed somebody has changed it meanwhile (2 5 4): it is left as it is"),
        ("kubernetes", "3", "0", "undone"),
        ("kubernetes", "3", "9", "failed somebody has changed it meanwhile (9): it is left as it is"),
        ("azure-vm", "running", "PowerState/deallocated", "undone"),
        ("google-key", "ab" * 20, f"{'ab' * 20}\\tTrue", "undone"),
        ("iam-policy", "none", "AWSDenyAll", "undone"),
        ("lambda", "none", "5", "failed somebody has changed it meanwhile (5): it is left as it is"),
        ("ec2", "running", "terminated", "undone"),
    ],
)
def test_the_undoing_script_looks_and_leaves_what_somebody_changed(shell, kind, state, shown, printed):
    done, calls = shell(scripts.script("undo", 12, "x", [step(kind, state=state)]), f"printf '{shown}\\n'")
    assert done.stdout == f"finops control-12 1 {printed}\n", done.stderr
    # One look; and one change where it is as the control had left it.
    was_ours = printed == "undone" and shown not in (state, "terminated")
    assert len(calls) == 1 + was_ours


@pytest.mark.parametrize("kind", ["iam-policy", "scp"])
@pytest.mark.parametrize(
    ("effects", "denies"), [(["Deny"], True), (["Deny", "Allow"], False), (["Allow"], False), ([], False)]
)
def test_only_a_policy_that_denies_is_attached(shell, kind, effects, denies):
    target = named_target(
        f"iam-policy {ACCOUNT}/role/builders/arn:aws:iam::{ACCOUNT}:policy/ours"
        if kind == "iam-policy"
        else LINES[kind]
    )
    document = json.dumps({"Statement": [{"Effect": effect, "Action": "*"} for effect in effects]}, indent=2)
    answers = f"case \"$*\" in *get-policy-version*|*describe-policy*) printf '%s' '{document}' ;; *) echo v1 ;; esac"
    done, calls = shell(scripts.script("run", 12, "x", [step(kind, target=target, state="none")]), answers)
    assert done.stdout.startswith("finops control-12 1 ok" if denies else "finops control-12 1 failed its policy")
    assert any(call[2].startswith("attach-") for call in calls) == denies
    assert actions.denies_only(json.loads(document)) == denies


def test_commands_on_a_page_are_quoted():
    target = Target("asg", AWS, ACCOUNT, REGION, "$(touch owned) 'x'")
    shown = scripts.shown_command(KINDS["asg"].undo(target, "1 5 3"), target)
    assert shlex.split(shown)[6] == "$(touch owned) 'x'"


@pytest.mark.parametrize(
    ("pasted", "problem"),
    [
        ("", "no line that begins with"),
        ("finops control-13 1 ok", "output of change set 13"),
        ("finops control-12 9 ok", "no step 9"),
        ("finops control-12 1 state $(touch owned)", "no state that a provider prints"),
        ("finops control-12 1 state <script>", "no state that a provider prints"),
    ],
)
def test_what_is_pasted_must_be_what_the_script_printed(pasted, problem):
    with pytest.raises(BadPaste, match=problem):
        scripts.read_results(pasted, 12, [1])


def test_azures_and_googles_answers_are_read_in_one_way():
    states = ("PowerState/running\r", "None", "")
    pasted = "".join(f"finops control-12 {number} state {state}\n" for number, state in enumerate(states, 1))
    assert [result.text for result in scripts.read_results(pasted, 12, [1, 2, 3])] == ["running", "none", "none"]
    assert actions.state_text([1, 5, 3]) == "1 5 3"
