# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Two layouts, two kernels: can each read what the other wrote, what happens if not, and what makes it right.

``compare`` turns two layouts into changes (what is different, why, and the outcome for each direction); the rules in ``rules`` turn
changes into findings; ``judge`` sets them against the version strings; ``witness`` proves a finding with bytes.
"""
