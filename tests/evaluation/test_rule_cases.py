"""The nine cases under every rule; the numbers were worked out by hand from the rules."""

import pytest

from evaluation.rule_cases import Case, all_cases, case_to_areas, cases_to_markdown, main

CASES = {case.name: case for case in all_cases()}

# Points (false positives per frame, rate) as the threshold falls; "flood": the frame is one region.
AREAS: dict[str, dict[str, float]] = {
    # (0, 1), flood (1, 0)
    "perfect": {"envelope": 1, "ssvad": 0.5, "grid100": 0.5, "hold": 0.5},
    # (0, 1), (1, 1), flood (1, 0)
    "perfect, and a weak false box in every frame": {
        "envelope": 1,
        "ssvad": 1,
        "grid100": 1,
        "hold": 1,
    },
    # (0, 1), (2, 1), flood (1, 0)
    "perfect, and two weak false boxes in every frame": {
        "envelope": 1,
        "ssvad": 0.5,
        "grid100": 0.5,
        "hold": 1,
    },
    # (0, 1/2), flood (1, 0)
    "two tracks at once, one found": {
        "envelope": 0.5,
        "ssvad": 0.25,
        "grid100": 0.25,
        "hold": 0.25,
    },
    # (0, 1/2), flood (1, 0); the two regions stay two, or 9 of 109 px would not be found
    "touching regions, the small one found": {
        "envelope": 0.5,
        "ssvad": 0.25,
        "grid100": 0.25,
        "hold": 0.25,
    },
    # (0, 1), (1/2, 1); boxes have no flood
    "strong box under a weak big one": {
        "envelope": 1,
        "ssvad": 0.5,
        "grid100": 1,
        "hold": 1,
    },
    # (0, 1), (1/2, 0), flood (1, 0)
    "found, then swallowed by a big one": {
        "envelope": 1,
        "ssvad": 0.25,
        "grid100": 0.25,
        "hold": 0.25,
    },
    # (0, 1), (1, 1), flood (1, 0); no threshold of ssvad lies between .509 and .501
    "found at .509, a false box in every frame at .501": {
        "envelope": 1,
        "ssvad": 0.5,
        "grid100": 1,
        "hold": 1,
    },
    # (0, 1), flood (1, 0)
    "perfect, all frames anomalous": {"envelope": 1, "ssvad": 0.5, "grid100": 0.5, "hold": 0.5},
}


def test_every_case_is_worked_out() -> None:
    assert AREAS.keys() == CASES.keys()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_areas_of_a_case(case: Case) -> None:
    found = case_to_areas(case)
    assert found.keys() == AREAS[case.name].keys()
    for rule, area in AREAS[case.name].items():
        assert found[rule] == pytest.approx((area, area), abs=1e-12), rule


def test_the_command_prints_a_row_for_each_case(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert printed == cases_to_markdown(all_cases()) + "\n"
    assert lines[0] == "| case | detections | envelope | ssvad | grid100 | hold |"
    assert lines[2].startswith("| perfect | map | 1.00 / 1.00 | 0.50 / 0.50 |")
    assert len(lines) == 2 + 9
    assert {line.count("|") for line in lines} == {7}
