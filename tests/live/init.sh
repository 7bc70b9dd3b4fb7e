#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The first process of the guest of tests/live/run.py: its root is the host's, read-only; it gives tests/live/guest.py what that needs.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t debugfs debug /sys/kernel/debug
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mkdir -p /tmp/shared
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 shared /tmp/shared
read -r place python < /tmp/shared/place
cd "$place" || exit 1
exec "$python" -u -m tests.live.guest /tmp/shared
