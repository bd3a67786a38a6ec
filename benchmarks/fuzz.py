"""Give damaged files to every reader; each must end in a result or in one clear line.

    python benchmarks/fuzz.py --reader all --minutes 10

takes valid files, changes some of their bytes, and reads them in a child process. A failure is a
traceback, a crash, more than ``LIMIT_S`` seconds of processor time, more than ``LIMIT_MIB`` of
memory, or an error that is not one printable line with the name of file or sequence. Failed
examples are kept, and

    python benchmarks/fuzz.py --reader pictures --replay FOLDER

reads an example again. Files that cause a new error are changed further, so that the search gets
past the first check of a reader. If the content has a checksum, most examples get the right
checksum. The same seed makes the same examples as long as the readers give the same errors.
"""

import argparse
import random
import sys
import warnings
from pathlib import Path

from fuzzing.readers import READERS
from fuzzing.search import fuzz


def replay(name: str, folder: Path) -> None:
    """Read an example in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        print(READERS[name].read(folder))


def main() -> None:
    """Print the table; exit with status 1 if an example failed."""
    parser = argparse.ArgumentParser(description="Damaged files for every reader.")
    parser.add_argument("--reader", choices=["all", *READERS], default="all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=Path, default=Path("results/fuzz"))
    parser.add_argument("--replay", type=Path, help="read the files of this folder instead")
    args = parser.parse_args()
    if args.replay:
        if args.reader == "all" or not args.replay.is_dir():
            parser.error("--replay: expected the folder of one example, and its --reader NAME")
        replay(args.reader, args.replay)
        return
    print("| reader | examples | seconds | results | clear errors | failures | most s | most MiB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    failed = False
    for name in READERS if args.reader == "all" else [args.reader]:
        chance = random.Random(f"{args.seed} {name}")
        tally = fuzz(name, 60 * args.minutes, chance, args.failures)
        print(tally.row(name), flush=True)
        failed |= bool(tally.failures)
    sys.exit(failed)


if __name__ == "__main__":
    main()
