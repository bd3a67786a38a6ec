"""UBnormal: 29 rendered scenes; lists of names give the split of each clip.

The training set is the normal training clips. The test set is all validation clips, because the
authors publish annotation of these splits with the data. The lists
(``normal_training_video_names.txt``, ``normal_validation_video_names.txt`` and
``abnormal_validation_video_names.txt``) are in the folder ``scripts`` of the authors' repository.
"""

import re
from pathlib import PurePosixPath

from evaluation.preparation.layout import Counts, DatasetLayout, Offers, Plan, add_to_plan
from vadloc.errors import VadlocError
from vadloc.video.decoding import VIDEO_SUFFIXES
from vadloc.video.frames import FRAME_SUFFIXES

LISTS = {
    "normal_training_video_names.txt": "Train",
    "normal_validation_video_names.txt": "Test",
    "abnormal_validation_video_names.txt": "Test",
}
_SCENE = re.compile(r"(?:ab)?normal_scene_(\d{1,2})_.*")


def _plan(offers: Offers) -> Plan:
    """Place the listed videos by their split, and the annotation beside them."""
    splits = _read_lists(offers)
    plan: Plan = {}
    for source, member in offers:
        target = _target(member.path, splits)
        if target is not None:
            add_to_plan(plan, target, source, member)
    return plan


def _target(path: PurePosixPath, splits: dict[str, str]) -> PurePosixPath | None:
    """The new path of a file; ``None`` if it is not needed."""
    if path.name in LISTS:
        return PurePosixPath("lists", path.name)
    if path.suffix.lower() in VIDEO_SUFFIXES and path.stem in splits:
        return _scene_folder(path.stem) / splits[path.stem] / path.name
    if path.suffix.lower() in FRAME_SUFFIXES and path.parent.name in splits:
        clip = path.parent.name
        return _scene_folder(clip) / splits[clip] / clip / path.name
    clip = path.parent.name.removesuffix("_annotations")
    if path.parent.name.endswith("_annotations") and splits.get(clip) == "Test":
        return _scene_folder(clip) / "ground_truth" / path.parent.name / path.name
    return None


def _scene_folder(clip: str) -> PurePosixPath:
    match = _SCENE.fullmatch(clip)
    if match is None:
        raise VadlocError(f"{clip}: no scene in the name; expected normal_scene_1_scenario_2 or so")
    return PurePosixPath(f"{int(match[1]):02d}")


def _read_lists(offers: Offers) -> dict[str, str]:
    """The split of each listed clip.

    Raises:
        VadlocError: There are videos but a list is missing.
    """
    lists = {m.path.name: (s, m) for s, m in offers if m.path.name in LISTS}
    missing = [name for name in LISTS if name not in lists]
    if missing and any(m.path.suffix.lower() in VIDEO_SUFFIXES for _, m in offers):
        raise VadlocError(
            f"UBnormal: {missing[0]} is in no --source; give the folder scripts of "
            "https://github.com/lilygeorgescu/UBnormal as a further one"
        )
    return {
        clip: LISTS[name]
        for name, (source, member) in lists.items()
        for clip in source.read_text(member).split()
    }


LAYOUT = DatasetLayout(
    name="ubnormal",
    title="UBnormal",
    plan=_plan,
    counts={"Train": Counts(186), "Test": Counts(64)},
    with_scenes=True,
)
