/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emulation.cc - the CUDA runtime on the host: memory, streams, and blocks of fibres.
 *
 * Calls are queued in their stream and run as late as may be: when the host waits for them, another
 * stream does, or the queue is long, so that memory that is freed or changed too early shows.  A
 * short queue that ends in an event runs at once every second time, so that what does not wait for
 * another stream shows as well.  From pageable memory a copy to the device takes its bytes at once,
 * from pinned memory when it runs.
 */
#include "emulation_priv.h"
#include "fibre.h"

#include <cxxabi.h>
#include <deque>
#include <dlfcn.h>
#include <memory>
#include <mutex>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

enum { QUEUE_MAX = 300, SHORT_QUEUE = 3, STACK = 128 << 10, EXCHANGE = 128 };

/* What is static is never destroyed: a host closes its devices as late as it likes. */
std::map<char *, emulated_buffer> &emulated_buffers = *new std::map<char *, emulated_buffer>;
emulated_position emulated_at;
uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
unsigned emulated_lane;
bool emulated_inside, emulated_in_graph;
axl_emulated_counts *emulated_counting;
__align__(1024) unsigned char axl_shared_bytes[SHARED_MAX];

/* Of all that this file keeps; a kernel runs under it. */
static std::recursive_mutex &lock = *new std::recursive_mutex;
typedef std::lock_guard<std::recursive_mutex> locked;

static size_t in_use, most_in_use, limit;
static std::map<char *, size_t> &pinned = *new std::map<char *, size_t>;
static std::map<std::string, axl_emulated_counts> &counts =
    *new std::map<std::string, axl_emulated_counts>;
static std::map<const void *, int> &shared_allowed = *new std::map<const void *, int>;

void emulated_fault(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fprintf(stderr, "emulated device: %s, block %llu, thread %u: ",
            emulated_inside ? emulated_at.kernel : "host", (unsigned long long)emulated_at.block,
            (unsigned)emulated_at.thread);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

/* ---- counts ---- */

axl_emulated_counts *emulated_counts_of(const std::string &kernel)
{
    return &counts[kernel];
}

extern "C" __attribute__((visibility("default"))) void axl_emulated_reset(void)
{
    locked l(lock);

    for (auto &c : counts)
        c.second = axl_emulated_counts();
    most_in_use = in_use;
}

extern "C" __attribute__((visibility("default"))) void axl_emulated_limit(size_t bytes)
{
    locked l(lock);

    limit = bytes;
}

static void add_counts(axl_emulated_counts *sum, const axl_emulated_counts &c)
{
    sum->launches += c.launches;
    sum->graphs += c.graphs;
    sum->products += c.products;
    sum->copies += c.copies;
    sum->waits += c.waits;
    sum->read_sectors += c.read_sectors;
    sum->written_sectors += c.written_sectors;
    sum->shared_accesses += c.shared_accesses;
    sum->bank_conflicts += c.bank_conflicts;
    sum->tensor_products += c.tensor_products;
}

/* ---- a block of fibres ---- */

enum lane_state { READY, AT_BARRIER, AT_EXCHANGE, DONE };

struct lane {
    uint3 thread;
    unsigned in_warp;
    fibre f;
    char *stack;
    lane_state state;
    uint32_t warp_epoch;
};

struct warp {
    unsigned arrived;
    unsigned turn; /* exchanges done: one buffer is read while the next one is filled */
    unsigned char in[2][WARP * EXCHANGE], out[2][WARP * EXCHANGE];
};

static lane lanes[MAX_THREADS];
static warp warps[MAX_THREADS / WARP];
static unsigned n_lanes, at_barrier;
static lane *running;
static fibre scheduler;
static const std::function<void()> *body;

static void leave(lane_state state)
{
    lane *l = running;

    l->state = state;
    fibre_switch(&l->f, &scheduler, &scheduler.stack);
}

/* A fibre is there for good and runs the lane of one block after another. */
static void lane_entry(void)
{
    fibre_entered(NULL, &scheduler.stack);
    for (;;) {
        (*body)();
        leave(DONE);
    }
}

void __syncthreads(void)
{
    if (++at_barrier < n_lanes)
        return leave(AT_BARRIER);
    at_barrier = 0;
    emulated_at.block_epoch++;
    emulated_barrier_passed();
    for (unsigned i = 0; i < n_lanes; i++)
        lanes[i].state = READY;
}

static warp *warp_of(const lane *l)
{
    return &warps[(unsigned)(l - lanes) / WARP];
}

/* Waits for all lanes of the warp; fn runs once, in the last.  The buffer that was filled. */
static unsigned meet(unsigned mask, const void *in, size_t size,
                     void (*fn)(const unsigned char *in, unsigned char *out))
{
    lane *l = running;
    warp *w = warp_of(l);
    unsigned buffer = w->turn & 1;

    if (mask != 0xFFFFFFFFu)
        emulated_fault("a warp's instruction with mask %08x: all lanes must take part", mask);
    if (size > EXCHANGE)
        emulated_fault("%zu bytes exchanged in a warp", size);
    memcpy(w->in[buffer] + l->in_warp * size, in, size);
    if (++w->arrived < WARP) {
        leave(AT_EXCHANGE);
        return buffer;
    }
    if (fn)
        fn(w->in[buffer], w->out[buffer]);
    w->arrived = 0;
    w->turn++;
    for (unsigned i = 0; i < WARP; i++)
        lanes[(unsigned)(w - warps) * WARP + i].state = READY;
    return buffer;
}

void __syncwarp(unsigned mask)
{
    char nothing = 0;

    meet(mask, &nothing, sizeof nothing, NULL);
    emulated_at.warp_epoch = ++running->warp_epoch;
}

void emulated_exchange(unsigned mask, void *bytes, size_t size, unsigned from)
{
    unsigned buffer = meet(mask, bytes, size, NULL);

    memcpy(bytes, warp_of(running)->in[buffer] + from * size, size);
}

void emulated_together(const void *in, size_t in_size, void *out, size_t out_size,
                       void (*fn)(const unsigned char *in, unsigned char *out))
{
    unsigned buffer = meet(0xFFFFFFFFu, in, in_size, fn);

    memcpy(out, warp_of(running)->out[buffer] + running->in_warp * out_size, out_size);
}

static void run_lane(lane *l)
{
    running = l;
    threadIdx = l->thread;
    emulated_lane = l->in_warp;
    emulated_at.thread = (uint32_t)(l - lanes);
    emulated_at.warp_epoch = l->warp_epoch;
    emulated_inside = true;
    fibre_switch(&scheduler, &l->f, NULL);
    emulated_inside = false;
}

static void run_lanes(void)
{
    for (unsigned done = 0; done < n_lanes;) {
        bool ran = false;

        done = 0;
        for (unsigned i = 0; i < n_lanes; i++) {
            if (lanes[i].state == READY) {
                run_lane(&lanes[i]);
                ran = true;
            }
            done += lanes[i].state == DONE;
        }
        if (!ran && done < n_lanes)
            emulated_fault("threads wait for others that have ended (%u of %u) or wait elsewhere",
                           done, n_lanes);
    }
}

static void make_fibre(lane *l)
{
    l->stack = (char *)mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (l->stack == (char *)MAP_FAILED)
        abort();
    fibre_start(&l->f, l->stack, STACK, lane_entry);
}

static void start_lane(unsigned i)
{
    lane *l = &lanes[i];

    l->thread = { i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y };
    l->in_warp = i % WARP;
    l->state = READY;
    l->warp_epoch = 0;
    if (!l->stack)
        make_fibre(l);
}

/* Shared memory begins as NaNs. */
static void run_block(uint3 block)
{
    memset(axl_shared_bytes, 0xFF, emulated_at.shared_size);
    blockIdx = block;
    n_lanes = emulated_at.n_threads;
    at_barrier = 0;
    emulated_at.block_epoch = 0;
    for (unsigned w = 0; w < (n_lanes + WARP - 1) / WARP; w++)
        warps[w].arrived = warps[w].turn = 0;
    for (unsigned i = 0; i < n_lanes; i++)
        start_lane(i);
    run_lanes();
    emulated_copies_forget();
    emulated_block_ended();
}

static void run_kernel(const cudaLaunchConfig_t &c, const std::string &name,
                       const std::function<void()> &thread)
{
    body = &thread;
    emulated_counting = emulated_counts_of(name);
    emulated_counting->launches += !emulated_in_graph;
    emulated_at.kernel = name.c_str();
    emulated_at.launch++;
    emulated_at.block = 0;
    emulated_at.n_threads = c.blockDim.x * c.blockDim.y * c.blockDim.z;
    emulated_at.shared_size = c.dynamicSmemBytes;
    blockDim = c.blockDim;
    gridDim = c.gridDim;
    for (unsigned z = 0; z < c.gridDim.z; z++)
        for (unsigned y = 0; y < c.gridDim.y; y++)
            for (unsigned x = 0; x < c.gridDim.x; x++, emulated_at.block++)
                run_block({ x, y, z });
}

/* ---- launches ---- */

/* "void axl::rms_norm_forward<float>(…)" as "rms_norm_forward<float>". */
static std::string kernel_name(const void *kernel)
{
    Dl_info info;
    int status;

    if (!dladdr(kernel, &info) || !info.dli_sname)
        return "kernel";
    char *plain = abi::__cxa_demangle(info.dli_sname, NULL, NULL, &status);
    std::string name = plain ? plain : info.dli_sname;
    free(plain);
    if (name.compare(0, 5, "void ") == 0)
        name.erase(0, 5);
    size_t end = 0;
    for (int depth = 0; end < name.size() && (depth > 0 || name[end] != '('); end++)
        depth += (name[end] == '<') - (name[end] == '>');
    return name.substr(0, end);
}

static bool possible(const cudaLaunchConfig_t &c, const void *kernel)
{
    uint64_t threads = (uint64_t)c.blockDim.x * c.blockDim.y * c.blockDim.z;
    auto allowed = shared_allowed.find(kernel);
    size_t shared = allowed == shared_allowed.end() ? 48 << 10 : (size_t)allowed->second;

    return threads > 0 && threads <= MAX_THREADS && c.blockDim.z <= 64 && c.gridDim.x > 0 &&
           c.gridDim.y > 0 && c.gridDim.z > 0 && c.gridDim.x <= 0x7FFFFFFF &&
           c.gridDim.y <= 65535 && c.gridDim.z <= 65535 && c.dynamicSmemBytes <= shared;
}

cudaError_t emulated_launch(const cudaLaunchConfig_t *config, const char *kernel,
                            std::function<void()> thread)
{
    locked l(lock);
    cudaLaunchConfig_t c = *config;

    if (!possible(c, kernel))
        return cudaErrorInvalidValue;
    std::string name = kernel_name(kernel);
    emulated_queue(c.stream, [c, name, thread]() { run_kernel(c, name, thread); });
    return cudaSuccess;
}

cudaError_t emulated_allow_shared(const void *kernel, int bytes)
{
    locked l(lock);

    if (bytes > SHARED_MAX)
        return cudaErrorInvalidValue;
    shared_allowed[kernel] = bytes;
    return cudaSuccess;
}

/* ---- streams and events ---- */

typedef std::vector<std::function<void()>> call_list;

struct emulated_stream {
    std::deque<std::function<void()>> calls; /* that have not run */
    uint64_t begun, ended, events;           /* calls that have run; events behind some */
    bool captures;                           /* they are kept for a graph */
};
struct emulated_graph {
    std::shared_ptr<call_list> calls; /* a launch that is still to run has them as well */
};
struct emulated_event {
    cudaStream_t stream; /* NULL: it was not recorded, and is not waited for */
    uint64_t after;      /* so many of its calls */
};

static uint64_t queued(const emulated_stream *s)
{
    return s->begun + s->calls.size();
}

/* The first n calls that the stream ever got have run. */
static void run_until(cudaStream_t s, uint64_t n)
{
    if (s->captures)
        emulated_fault("a stream is waited for whose launches are captured");
    while (s->ended < n) {
        if (s->begun > s->ended)
            emulated_fault("streams wait for each other");
        auto call = std::move(s->calls.front());
        s->calls.pop_front();
        s->begun++;
        call();
        s->ended++;
    }
}

static void flush(cudaStream_t s)
{
    run_until(s, queued(s));
}

void emulated_queue(cudaStream_t stream, std::function<void()> call)
{
    locked l(lock);

    stream->calls.push_back(std::move(call));
    if (!stream->captures && stream->calls.size() >= QUEUE_MAX)
        flush(stream);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned)
{
    *out = new emulated_stream();
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    locked l(lock);

    flush(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    locked l(lock);

    counts[""].waits++;
    flush(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    locked l(lock);

    return stream->calls.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    locked l(lock);

    flush(stream);
    stream->captures = true;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    locked l(lock);

    *out = new emulated_graph{ std::make_shared<call_list>(stream->calls.begin(),
                                                           stream->calls.end()) };
    stream->calls.clear();
    stream->captures = false;
    return cudaSuccess;
}

/* It needs some of the device's memory. */
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long)
{
    locked l(lock);

    *out = NULL;
    if (limit && in_use >= limit)
        return cudaErrorMemoryAllocation;
    *out = new emulated_graph(*graph);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream)
{
    auto calls = graph->calls;

    emulated_queue(stream, [calls]() {
        counts[""].launches++;
        counts[""].graphs++;
        emulated_in_graph = true;
        for (auto &call : *calls)
            call();
        emulated_in_graph = false;
    });
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned)
{
    *out = new emulated_event();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    locked l(lock);

    *event = { stream, queued(stream) };
    if (++stream->events % 2 == 0 && stream->calls.size() <= SHORT_QUEUE)
        flush(stream);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    locked l(lock);

    if (event->stream)
        run_until(event->stream, event->after);
    return cudaSuccess;
}

/* For what was recorded last when it is called, whatever is recorded later. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    locked l(lock);
    emulated_event e = *event;

    if (e.stream && e.stream != stream)
        emulated_queue(stream, [e]() { run_until(e.stream, e.after); });
    return cudaSuccess;
}

/* ---- memory ---- */

static emulated_buffer map_buffer(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + 255) / 256 * 256;
    size_t pages = (room + page - 1) / page * page;
    emulated_buffer b = { NULL, pages + 2 * page, NULL, size, NULL };

    b.map = (char *)mmap(NULL, b.map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b.map == (char *)MAP_FAILED)
        abort();
    mprotect(b.map + page, pages, PROT_READ | PROT_WRITE);
    memset(b.map + page, 0xFF, pages);
    b.data = b.map + page + pages - room;
    return b;
}

cudaError_t cudaMallocAsync(void **out, size_t size, cudaStream_t)
{
    locked l(lock);

    *out = NULL;
    if (limit && in_use + size > limit)
        return cudaErrorMemoryAllocation;
    emulated_buffer b = map_buffer(size ? size : 1);
    in_use += b.size;
    most_in_use = in_use > most_in_use ? in_use : most_in_use;
    emulated_buffers[b.data] = b;
    *out = b.data;
    return cudaSuccess;
}

static void unmap_buffer(void *p)
{
    auto at = emulated_buffers.find((char *)p);

    if (at == emulated_buffers.end())
        emulated_fault("%p is freed, which is no buffer or was freed before", p);
    emulated_buffer b = at->second;
    free(b.shadow);
    munmap(b.map, b.map_size);
    emulated_buffers.erase(at);
}

/* What comes later on the stream may have the memory, so that it counts no more from here on. */
cudaError_t cudaFreeAsync(void *p, cudaStream_t stream)
{
    locked l(lock);
    auto at = emulated_buffers.find((char *)p);

    in_use -= at == emulated_buffers.end() ? 0 : at->second.size;
    emulated_queue(stream, [p]() { unmap_buffer(p); });
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **out, size_t size, unsigned)
{
    locked l(lock);

    *out = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    if (!*out)
        return cudaErrorMemoryAllocation;
    pinned[(char *)*out] = size;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *p)
{
    locked l(lock);

    pinned.erase((char *)p);
    free(p);
    return cudaSuccess;
}

static bool is_pinned(const void *p)
{
    auto after = pinned.upper_bound((char *)(uintptr_t)p);

    if (after == pinned.begin())
        return false;
    --after;
    return (const char *)p < after->first + after->second;
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t size, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    locked l(lock);

    counts[""].copies += kind != cudaMemcpyDeviceToDevice;
    if (kind == cudaMemcpyHostToDevice && !is_pinned(src)) {
        std::string bytes((const char *)src, size);
        emulated_queue(stream, [dst, bytes]() { memcpy(dst, bytes.data(), bytes.size()); });
        return cudaSuccess;
    }
    emulated_queue(stream, [dst, src, size]() { memcpy(dst, src, size); });
    if (kind == cudaMemcpyDeviceToHost && !is_pinned(dst))
        flush(stream);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t size, cudaStream_t stream)
{
    locked l(lock);

    counts[""].copies++;
    emulated_queue(stream, [dst, value, size]() { memset(dst, value, size); });
    return cudaSuccess;
}

cudaError_t cudaMemset2DAsync(void *dst, size_t pitch, int value, size_t width, size_t height,
                              cudaStream_t stream)
{
    locked l(lock);

    counts[""].copies++;
    emulated_queue(stream, [=]() {
        for (size_t row = 0; row < height; row++)
            memset((char *)dst + row * pitch, value, width);
    });
    return cudaSuccess;
}

/* ---- the device ---- */

static const size_t memory_size = (size_t)8 << 30;

const char *cudaGetErrorString(cudaError_t e)
{
    switch (e) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    default: return "error of the emulated device";
    }
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int device)
{
    *out = cudaDeviceProp();
    snprintf(out->name, sizeof out->name, "emulated device");
    out->major = 8;
    out->multiProcessorCount = 4;
    out->totalGlobalMem = memory_size;
    return cudaSetDevice(device);
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total)
{
    locked l(lock);

    *total = limit ? limit : memory_size;
    *free = *total > in_use ? *total - in_use : 0;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *out, int device)
{
    *out = NULL;
    return cudaSetDevice(device);
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void *)
{
    return cudaSuccess;
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr attr, void *value)
{
    locked l(lock);
    uint64_t bytes = most_in_use;

    if (attr != cudaMemPoolAttrUsedMemHigh)
        return cudaErrorInvalidValue;
    memcpy(value, &bytes, sizeof bytes);
    return cudaSuccess;
}

/* ---- what tests read ---- */

extern "C" __attribute__((visibility("default"))) void axl_emulated_read(axl_emulated_counts *out,
                                                                         const char *kernel)
{
    locked l(lock);

    *out = axl_emulated_counts();
    out->most_bytes = most_in_use;
    for (auto &c : counts)
        if (c.first.compare(0, strlen(kernel), kernel) == 0)
            add_counts(out, c.second);
}
