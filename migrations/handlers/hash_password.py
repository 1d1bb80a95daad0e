"""auth_name and auth_pass become users: [{name, password: <bcrypt hash>}].

bcrypt wants a random salt, a handler must be repeatable: the salt is derived from the document
and a key of this installation, so it is the same for the same file here and unpredictable
elsewhere.
"""

import base64

COST = 10
_ALPHABET = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
)


def migrate(document, contract):
    """Consume auth_name; write users if there is an auth_pass too."""
    if "auth_name" not in document:
        return
    name = _text(document, "auth_name")
    del document["auth_name"]
    if "auth_pass" not in document:
        return
    password = _text(document, "auth_pass")
    del document["auth_pass"]
    document["users"] = [{"name": name, "password": _hash(password, contract)}]


def _text(document, key):
    value = document[key]
    if value is None:
        return ""
    if not isinstance(value, str):
        from confmig.errors import Refused

        raise Refused(
            "wrong_type", f"string is expected here, not {type(value).__name__}", place=key
        )
    return value


def _hash(password, contract):
    import bcrypt

    secret = password.encode()
    if len(secret) > 72:
        from confmig.errors import Refused

        raise Refused("password_too_long", "bcrypt takes at most 72 bytes", place="auth_pass")
    salt = base64.b64encode(contract.derive("bcrypt salt", 16)).rstrip(b"=").translate(_ALPHABET)
    return bcrypt.hashpw(secret, b"$2b$%02d$%s" % (COST, salt)).decode()
