# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate's own formats (status ``project``), for state that no kernel describes yet."""
