"""Chains of array jobs on a real Slurm, started here and stopped at the end.

VADLOC_TEST_SLURM=0 leaves them out. Arrays may have three tasks (MaxArraySize), so that the four
test sequences need two arrays.
"""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm.project import Project, make_project
from tiny_scene import CONFIG, anomaly, artifact_bytes, film, run, save_frames

TOOLS = Path(__file__).parent / "slurm"
PER_CHAIN = {
    "extract_train": 2,
    "extract_test": 4,
    "select": 2,
    "merge": 1,
    "score": 4,
    "evaluate": 1,
    "calibrate": 2,
    "explain": 4,
    "report": 1,
}
SEED_OF = {"one": 0, "two": 1}


@pytest.fixture(scope="module")
def slurm_conf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The configuration file of a running Slurm."""
    if os.environ.get("VADLOC_TEST_SLURM") == "0":
        pytest.skip("VADLOC_TEST_SLURM=0")
    folder = tmp_path_factory.mktemp("slurm")
    command = ["bash", str(TOOLS / "start_slurm.sh"), str(folder), "3"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
        if done.returncode == 3:
            pytest.skip(f"no Slurm: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        yield str(folder / "slurm.conf")
    finally:
        subprocess.run(["bash", str(TOOLS / "stop_slurm.sh"), str(folder)], check=True)


@pytest.fixture(scope="module")
def six_sequences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training and four test sequences, and two configs that differ in name and seed."""
    folder = tmp_path_factory.mktemp("six")
    for index in range(2):
        save_frames(folder / "Train" / f"Train{index}", film(seed=index))
    for index in range(4):
        sequence, column = folder / "Test" / f"Test{index}", 10 + 12 * index
        save_frames(sequence, film(seed=10 + index, anomaly_column=column))
        rows = [f"{f + 1:03d}.png 0 {x} {y} 10 10\n" for f, x, y in anomaly(column)]
        (sequence / f"{sequence.name}_gt.txt").write_text("".join(rows))
    for name, seed in SEED_OF.items():
        config = CONFIG.replace('"tiny"', f'"{name}"') + f"[distance]\nseed = {seed}\n"
        (folder / f"{name}.toml").write_text(config)
    return folder


@pytest.fixture(scope="module")
def expected(six_sequences: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes of both configs."""
    results = tmp_path_factory.mktemp("expected")
    for name in SEED_OF:
        options = "--datasets", six_sequences, "--results", results, "--jobs", 1
        done = run("vadloc.run", "--config", six_sequences / f"{name}.toml", *options)
        assert done.returncode == 0, done.stderr
    return artifact_bytes(results)


@pytest.fixture
def project(slurm_conf: str, tmp_path: Path) -> Iterator[Project]:
    """A project that can submit; its jobs are gone afterwards."""
    made = make_project(tmp_path / "project")
    made.environment["SLURM_CONF"] = slurm_conf
    yield made
    made.run("scancel", "--me")
    wait(made)


def wait(project: Project) -> None:
    """Until no job is queued or running."""
    until = time.monotonic() + 300
    while jobs := project.bash("-c", "squeue -h --me"):
        assert time.monotonic() < until, jobs
        time.sleep(0.3)


def submit(
    project: Project, scene: Path, name: str = "one", *options: str, **variables: str
) -> dict[str, str]:
    """Submit a chain; per stage its job ids joined by commas, or nothing."""
    command = "scripts/submit.sh", scene / f"{name}.toml", *options, "--", "--datasets", scene
    ids: dict[str, str] = {}
    for line in project.bash(*command, **variables).splitlines():
        stage, _, told = line.partition(": ")
        assert told == "complete" or told.startswith("job "), line
        found = told.removeprefix("job ").removeprefix("complete")
        ids[stage] = ",".join(filter(None, (ids.get(stage, ""), found)))
    return ids


def states(project: Project, jobs: str) -> Counter[str]:
    """How many tasks of some jobs are in each state."""
    listed = project.bash("-c", f"squeue -h -r --states=all --jobs={jobs} --format=%T")
    return Counter(listed.split())


def of(name: str, artifacts: dict[str, bytes]) -> dict[str, bytes]:
    """The artifacts of one config."""
    return {path: b for path, b in artifacts.items() if path.startswith(f"{name}/")}


def logs(project: Project, name: str) -> str:
    """All that jobs or tasks wrote, by the name of their logs."""
    files = sorted((project.root / "logs").glob(f"{name}.out"))
    return "".join(file.read_text() for file in files)


def test_two_chains_at_once_give_the_bytes_of_one_process(
    project: Project, six_sequences: Path, expected: dict[str, bytes]
) -> None:
    chains = [submit(project, six_sequences, name, "--hold", MAX_PARALLEL="2") for name in SEED_OF]
    again = ("scripts/submit.sh", six_sequences / "one.toml", "--", "--datasets", six_sequences)
    refused = project.run("bash", *again)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"submit.sh: jobs that write to {project.root}/results/one are queued; wait, or: scancel "
        f"{' '.join(chains[0].values()).replace(',', ' ')}\n"
    )
    for chain in chains:
        project.run("scontrol", "release", ",".join(chain.values()))
    wait(project)
    for chain in chains:
        assert {stage: len(jobs.split(",")) for stage, jobs in chain.items()} == {
            **dict.fromkeys(PER_CHAIN, 1),
            "extract_test": 2,
            "score": 2,
            "explain": 2,
        }
        for stage, jobs in chain.items():
            assert states(project, jobs) == {"COMPLETED": PER_CHAIN[stage]}
    assert artifact_bytes(project.root / "results") == expected
    assert set(submit(project, six_sequences).values()) == {""}


def test_a_failed_task_cancels_what_needs_it_and_is_all_that_is_left(
    project: Project, six_sequences: Path, expected: dict[str, bytes]
) -> None:
    frame = six_sequences / "Test" / "Test3" / "005.png"
    whole = frame.read_bytes()
    frame.write_bytes(whole[:200])
    try:
        chain = submit(project, six_sequences)
        wait(project)
    finally:
        frame.write_bytes(whole)
    assert states(project, chain["extract_test"]) == {"COMPLETED": 3, "FAILED": 1}
    assert "Test3/005.png" in logs(project, "extract_test_*")
    for stage in ("extract_train", "select", "merge", "calibrate"):
        assert states(project, chain[stage]) == {"COMPLETED": PER_CHAIN[stage]}
    for stage in ("score", "evaluate", "explain", "report"):
        assert states(project, chain[stage]) == {"CANCELLED": PER_CHAIN[stage]}

    repaired = submit(project, six_sequences)
    done = {stage for stage, jobs in repaired.items() if not jobs}
    assert done == {"extract_train", "select", "merge", "calibrate"}
    wait(project)
    assert states(project, repaired["extract_test"]) == {"COMPLETED": 1}
    assert artifact_bytes(project.root / "results") == of("one", expected)


def test_arrays_by_hand_and_the_rest_after_cancelling(
    project: Project, six_sequences: Path, expected: dict[str, bytes]
) -> None:
    chain = submit(project, six_sequences)
    project.bash("-c", f"scancel {' '.join(chain.values()).replace(',', ' ')}")
    wait(project)
    assert states(project, chain["evaluate"]) == {"CANCELLED": 1}

    command = f"scripts/extract_features.sbatch {six_sequences}/one.toml --datasets {six_sequences}"
    project.bash("-c", f"sbatch --array=0-1%1 {command} --split train")
    project.bash("-c", f"bash {command} --split test", SLURM_ARRAY_TASK_ID="3")
    wait(project)
    for index in (0, 1):
        assert f"features/momentum/train/Train{index}.joblib" in logs(
            project, f"extract_features_*_{index}"
        )
    assert "features/momentum/test/Test3.joblib" in "".join(
        artifact_bytes(project.root / "results")
    )

    rest = submit(project, six_sequences)
    assert rest["extract_train"] == ""
    wait(project)
    assert states(project, rest["evaluate"]) == {"COMPLETED": 1}
    assert artifact_bytes(project.root / "results") == of("one", expected)
