# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is said about policies, promises and baselines, in words: these findings have ids like rules, and are about no layout."""

from __future__ import annotations

COMPLAINTS = {
    "waiver-expired": """A waiver has ended.

What       The day in `expires` is over; the finding that it stood for is back as well.
Why        A waiver is a debt with a date: whoever owns it decides again.
Instead    Ask its owner; renew it with a new day and reason, or take it out.""",
    "waiver-unused": """Nothing needs a waiver any more.

What       Its two formats were compared, and no finding of its rule and field is the one that was waived.
Why        The change was taken back, or is another one now; a waiver that lies around hides the next one.
Instead    Take it out; where the change is another one, look at it again: the complaint has its fingerprint.""",
    "waiver-broad": """A pattern waives what is misread.

What       The field or a format of a waiver is a pattern, and covers a finding whose outcome is MISREAD or SHORT.
Why        What a pattern covers tomorrow nobody has looked at.
Instead    One waiver for each field, as `--waivers` prints them.""",
    "level-broad": """A level is asked to hide what is misread.

What       `allow` or `warn` for a rule, and a finding of it whose outcome is MISREAD or SHORT, or evidence that is missing.
Why        A level is for all findings of a rule, also those of next year.
Instead    A waiver for this one.""",
    "window-restore": """A promise to restore is broken.

What       A pair of a support.toml must work, and the reading kernel refuses or misreads.
Why        Machines in the field rely on it.
Instead    Keep the old decoder, or end the promise before the release.""",
    "window-refuse": """A promise to refuse is broken.

What       A pair of a support.toml must be refused in a documented way, and it is read, misread, or refused in another way.
Why        Whoever plans a jump relies on what the documentation says will happen.
Instead    Correct the reaction in support.toml, or the format's version.""",
    "baseline-stale": """The committed layouts are not those that are declared.

What       A format has no baseline, or its texts changed.
Why        What is not committed is not protected.
Instead    `devstate baseline update`, and commit what it writes.""",
}
"""Id to text; the first line is the title."""


def complaint_titles() -> dict[str, str]:
    """Every id with its first line."""
    return {key: text.partition("\n")[0] for key, text in COMPLAINTS.items()}
