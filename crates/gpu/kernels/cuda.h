// What the kernels stand on, on a GPU. shim.h has the same names for the CPU. No header of the toolkit is needed.
#pragma once
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define KERNEL extern "C" __global__ void
#define DEVICE static __device__ __forceinline__
#define METHOD static __device__ __forceinline__
#define SYNC() __syncthreads()
#define SYNC_WARP() __syncwarp()
#define SHARED(type, name, count) __shared__ __align__(128) type name[count]

DEVICE u32 shared_at(const void *p) { return (u32)__cvta_generic_to_shared(p); }
// Sixteen bytes from global to shared memory behind the program's back; zeros where `valid` is false.
DEVICE void copy16(void *to, const void *from, bool valid) {
  int n = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_at(to)), "l"(from), "r"(n) : "memory");
}
DEVICE void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
DEVICE void wait_all() { asm volatile("cp.async.wait_group 0;" ::: "memory"); }
DEVICE void wait_one() { asm volatile("cp.async.wait_group 1;" ::: "memory"); }
// Four 8 × 8 matrices of 16-bit numbers; lane 8 i + j names row j of matrix i.
DEVICE void load_matrices(u32 *r, const void *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_at(p)) : "memory");
}
DEVICE void load_matrices_transposed(u32 *r, const void *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_at(p)) : "memory");
}
DEVICE float exp2_fast(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
DEVICE float shuffle_xor(float x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
DEVICE float float_of(u32 bits) { return __uint_as_float(bits); }
DEVICE u32 bits_of(float x) { return __float_as_uint(x); }
DEVICE int ones(u64 x) { return __popcll(x); }

#define MMA(kind) \
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." kind "." kind ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))

struct Bf16 {
  typedef u16 raw;
  METHOD float low(u32 v) { return float_of(v << 16); }
  METHOD float high(u32 v) { return float_of(v & 0xffff0000u); }
  METHOD u32 pack(float low, float high) { u32 r; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low)); return r; }
  // d += a b: 16 × 16 times 16 × 8, spread over the lanes of a warp as the PTX manual says.
  METHOD void mma(float *d, const u32 *a, const u32 *b) { MMA("bf16"); }
};
struct F16 {
  typedef u16 raw;
  METHOD float one(u16 v) { float r; asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(v)); return r; }
  METHOD float low(u32 v) { return one((u16)(v & 0xffffu)); }
  METHOD float high(u32 v) { return one((u16)(v >> 16)); }
  METHOD u32 pack(float low, float high) { u32 r; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low)); return r; }
  METHOD void mma(float *d, const u32 *a, const u32 *b) { MMA("f16"); }
};
