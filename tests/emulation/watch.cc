/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.cc - every access of a kernel to memory, as the compiler's instrumentation for the thread
 * sanitizer reports it (the callbacks at the end of this file stand in the place of its runtime):
 *
 * - bounds: of shared memory, and of a buffer to the byte;
 * - races: two threads, one byte, one of them writing, and no barrier of the block between, nor of
 *   the warp where both are in one; between two blocks at all;
 * - counts: what the lanes of a warp touch by one instruction is one access.  The n-th time that a
 *   lane comes to a place in the code belongs to the n-th of the others.
 */
#include "emulation_priv.h"

#include <algorithm>
#include <stdlib.h>
#include <unordered_map>
#include <vector>

/* Who touched a byte last, and when. */
struct moment {
    uint32_t launch;
    uint32_t thread;
    uint64_t block;
    uint32_t block_epoch, warp_epoch;
};
struct access {
    moment writer, reader;
    bool others; /* reader is one of several threads */
};

static bool watching = getenv("AXL_EMULATED_WATCH") != NULL;
static access shared_shadow[SHARED_MAX];

/* One instruction of a warp.  Its lanes come to it in any order. */
struct lane_access {
    uintptr_t address;
    uint32_t size;
    uint32_t lane;
};
struct together {
    bool writes, shared;
    std::vector<lane_access> touched;
};
struct place {
    const void *at;
    uint32_t nth;
    bool operator==(const place &o) const
    {
        return at == o.at && nth == o.nth;
    }
};
struct place_hash {
    size_t operator()(const place &p) const
    {
        return ((uintptr_t)p.at * 0x9E3779B97F4A7C15u) ^ (p.nth * 0xC2B2AE3D27D4EB4Fu);
    }
};
typedef std::unordered_map<place, together, place_hash> warp_accesses;
static warp_accesses *const of_warp = new warp_accesses[MAX_THREADS / WARP];
typedef std::unordered_map<const void *, uint32_t> lane_counts;
static lane_counts *const of_lane = new lane_counts[MAX_THREADS];

extern "C" __attribute__((visibility("default"))) void axl_emulated_watch(int on)
{
    watching = on != 0;
}

/* ---- races ---- */

static moment now(void)
{
    return { emulated_at.launch, emulated_at.thread, emulated_at.block, emulated_at.block_epoch,
             emulated_at.warp_epoch };
}

/* Whether nothing orders a before b, which is now.  Shared memory is each block's own. */
static bool unordered(const moment &a, const moment &b, bool several, bool shared)
{
    if (a.launch != b.launch)
        return false;
    if (a.block != b.block)
        return !shared;
    if (a.block_epoch != b.block_epoch || (a.thread == b.thread && !several))
        return false;
    return several || a.thread / WARP != b.thread / WARP || a.warp_epoch == b.warp_epoch;
}

static bool same_time(const moment &a, const moment &b)
{
    return a.launch == b.launch && a.block == b.block && a.block_epoch == b.block_epoch &&
           a.warp_epoch == b.warp_epoch;
}

static void race(const char *what, const moment &a, bool shared, const void *address)
{
    emulated_fault("race: %s %s memory at %p that thread %u of block %llu %s, without a barrier "
                   "between",
                   what, shared ? "shared" : "global", address, (unsigned)a.thread,
                   (unsigned long long)a.block, what[0] == 'r' ? "writes" : "uses");
}

static void check_byte(access *s, bool writes, bool shared, const void *address)
{
    moment m = now();

    if (unordered(s->writer, m, false, shared))
        race(writes ? "writes" : "reads", s->writer, shared, address);
    if (writes) {
        if (unordered(s->reader, m, same_time(s->reader, m) && s->others, shared))
            race("writes", s->reader, shared, address);
        s->writer = m;
        return;
    }
    if (same_time(s->reader, m)) {
        s->others |= s->reader.thread != m.thread;
        return;
    }
    /* An earlier reader of another warp in the same stretch of the block is not forgotten. */
    if (s->reader.launch == m.launch && s->reader.block == m.block &&
        s->reader.block_epoch == m.block_epoch && s->reader.thread / WARP != m.thread / WARP)
        return;
    s->reader = m;
    s->others = false;
}

/* ---- counts ---- */

static void remember(const void *address, size_t size, bool writes, bool shared, const void *at)
{
    uint32_t nth = of_lane[emulated_at.thread][at]++;
    together &t = of_warp[emulated_at.thread / WARP][{ at, nth }];

    t.writes = writes;
    t.shared = shared;
    t.touched.push_back({ (uintptr_t)address, (uint32_t)size, emulated_at.thread % WARP });
}

static uint64_t sectors(const together &t)
{
    std::vector<uintptr_t> s;

    for (auto &a : t.touched)
        for (uintptr_t i = a.address / 32; i <= (a.address + a.size - 1) / 32; i++)
            s.push_back(i);
    std::sort(s.begin(), s.end());
    return (uint64_t)(std::unique(s.begin(), s.end()) - s.begin());
}

/* The most words that one bank must give. */
static uint64_t wavefronts(std::vector<uintptr_t> words)
{
    uint64_t of_bank[32] = { 0 }, most = 0;

    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (uintptr_t w : words)
        most = std::max(most, ++of_bank[w % 32]);
    return most;
}

/* Lanes of 8 bytes go by halves of the warp, of 16 by quarters. */
static void count_shared(const together &t)
{
    uint32_t size = t.touched[0].size, group = size >= 16 ? 8 : size >= 8 ? 16 : 32;
    std::vector<uintptr_t> words[WARP / 8];

    for (auto &a : t.touched)
        for (uintptr_t w = a.address / 4; w <= (a.address + a.size - 1) / 4; w++)
            words[a.lane / group].push_back(w);
    for (auto &of : words) {
        std::sort(of.begin(), of.end());
        of.erase(std::unique(of.begin(), of.end()), of.end());
        uint64_t least = (of.size() + 31) / 32, took = wavefronts(of);
        emulated_counting->shared_accesses += took;
        emulated_counting->bank_conflicts += took - least;
    }
}

static void fold_warp(unsigned w)
{
    for (auto &p : of_warp[w]) {
        const together &t = p.second;
        if (t.shared)
            count_shared(t);
        else if (t.writes)
            emulated_counting->written_sectors += sectors(t);
        else
            emulated_counting->read_sectors += sectors(t);
    }
    of_warp[w].clear();
}

/* All lanes of a block have come to the same places as often. */
void emulated_barrier_passed(void)
{
    for (unsigned w = 0; watching && w < (emulated_at.n_threads + WARP - 1) / WARP; w++)
        fold_warp(w);
}

void emulated_block_ended(void)
{
    if (!watching)
        return;
    emulated_barrier_passed();
    for (unsigned i = 0; i < emulated_at.n_threads; i++)
        of_lane[i].clear();
}

/* ---- accesses ---- */

static emulated_buffer *buffer_at(const void *address)
{
    char *p = (char *)(uintptr_t)address;
    auto after = emulated_buffers.upper_bound(p);

    if (after == emulated_buffers.begin())
        return NULL;
    --after;
    emulated_buffer *b = &after->second;
    return p < b->map + b->map_size ? b : NULL;
}

static void touch_shared(size_t offset, const void *address, size_t size, bool writes,
                         const void *at)
{
    if (offset + size > emulated_at.shared_size)
        emulated_fault("byte %zu of %zu bytes of shared memory", offset + size - 1,
                       emulated_at.shared_size);
    for (size_t i = 0; i < size; i++)
        check_byte(&shared_shadow[offset + i], writes, true, address);
    remember(address, size, writes, true, at);
}

static void touch_buffer(emulated_buffer *b, const void *address, size_t size, bool writes,
                         const void *at)
{
    size_t offset = (size_t)((const char *)address - b->data);

    if (offset + size > b->size)
        emulated_fault("byte %zu of a buffer of %zu bytes", offset + size - 1, b->size);
    if ((uintptr_t)address % size != 0)
        emulated_fault("%zu bytes at %p, which is not aligned", size, address);
    if (!b->shadow)
        b->shadow = (access *)calloc(b->size, sizeof *b->shadow);
    for (size_t i = 0; i < size; i++)
        check_byte(&b->shadow[offset + i], writes, false, address);
    remember(address, size, writes, false, at);
}

void emulated_touch(const void *address, size_t size, bool writes, const void *at)
{
    if (!watching || !emulated_inside)
        return;
    size_t offset = (size_t)((const unsigned char *)address - axl_shared_bytes);
    if (offset < SHARED_MAX)
        return touch_shared(offset, address, size, writes, at);
    emulated_buffer *b = buffer_at(address);
    if (b)
        touch_buffer(b, address, size, writes, at);
}

/* ---- the compiler's callbacks ---- */

/* In a build with the thread sanitizer they are that one's own. */
#ifdef __has_feature
#define BUILT_WITH_TSAN __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define BUILT_WITH_TSAN 1
#else
#define BUILT_WITH_TSAN 0
#endif
#if !BUILT_WITH_TSAN

#define TOUCHES(name, size, writes)                                                                \
    extern "C" void name(void *p)                                                                  \
    {                                                                                              \
        if (watching)                                                                              \
            emulated_touch(p, size, writes, __builtin_return_address(0));                          \
    }
#define TOUCHES_OF(size)                                                                           \
    TOUCHES(__tsan_read##size, size, false)                                                        \
    TOUCHES(__tsan_write##size, size, true)                                                        \
    TOUCHES(__tsan_volatile_read##size, size, false)                                               \
    TOUCHES(__tsan_volatile_write##size, size, true)
TOUCHES_OF(1)
TOUCHES_OF(2)
TOUCHES_OF(4)
TOUCHES_OF(8)
TOUCHES_OF(16)
#define TOUCHES_UNALIGNED(size)                                                                    \
    TOUCHES(__tsan_unaligned_read##size, size, false)                                              \
    TOUCHES(__tsan_unaligned_write##size, size, true)
TOUCHES_UNALIGNED(2)
TOUCHES_UNALIGNED(4)
TOUCHES_UNALIGNED(8)
TOUCHES_UNALIGNED(16)

extern "C" void __tsan_read_range(void *, size_t)
{
}
extern "C" void __tsan_write_range(void *, size_t)
{
}
extern "C" void __tsan_init(void)
{
}
extern "C" void __tsan_func_entry(void *)
{
}
extern "C" void __tsan_func_exit(void)
{
}
extern "C" void __tsan_vptr_update(void *, void *)
{
}
extern "C" void __tsan_vptr_read(void *)
{
}

#endif
