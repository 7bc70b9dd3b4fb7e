/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What headers written in the kernel's style expect to be there: its types, its attributes, and the macros that sizes are made of.
 * Only what decides about layouts. DEVSTATE_PAGE_SHIFT comes from the command line: sizes depend on the kernel's pages.
 * Facts: include/linux/types.h, compiler_attributes.h, bits.h, align.h, math.h, log2.h, uapi/linux/types.h.
 */
#ifndef DEVSTATE_KERNEL_H
#define DEVSTATE_KERNEL_H

#ifndef DEVSTATE_UAPI
#define __KERNEL__ 1
#endif
#define CONFIG_64BIT 1
#define CONFIG_MMU 1
#define CONFIG_PHYS_ADDR_T_64BIT 1

/* types */
typedef unsigned char u8, __u8, uint8_t, u_int8_t, unchar;
typedef unsigned short u16, __u16, uint16_t, u_int16_t, ushort;
typedef unsigned int u32, __u32, uint32_t, u_int32_t, uint;
typedef unsigned long long u64, __u64, uint64_t, u_int64_t;
typedef signed char s8, __s8, int8_t;
typedef short s16, __s16, int16_t;
typedef int s32, __s32, int32_t;
typedef long long s64, __s64, int64_t;
typedef unsigned __int128 u128, __u128;
typedef __int128 s128, __s128;
typedef u16 __le16, __be16, __sum16;
typedef u32 __le32, __be32, __wsum;
typedef u64 __le64, __be64;
typedef unsigned long ulong, uintptr_t, size_t, __kernel_size_t, __kernel_ulong_t;
typedef long ssize_t, ptrdiff_t, intptr_t, __kernel_ssize_t, __kernel_long_t;
typedef long long loff_t, ktime_t, time64_t, __kernel_loff_t, __kernel_time64_t;
typedef u64 phys_addr_t, resource_size_t, dma_addr_t, sector_t, blkcnt_t;
typedef unsigned long pgoff_t, pgprot_t, pteval_t, irq_hw_number_t, cycles_t;
typedef unsigned int gfp_t, slab_flags_t, fmode_t, uid_t, gid_t, dev_t, __poll_t, blk_opf_t, vm_fault_t;
typedef unsigned short umode_t, sa_family_t, __kernel_sa_family_t;
typedef unsigned short u_short, __kernel_old_dev_t;
typedef unsigned int u_int;
typedef unsigned long u_long, ino_t, __kernel_ino_t;
typedef unsigned char u_char;
typedef char *caddr_t, *__kernel_caddr_t;
typedef struct {
	int val[2];
} __kernel_fsid_t;
typedef int pid_t, key_serial_t, clockid_t, __kernel_pid_t, __kernel_clockid_t, rwf_t;
typedef long __kernel_old_time_t, __kernel_suseconds_t, __kernel_clock_t, __kernel_ptrdiff_t;
typedef unsigned int __kernel_uid32_t, __kernel_gid32_t, __kernel_mode_t, __kernel_uid_t, __kernel_gid_t, __kernel_dev_t;
typedef int __kernel_key_t, __kernel_mqd_t, __kernel_timer_t, __kernel_ipc_pid_t, __kernel_daddr_t;
typedef long off_t, time_t, clock_t, __kernel_off_t;
typedef __builtin_va_list va_list;
typedef unsigned long long gpa_t, gfn_t, hpa_t, hva_t, kvm_pfn_t;
typedef struct { u8 b[16]; } guid_t, uuid_t;
typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;
typedef struct { long counter; } atomic_long_t;
typedef struct refcount_struct { atomic_t refs; } refcount_t;
typedef struct { uid_t val; } kuid_t;
typedef struct { gid_t val; } kgid_t;
typedef u64 __aligned_u64 __attribute__((aligned(8)));
typedef s64 __aligned_s64 __attribute__((aligned(8)));
typedef __be64 __aligned_be64 __attribute__((aligned(8)));
typedef __le64 __aligned_le64 __attribute__((aligned(8)));
typedef u64 aligned_u64 __attribute__((aligned(8)));

#ifndef __cplusplus
#define bool _Bool
#define true 1
#define false 0
#endif
#define NULL ((void *)0)

struct list_head {
	struct list_head *next, *prev;
};
struct hlist_node {
	struct hlist_node *next, **pprev;
};
struct hlist_head {
	struct hlist_node *first;
};
struct llist_node {
	struct llist_node *next;
};
struct llist_head {
	struct llist_node *first;
};
struct callback_head {
	struct callback_head *next;
	void (*func)(struct callback_head *head);
} __attribute__((aligned(sizeof(void *))));
#define rcu_head callback_head
struct kref {
	refcount_t refcount;
};
struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right, *rb_left;
} __attribute__((aligned(sizeof(long))));
struct rb_root {
	struct rb_node *rb_node;
};

/* attributes: those that decide about layout, and those that do not */
#define __packed __attribute__((packed))
#define __aligned(x) __attribute__((aligned(x)))
#define __aligned_largest __attribute__((aligned))
#define __attribute_const__ __attribute__((const))
#define __mode(x) __attribute__((mode(x)))
#define __cacheline_aligned __attribute__((aligned(64)))
#define __cacheline_aligned_in_smp __attribute__((aligned(64)))
#define ____cacheline_aligned __attribute__((aligned(64)))
#define ____cacheline_aligned_in_smp __attribute__((aligned(64)))
#define __counted_by(member) __attribute__((annotate("counted_by:" #member)))
#define __counted_by_le(member) __attribute__((annotate("counted_by:" #member)))
#define __counted_by_be(member) __attribute__((annotate("counted_by:" #member)))
#define __counted_by_ptr(member)
#define __sized_by(member)
#define __guarded_by(...)
#define __pt_guarded_by(...)
#define __bitwise
#define __bitwise__
#define __force
#define __nocast
#define __safe
#define __private
#define __user
#define __kernel
#define __iomem
#define __percpu
#define __rcu
#define __randomize_layout
#define __no_randomize_layout
#define randomized_struct_fields_start struct {
#define randomized_struct_fields_end };
#define __designated_init
#define __nonstring
#define __kabi_ignore
#define __always_inline inline
#define noinline
#define __must_check
#define __maybe_unused
#define __always_unused
#define __used
#define __unused
#define __pure
#define __cold
#define __hot
#define __init
#define __exit
#define __initdata
#define __initconst
#define __ro_after_init
#define __read_mostly
#define __weak
#define __visible
#define __deprecated
#define __malloc
#define __printf(a, b)
#define __scanf(a, b)
#define __noreturn
#define __acquires(x)
#define __releases(x)
#define __must_hold(x)
#define __nonnull(...)
#define __section(x)
#define __cleanup(x)
#define __ref
#define __refdata
#define __bpf_kfunc
#define __no_sanitize_address
#define __no_kasan_or_inline
#define notrace
#define asmlinkage
#define fastcall
#define EXPORT_SYMBOL(x)
#define EXPORT_SYMBOL_GPL(x)
#define EXPORT_SYMBOL_NS_GPL(x, ns)
#define EXPORT_SYMBOL_FOR_MODULES(x, modules)
#define MODULE_LICENSE(x)
#define MODULE_AUTHOR(x)
#define MODULE_DESCRIPTION(x)
#define MODULE_IMPORT_NS(x)
#define module_init(x)
#define module_exit(x)
#define early_initcall(x)
#define core_initcall(x)
#define subsys_initcall(x)
#define fs_initcall(x)
#define device_initcall(x)
#define late_initcall(x)
#define likely(x) (x)
#define unlikely(x) (x)

/* pages and words */
#define PAGE_SHIFT DEVSTATE_PAGE_SHIFT
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define BITS_PER_BYTE 8
#define BITS_PER_LONG 64
#define BITS_PER_LONG_LONG 64
#define __BITS_PER_LONG 64
#define BITS_PER_TYPE(type) (sizeof(type) * BITS_PER_BYTE)
#define BITS_PER_U64 64
#define L1_CACHE_BYTES 64
#define SMP_CACHE_BYTES 64
#define MAX_PHYSMEM_BITS 52
#define PFN_SECTION_SHIFT (27 - PAGE_SHIFT)

/* numbers */
#define _AC(x, y) x##y
#define _UL(x) x##UL
#define _ULL(x) x##ULL
#define UL(x) x##UL
#define ULL(x) x##ULL
#define _BITUL(x) (1UL << (x))
#define _BITULL(x) (1ULL << (x))
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define BIT_U8(n) ((u8)(1 << (n)))
#define BIT_U16(n) ((u16)(1 << (n)))
#define BIT_U32(n) ((u32)(1U << (n)))
#define BIT_U64(n) (1ULL << (n))
#define BIT_MASK(nr) (1UL << ((nr) % BITS_PER_LONG))
#define BIT_WORD(nr) ((nr) / BITS_PER_LONG)
#define GENMASK(h, l) ((~0UL << (l)) & (~0UL >> (BITS_PER_LONG - 1 - (h))))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define GENMASK_U32(h, l) ((u32)GENMASK(h, l))
#define GENMASK_U64(h, l) GENMASK_ULL(h, l)
#define __GENMASK(h, l) GENMASK(h, l)
#define ALIGN(x, a) __ALIGN_KERNEL((x), (a))
#define __ALIGN_KERNEL(x, a) (((x) + ((__typeof__(x))(a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)
#define PAGE_ALIGN(x) ALIGN(x, PAGE_SIZE)
#define round_up(x, y) ((((x) - 1) | ((__typeof__(x))((y) - 1))) + 1)
#define round_down(x, y) ((x) & ~((__typeof__(x))((y) - 1)))
#define roundup(x, y) ((((x) + ((y) - 1)) / (y)) * (y))
#define rounddown(x, y) ((x) - (x) % (y))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define DIV_ROUND_UP_ULL(n, d) DIV_ROUND_UP((unsigned long long)(n), (d))
#define __KERNEL_DIV_ROUND_UP(n, d) DIV_ROUND_UP(n, d)
#define DIV_ROUND_CLOSEST(n, d) (((n) + (d) / 2) / (d))
#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))
#define const_ilog2(n) ((n) < 2 ? 0 : 63 - __builtin_clzll(n))
#define ilog2(n) const_ilog2(n)
#define order_base_2(n) ((n) > 1 ? const_ilog2((n) - 1) + 1 : 0)
#define roundup_pow_of_two(n) (1UL << order_base_2(n))
#define rounddown_pow_of_two(n) (1UL << const_ilog2(n))
#define get_order(n) order_base_2(DIV_ROUND_UP((n), PAGE_SIZE))
#define hweight8(w) __builtin_popcount(w)
#define hweight32(w) __builtin_popcount(w)
#define hweight64(w) __builtin_popcountll(w)
#define min(x, y) ((x) < (y) ? (x) : (y))
#define max(x, y) ((x) > (y) ? (x) : (y))
#define MIN(x, y) ((x) < (y) ? (x) : (y))
#define MAX(x, y) ((x) > (y) ? (x) : (y))
#define min_t(t, x, y) ((t)(x) < (t)(y) ? (t)(x) : (t)(y))
#define max_t(t, x, y) ((t)(x) > (t)(y) ? (t)(x) : (t)(y))
#define min_const(x, y) MIN(x, y)
#define lower_32_bits(n) ((u32)((n) & 0xffffffff))
#define upper_32_bits(n) ((u32)(((n) >> 16) >> 16))
#define U8_MAX ((u8)~0U)
#define U16_MAX ((u16)~0U)
#define U32_MAX ((u32)~0U)
#define U64_MAX ((u64)~0ULL)
#define S8_MAX 127
#define S16_MAX 32767
#define S32_MAX 2147483647
#define S64_MAX 9223372036854775807LL
#define INT_MAX 2147483647
#define UINT_MAX (~0U)
#define LONG_MAX ((long)(~0UL >> 1))
#define ULONG_MAX (~0UL)
#define LLONG_MAX 9223372036854775807LL
#define ULLONG_MAX (~0ULL)
#define SIZE_MAX (~(size_t)0)
#define PHYS_ADDR_MAX (~(phys_addr_t)0)
#define SZ_1K 0x400
#define SZ_2K 0x800
#define SZ_4K 0x1000
#define SZ_8K 0x2000
#define SZ_16K 0x4000
#define SZ_32K 0x8000
#define SZ_64K 0x10000
#define SZ_128K 0x20000
#define SZ_256K 0x40000
#define SZ_512K 0x80000
#define SZ_1M 0x100000
#define SZ_2M 0x200000
#define SZ_1G 0x40000000

/* words of declarations */
#define __stringify_1(x...) #x
#define __stringify(x...) __stringify_1(x)
#define __PASTE_(a, b) a##b
#define __PASTE(a, b) __PASTE_(a, b)
#define typeof __typeof__
#define typeof_member(t, m) __typeof__(((t *)0)->m)
#define sizeof_field(type, member) sizeof(((type *)0)->member)
#define offsetof(type, member) __builtin_offsetof(type, member)
#define offsetofend(type, member) (offsetof(type, member) + sizeof_field(type, member))
#define __struct_size(p) 0
#define struct_size_t(type, member, count) (sizeof(type) + sizeof(((type *)0)->member[0]) * (count))
#define static_assert(expr, ...) _Static_assert(expr, #expr)
#define BUILD_BUG_ON(x)
#define BITS_TO_LONGS(nr) DIV_ROUND_UP(nr, 64)
#define BITS_TO_U64(nr) DIV_ROUND_UP(nr, 64)
#define BITS_TO_U32(nr) DIV_ROUND_UP(nr, 32)
#define BITS_TO_BYTES(nr) DIV_ROUND_UP(nr, 8)
#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]
#define DECLARE_FLEX_ARRAY(TYPE, NAME) \
	struct { struct { } __empty_##NAME; TYPE NAME[]; }
#define __DECLARE_FLEX_ARRAY(TYPE, NAME) DECLARE_FLEX_ARRAY(TYPE, NAME)
#define struct_group(NAME, MEMBERS...) \
	union { struct { MEMBERS }; struct { MEMBERS } NAME; }
#define struct_group_tagged(TAG, NAME, MEMBERS...) \
	union { struct { MEMBERS }; struct TAG { MEMBERS } NAME; }
#define struct_group_attr(NAME, ATTRS, MEMBERS...) \
	union { struct { MEMBERS } ATTRS; struct { MEMBERS } ATTRS NAME; }
#define __struct_group(TAG, NAME, ATTRS, MEMBERS...) \
	union { struct { MEMBERS } ATTRS; struct TAG { MEMBERS } ATTRS NAME; }
#define IS_ENABLED(option) 0
#define IS_REACHABLE(option) 0
#define IS_BUILTIN(option) 0
#define READ_ONCE(x) (x)
#define WRITE_ONCE(x, v) ((x) = (v))

/* byte order: what bit-fields are declared by */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define __BIG_ENDIAN 4321
#define __BIG_ENDIAN_BITFIELD 1
#define CONFIG_CPU_BIG_ENDIAN 1
#else
#define __LITTLE_ENDIAN 1234
#define __LITTLE_ENDIAN_BITFIELD 1
#endif
#define cpu_to_le16(x) (x)
#define cpu_to_le32(x) (x)
#define cpu_to_le64(x) (x)
#define cpu_to_be16(x) __builtin_bswap16(x)
#define cpu_to_be32(x) __builtin_bswap32(x)
#define cpu_to_be64(x) __builtin_bswap64(x)

#define __cpu_to_le16(x) cpu_to_le16(x)
#define __cpu_to_le32(x) cpu_to_le32(x)
#define __cpu_to_le64(x) cpu_to_le64(x)
#define __cpu_to_be16(x) cpu_to_be16(x)
#define __cpu_to_be32(x) cpu_to_be32(x)
#define __cpu_to_be64(x) cpu_to_be64(x)
#define __constant_cpu_to_le16(x) cpu_to_le16(x)
#define __constant_cpu_to_le32(x) cpu_to_le32(x)
#define __constant_cpu_to_be16(x) cpu_to_be16(x)
#define __constant_cpu_to_be32(x) cpu_to_be32(x)

/* ioctl numbers */
#define _IOC(dir, type, nr, size) (((dir) << 30) | ((size) << 16) | ((type) << 8) | (nr))
#define _IO(type, nr) _IOC(0U, (type), (nr), 0)
#define _IOR(type, nr, size) _IOC(2U, (type), (nr), sizeof(size))
#define _IOW(type, nr, size) _IOC(1U, (type), (nr), sizeof(size))
#define _IOWR(type, nr, size) _IOC(3U, (type), (nr), sizeof(size))

/* names that the handover formats take their sizes and values from: uapi/linux/{utsname,fcntl,liveupdate}.h */
#define __NEW_UTS_LEN 64
#define LIVEUPDATE_SESSION_NAME_LENGTH 64
#define F_SEAL_SEAL 0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW 0x0004
#define F_SEAL_WRITE 0x0008
#define F_SEAL_FUTURE_WRITE 0x0010
#define F_SEAL_EXEC 0x0020
#define TASK_COMM_LEN 16
#define KSYM_NAME_LEN 512
#define NAME_MAX 255
#define PATH_MAX 4096
#define IFNAMSIZ 16
#define ETH_ALEN 6
#define UUID_SIZE 16
#define MAX_NUMNODES 1024
#define NR_CPUS 8192

#endif
