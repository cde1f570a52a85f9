"""What all config models share."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import CoreSchema, core_schema


class _Operational:
    """See `OPERATIONAL`."""


# Marks a field (`Annotated[float, OPERATIONAL]`) that says how a job goes and shapes no byte of what it leaves: where a
# server is, how often a checkpoint is written. A change of it reruns nothing.
OPERATIONAL: Final = _Operational()


def at_home(path: str) -> str:
    """A path whose "~" is a user's home; as it is where nobody is called so."""
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        return path


HomePath = Annotated[str, Field(min_length=1), AfterValidator(at_home)]


class OneOf:
    """Makes a field (`Annotated[str, OneOf(names)]`) take the names of a registry only, as `Literal` would."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.literal_schema(self._names)


class Settings(BaseModel):
    """A frozen group of settings; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _switches(cls, values: Any) -> Any:
        """YAML reads `yes` and `on` as true, which would be taken for the number 1."""
        for name, value in values.items() if isinstance(values, dict) else ():
            field = cls.model_fields.get(name)
            if isinstance(value, bool) and field and field.annotation is not bool:
                word = str(value).lower()
                raise ValueError(f"`{name}` is {word}, as YAML reads yes, no, on and off too, and it is no switch")
        return values

    def shaping(self) -> dict[str, Any]:
        """What shapes results, as JSON: all but the operational fields, also within parts."""
        return _fields(self, operational=False)

    def operational(self) -> dict[str, Any]:
        """The operational fields that are not as usual, as JSON: laid over `shaping` they give the whole."""
        return _fields(self, operational=True)


def _fields(settings: Settings, operational: bool) -> dict[str, Any]:
    values = settings.model_dump(mode="json")
    kept: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        part = getattr(settings, name)
        if OPERATIONAL in field.metadata:
            usual = not field.is_required() and part == field.get_default(call_default_factory=True)
            kept |= {name: values[name]} if operational and not usual else {}
        elif isinstance(part, Settings):
            kept |= {name: inner} if (inner := _fields(part, operational)) or not operational else {}
        elif not operational:
            kept[name] = values[name]
    return kept


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with another laid over it, key by key, also within parts."""
    found = dict(values)
    for key, value in over.items():
        inner = found.get(key)
        found[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return found
