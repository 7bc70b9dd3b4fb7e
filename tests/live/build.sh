#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Build a kernel for tests/live from a source tree of Linux 7.2 or later: build.sh SOURCE OUTPUT [FRAGMENT...]. OUTPUT gets its objects and
# its image, OUTPUT/arch/x86/boot/bzImage; the tree stays as it is. Ten minutes on two processors.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$1 output=$2
shift 2
mkdir -p "$output"
output=$(cd "$output" && pwd)
make -s -C "$source" O="$output" tinyconfig
"$source/scripts/kconfig/merge_config.sh" -m -O "$output" "$output/.config" "$here/kernel.config" "$@" >/dev/null
make -s -C "$source" O="$output" olddefconfig
for option in KEXEC_HANDOVER LIVEUPDATE LIVEUPDATE_MEMFD KEXEC_HANDOVER_DEBUGFS; do
	grep -q "^CONFIG_$option=y" "$output/.config" || { echo "this kernel has no CONFIG_$option" >&2; exit 1; }
done
make -s -C "$source" O="$output" -j"$(nproc)" bzImage
echo "$output/arch/x86/boot/bzImage"
