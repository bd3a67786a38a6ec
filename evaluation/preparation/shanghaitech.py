"""ShanghaiTech Campus: 13 cameras; the first two digits of a sequence's name are the scene.

Scene 13 has only training video.
"""

from evaluation.preparation.download import Download
from evaluation.preparation.layout import FRAMES, VIDEOS, Counts, DatasetLayout, plan_by_rules

_NAME = r"((\d{2})_\d{3,4})"

LAYOUT = DatasetLayout(
    name="shanghaitech",
    title="ShanghaiTech Campus",
    plan=plan_by_rules(
        (rf"(?:.*/)?training/videos/{_NAME}(\.{VIDEOS})", r"\2/Train/\1\3"),
        (rf"(?:.*/)?training/frames/{_NAME}/([^/]+\.{FRAMES})", r"\2/Train/\1/\3"),
        (rf"(?:.*/)?testing/videos/{_NAME}(\.{VIDEOS})", r"\2/Test/\1\3"),
        (rf"(?:.*/)?testing/frames/{_NAME}/([^/]+\.{FRAMES})", r"\2/Test/\1/\3"),
        (rf"(?:.*/)?test_frame_mask/{_NAME}\.npy", r"\2/frame_masks/\1.npy"),
        (rf"(?:.*/)?test_pixel_mask/{_NAME}\.npy", r"\2/pixel_masks/\1.npy"),
        (rf"(?:.*/)?{_NAME}\.txt", r"\2/tracks/\1.txt"),
    ),
    # The paper says 42,883 test frames, the release has 40,791.
    counts={"Train": Counts(330, (274_515,)), "Test": Counts(107, (40_791, 42_883))},
    downloads=(
        Download(
            "http://101.32.75.151:8181/dataset/shanghaitech.tar.gz",
            md5="08494decd30fb0fa213b519a9c555040",
        ),
    ),
    with_scenes=True,
)
