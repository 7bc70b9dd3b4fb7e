# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The layout IR: what bytes a schema stands for. Lowering, passes, baselines, and the registry of every known format."""
