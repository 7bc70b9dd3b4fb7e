# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Three drivers as clients: a controller with queues, a network card with filters, a function that is passed through to a guest.

They are examples: no kernel has them. Each is in two versions with a converter between them; ``devstate --schemas examples/drivers`` knows
them. What a driver leaves is a part ``driver-N`` of a device in the subtree ``devstate`` (docs/project-format.md), named by its compatible.
"""
