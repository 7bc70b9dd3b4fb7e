# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""For the tests of projects that have formats of their own: a pytest plugin that holds their schemas to their committed baselines."""
