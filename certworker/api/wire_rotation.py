"""The rotation policy of a key on the wire."""

from typing import Any

from pydantic import Field

from certworker.api.bodies import Body, Text
from certworker.api.wire import View, unix
from certworker.api.wire_keys import KEYS
from certworker.errors import BadParameter
from certworker.vault.key_lifetimes import DEFAULT_POLICY
from certworker.vault.rotation_policy import KeyRotation, RotationPolicy

ROTATE = "Rotate"
NOTIFY = "Notify"
_ACTIONS = "lifetimeActions"


class TriggerBody(Body):
    """When an action is carried out."""

    after_create: Text | None = Field(None, alias="timeAfterCreate")
    before_expiry: Text | None = Field(None, alias="timeBeforeExpiry")


class ActionTypeBody(Body):
    """Which action it is; its case does not matter."""

    type: Text


class LifetimeActionBody(Body):
    """One of `lifetimeActions`."""

    trigger: TriggerBody
    action: ActionTypeBody


class RotationAttributesBody(Body):
    """`attributes` of a rotation policy."""

    expiry_time: Text | None = Field(None, alias="expiryTime")


class RotationPolicyBody(Body):
    """What sets a rotation policy."""

    actions: tuple[LifetimeActionBody, ...] | None = Field(None, alias="lifetimeActions")
    attributes: RotationAttributesBody | None = None

    def policy(self) -> RotationPolicy:
        """Say it in the service's terms. Raises BadParameter for what a policy has no place for."""
        rotate, notify = self._trigger(ROTATE), self._trigger(NOTIFY)
        if rotate and (rotate.after_create is None) == (rotate.before_expiry is None):
            message = f"{_ACTIONS}.trigger of {ROTATE} has one of timeAfterCreate and timeBeforeExpiry."
            raise BadParameter(message, f"{_ACTIONS}.trigger")
        if notify and (notify.before_expiry is None or notify.after_create is not None):
            raise BadParameter(f"{_ACTIONS}.trigger of {NOTIFY} has timeBeforeExpiry, and nothing else.", f"{_ACTIONS}.trigger")
        return RotationPolicy(
            rotate_after_create=rotate.after_create if rotate else None,
            rotate_before_expiry=rotate.before_expiry if rotate else None,
            notify_before_expiry=notify.before_expiry if notify else None,
            expiry_time=self.attributes.expiry_time if self.attributes else None,
        )

    def _trigger(self, word: str) -> TriggerBody | None:
        known = {ROTATE.casefold(), NOTIFY.casefold()}
        types = [action.action.type.casefold() for action in self.actions or ()]
        if not known.issuperset(types) or len(set(types)) < len(types):
            message = f"{_ACTIONS} has at most one action of the type {ROTATE}, and one of the type {NOTIFY}."
            raise BadParameter(message, _ACTIONS)
        return next((action.trigger for action in self.actions or () if action.action.type.casefold() == word.casefold()), None)


def rotation_policy_wire(view: View, name: str, rotation: KeyRotation | None) -> dict[str, Any]:
    """Show a key's policy, or the one that it goes by without."""
    policy = rotation.policy if rotation else DEFAULT_POLICY
    attributes: dict[str, Any] = {} if policy.expiry_time is None else {"expiryTime": policy.expiry_time}
    if rotation:
        attributes |= {"created": unix(rotation.created), "updated": unix(rotation.updated)}
    return {
        "id": view.id(KEYS, rotation.name if rotation else name, "rotationpolicy"),
        "lifetimeActions": _actions(policy),
        "attributes": attributes,
    }


def _actions(policy: RotationPolicy) -> list[dict[str, Any]]:
    triggers = (
        (ROTATE, "timeAfterCreate", policy.rotate_after_create),
        (ROTATE, "timeBeforeExpiry", policy.rotate_before_expiry),
        (NOTIFY, "timeBeforeExpiry", policy.notify_before_expiry),
    )
    return [{"trigger": {field: duration}, "action": {"type": word}} for word, field, duration in triggers if duration]
