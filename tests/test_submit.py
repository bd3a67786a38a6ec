"""The scripts for arrays, with stand-ins for Slurm and, mostly, for the stages."""

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm.project import ROOT, Project, make_project, write_script
from tiny_scene import artifact_bytes, run_scene

STAGES = (
    "extract_train",
    "extract_test",
    "select",
    "merge",
    "score",
    "evaluate",
    "calibrate",
    "explain",
    "report",
)
TAG = "vadloc momentum /results/tiny"

# `python -c` tells the plan that plan.txt holds; a stage prints its command line.
PYTHON = r"""
[ "$1" != -c ] || exec cat plan.txt
echo "$*" "OMP_NUM_THREADS=${OMP_NUM_THREADS:-}"
"""
# Numbers its calls from 101 on, and refuses the one that refuse.txt names.
SBATCH = r"""
printf '%q ' "offset=${VADLOC_INDEX_OFFSET:-}" "$@" >>calls.txt
echo >>calls.txt
id=$((100 + $(wc -l <calls.txt)))
[ "$id" != "$(cat refuse.txt 2>/dev/null)" ] || { echo "sbatch: error: no" >&2; exit 1; }
echo "$id;cluster"
"""


@dataclass(frozen=True)
class Call:
    """One ``sbatch``: what matters of its command line."""

    stage: str
    array: str
    after: str
    offset: str
    words: tuple[str, ...]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Six sequences, nothing done, no jobs queued."""
    made = make_project(tmp_path / "project", python=PYTHON)
    tools = tmp_path / "tools"
    write_script(tools / "sbatch", SBATCH)
    write_script(tools / "squeue", "cat queue.txt")
    write_script(tools / "scontrol", "echo 'MaxArraySize            = 1001'")
    write_script(tools / "scancel", 'echo "$*" >>cancelled.txt')
    made.environment["PATH"] = f"{tools}:{made.environment['PATH']}"
    (made.root / "queue.txt").write_text("7 (null)\n8 another of mine\n")
    set_missing(made)
    return made


def set_missing(project: Project, **specs: str) -> None:
    """What is missing: all of six sequences, or what is given."""
    all_missing = dict.fromkeys(STAGES, "0-5") | dict.fromkeys(("merge", "evaluate", "report"), "0")
    lines = [TAG, *(f"{stage} {spec}" for stage, spec in (all_missing | specs).items())]
    (project.root / "plan.txt").write_text("\n".join(lines) + "\n")


def calls(project: Project) -> list[Call]:
    file = project.root / "calls.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return [_call(shlex.split(line)) for line in lines]


def _call(words: list[str]) -> Call:
    def value(option: str) -> str:
        return next((w.split("=", 1)[1] for w in words if w.startswith(option + "=")), "")

    if value("--dependency"):
        assert "--kill-on-invalid-dep=yes" in words
    return Call(
        value("--job-name"),
        value("--array"),
        value("--dependency"),
        value("offset"),
        tuple(words[1:]),
    )


def submit(project: Project, *words: object, **variables: str) -> str:
    return project.bash("scripts/submit.sh", *words, **variables)


def refused(project: Project, *words: object, status: int = 1, **variables: str) -> str:
    """The last line of stderr of a submission that fails."""
    done = project.run("bash", "scripts/submit.sh", *words, **variables)
    assert done.returncode == status, done.stderr
    return done.stderr.splitlines()[-1]


def test_each_stage_waits_for_those_it_reads(project: Project) -> None:
    submit(project, "tiny.toml")
    assert [(c.stage, c.array, c.after) for c in calls(project)] == [
        ("extract_train", "0-5", ""),
        ("extract_test", "0-5", ""),
        ("select", "0-5", "afterok:101"),
        ("merge", "", "afterok:103"),
        ("score", "0-5", "afterok:102:104"),
        ("evaluate", "", "afterok:105"),
        ("calibrate", "0-5", "afterok:103"),
        ("explain", "0-5", "afterok:105:107"),
        ("report", "", "afterok:108:106"),
    ]
    assert (project.root / "logs").is_dir()


def test_what_is_complete_is_skipped_and_not_waited_for(project: Project) -> None:
    set_missing(project, extract_train="", extract_test="2,4-5", select="")
    shown = submit(project, "tiny.toml", MAX_PARALLEL="3")
    assert [(c.stage, c.array, c.after) for c in calls(project)] == [
        ("extract_test", "2,4-5%3", ""),
        ("merge", "", ""),
        ("score", "0-5%3", "afterok:101:102"),
        ("evaluate", "", "afterok:103"),
        ("calibrate", "0-5%3", ""),
        ("explain", "0-5%3", "afterok:103:105"),
        ("report", "", "afterok:106:104"),
    ]
    assert shown.splitlines()[:3] == [
        "extract_train: complete",
        "extract_test: job 101",
        "select: complete",
    ]


def test_nothing_is_submitted_when_all_is_complete(project: Project) -> None:
    set_missing(project, **dict.fromkeys(STAGES, ""))
    assert submit(project, "tiny.toml").splitlines() == [f"{stage}: complete" for stage in STAGES]
    assert calls(project) == []


@pytest.mark.parametrize("left_out", ["evaluate", "calibrate"])
def test_what_is_not_planned_is_not_waited_for(project: Project, left_out: str) -> None:
    """No ground truth in the config, or a fixed threshold."""
    plan = project.root / "plan.txt"
    lines = plan.read_text().splitlines(keepends=True)
    plan.write_text("".join(line for line in lines if not line.startswith(left_out)))
    shown = submit(project, "tiny.toml")
    assert [c.stage for c in calls(project)] == [s for s in STAGES if s != left_out]
    assert left_out not in shown
    number = {c.stage: str(101 + place) for place, c in enumerate(calls(project))}
    report = calls(project)[-1]
    waits_for = [number[stage] for stage in ("explain", "evaluate") if stage in number]
    assert report.after == "afterok:" + ":".join(waits_for)


def test_options_reach_sbatch_and_the_stages(project: Project) -> None:
    submit(project, "tiny.toml", "-p", "my gpus", "--", "--results", "a folder")
    for call in calls(project):
        assert call.words[:3] == ("--parsable", "-p", "my gpus")
        assert call.words[-2:] == ("--results", "a folder")
        assert f"--comment={TAG}" in call.words
    train, test, *_ = calls(project)
    assert train.words[-6:-2] == (
        "scripts/extract_features.sbatch",
        "tiny.toml",
        "--split",
        "train",
    )
    assert test.words[-3] == "test"


def test_indices_above_the_limit_go_to_arrays_of_their_own(project: Project) -> None:
    write_script(project.root.parent / "tools" / "scontrol", "echo 'MaxArraySize = 1000'")
    set_missing(project, extract_train="0-2,998-2003,3500")
    submit(project, "tiny.toml", MAX_PARALLEL="9")
    *blocks, _, select = calls(project)[:6]
    assert [(b.stage, b.offset, b.array) for b in blocks] == [
        ("extract_train", "0", "0-2,998-999%9"),
        ("extract_train", "1000", "0-999%9"),
        ("extract_train", "2000", "0-3%9"),
        ("extract_train", "3000", "500%9"),
    ]
    assert select.after == "afterok:101:102:103:104"


def test_the_limit_is_slurms_default_where_no_site_tells(project: Project) -> None:
    write_script(project.root.parent / "tools" / "scontrol", "exit 1")
    set_missing(project, score="1000-1001")
    submit(project, "tiny.toml")
    scores = [(c.offset, c.array) for c in calls(project) if c.stage == "score"]
    assert scores == [("0", "1000"), ("1001", "0")]


@pytest.mark.parametrize(
    ("queued", "free"),
    [(TAG, False), (f"{TAG}2", True), (TAG.replace("momentum", "motion"), True)],
)
def test_results_have_one_chain_at_a_time(project: Project, queued: str, free: bool) -> None:
    (project.root / "queue.txt").write_text(f"12 {queued}\n9 {queued}\n9 {queued}\n5 (null)\n")
    if free:
        submit(project, "tiny.toml")
        assert len(calls(project)) == len(STAGES)
    else:
        message = refused(project, "tiny.toml")
        assert message == (
            "submit.sh: jobs that write to /results/tiny are queued; wait, or: scancel 9 12"
        )
        assert calls(project) == []


def test_a_queue_that_cannot_be_read_submits_nothing(project: Project) -> None:
    write_script(project.root.parent / "tools" / "squeue", "echo 'no contact' >&2; exit 1")
    assert refused(project, "tiny.toml") == "no contact"
    assert calls(project) == []


def test_dry_run_prints_what_would_be_typed(project: Project) -> None:
    set_missing(project, extract_train="3,1001")
    lines = submit(project, "tiny.toml", "-p", "a b", DRY_RUN="1").splitlines()
    assert calls(project) == []
    assert not (project.root / "logs").exists()
    assert lines[0] == (
        r"sbatch --parsable -p a\ b --job-name=extract_train "
        r"--comment=vadloc\ momentum\ /results/tiny --array=3 "
        "scripts/extract_features.sbatch tiny.toml --split train"
    )
    assert lines[1].startswith("VADLOC_INDEX_OFFSET=1001 sbatch ")
    assert _call(shlex.split(lines[3])).after == "afterok:extract_train:extract_train+1001"
    assert len(lines) == len(STAGES) + 1


def test_dry_run_needs_no_slurm(project: Project) -> None:
    shutil.rmtree(project.root.parent / "tools")
    environment = {"PATH": _path_without("sbatch", project), "DRY_RUN": "1"}
    assert len(submit(project, "tiny.toml", **environment).splitlines()) == len(STAGES)


def test_a_machine_without_slurm_is_told_of_run_local(project: Project) -> None:
    shutil.rmtree(project.root.parent / "tools")
    assert refused(project, "tiny.toml", PATH=_path_without("sbatch", project)) == (
        "submit.sh: sbatch: not found; without Slurm: scripts/run_local.sh tiny.toml"
    )


def _path_without(tool: str, project: Project) -> str:
    """A PATH with the few programs that the scripts need, whatever this machine has installed."""
    folder = project.root.parent / "few"
    folder.mkdir()
    for name in ("bash", "env", "cat", "cksum", "dirname", "sed", "mkdir"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    assert shutil.which(tool, path=str(folder)) is None
    return str(folder)


def test_a_refused_stage_takes_the_earlier_ones_back(project: Project) -> None:
    (project.root / "refuse.txt").write_text("104")
    assert refused(project, "tiny.toml") == (
        "submit.sh: cancelled 101 102 103, since a later stage was not accepted"
    )
    assert (project.root / "cancelled.txt").read_text() == "101 102 103\n"


def test_an_answer_that_is_no_job_id_is_an_error(project: Project) -> None:
    write_script(project.root.parent / "tools" / "sbatch", "echo slurm-wlm 22.05.8")
    message = refused(project, "tiny.toml", "--version", "momentum")
    assert message == (
        "submit.sh: sbatch answered 'slurm-wlm 22.05.8', not a job id; "
        "options of the stages stand after --"
    )


def test_a_plan_that_cannot_be_made_submits_nothing(project: Project) -> None:
    (project.root / "plan.txt").unlink()
    assert "plan.txt" in refused(project, "tiny.toml")
    assert calls(project) == []


@pytest.mark.parametrize("count", ["0", "-1", "many", "2%"])
def test_max_parallel_is_a_count(project: Project, count: str) -> None:
    assert refused(project, "tiny.toml", status=2, MAX_PARALLEL=count) == (
        f"submit.sh: MAX_PARALLEL={count}: expected a whole number above 0"
    )


@pytest.mark.parametrize("script", ["submit", "run_local"])
def test_without_a_config_the_usage_is_shown(project: Project, script: str) -> None:
    done = project.run("bash", f"scripts/{script}.sh")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{script}.sh: usage: scripts/{script}.sh CONFIG ")


@pytest.mark.parametrize(
    ("script", "module"),
    [
        ("extract_features", "feature_extraction.extract_features"),
        ("select_exemplars", "exemplar_selection.select_exemplars"),
        ("score_anomalies", "anomaly_detection.score_anomalies"),
        ("calibration", "anomaly_detection.calibration"),
        ("explain_anomalies", "anomaly_detection.explain_anomalies"),
        ("visualize_anomalies", "anomaly_detection.visualize_anomalies"),
    ],
)
def test_a_task_does_the_sequence_of_its_index(project: Project, script: str, module: str) -> None:
    command = f"scripts/{script}.sbatch", "a b.toml", "--results", "r"
    shown = project.bash(
        *command, SLURM_ARRAY_TASK_ID="3", VADLOC_INDEX_OFFSET="1000", SLURM_CPUS_PER_TASK="6"
    )
    assert shown == f"-m {module} --config a b.toml --results r --idx 1003 OMP_NUM_THREADS=6\n"
    assert "--idx 3 OMP_NUM_THREADS=\n" in project.bash(*command, SLURM_ARRAY_TASK_ID="3")
    done = project.run("bash", *command)
    assert done.returncode != 0
    assert "SLURM_ARRAY_TASK_ID: submit with --array" in done.stderr


@pytest.mark.parametrize(
    ("script", "module"),
    [
        ("merge_exemplars", "exemplar_selection.merge_exemplars"),
        ("evaluate_scores", "evaluation.evaluate_scores"),
        ("write_report", "anomaly_detection.write_report"),
    ],
)
def test_a_job_of_the_whole_dataset(project: Project, script: str, module: str) -> None:
    shown = project.bash(f"scripts/{script}.sbatch", "tiny.toml", "--results", "r")
    assert shown == f"-m {module} --config tiny.toml --results r OMP_NUM_THREADS=\n"


@pytest.mark.parametrize("path", sorted(ROOT.glob("scripts/*.sbatch")), ids=lambda p: p.stem)
def test_a_stage_shows_its_resources_and_names_its_logs(path: Path) -> None:
    lines = path.read_text().splitlines()
    options = " ".join(line for line in lines if line.startswith("#SBATCH ")).split()
    given = dict(option.partition("=")[::2] for option in options if option != "#SBATCH")
    assert {"--time", "--mem", "--cpus-per-task", "--open-mode", "--requeue"} <= given.keys()
    assert given["--job-name"] == path.stem
    is_array = lines[-1].startswith("source scripts/stage.sh sequence ")
    assert is_array or lines[-1].startswith("source scripts/stage.sh dataset ")
    assert given["--output"] == ("logs/%x_%A_%a.out" if is_array else "logs/%x_%j.out")


def test_environment_is_installed_once_and_never_by_a_job(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    shutil.rmtree(project.root / ".venv")
    install = r"""
[ "$1" != -c ] || exit 0
echo "$2 $PWD" >>installs.txt
[ "$2" != venv ] || { mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$0" "$3/bin/pip"; }
sleep 0.3
"""
    write_script(tmp_path / "python3", install)
    command = "source scripts/env.sh && command -v python"
    job = project.run("bash", "-c", command, SLURM_JOB_ID="1", PYTHON=f"{tmp_path}/python3")
    assert job.returncode == 1
    assert job.stderr == (
        f"env.sh: {project.root}/.venv is not installed; before submitting run: "
        "bash scripts/env.sh\n"
    )
    environment = project.environment | {"PYTHON": f"{tmp_path}/python3"}
    many = [
        subprocess.Popen(
            ["bash", "-c", command],
            cwd=project.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in many:
        shown, _ = process.communicate(timeout=60)
        assert shown == f"{project.root}/.venv/bin/python\n"
    installs = (project.root / "installs.txt").read_text().splitlines()
    assert installs == [f"venv {project.root}", f"pip {project.root}"]
    (project.root / "pyproject.toml").write_text("changed")
    project.bash("-c", command, SLURM_JOB_ID="1")
    assert len((project.root / "installs.txt").read_text().splitlines()) == 2


def test_real_stages_tell_what_is_missing_and_refuse_other_options(
    scene: Path, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    options = scene / "tiny.toml", "--", "--datasets", scene
    arrays = [
        (call.stage, call.array)
        for line in submit(project, *options, DRY_RUN="1").splitlines()
        for call in [_call(shlex.split(line))]
    ]
    assert arrays == [
        ("extract_train", "0-2"),
        ("extract_test", "0-1"),
        ("select", "0-2"),
        ("merge", ""),
        ("score", "0-1"),
        ("evaluate", ""),
        ("calibrate", "0-2"),
        ("explain", "0-1"),
        ("report", ""),
    ]
    assert "--idx" in refused(project, *options, "--idx", "1", status=2, DRY_RUN="1")
    assert "gone.toml" in refused(project, "gone.toml", status=2, DRY_RUN="1")
    config = tmp_path / "tiny.toml"
    config.write_text(re.sub("ground_truth.*", "", (scene / "tiny.toml").read_text()))
    assert "evaluate" not in submit(project, config, *options[1:], DRY_RUN="1")


def test_run_local_makes_the_same_bytes_as_one_process(scene: Path, tmp_path: Path) -> None:
    run_scene("vadloc.run", scene, tmp_path / "one", "--jobs", 1)
    project = make_project(tmp_path / "project")
    project.bash("scripts/run_local.sh", scene / "tiny.toml", 2, "--datasets", scene)
    assert artifact_bytes(project.root / "results") == artifact_bytes(tmp_path / "one")


def test_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    files = [*ROOT.glob("scripts/*.sh"), *ROOT.glob("scripts/*.sbatch")]
    files += ROOT.glob("tests/slurm/*.sh")
    command = ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
