// What is done to rows or single numbers. Where a thread takes eight numbers, the last may be beyond the array's end: memory is handed out
// in multiples of 256 bytes.
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
  for (int e = 0; e < 8; e++) {
    v[e] = activate(v[e] + (bias ? bias[column] : 0.f), activation);
    column = column + 1 == columns ? 0 : column + 1;
  }
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
  for (int e = 0; e < 8; e++) {
    v[e] = v[e] * scale[column] + shift[column];
    column = column + 1 == columns ? 0 : column + 1;
  }
  Io<F32>::store8(y + i * 8, v);
}

// Eight numbers of a row, or what is left of it; WHOLE where rows are eights.
template <class T, bool WHOLE> DEVICE void load_part(const typename T::raw *p, float *v, int left) {
  if (WHOLE) Io<T>::load8(p, v);
  else
    for (int e = 0; e < 8; e++) v[e] = e < left ? Io<T>::load(p + e) : 0.f;
}
template <class T, bool WHOLE> DEVICE void store_part(typename T::raw *p, const float *v, int left) {
  if (WHOLE) Io<T>::store8(p, v);
  else
    for (int e = 0; e < 8; e++)
      if (e < left) Io<T>::store(p + e, v[e]);
}

// Layer norm of every row to f32, to 16 bits or both (whichever is not null), then an activation. A warp a row, eight rows a block.
// Mean first, then the mean square of what is left of it.
template <class IN, class OUT, bool WHOLE>
DEVICE void norm_rows(const typename IN::raw *x, const float *scale, const float *shift, float *wide, typename OUT::raw *narrow, int rows,
                      int columns, float epsilon, int activation) {
  const int row = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const u64 base = (u64)row * columns;
  float v[8], sum = 0.f;
  for (int c = lane * 8; c < columns; c += 256) {
    load_part<IN, WHOLE>(x + base + c, v, columns - c);
#pragma unroll
    for (int e = 0; e < 8; e++) sum += v[e];
  }
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) sum += shuffle_xor(sum, mask);
  const float mean = sum / columns;
  float squares = 0.f;
  for (int c = lane * 8; c < columns; c += 256) {
    load_part<IN, WHOLE>(x + base + c, v, columns - c);
#pragma unroll
    for (int e = 0; e < 8; e++)
      if (WHOLE || c + e < columns) squares += (v[e] - mean) * (v[e] - mean);
  }
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) squares += shuffle_xor(squares, mask);
  const float factor = 1.f / sqrtf(squares / columns + epsilon);
  for (int c = lane * 8; c < columns; c += 256) {
    load_part<IN, WHOLE>(x + base + c, v, columns - c);
#pragma unroll
    for (int e = 0; e < 8; e++) {
      float y = (v[e] - mean) * factor;
      if (scale && (WHOLE || c + e < columns)) y = y * scale[c + e] + shift[c + e];
      v[e] = activate(y, activation);
    }
    if (wide) store_part<F32, WHOLE>(wide + base + c, v, columns - c);
    if (narrow) store_part<OUT, WHOLE>(narrow + base + c, v, columns - c);
  }
}
#define NORM(name, IN, OUT) \
  KERNEL name(const IN::raw *x, const float *scale, const float *shift, float *wide, OUT::raw *narrow, int rows, int columns, \
                   float epsilon, int activation) { \
    if (columns % 8 == 0) norm_rows<IN, OUT, true>(x, scale, shift, wide, narrow, rows, columns, epsilon, activation); \
    else norm_rows<IN, OUT, false>(x, scale, shift, wide, narrow, rows, columns, epsilon, activation); \
  }
NORM(norm_f32_f32, F32, F32)
NORM(norm_f32_bf16, F32, Bf16)
NORM(norm_f32_f16, F32, F16)
NORM(norm_bf16_bf16, Bf16, Bf16)
NORM(norm_f16_f16, F16, F16)

// Jobs are triples (first row there, first row here, rows); grid: chunks of 256 units, job. A unit is 16 bytes, or 2 where rows are no
// multiples of 16.
#define MOVE_ROWS(name, UNIT) \
  KERNEL name(const UNIT *from, UNIT *to, const int *jobs, int units) { \
    const int source = jobs[3 * blockIdx.y], target = jobs[3 * blockIdx.y + 1], rows = jobs[3 * blockIdx.y + 2]; \
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; \
    if (i >= (u64)rows * units) return; \
    to[(u64)target * units + i] = from[(u64)source * units + i]; \
  }
MOVE_ROWS(move_rows_16, uint4)
MOVE_ROWS(move_rows_2, u16)

// x += y over jobs as above; grid: chunks of 256 numbers, job.
KERNEL add_rows(const float *y, float *x, const int *jobs, int columns) {
  const int source = jobs[3 * blockIdx.y], target = jobs[3 * blockIdx.y + 1], rows = jobs[3 * blockIdx.y + 2];
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (u64)rows * columns) return;
  x[(u64)target * columns + i] += y[(u64)source * columns + i];
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
