"""What all tables of a config have in common."""

from pydantic import BaseModel, ConfigDict


class ConfigTable(BaseModel):
    """A table of a config: it cannot be changed, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
