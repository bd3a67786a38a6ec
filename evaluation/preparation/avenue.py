"""CUHK Avenue: videos in one archive, pixel masks in another."""

from evaluation.preparation.download import Download
from evaluation.preparation.layout import FRAMES, VIDEOS, Counts, DatasetLayout, plan_by_rules

_SITE = "http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal"

LAYOUT = DatasetLayout(
    name="avenue",
    title="CUHK Avenue",
    plan=plan_by_rules(
        (rf"(?:.*/)?training_videos/(\d{{2}}\.{VIDEOS})", r"Train/\1"),
        (rf"(?:.*/)?training_videos/(\d{{2}}/[^/]+\.{FRAMES})", r"Train/\1"),
        # The archive of masks has the test videos again, beside the masks.
        (r"(?:.*/)?ground_truth_demo/testing_videos/.*", ""),
        (rf"(?:.*/)?testing_videos/(\d{{2}}\.{VIDEOS})", r"Test/\1"),
        (rf"(?:.*/)?testing_videos/(\d{{2}}/[^/]+\.{FRAMES})", r"Test/\1"),
        (r"(?:.*/)?(\d{1,2}_label\.mat)", r"ground_truth/\1"),
        (r"(?:.*/)?(?:[a-z]*)(\d{2})_gt\.txt", r"ground_truth/\1_gt.txt"),
    ),
    counts={"Train": Counts(16, (15_328,)), "Test": Counts(21, (15_324,))},
    downloads=(
        Download(f"{_SITE}/Avenue_Dataset.zip", md5="b7a34b212ecdd30efbd989a6dcb1aceb"),
        Download(f"{_SITE}/ground_truth_demo.zip", md5="e8e3bff99195b6b511534083b9dbe1f5"),
    ),
)
