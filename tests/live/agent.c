// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The first process of a guest that has nothing but this: what tests/live/campaign.py boots many times.
 *
 * With "agent=new" on its command line it is in the new kernel: it asks for every session and file of /plan, and says what came of it.
 * Else it is in the old one: it makes what /plan says, and jumps. A line of /plan:
 *
 *     session NAME
 *     file TOKEN SIZE SEED SEALS POSITION FLAGS      of the session before it; FLAGS are those of memfd_create(2)
 *
 * What it says is lines of words on the console, each begins with "@".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CREATE_SESSION 0xBA00
#define RETRIEVE_SESSION 0xBA01
#define PRESERVE_FD 0xBA40
#define RETRIEVE_FD 0xBA41
#define FINISH 0xBA42

struct on_device {
	uint32_t size;
	int32_t fd;
	char name[64];
};

struct on_session {
	uint32_t size;
	int32_t fd;
	uint64_t token;
};

struct finish {
	uint32_t size;
	uint32_t reserved;
};

static int console;

static void say(const char *form, ...)
{
	char line[512];
	va_list values;
	va_start(values, form);
	int size = vsnprintf(line, sizeof(line), form, values);
	va_end(values);
	if (write(console, line, size) != size)
		_exit(1);
}

static uint64_t word(uint64_t seed, uint64_t index)
{
	return (index + 1) * 0x9E3779B97F4A7C15ull ^ seed;
}

/* A memfd with the words of a seed, but for a seed of 0: that is a hole. */
static int make(uint64_t size, uint64_t seed, unsigned int seals, uint64_t position, unsigned int flags)
{
	int fd = memfd_create("agent", flags | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, size))
		return -1;
	uint64_t block[512];
	for (uint64_t at = 0; seed && at < size; at += sizeof(block)) {
		for (int index = 0; index < 512; index++)
			block[index] = word(seed, at / 8 + index);
		uint64_t some = size - at < sizeof(block) ? size - at : sizeof(block);
		if (pwrite(fd, block, some, at) != (ssize_t)some)
			return -1;
	}
	if (seals && fcntl(fd, F_ADD_SEALS, seals))
		return -1;
	lseek(fd, position, SEEK_SET);
	return fd;
}

/* FNV-1a over 64-bit words; the last one is filled with zeros. At most 64 MiB are read. */
static uint64_t digest(int fd)
{
	uint64_t sum = 0xcbf29ce484222325ull, block[512];
	for (uint64_t at = 0; at < 64ull << 20; at += sizeof(block)) {
		memset(block, 0, sizeof(block));
		ssize_t some = pread(fd, block, sizeof(block), at);
		if (some < 0)
			return errno;
		for (ssize_t index = 0; index < (some + 7) / 8; index++)
			sum = (sum ^ block[index]) * 0x100000001b3ull;
		if (some < (ssize_t)sizeof(block))
			break;
	}
	return sum;
}

static int on_device(int device, unsigned long request, const char *name)
{
	struct on_device argument = {.size = sizeof(argument)};
	snprintf(argument.name, sizeof(argument.name), "%s", name);
	return ioctl(device, request, &argument) ? -errno : argument.fd;
}

static void looks(const char *what, uint64_t token, int fd)
{
	struct stat found;
	fstat(fd, &found);
	long long position = lseek(fd, 0, SEEK_CUR);
	say("@%s %llu 0 %lld %lld %d %llx\n", what, (unsigned long long)token, (long long)found.st_size, position,
	    fcntl(fd, F_GET_SEALS), (unsigned long long)digest(fd));
}

static void old_file(int session, uint64_t token, int fd)
{
	struct on_session argument = {.size = sizeof(argument), .fd = fd, .token = token};
	int failed = fd < 0 || ioctl(session, PRESERVE_FD, &argument) ? errno : 0;
	if (failed)
		say("@preserve %llu %d\n", (unsigned long long)token, failed);
	else
		looks("preserve", token, fd);
}

static void new_file(int session, uint64_t token)
{
	struct on_session argument = {.size = sizeof(argument), .fd = -1, .token = token};
	if (session < 0 || ioctl(session, RETRIEVE_FD, &argument)) {
		say("@file %llu %d\n", (unsigned long long)token, session < 0 ? -session : errno);
		return;
	}
	looks("file", token, argument.fd);
}

static void follow(int device, int is_new)
{
	FILE *plan = fopen("/plan", "r");
	char line[256], name[64];
	int session = -1;
	while (plan && fgets(line, sizeof(line), plan)) {
		unsigned long long token, size, seed, position;
		unsigned int seals, flags;
		if (sscanf(line, "session %63s", name) == 1) {
			session = on_device(device, is_new ? RETRIEVE_SESSION : CREATE_SESSION, name);
			say("@session %s %d\n", name, session < 0 ? -session : 0);
		} else if (sscanf(line, "file %llu %llu %llu %u %llu %u", &token, &size, &seed, &seals, &position, &flags) == 6) {
			if (is_new)
				new_file(session, token);
			else
				old_file(session, token, make(size, seed, seals, position, flags));
		} else if (!strncmp(line, "finish", 6) && is_new) {
			struct finish argument = {.size = sizeof(argument)};
			say("@finish %d\n", session < 0 || ioctl(session, FINISH, &argument) ? errno : 0);
		}
	}
}

static void scratch(const char *name)
{
	char path[128], number[64];
	snprintf(path, sizeof(path), "/sys/kernel/debug/kho/out/%s", name);
	FILE *numbers = fopen(path, "r");
	say("@scratch %s", name);
	while (numbers && fgets(number, sizeof(number), numbers))
		say(" %.*s", (int)strcspn(number, "\n"), number);
	say("\n");
}

static void jump(void)
{
	scratch("scratch_phys");
	scratch("scratch_len");
	char line[1024] = "", symbol[256];
	FILE *symbols = fopen("/proc/kallsyms", "r");
	while (symbols && fgets(line, sizeof(line), symbols))
		if (sscanf(line, "%*s %*s %255s", symbol) == 1 && !strcmp(symbol, "machine_kexec"))
			say("@machine_kexec %.16s\n", line);
	int kernel = open("/kernel", O_RDONLY), initrd = open("/next", O_RDONLY), next = open("/line", O_RDONLY);
	ssize_t size = read(next, line, sizeof(line) - 1);
	line[size < 0 ? 0 : size] = 0;
	int failed = syscall(SYS_kexec_file_load, kernel, initrd, size + 1, line, 0) ? errno : 0;
	say("@load %d\n", failed);
	if (read(console, line, sizeof(line)) < 0) /* until the host is ready to stop it */
		return;
	syscall(SYS_reboot, 0xfee1dead, 672274793, 0x45584543, 0);
	say("@jump %d\n", errno);
}

static void update(int is_new)
{
	int device = open("/dev/liveupdate", O_RDWR);
	say("@open %d\n", device < 0 ? errno : 0);
	if (device >= 0)
		follow(device, is_new);
	if (!is_new)
		jump();
	say("@end\n");
}

int main(void)
{
	char line[2048] = "";
	mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	console = open("/dev/ttyS0", O_RDWR);
	int file = open("/proc/cmdline", O_RDONLY);
	if (read(file, line, sizeof(line) - 1) < 0)
		return 1;
	int is_new = strstr(line, "agent=new") != NULL;
	say("@boot %s %d\n", is_new ? "new" : "old", !access("/sys/kernel/debug/kho/in/fdt", R_OK));
	if (is_new) { /* a child of its own: what it does may kill it */
		pid_t child = fork();
		int status = 0;
		if (!child) {
			update(1);
			_exit(0);
		}
		waitpid(child, &status, 0);
		say("@done %d\n", status);
	} else {
		update(0);
	}
	for (;;)
		pause();
}
