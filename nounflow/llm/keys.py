"""The key: read from the environment, sent to its server only, and struck out of every text that is kept or shown."""

import os
import re
import unicodedata
from urllib.parse import urlsplit

from nounflow.config.llm import LLMConfig
from nounflow.errors import NounflowError

_OPENAI_HOST, _OPENAI_VARIABLE = "api.openai.com", "OPENAI_API_KEY"
_NO_KEY = "none"  # servers of one's own ask for none, but the client library insists on one
_SHORTEST_SECRET = 8  # shorter ones ("none", "EMPTY") are no secrets, and striking them out would garble answers
_LIKE_A_KEY = re.compile(r"\bsk-[A-Za-z0-9_*-]{16,}")


def read_key(config: LLMConfig) -> str:
    """The key for the config's server. A key for OpenAI goes to no other server unless the config names its variable.

    Raises:
        NounflowError: the environment variable is not set.
    """
    variable = config.api_key_env
    if variable is None:
        if urlsplit(config.base_url).hostname != _OPENAI_HOST:
            return _NO_KEY
        variable = _OPENAI_VARIABLE
    if key := key_of(variable):
        return key
    raise NounflowError(
        f"The environment variable {variable} is not set, so there is no key for {config.base_url}",
        fix=f"export {variable}=..., or name another variable in `api_key_env`",
    )


def key_of(variable: str) -> str:
    """The key in an environment variable; empty where there is none.

    Raises:
        NounflowError: it holds what no header can.
    """
    key = os.environ.get(variable, "").strip()
    for place, sign in enumerate(key, 1):
        if not ("!" <= sign <= "~"):
            raise NounflowError(
                f"The value of {variable} holds a sign that no key has: {unicodedata.name(sign, 'a control code')} "
                f"at place {place} of {len(key)}",
                fix=f"export {variable}=... anew, without typographic quotes, spaces or line breaks",
            )
    return key


def redact(text: str, key: str) -> str:
    """`text` without the key, and without anything else that looks like one."""
    if len(key) >= _SHORTEST_SECRET:
        text = text.replace(key, "[key]")
    return _LIKE_A_KEY.sub("[key]", text)
