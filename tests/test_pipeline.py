"""The whole pipeline through its command line, on the tiny scene, whole and broken."""

import errno
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_scene import (
    CONFIG,
    artifact_bytes,
    command,
    copy_scene,
    film,
    one_line,
    run,
    run_scene,
    save_frames,
    save_video,
    scene_options,
)

from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.stage import RunOptions, Stage, Work, run_units

EXTRACT = "feature_extraction.extract_features"
SELECT = "exemplar_selection.select_exemplars"
MERGE = "exemplar_selection.merge_exemplars"
SCORE = "anomaly_detection.score_anomalies"
EVALUATE = "evaluation.evaluate_scores"


@pytest.fixture(scope="module")
def whole(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a whole run in one command, two processes side by side; not to be written to."""
    results = tmp_path_factory.mktemp("whole")
    stdout = run_scene("vadloc.run", scene, results, "--jobs", 2)
    (results / "stdout").write_text(stdout)
    return results


@pytest.fixture
def results(whole: Path, tmp_path: Path) -> Path:
    """A copy of these results that a test may spoil."""
    return Path(shutil.copytree(whole / "tiny", tmp_path / "results" / "tiny")).parent


def with_config(scene: Path, folder: Path, change: Callable[[str], str]) -> Path:
    """A config like the scene's but for one change."""
    path = folder / "changed.toml"
    path.write_text(change(CONFIG))
    assert path.read_text() != CONFIG
    return path


def test_a_whole_run_leaves_what_it_should(whole: Path) -> None:
    names = {name.removeprefix("tiny/") for name in artifact_bytes(whole)}
    features = {f"features/momentum/train/Train{i}.joblib" for i in range(3)}
    features |= {f"features/momentum/test/Test{i}.joblib" for i in range(2)}
    exemplars = {f"exemplars/momentum/Train{i}.joblib" for i in range(3)}
    exemplars |= {"exemplars/momentum/scales.joblib", "exemplars/momentum/merged.joblib"}
    scores = {f"scores/momentum/Test{i}.{form}" for i in range(2) for form in ("npy", "json")}
    explained = {f"calibration/momentum/Train{i}.joblib" for i in range(3)}
    explained |= {f"explanations/momentum/Test{i}.json" for i in range(2)}
    evaluated = {"evaluation/momentum/summary.json"}
    assert features | exemplars | scores | explained | evaluated <= names
    assert not [name for name in names if name.endswith(".part")]


def test_a_whole_run_finds_the_anomalies(whole: Path) -> None:
    stdout = (whole / "stdout").read_text()
    assert "RBDC" in stdout
    path = whole / "tiny" / "evaluation" / "momentum" / "summary.json"
    assert f"summary: {path}" in stdout
    summary = json.loads(path.read_text())
    assert summary["frame_roc_auc"] > 0.8
    assert summary["track_roc_auc"] > 0.8
    scores = np.load(whole / "tiny" / "scores" / "momentum" / "Test0.npy")
    assert scores.shape == (24, 6, 8)
    assert scores.dtype == np.float32
    _, row, column = np.unravel_index(scores.argmax(), scores.shape)
    assert 0 <= row <= 5  # the square falls through columns 10-20 px
    assert 0 <= column <= 3


def test_every_unit_leaves_a_report(whole: Path) -> None:
    folder = whole / "tiny" / "reports"
    of_dataset = folder / "anomaly_detection.calibration" / "momentum.json"
    assert of_dataset.exists()
    reports = sorted(path for path in folder.rglob("*.json") if path != of_dataset)
    assert len(reports) == 5 + 3 + 1 + 2 + 1 + 3 + 2 + 1
    for path in reports:
        report = json.loads(path.read_text())
        assert report["stamp"]
        assert report["counts"]
        assert report["settings"]["regions"]["size_px"] == 16


def test_stage_by_stage_gives_the_same_bytes(scene: Path, whole: Path, tmp_path: Path) -> None:
    """One process and in another order, as in a Slurm array, instead of one command."""
    run_scene(EXTRACT, scene, tmp_path, "--split", "train", "--idx", 2)
    run_scene(EXTRACT, scene, tmp_path, "--split", "train", "--jobs", 1)
    run_scene(SELECT, scene, tmp_path, "--sequence", "Train1", "--jobs", 1)
    run_scene(SELECT, scene, tmp_path, "--jobs", 1)
    assert "exemplars of" in run_scene(MERGE, scene, tmp_path)
    run_scene("vadloc.run", scene, tmp_path, "--jobs", 1)
    expected = artifact_bytes(whole)
    del expected["stdout"]
    assert artifact_bytes(tmp_path) == expected


def test_a_second_run_does_nothing(scene: Path, results: Path) -> None:
    def written() -> dict[Path, int]:  # records may wait until the frames are 2 s old
        found = (p for p in results.rglob("*") if p.is_file() and "inputs" not in p.parts)
        return {p: p.stat().st_mtime_ns for p in found}

    before = written()
    done = run("vadloc.run", *scene_options(scene, results))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("already done") == 9
    assert written() == before


def killed_at(words: list[str], results: Path, count: int, *, whole_group: bool) -> bool:
    """Start a command and kill it once there are so many files; whether it still ran then."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, start_new_session=True, stdout=quiet, stderr=quiet)
    while process.poll() is None and sum(p.is_file() for p in results.rglob("*")) < count:
        time.sleep(0.002)
    running = process.poll() is None
    if whole_group:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    return running


@pytest.mark.parametrize("whole_group", [True, False], ids=["node", "process"])
def test_killed_and_continued_gives_the_same_bytes(
    scene: Path, whole: Path, tmp_path: Path, *, whole_group: bool
) -> None:
    words = command("vadloc.run", *scene_options(scene, tmp_path), "--jobs", "2")
    counts = [random.randint(1, 9)]  # of 30 artifacts and 12 reports
    counts += [random.randint(10, 20)] if whole_group else []
    kills = [killed_at(words, tmp_path, n, whole_group=whole_group) for n in counts]
    assert any(kills)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = artifact_bytes(whole)
    del expected["stdout"]
    assert artifact_bytes(tmp_path) == expected, counts


@pytest.mark.parametrize(
    ("module", "options", "change"),
    [
        (EXTRACT, ["--split", "test"], lambda c: c.replace("frame_stride = 3", "frame_stride = 2")),
        (SELECT, [], lambda c: c + "[exemplars]\nthreshold = 0.03\n"),
        (SCORE, [], lambda c: c + '[scoring]\ncombine = "max"\n'),
        (EVALUATE, [], lambda c: c + "[evaluation]\nbeta = 0.2\n"),
    ],
    ids=["features", "exemplars", "scores", "evaluation"],
)
def test_another_config_stops_until_told_to_overwrite(
    scene: Path, results: Path, module: str, options: list[str], change: Callable[[str], str]
) -> None:
    config = with_config(scene, results.parent, change)
    before = artifact_bytes(results)
    words = ["--config", config, "--datasets", scene, "--results", results, "--jobs", "1", *options]
    done = run(module, *words)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "made from another config" in done.stderr
    assert "--overwrite" in done.stderr
    assert artifact_bytes(results) == before
    done = run(module, *words, "--overwrite")
    assert done.returncode == 0, done.stderr
    after = artifact_bytes(results)
    assert after.keys() == before.keys()
    changed = {name.split("/")[1] for name in after if after[name] != before[name]}
    stage = {EXTRACT: "features", SELECT: "exemplars", SCORE: "scores", EVALUATE: "evaluation"}
    assert changed == {stage[module]}


def test_evaluation_options_do_not_ask_for_features_again(scene: Path, results: Path) -> None:
    config = with_config(scene, results.parent, lambda c: c + "[evaluation]\nbeta = 0.2\n")
    before = artifact_bytes(results)
    words = ["--config", config, "--datasets", scene, "--results", results]
    done = run("vadloc.run", *words, "--overwrite")
    assert done.returncode == 0, done.stderr
    after = artifact_bytes(results)
    changed = {name.split("/")[1] for name in after if after[name] != before[name]}
    assert changed == {"evaluation", "report"}  # the report shows the ground truth


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        (SELECT, ["--sequence", "Train9"], ["Train9", "Train0, Train1, Train2"]),
        (SELECT, ["--idx", "3"], ["--idx 3", "0 to 2"]),
        (SELECT, ["--idx", "-1"], ["--idx -1", "0 to 2"]),
        (SELECT, ["--idx", "one"], ["--idx", "one"]),
        (SELECT, ["--idx", "0", "--sequence", "Train0"], ["not allowed with"]),
        (SELECT, ["--version", "momentun"], ["momentun", "momentum"]),
        (SELECT, ["--jobs", "0"], ["--jobs", "above 0"]),
        (SELECT, ["--squence", "Train0"], ["--squence"]),
        (EXTRACT, [], ["--split"]),
        (EXTRACT, ["--split", "validation"], ["validation", "train", "test"]),
    ],
)
def test_unusable_arguments(
    scene: Path, tmp_path: Path, module: str, options: list[str], words: list[str]
) -> None:
    done = run(module, *scene_options(scene, tmp_path), *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert [word for word in words if word not in last] == []
    assert not list(tmp_path.iterdir())


def test_missing_prints_an_array_spec(scene: Path, results: Path) -> None:
    assert run_scene(SELECT, scene, results, "--missing") == "\n"
    exemplars = results / "tiny" / "exemplars" / "momentum"
    (exemplars / "Train0.joblib").unlink()
    (exemplars / "Train2.joblib").unlink()
    assert run_scene(SELECT, scene, results, "--missing") == "0,2\n"
    (exemplars / "Train1.joblib").unlink()
    assert run_scene(SELECT, scene, results, "--missing") == "0-2\n"
    assert run_scene(SELECT, scene, results, "--missing", "--idx", 1) == "1\n"
    (results / "tiny" / "scores" / "momentum" / "Test1.json").unlink()
    assert run_scene(SCORE, scene, results, "--missing") == "1\n"
    assert not list(exemplars.glob("Train*")), "nothing is made"


@pytest.mark.parametrize(
    ("module", "path", "fate"),
    [
        (SELECT, "features/momentum/train/Train1.joblib", "cut"),
        (SELECT, "features/momentum/train/Train1.joblib", "gone"),
        (SCORE, "features/momentum/test/Test0.joblib", "flipped"),
        (SCORE, "exemplars/momentum/merged.joblib", "flipped"),
        (SCORE, "exemplars/momentum/merged.joblib", "gone"),
        (MERGE, "exemplars/momentum/Train1.joblib", "flipped"),
        (EVALUATE, "scores/momentum/Test1.npy", "flipped"),
        (EVALUATE, "scores/momentum/Test1.json", "cut"),
    ],
)
def test_a_damaged_or_missing_input_is_named_with_its_command(
    scene: Path, results: Path, module: str, path: str, fate: str
) -> None:
    file = results / "tiny" / path
    data = file.read_bytes()
    middle = len(data) // 2
    if fate == "flipped":
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif fate == "cut":
        file.write_bytes(data[:middle])
    else:
        file.unlink()
    remove_outputs(results, module)
    units = [] if module in (MERGE, EVALUATE) else ["--idx", "1" if "Train" in path else "0"]
    units += ["--jobs", "1"]
    line = one_line(run(module, *scene_options(scene, results), *units), status=1)
    assert line.startswith(f"{file}: ")
    maker = line[line.index("python -m ") :]
    assert ("--overwrite" in maker) == (fate != "gone")
    # The command in the message repairs what it complains about.
    again = [sys.executable, *shlex.split(maker)[1:]]
    repaired = subprocess.run(again, capture_output=True, text=True, check=False)
    assert repaired.returncode == 0, repaired.stderr
    assert file.read_bytes() == data


def remove_outputs(results: Path, module: str) -> None:
    """Take away what a stage made, so that it has to read its inputs again."""
    made = {SELECT: "exemplars/*/[Ts]*.joblib", MERGE: "exemplars/*/merged.joblib",
            SCORE: "scores/*/*", EVALUATE: "evaluation/*/*.*"}  # fmt: skip
    for file in (results / "tiny").glob(made[module]):
        file.unlink()


def test_frames_that_come_or_go_are_noticed(scene: Path, results: Path, tmp_path: Path) -> None:
    changed = copy_scene(scene, tmp_path / "scene")
    frames = changed / "Test" / "Test1"
    (frames / "024.png").rename(frames / "025.png")
    stale = one_line(run(SCORE, *scene_options(changed, results), "--idx", 1), status=1)
    assert "other frames" in stale
    (frames / "025.png").rename(frames / "024.png")
    assert run_scene(SCORE, changed, results, "--missing") == "\n"
    Image.fromarray(film(seed=0)[0]).save(frames / "025.png")
    words = [*scene_options(changed, results), "--split", "test"]
    stale = one_line(run(EXTRACT, *words, "--idx", 1), status=1)
    assert "other frames" in stale
    assert "--overwrite" in stale
    assert run(EXTRACT, *words, "--idx", 0).returncode == 0, "the other sequence is as it was"


def one_frame(scene: Path) -> str:
    save_frames(scene / "Train" / "Train3", film(seed=0)[:1])
    return "Train3: 1 frame, but a video volume has 4"


def no_frames(scene: Path) -> str:
    (scene / "Train" / "Train3").mkdir()
    return "Train3: a sequence without frames"


def other_size_in_a_sequence(scene: Path) -> str:
    save_frames(scene / "Train" / "Train3", film(seed=0)[:6])
    Image.fromarray(film(seed=0)[0][:40]).save(scene / "Train" / "Train3" / "007.png")
    return "Train3/007.png: 64 x 40 px, but the sequence began with 64 x 48"


def small_frames(scene: Path) -> str:
    save_frames(scene / "Train" / "Train3", film(seed=0)[:6, :11])
    return "Train3: frames of 64 x 11 px, but optical flow needs 32 px"


def tiny_frames(scene: Path) -> str:
    save_frames(scene / "Train" / "Train3", film(seed=0)[:6, :1, :1])
    return "Train3: frames of 1 x 1 px"


def broken_picture(scene: Path) -> str:
    save_frames(scene / "Train" / "Train3", film(seed=0)[:6])
    (scene / "Train" / "Train3" / "003.png").write_bytes(b"\x89PNG")
    return "Train3/003.png: not a readable picture"


def broken_video(scene: Path) -> str:
    save_video(scene / "Train" / "Train3.mkv", film(seed=0))
    data = (scene / "Train" / "Train3.mkv").read_bytes()
    (scene / "Train" / "Train3.mkv").write_bytes(data[: len(data) // 2])
    return "Train3.mkv: "


def broken_link(scene: Path) -> str:
    save_frames(scene / "Train" / "Train3", film(seed=0)[:6])
    (scene / "Train" / "Train3" / "007.png").symlink_to(scene / "nowhere.png")
    return "Train3/007.png"


def no_dataset(scene: Path) -> str:
    shutil.rmtree(scene / "Train")
    return "Train: no such folder"


def no_sequences(scene: Path) -> str:
    shutil.rmtree(scene / "Train")
    (scene / "Train").mkdir()
    return "Train: no sequence in it"


@pytest.mark.parametrize(
    "spoil",
    [
        one_frame, no_frames, other_size_in_a_sequence, small_frames, tiny_frames, broken_picture,
        broken_video, broken_link, no_dataset, no_sequences,
    ],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_spoilt_datasets(
    scene: Path, whole: Path, tmp_path: Path, spoil: Callable[[Path], str]
) -> None:
    spoilt = copy_scene(scene, tmp_path / "scene")
    expected = spoil(spoilt)
    words = [*scene_options(spoilt, tmp_path / "results"), "--split", "train", "--jobs", "1"]
    assert expected in one_line(run(EXTRACT, *words), status=1)
    if expected.startswith("Train3: ") and spoil is not no_frames:
        made = tmp_path / "results" / "tiny" / "features" / "momentum" / "train"
        names = sorted(file.name for file in made.iterdir())
        assert names == ["Train0.joblib", "Train1.joblib", "Train2.joblib"], "the others are done"


@pytest.mark.parametrize("split", ["Train", "Test"])
def test_a_sequence_of_another_frame_size(scene: Path, tmp_path: Path, split: str) -> None:
    spoilt = copy_scene(scene, tmp_path / "scene")
    save_frames(spoilt / split / f"{split}9", film(seed=5)[:, :40])
    (spoilt / split / f"{split}9" / f"{split}9_gt.txt").write_text("009.png 0 5 5 4 4\n")
    done = run("vadloc.run", *scene_options(spoilt, tmp_path / "results"), "--jobs", "1")
    line = one_line(done, status=1)
    assert f"{split}9: frames of 64 x 40 px" in line
    assert "64 x 48" in line


def test_one_line_for_each_failed_unit(scene: Path, tmp_path: Path) -> None:
    spoilt = copy_scene(scene, tmp_path / "scene")
    save_frames(spoilt / "Train" / "Train3", film(seed=0)[:1])
    save_frames(spoilt / "Train" / "Train4", film(seed=0)[:2])
    words = scene_options(spoilt, tmp_path / "results")
    done = run(EXTRACT, *words, "--split", "train", "--jobs", "2")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if " INFO " not in line]
    assert len(lines) == 2
    assert "2 of 5 units failed: Train3: 1 frame," in lines[0]
    assert lines[1].startswith("Train4: 2 frames")


def test_results_that_cannot_be_written(scene: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for results in (tmp_path / "file", Path("/proc/nowhere")):
        words = [*scene_options(scene, results), "--split", "test", "--idx", "0"]
        line = one_line(run(EXTRACT, *words), status=1)
        assert line.startswith(f"{results}/tiny: cannot write")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_unit_that_may_not_read_its_files_is_one_line(scene: Path, tmp_path: Path) -> None:
    def forbidden(_: Work) -> list[tuple[Artifact, object]]:
        raise PermissionError(errno.EACCES, "Permission denied", "frames")

    artifacts = Artifacts(load_config(scene / "tiny.toml"), tmp_path, scene)
    stage = Stage("some.command", lambda a, _: [a.merged()], forbidden)
    with pytest.raises(VadlocError, match="frames: Permission denied; give yourself"):
        run_units(stage, artifacts, ["tiny"], RunOptions())


def test_names_with_blanks_and_other_letters(scene: Path, results: Path, tmp_path: Path) -> None:
    """The command in a message can be pasted into a shell."""
    renamed = copy_scene(scene, tmp_path / "my scene")
    (renamed / "Test" / "Test0").rename(renamed / "Test" / "caf\u00e9 1 (a)")
    words = [*scene_options(renamed, results), "--sequence", "caf\u00e9 1 (a)"]
    line = one_line(run(SCORE, *words), status=1)
    maker = shlex.split(line[line.index("python -m ") :])
    done = subprocess.run([sys.executable, *maker[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).name == "caf\u00e9 1 (a).joblib"
    assert run(SCORE, *words).returncode == 0


def test_without_ground_truth_a_run_ends_with_scores(scene: Path, results: Path) -> None:
    config = with_config(scene, results.parent, lambda c: c.replace('ground_truth = "Test"\n', ""))
    for shows_ground_truth in ("evaluation", "report"):
        shutil.rmtree(results / "tiny" / shows_ground_truth)
    words = ["--config", config, "--datasets", scene, "--results", results]
    done = run("vadloc.run", *words)
    assert done.returncode == 0, done.stderr
    assert not (results / "tiny" / "evaluation").exists()
    assert "neither [dataset] ground_truth nor" in one_line(run(EVALUATE, *words), status=1)


def test_a_reader_that_stops_early_is_no_error(scene: Path, results: Path) -> None:
    words = command(SCORE, *scene_options(scene, results))
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1


def test_interrupted_by_the_keyboard(scene: Path, tmp_path: Path) -> None:
    words = command("vadloc.run", *scene_options(scene, tmp_path), "--jobs", "1")

    def as_in_a_terminal() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # background jobs are started deaf to it

    process = subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, preexec_fn=as_in_a_terminal
    )
    assert process.stderr
    first = process.stderr.readline()  # the command is at work
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 130
    assert " INFO " in first
    assert "Traceback" not in rest
    assert rest.splitlines()[-1].endswith("interrupted; the same command continues")
    assert not list(tmp_path.rglob("*.part"))
