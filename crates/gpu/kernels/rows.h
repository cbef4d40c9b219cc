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

// Gated linear units: y [row, column] is x's first `columns` columns times the logistic function of as many that follow; eight a thread.
template <class T, bool WHOLE> DEVICE void glu(const typename T::raw *x, typename T::raw *y, int rows, int columns) {
  const int parts = (columns + 7) / 8;
  const u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (u64)rows * parts) return;
  const u64 row = i / parts;
  const int column = (int)(i % parts) * 8, left = columns - column;
  float v[8], gate[8];
  load_part<T, WHOLE>(x + row * 2 * columns + column, v, left);
  load_part<T, WHOLE>(x + row * 2 * columns + columns + column, gate, left);
#pragma unroll
  for (int e = 0; e < 8; e++) v[e] *= logistic(gate[e]);
  store_part<T, WHOLE>(y + row * columns + column, v, left);
}
#define GLU(name, T) \
  KERNEL name(const T::raw *x, T::raw *y, int rows, int columns) { \
    if (columns % 8 == 0) glu<T, true>(x, y, rows, columns); \
    else glu<T, false>(x, y, rows, columns); \
  }
GLU(glu_f32, F32)
GLU(glu_bf16, Bf16)
GLU(glu_f16, F16)

// Rotary positions: the first and second half of each head's columns, a and b, become a cos - b sin and b cos + a sin. angles [position,
// 2 × half]: cosines, then sines; a row's position is counted from its utterance's first row. spans: (first row, rows). Grid: chunks of
// 256 pairs, utterance.
template <class T>
DEVICE void rotate(const typename T::raw *x, typename T::raw *y, const float *angles, const int *spans, int columns, int half) {
  const int first = spans[2 * blockIdx.y], rows = spans[2 * blockIdx.y + 1], pairs = columns / 2;
  const u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (u64)rows * pairs) return;
  const int row = (int)(i / pairs), pair = (int)(i % pairs), angle = pair % half;
  const float cosine = angles[(u64)row * 2 * half + angle], sine = angles[(u64)row * 2 * half + half + angle];
  const u64 at = (u64)(first + row) * columns + pair / half * 2 * half + angle;
  const float a = Io<T>::load(x + at), b = Io<T>::load(x + at + half);
  Io<T>::store(y + at, a * cosine - b * sine);
  Io<T>::store(y + at + half, b * cosine + a * sine);
}
#define ROTATE(name, T) \
  KERNEL name(const T::raw *x, T::raw *y, const float *angles, const int *spans, int columns, int half) { \
    rotate<T>(x, y, angles, spans, columns, half); \
  }
ROTATE(rotate_f32, F32)
ROTATE(rotate_bf16, Bf16)
ROTATE(rotate_f16, F16)

// The columns of x, then those of y, in units as above; a unit a thread.
#define BESIDE(name, UNIT) \
  KERNEL name(const UNIT *x, const UNIT *y, UNIT *to, int rows, int x_units, int y_units) { \
    const int units = x_units + y_units; \
    const u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; \
    if (i >= (u64)rows * units) return; \
    const u64 row = i / units; \
    const int unit = (int)(i % units); \
    to[i] = unit < x_units ? x[row * x_units + unit] : y[row * y_units + unit - x_units]; \
  }
BESIDE(beside_16, uint4)
BESIDE(beside_2, u16)

// A convolution over rows of each channel alone, with a bias (or none) and an activation, to f32 or 16 bits (whichever is not null).
// weight [tap, channel]. jobs: quadruples (first row of x, its rows, first row of the result, its rows), one an utterance; `before` rows of
// zeros precede an utterance, as many as needed follow it. Grid: chunks of 256 strips of STRIP rows of a channel, utterance. A thread
// keeps the rows under a tap in registers: they move by one from a tap to the next that is `stride` further.
#define STRIP 8
template <class IN, class OUT>
DEVICE void depthwise(const typename IN::raw *x, const float *weight, const float *bias, float *wide, typename OUT::raw *narrow,
                      const int *jobs, int channels, int taps, int stride, int before, int activation) {
  const int source = jobs[4 * blockIdx.y], rows = jobs[4 * blockIdx.y + 1], target = jobs[4 * blockIdx.y + 2], made = jobs[4 * blockIdx.y + 3];
  const u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  const u64 strip = i / channels;
  const int channel = (int)(i % channels);
  if (strip * STRIP >= made) return;
  const int start = (int)strip * STRIP;
  const typename IN::raw *from = x + (u64)source * channels + channel;
  auto seen = [&](int row) { return row >= 0 && row < rows ? Io<IN>::load(from + (u64)row * channels) : 0.f; };
  float sum[STRIP], under[STRIP];
#pragma unroll
  for (int r = 0; r < STRIP; r++) sum[r] = bias ? bias[channel] : 0.f;
  for (int phase = 0; phase < stride && phase < taps; phase++) {
    int row = start * stride + phase - before;
#pragma unroll
    for (int r = 0; r < STRIP - 1; r++) under[r + 1] = seen(row + r * stride);
#pragma unroll 8
    for (int tap = phase; tap < taps; tap += stride, row += stride) {
      const float w = weight[(u64)tap * channels + channel];
#pragma unroll
      for (int r = 0; r < STRIP - 1; r++) under[r] = under[r + 1];
      under[STRIP - 1] = seen(row + (STRIP - 1) * stride);
#pragma unroll
      for (int r = 0; r < STRIP; r++) sum[r] += w * under[r];
    }
  }
#pragma unroll
  for (int r = 0; r < STRIP; r++)
    if (start + r < made) {
      const float y = activate(sum[r], activation);
      const u64 to = (u64)(target + start + r) * channels + channel;
      if (wide) wide[to] = y;
      if (narrow) Io<OUT>::store(narrow + to, y);
    }
}
#define DEPTHWISE(name, IN, OUT) \
  KERNEL name(const IN::raw *x, const float *weight, const float *bias, float *wide, OUT::raw *narrow, const int *jobs, int channels, int taps, \
                   int stride, int before, int activation) { \
    depthwise<IN, OUT>(x, weight, bias, wide, narrow, jobs, channels, taps, stride, before, activation); \
  }
DEPTHWISE(depthwise_f32_f32, F32, F32)
DEPTHWISE(depthwise_f32_bf16, F32, Bf16)
DEPTHWISE(depthwise_f32_f16, F32, F16)
DEPTHWISE(depthwise_bf16_bf16, Bf16, Bf16)
DEPTHWISE(depthwise_f16_f16, F16, F16)

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
