"""Street Scene."""

from evaluation.preparation.download import Download
from evaluation.preparation.layout import FRAMES, VIDEOS, Counts, DatasetLayout, plan_by_rules

LAYOUT = DatasetLayout(
    name="street_scene",
    title="Street Scene",
    plan=plan_by_rules(
        (
            rf"(?:.*/)?(Train|Test)/((?:Train|Test)\d{{3}})/([^/]+\.{FRAMES})",
            r"\1/\2/\3",
        ),
        (rf"(?:.*/)?(Train|Test)/((?:Train|Test)\d{{3}}\.{VIDEOS})", r"\1/\2"),
        (r"(?:.*/)?(Test\d{3})_gt\.txt", r"Test/\1/\1_gt.txt"),
    ),
    counts={"Train": Counts(46, (56_847,)), "Test": Counts(35, (146_410,))},
    downloads=(
        Download(
            "https://zenodo.org/records/10870472/files/StreetScene.zip",
            md5="a74c51e99881c860d97e1ebb51ee1f2c",
        ),
    ),
)
