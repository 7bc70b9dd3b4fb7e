# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A record cannot be decoded.

What       The bytes at an address do not hold the struct that the schema says.
Why        The kernel reads them all the same.
Example    a flexible array longer than its area.
Instead    Write the struct that the compatible stands for.
Reference  the source that the schema names
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

RULE = Rule("record-invalid", "A record cannot be decoded", Severity.ERROR, Reaction.RETRIEVE_FAILS, by_moment=True)
