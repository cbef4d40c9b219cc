// What is done to rows or single numbers. Widths are multiples of 8 where a thread takes eight numbers.
#pragma once

// Numbers of one width as those of another; eight a thread.
#define CAST(name, FROM, TO) \
  KERNEL name(const FROM::raw *x, TO::raw *y, u64 eights) { \
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; \
    if (i >= eights) return; \
    float v[8]; \
    Io<FROM>::load8(x + i * 8, v); \
    Io<TO>::store8(y + i * 8, v); \
  }
CAST(cast_f32_bf16, F32, Bf16)
CAST(cast_f32_f16, F32, F16)
CAST(cast_bf16_f32, Bf16, F32)
CAST(cast_f16_f32, F16, F32)

// activation(x + bias) in place, a bias a column (or none).
template <class T> DEVICE void bias_activate(typename T::raw *x, const float *bias, int columns, int activation, u64 eights) {
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= eights) return;
  int column = (int)((i * 8) % columns);
  float v[8];
  Io<T>::load8(x + i * 8, v);
#pragma unroll
  for (int e = 0; e < 8; e++) v[e] = activate(v[e] + (bias ? bias[column + e] : 0.f), activation);
  Io<T>::store8(x + i * 8, v);
}
#define BIAS_ACTIVATE(name, T) \
  KERNEL name(T::raw *x, const float *bias, int columns, int activation, u64 eights) { bias_activate<T>(x, bias, columns, activation, eights); }
BIAS_ACTIVATE(bias_activate_f32, F32)
BIAS_ACTIVATE(bias_activate_bf16, Bf16)
BIAS_ACTIVATE(bias_activate_f16, F16)

// y = x scale + shift, one of each a column; eight a thread.
KERNEL scale_shift(const float *x, const float *scale, const float *shift, float *y, int columns, u64 eights) {
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= eights) return;
  int column = (int)((i * 8) % columns);
  float v[8];
  Io<F32>::load8(x + i * 8, v);
  for (int e = 0; e < 8; e++) v[e] = v[e] * scale[column + e] + shift[column + e];
  Io<F32>::store8(y + i * 8, v);
}

// Layer norm of every row to f32, to 16 bits or both (whichever is not null), then an activation. A warp a row, eight rows a block.
// Mean first, then the mean square of what is left of it.
template <class IN, class OUT>
DEVICE void norm_rows(const typename IN::raw *x, const float *scale, const float *shift, float *wide, typename OUT::raw *narrow, int rows,
                      int columns, float epsilon, int activation) {
  const int row = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const u64 base = (u64)row * columns;
  float v[8], sum = 0.f;
  for (int c = lane * 8; c < columns; c += 256) {
    Io<IN>::load8(x + base + c, v);
#pragma unroll
    for (int e = 0; e < 8; e++) sum += v[e];
  }
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) sum += shuffle_xor(sum, mask);
  const float mean = sum / columns;
  float squares = 0.f;
  for (int c = lane * 8; c < columns; c += 256) {
    Io<IN>::load8(x + base + c, v);
#pragma unroll
    for (int e = 0; e < 8; e++) squares += (v[e] - mean) * (v[e] - mean);
  }
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) squares += shuffle_xor(squares, mask);
  const float factor = 1.f / sqrtf(squares / columns + epsilon);
  for (int c = lane * 8; c < columns; c += 256) {
    Io<IN>::load8(x + base + c, v);
#pragma unroll
    for (int e = 0; e < 8; e++) {
      float y = (v[e] - mean) * factor;
      if (scale) y = y * scale[c + e] + shift[c + e];
      v[e] = activate(y, activation);
    }
    if (wide) Io<F32>::store8(wide + base + c, v);
    if (narrow) Io<OUT>::store8(narrow + base + c, v);
  }
}
#define NORM(name, IN, OUT) \
  KERNEL name(const IN::raw *x, const float *scale, const float *shift, float *wide, OUT::raw *narrow, int rows, int columns, \
                   float epsilon, int activation) { \
    norm_rows<IN, OUT>(x, scale, shift, wide, narrow, rows, columns, epsilon, activation); \
  }
NORM(norm_f32_f32, F32, F32)
NORM(norm_f32_bf16, F32, Bf16)
NORM(norm_f32_f16, F32, F16)
NORM(norm_bf16_bf16, Bf16, Bf16)
NORM(norm_f16_f16, F16, F16)

// Jobs are triples (first row there, first row here, rows); grid: chunks of 256 units, job. A unit is 16 bytes.
KERNEL move_rows(const uint4 *from, uint4 *to, const int *jobs, int units) {
  const int source = jobs[3 * blockIdx.y], target = jobs[3 * blockIdx.y + 1], rows = jobs[3 * blockIdx.y + 2];
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (u64)rows * units) return;
  to[(u64)target * units + i] = from[(u64)source * units + i];
}

// x += y over jobs as above; eight numbers a thread.
KERNEL add_rows(const float *y, float *x, const int *jobs, int eights) {
  const int source = jobs[3 * blockIdx.y], target = jobs[3 * blockIdx.y + 1], rows = jobs[3 * blockIdx.y + 2];
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (u64)rows * eights) return;
  float a[8], b[8];
  Io<F32>::load8(y + ((u64)source * eights + i) * 8, a);
  Io<F32>::load8(x + ((u64)target * eights + i) * 8, b);
  for (int e = 0; e < 8; e++) b[e] += a[e];
  Io<F32>::store8(x + ((u64)target * eights + i) * 8, b);
}

// Rows into a buffer of zeros [group, row, channel of the group], by jobs as above: what a convolution with padding or groups reads.
// Grid: chunks of 256 numbers, job.
template <class IN, class OUT>
DEVICE void spread(const typename IN::raw *from, typename OUT::raw *to, const int *jobs, int columns, int groups, int to_rows) {
  const int source = jobs[3 * blockIdx.y], target = jobs[3 * blockIdx.y + 1], rows = jobs[3 * blockIdx.y + 2];
  const int channels = columns / groups;
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (u64)rows * columns) return;
  const int row = (int)(i / columns), column = (int)(i % columns);
  const u64 at = ((u64)(column / channels) * to_rows + target + row) * channels + column % channels;
  Io<OUT>::store(to + at, Io<IN>::load(from + (u64)(source + row) * columns + column));
}
#define SPREAD(name, IN, OUT) \
  KERNEL name(const IN::raw *from, OUT::raw *to, const int *jobs, int columns, int groups, int to_rows) { \
    spread<IN, OUT>(from, to, jobs, columns, groups, to_rows); \
  }
SPREAD(spread_f32_f32, F32, F32)
SPREAD(spread_f32_bf16, F32, Bf16)
SPREAD(spread_f32_f16, F32, F16)
SPREAD(spread_bf16_bf16, Bf16, Bf16)
SPREAD(spread_f16_f16, F16, F16)

// The way back, with the convolution's bias (or none) and activation, to f32, to 16 bits or both.
template <class T>
DEVICE void gather(const typename T::raw *from, const float *bias, float *wide, typename T::raw *narrow, const int *jobs, int columns,
                   int groups, int from_rows, int activation) {
  const int source = jobs[3 * blockIdx.y], target = jobs[3 * blockIdx.y + 1], rows = jobs[3 * blockIdx.y + 2];
  const int channels = columns / groups;
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (u64)rows * columns) return;
  const int row = (int)(i / columns), column = (int)(i % columns);
  const u64 at = ((u64)(column / channels) * from_rows + source + row) * channels + column % channels;
  const float y = activate(Io<T>::load(from + at) + (bias ? bias[column] : 0.f), activation);
  const u64 to = (u64)(target + row) * columns + column;
  if (wide) wide[to] = y;
  if (narrow) Io<T>::store(narrow + to, y);
}
#define GATHER(name, T) \
  KERNEL name(const T::raw *from, const float *bias, float *wide, T::raw *narrow, const int *jobs, int columns, int groups, int from_rows, \
                   int activation) { \
    gather<T>(from, bias, wide, narrow, jobs, columns, groups, from_rows, activation); \
  }
GATHER(gather_f32, F32)
GATHER(gather_bf16, Bf16)
GATHER(gather_f16, F16)
