// What the kernels stand on, on a CPU, for tests: every thread of a block is a fiber, operations of a warp are a meeting of its 32 lanes.
// One warp runs as far as it can before the others do, and shared memory begins as NaN: a missing barrier or a value that nobody
// wrote changes results. Blocks run one after another.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
struct Dim3 { u32 x = 1, y = 1, z = 1; };
struct uint4 { u32 x, y, z, w; };
static inline uint4 make_uint4(u32 x, u32 y, u32 z, u32 w) { return {x, y, z, w}; }

extern "C" void shim_switch(void **save, void *to);
#if defined(__x86_64__)
asm(R"(
.text
.globl shim_switch
.hidden shim_switch
.type shim_switch,@function
shim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl shim_switch
shim_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)");
#else
#error "the shim knows x86-64 and aarch64"
#endif

namespace shim {
struct Meet { u32 count = 0, turn = 0; void *at[1024]; };
struct Fiber { void *stack_pointer; std::unique_ptr<char[]> stack; bool done; Dim3 thread; Meet *on; u32 turn; };
inline std::vector<Fiber> fibers;
inline void *home;
inline u32 now, size;
inline Dim3 block, grid, dimension;
inline Meet warps[32], all;
inline std::function<void()> body;
inline u64 serial; // of the block: shared memory is new in each
inline bool stuck;
const size_t STACK = 1 << 16;

inline bool runnable(const Fiber &fiber) { return !fiber.done && (!fiber.on || fiber.on->turn != fiber.turn); }
inline void go(u32 to) {
  u32 from = now;
  if (to == from) return;
  now = to;
  shim_switch(&fibers[from].stack_pointer, fibers[to].stack_pointer);
}
// Hands over to whoever can run: the same warp first. Goes home when nobody is left, or when all wait for somebody who never comes.
inline void next() {
  const u32 first = now / 32 * 32, end = first + 32 < size ? first + 32 : size;
  for (u32 t = first; t < end; t++) if (runnable(fibers[t])) return go(t);
  for (u32 t = 0; t < size; t++) if (runnable(fibers[t])) return go(t);
  for (auto &fiber : fibers) stuck |= !fiber.done;
  void *nobody;
  shim_switch(&nobody, home);
}
template <class F> void meet(Meet &place, u32 of, u32 me, void *value, F last) {
  place.at[me] = value;
  Fiber &self = fibers[now];
  self.turn = place.turn;
  if (++place.count == of) {
    last(place.at);
    place.count = 0;
    place.turn++;
  } else {
    self.on = &place;
    next();
    self.on = nullptr;
  }
}
inline void start() {
  body();
  fibers[now].done = true;
  next();
}
inline void prepare(Fiber &fiber) {
  if (!fiber.stack) fiber.stack.reset(new char[STACK]);
  void **top = (void **)(((uintptr_t)fiber.stack.get() + STACK) & ~(uintptr_t)15);
#if defined(__x86_64__)
  // As after a call: the return address, then the six saved registers.
  *--top = nullptr;
  *--top = (void *)start;
  top -= 6;
#else
  top -= 20;
  top[11] = (void *)start;
#endif
  fiber.stack_pointer = top;
}
// False when a barrier was reached by some threads of a block alone.
template <class F> bool launch(Dim3 blocks, u32 threads, F f) {
  grid = blocks;
  size = threads;
  dimension = {threads, 1, 1};
  body = f;
  if (fibers.size() != threads) fibers.resize(threads);
  for (block.z = 0; block.z < grid.z; block.z++)
    for (block.y = 0; block.y < grid.y; block.y++)
      for (block.x = 0; block.x < grid.x; block.x++) {
        serial++;
        stuck = false;
        for (u32 t = 0; t < threads; t++) {
          Fiber &fiber = fibers[t];
          fiber.done = false;
          fiber.on = nullptr;
          fiber.thread = {t, 0, 0};
          prepare(fiber);
        }
        for (auto &warp : warps) warp.count = 0;
        all.count = 0;
        now = 0;
        shim_switch(&home, fibers[0].stack_pointer);
        if (stuck) return false;
      }
  return true;
}
inline u32 lane() { return now % 32; }
inline Meet &warp() { return warps[now / 32]; }
inline void poison(u64 &seen, void *memory, size_t bytes) {
  if (seen != serial) { seen = serial; memset(memory, 0xff, bytes); }
}
}
#define threadIdx (shim::fibers[shim::now].thread)
#define blockIdx shim::block
#define blockDim shim::dimension
#define gridDim shim::grid
#define KERNEL static void
#define METHOD static inline
#define DEVICE static inline
#define SHARED(type, name, count) alignas(128) static type name[count]; static u64 name##_seen; shim::poison(name##_seen, name, sizeof name)
#define SYNC() shim::meet(shim::all, shim::size, shim::now, nullptr, [](void **) {})
#define SYNC_WARP() shim::meet(shim::warp(), 32, shim::lane(), nullptr, [](void **) {})

DEVICE float float_of(u32 bits) { float f; memcpy(&f, &bits, 4); return f; }
DEVICE u32 bits_of(float x) { u32 b; memcpy(&b, &x, 4); return b; }
DEVICE int ones(u64 x) { return __builtin_popcountll(x); }
DEVICE void copy16(void *to, const void *from, bool valid) { if (valid) memcpy(to, from, 16); else memset(to, 0, 16); }
DEVICE void commit() {}
DEVICE void wait_all() {}
DEVICE void wait_one() {}
DEVICE float exp2_fast(float x) { return exp2f(x); }
DEVICE float shuffle_xor(float x, int mask) {
  struct Value { float in, out; } value{x, 0};
  shim::meet(shim::warp(), 32, shim::lane(), &value, [mask](void **lanes) {
    for (int i = 0; i < 32; i++) ((Value *)lanes[i])->out = ((Value *)lanes[i ^ mask])->in;
  });
  return value.out;
}
struct LoadArgument { u32 *r; const u16 *row; };
static inline void load_four(u32 *r, const void *p, bool transposed) {
  LoadArgument argument{r, (const u16 *)p};
  shim::meet(shim::warp(), 32, shim::lane(), &argument, [transposed](void **lanes) {
    for (int m = 0; m < 4; m++)
      for (int l = 0; l < 32; l++) {
        int i = l / 4, j = (l % 4) * 2;
        auto row = [&](int k) { return ((LoadArgument *)lanes[m * 8 + k])->row; };
        u16 low = transposed ? row(j)[i] : row(i)[j], high = transposed ? row(j + 1)[i] : row(i)[j + 1];
        ((LoadArgument *)lanes[l])->r[m] = low | ((u32)high << 16);
      }
  });
}
DEVICE void load_matrices(u32 *r, const void *p) { load_four(r, p, false); }
DEVICE void load_matrices_transposed(u32 *r, const void *p) { load_four(r, p, true); }
struct MmaArgument { float *d; const u32 *a, *b; };
template <class T> void warp_mma(float *d, const u32 *a, const u32 *b) {
  MmaArgument argument{d, a, b};
  shim::meet(shim::warp(), 32, shim::lane(), &argument, [](void **lanes) {
    auto of = [&](int l) { return (MmaArgument *)lanes[l]; };
    static float A[16][16], B[16][8];
    for (int l = 0; l < 32; l++) {
      int g = l / 4, t = (l % 4) * 2;
      for (int r = 0; r < 4; r++) {
        A[g + (r & 1) * 8][t + (r >> 1) * 8] = T::low(of(l)->a[r]);
        A[g + (r & 1) * 8][t + 1 + (r >> 1) * 8] = T::high(of(l)->a[r]);
      }
      for (int r = 0; r < 2; r++) {
        B[t + r * 8][g] = T::low(of(l)->b[r]);
        B[t + 1 + r * 8][g] = T::high(of(l)->b[r]);
      }
    }
    float D[16][8] = {};
    for (int i = 0; i < 16; i++)
      for (int k = 0; k < 16; k++)
        for (int j = 0; j < 8; j++) D[i][j] += A[i][k] * B[k][j];
    for (int l = 0; l < 32; l++)
      for (int e = 0; e < 4; e++) of(l)->d[e] += D[l / 4 + (e >> 1) * 8][(l % 4) * 2 + (e & 1)];
  });
}
struct Bf16 {
  typedef u16 raw;
  static u32 round(float x) {
    u32 b = bits_of(x);
    if (x != x) return 0x7fff;
    return (b + 0x7fffu + ((b >> 16) & 1)) >> 16;
  }
  METHOD float low(u32 v) { return float_of(v << 16); }
  METHOD float high(u32 v) { return float_of(v & 0xffff0000u); }
  METHOD u32 pack(float low, float high) { return round(low) | (round(high) << 16); }
  METHOD void mma(float *d, const u32 *a, const u32 *b) { warp_mma<Bf16>(d, a, b); }
};
struct F16 {
  typedef u16 raw;
  static float widen(u32 h) {
    u32 sign = (h & 0x8000u) << 16, exponent = (h >> 10) & 31, mantissa = h & 0x3ff;
    if (exponent == 31) return float_of(sign | 0x7f800000u | (mantissa << 13));
    if (exponent == 0) { float f = std::ldexp((float)mantissa, -24); return sign ? -f : f; }
    return float_of(sign | ((exponent + 112) << 23) | (mantissa << 13));
  }
  static u32 round(float x) {
    u32 sign = (bits_of(x) >> 16) & 0x8000u;
    float a = std::fabs(x);
    if (a != a) return 0x7fff;
    if (a >= 65520.f) return sign | 0x7c00;
    if (a < 6.103515625e-5f) return sign | (u32)std::nearbyint(std::ldexp(a, 24));
    u32 b = bits_of(a);
    b += 0xfffu + ((b >> 13) & 1);
    return sign | ((b - (112u << 23)) >> 13);
  }
  METHOD float low(u32 v) { return widen(v & 0xffffu); }
  METHOD float high(u32 v) { return widen(v >> 16); }
  METHOD u32 pack(float low, float high) { return round(low) | (round(high) << 16); }
  METHOD void mma(float *d, const u32 *a, const u32 *b) { warp_mma<F16>(d, a, b); }
};
