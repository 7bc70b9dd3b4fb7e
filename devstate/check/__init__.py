# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Rules over one handover: is it safe to jump with, and what will the reading kernel do with it? ``run.check()`` runs them all."""
