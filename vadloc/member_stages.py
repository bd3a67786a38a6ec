"""Stages of the members of a combined version, as stages of that version."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.stage import Stage, Work


@dataclass(frozen=True)
class _Member:
    """The functions of a stage, for a member of the version that they are given."""

    stage: Stage
    number: int

    def of(self, artifacts: Artifacts) -> Artifacts:
        return artifacts.members[self.number]

    def outputs(self, artifacts: Artifacts, unit: str) -> list[Artifact]:
        return self.stage.outputs(self.of(artifacts), unit)

    def compute(self, work: Work) -> Iterable[tuple[Artifact, Any]]:
        return self.stage.compute(replace(work, artifacts=self.of(work.artifacts)))

    def prepare(self, artifacts: Artifacts, *, overwrite: bool) -> None:
        if self.stage.prepare:
            self.stage.prepare(self.of(artifacts), overwrite=overwrite)

    def chosen(self, artifacts: Artifacts) -> list[str]:
        return self.stage.units(self.of(artifacts))

    def reports(self, artifacts: Artifacts, unit: str) -> list[str]:
        return self.stage.reported(self.of(artifacts), unit)


def of_member(stage: Stage, number: int) -> Stage:
    """The stage of a member of a combined version, to be run with the results of that version.

    Args:
        stage: A stage of the member.
        number: The place of the member in ``Version.members``.
    """
    member = _Member(stage, number)
    return replace(
        stage,
        outputs=member.outputs,
        compute=member.compute,
        prepare=member.prepare,
        chosen=member.chosen,
        reports=member.reports,
        describe=None,
        conclude=None,
    )
