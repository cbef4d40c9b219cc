// Reading and writing numbers of any width as f32. Eight at once are 16 bytes of 16-bit numbers.
#pragma once
struct F32 { typedef float raw; };

template <class T> struct Io {
  METHOD float load(const u16 *p) { return T::low(*p); }
  METHOD void store(u16 *p, float x) { *p = (u16)(T::pack(x, 0.f) & 0xffffu); }
  METHOD void load8(const u16 *p, float *v) {
    uint4 w = *(const uint4 *)p;
    u32 part[4] = {w.x, w.y, w.z, w.w};
    for (int i = 0; i < 4; i++) { v[2 * i] = T::low(part[i]); v[2 * i + 1] = T::high(part[i]); }
  }
  METHOD void store8(u16 *p, const float *v) {
    *(uint4 *)p = make_uint4(T::pack(v[0], v[1]), T::pack(v[2], v[3]), T::pack(v[4], v[5]), T::pack(v[6], v[7]));
  }
};
template <> struct Io<F32> {
  METHOD float load(const float *p) { return *p; }
  METHOD void store(float *p, float x) { *p = x; }
  METHOD void load8(const float *p, float *v) {
    for (int half = 0; half < 2; half++) {
      uint4 w = ((const uint4 *)p)[half];
      v[4 * half] = float_of(w.x); v[4 * half + 1] = float_of(w.y); v[4 * half + 2] = float_of(w.z); v[4 * half + 3] = float_of(w.w);
    }
  }
  METHOD void store8(float *p, const float *v) {
    for (int half = 0; half < 2; half++)
      ((uint4 *)p)[half] = make_uint4(bits_of(v[4 * half]), bits_of(v[4 * half + 1]), bits_of(v[4 * half + 2]), bits_of(v[4 * half + 3]));
  }
};

#define NONE 0
#define RELU 1
#define GELU 2
#define SILU 3
DEVICE float logistic(float x) { return 1.f / (1.f + expf(-x)); }
// GELU by the error function, as the models have it: cuBLASLt's own is the tanh form, up to 4.1e-4 away.
DEVICE float activate(float x, int activation) {
  if (activation == RELU) return x > 0.f ? x : 0.f;
  if (activation == GELU) return 0.5f * x * (1.f + erff(x * 0.70710678118654752f));
  if (activation == SILU) return x * logistic(x);
  return x;
}
