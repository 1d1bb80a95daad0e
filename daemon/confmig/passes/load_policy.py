"""The policy of a target: missing, invalid or present."""

from __future__ import annotations

from confmig.adapters.files import trust
from confmig.adapters.files.plain_file import read_plain
from confmig.adapters.workers.protocol import Worker
from confmig.core.policy import model
from confmig.core.policy.model import Policy
from confmig.errors import Invalid, Problem, Refused
from confmig.settings import Target


def load_policy(target: Target, worker: Worker) -> Policy:
    """Read the policy.

    It raises nothing: a policy that cannot be used is ``invalid``, with every problem in it,
    and then nothing runs.
    """
    if target.policy is None:
        return model.MISSING
    name = target.policy.name
    try:
        trust.check("policy_untrusted", "policy", [target.policy])
        found = worker.check(read_plain(target.policy))
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        fix = "put the policy there, or take the policy key out of the settings"
        return model.invalid([Problem("policy_invalid", str(target.policy), message, fix)])
    except Invalid as error:
        return model.invalid(list(error.problems))
    except Refused as error:
        error.in_file(name)
        fix = "correct the policy"
        return model.invalid([Problem("policy_invalid", error.place, error.message, fix)])
    return model.read(found.data, name, found.lines)
