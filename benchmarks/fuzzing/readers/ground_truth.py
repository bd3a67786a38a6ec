"""Ground truth, in every format."""

from pathlib import Path

from fuzzing.reader import Reader
from fuzzing.readers.pictures import seal_pictures
from vadloc.annotations import READERS


def truth_reader(name: str) -> Reader:
    """The reader of a ground-truth format and files of it."""
    from formats_helpers import MAKERS, SIZE, sequence_of

    def make(folder: Path) -> None:
        for form, maker in MAKERS:
            if form == name:
                (folder / maker.__name__).mkdir()
                maker(folder / maker.__name__)

    def read(folder: Path) -> object:
        return READERS[name](folder, sequence_of(name), **SIZE)

    return Reader(make, read, seal_pictures)
