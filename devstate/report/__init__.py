# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Findings and records to a stream: text for people, JSON, SARIF and JUnit for programs. Decides nothing, reads no input."""
