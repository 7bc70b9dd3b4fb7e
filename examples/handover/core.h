/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An ELF core as physical memory: core_at() is what struct devstate_memory asks.
 */
#ifndef CORE_H
#define CORE_H

#include "devstate.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct core {
	const u8 *bytes;
	const Elf64_Phdr *segments;
	u64 count;
};

/* Maps the file; every segment lies in it, at a multiple of 8 bytes. -1 when it is no such core. */
static int core_open(const char *path, struct core *ret)
{
	int fd = open(path, O_RDONLY);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	u64 size = (u64)end;
	const Elf64_Ehdr *head;

	if (end < (off_t)sizeof(*head))
		return -1;
	ret->bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (ret->bytes == MAP_FAILED)
		return -1;
	head = (const Elf64_Ehdr *)ret->bytes;
	if (memcmp(head->e_ident, ELFMAG, SELFMAG) || head->e_phoff % 8 || head->e_phoff > size ||
	    head->e_phnum > (size - head->e_phoff) / sizeof(*ret->segments))
		return -1;
	ret->segments = (const Elf64_Phdr *)(ret->bytes + head->e_phoff);
	ret->count = head->e_phnum;
	for (u64 n = 0; n < ret->count; n++) {
		const Elf64_Phdr *each = &ret->segments[n];

		if (each->p_type != PT_LOAD)
			continue;
		if (each->p_offset % 8 || each->p_offset > size ||
		    each->p_filesz > size - each->p_offset)
			return -1;
	}
	return 0;
}

/* Records are where their structs may be: at a multiple of 8. */
static const void *core_at(void *context, u64 pa, u64 size)
{
	const struct core *core = context;

	for (u64 n = 0; !(pa % 8) && n < core->count; n++) {
		const Elf64_Phdr *each = &core->segments[n];
		u64 within = pa - each->p_paddr;

		if (each->p_type == PT_LOAD && pa >= each->p_paddr && within <= each->p_filesz &&
		    size <= each->p_filesz - within)
			return core->bytes + each->p_offset + within;
	}
	return NULL;
}

#endif /* CORE_H */
