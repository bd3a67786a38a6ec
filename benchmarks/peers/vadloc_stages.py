"""vadloc as a peer: its own stages, called in one process so that importing is not timed.

Training is extraction, selection and merging; testing is extraction and scoring.
"""

import importlib

from measured import frame_files, measured, phase_parser

STAGES = {
    "train": (
        ("feature_extraction.extract_features", "--split", "train"),
        ("exemplar_selection.select_exemplars",),
        ("exemplar_selection.merge_exemplars",),
    ),
    "test": (
        ("feature_extraction.extract_features", "--split", "test"),
        ("anomaly_detection.score_anomalies",),
    ),
}
LAZY = ("cv2", "joblib", "PIL.Image")
"""What stages import when they first need it."""


def main() -> None:
    """Command line."""
    parser = phase_parser("Run the stages of one phase.")
    parser.add_argument("--config", required=True)
    parser.add_argument("--version", required=True)
    args = parser.parse_args()
    options = ["--config", args.config, "--version", args.version, "--device", "cpu"]
    options += ["--datasets", str(args.frames), "--results", str(args.state)]
    for name in LAZY if args.version == "momentum" else (*LAZY, "openvino"):
        importlib.import_module(name)
    commands = [(importlib.import_module(name), words) for name, *words in STAGES[args.phase]]
    with measured(len(frame_files(args.frames, args.phase))):
        for module, words in commands:
            module.main([*words, *options])


if __name__ == "__main__":
    main()
