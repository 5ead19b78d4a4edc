/*
 * Types and small macros that every component uses.
 *
 * Addresses of different spaces have different types, so that mixing them does
 * not compile. A kernel virtual address is an ordinary pointer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Host-physical address, in bytes. */
typedef struct { uint64_t v; } hpa_t;
/** Guest-physical address, in bytes. */
typedef struct { uint64_t v; } gpa_t;
/** Guest-virtual address, in bytes. */
typedef struct { uint64_t v; } gva_t;

#define HPA(x) ((hpa_t){ (uint64_t)(x) })
#define GPA(x) ((gpa_t){ (uint64_t)(x) })
#define GVA(x) ((gva_t){ (uint64_t)(x) })

#define __must_check __attribute__((warn_unused_result))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define IN_SECTION(s) __attribute__((section(s), used))
#define ALIGNED_TO(n) __attribute__((aligned(n)))
#define __noreturn __attribute__((noreturn))

/** Is a switch of the configuration on? For `if` in C: what is off is checked by the compiler and left out. */
#define IS_ENABLED(option) IS_ENABLED_(option)
#define IS_ENABLED_(value) IS_ENABLED__(COMMA_IF_##value)
#define IS_ENABLED__(zero_comma_or_junk) IS_ENABLED___(zero_comma_or_junk 1, 0, 0)
#define IS_ENABLED___(ignored, value, ...) value
#define COMMA_IF_1 0,

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (UINT64_C(1) << (n))
/** Mask with bits lo to hi (both included) set. */
#define BITS(hi, lo) ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))

/** Round up or down to a multiple of `a`, a power of two. */
#define ALIGN_UP(x, a) (((x) + ((a) - 1)) & ~((uint64_t)(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((uint64_t)(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((uint64_t)(a) - 1)) == 0)

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define KiB (UINT64_C(1) << 10)
#define MiB (UINT64_C(1) << 20)
#define GiB (UINT64_C(1) << 30)

#define PAGE_SHIFT 12
#define PAGE_SIZE (UINT64_C(1) << PAGE_SHIFT)
