"""Varied: a component under the rules of a variant.

Its steps are the component's own, and then what the rule ``step`` makes of them. Rules that do
not fit together can lead a machine to where it does not know what to do: that is an error which
names variant, component and event. ``amended`` needs nothing of this, and has nothing of it.
"""

from __future__ import annotations

from typing import Any

import attrs

from chc_ref.core.messages import Send
from chc_ref.core.node import Component
from chc_ref.core.rules import AMENDED, Rules
from chc_ref.core.values import Address
from chc_ref.errors import ChcError, ModelError


@attrs.frozen
class Varied:
    """One component, and the rules that it is under."""

    address: Address
    component: Component
    rules: Rules

    @property
    def initial(self) -> Any:
        """The component's own."""
        return self.component.initial

    def offers(self, state: Any) -> list[Any]:
        """The component's own."""
        return self.component.offers(state)

    def step(self, state: Any, event: Any) -> tuple[Any, list[Send]]:
        """Take one event.

        Raises:
            ModelError: the machine, or the rule ``step``, cannot go on.

        """
        try:
            after, sends = self.component.step(state, event)
        except ChcError:
            raise
        except Exception as error:
            told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise ModelError(
                f"variant {self.rules.name}: {self.address} does not know what to do with "
                f"{event!r}: {told}"
            ) from error
        if self.rules.step is AMENDED.step:
            return after, sends
        match self.rules.step(self.address, event, state, after, sends):
            case (changed, [*sent]) if type(changed) is type(after):
                if all(isinstance(send, Send) for send in sent):
                    return changed, sent
        fault = "does not give a state and a list of Send, as it was given"
        raise ModelError(f"variant {self.rules.name}: rule 'step' {fault}")
