"""Release policies of keys: what may be kept of what somebody sends."""

import json

from certworker.errors import BadParameter
from certworker.vault.objects import KeyReleasePolicy

DEFAULT_CONTENT_TYPE = "application/json; charset=utf-8"
MAX_POLICY = 32 * 1024
"""So many characters has a release policy at the most."""


def check_release_policy(policy: KeyReleasePolicy) -> KeyReleasePolicy:
    """Give back a release policy that can be kept: a JSON object. Raises BadParameter."""
    if policy.content_type.partition(";")[0].strip().lower() != "application/json":
        name = "release_policy.contentType"
        raise BadParameter(f"{name} is '{DEFAULT_CONTENT_TYPE}': a release policy is JSON.", name)
    if len(policy.data) > MAX_POLICY:
        message = f"release_policy.data has {len(policy.data)} characters; at most {MAX_POLICY} are allowed."
        raise BadParameter(message, "release_policy.data")
    try:
        document = json.loads(policy.data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BadParameter("release_policy.data is not a JSON object, in base64url.", "release_policy.data")
    return policy
