"""Buttons of what may be done with a row now, and why not the others (templates/includes/step_buttons.html)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NextStep:
    """A verb that is possible in the state of a row. `why` is empty for whoever may do it now."""

    verb: str
    label: str
    icon: str
    why: str = ""
    tone: str = "outline"
    confirm: str = ""

    @property
    def is_allowed(self) -> bool:
        return not self.why
