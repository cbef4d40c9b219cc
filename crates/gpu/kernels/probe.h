// A sweep of probes: hidden layer, ReLU, pooling over an utterance's frames, linear, cross-entropy, the gradient, its clipping and Adam.
//
// The points of a sweep read the same frames; their hidden units lie side by side (`units` in all), and so do the numbers that pooling
// makes of them (`width` in all). Every sum has an order that depends on nothing but the numbers it is of, so a point's bits are the same
// whatever stands beside it. Frames are taken CHUNK at a time, counted from an utterance's first.
//
// Which batch it is stands in device memory (`counter`), so that the same launches serve all of them. Tables of ints:
// steps: first chunk, chunks, first utterance, utterances. chunks: first row, frames, utterance. utterances: first chunk, chunks, frames,
// label, first row; chunks and utterances are counted from the step's first. points: see the names below.
#pragma once
#define CHUNK 64
#define TILE 128
#define DEEP 32
// Of a kept chunk of the hidden layer in shared memory.
#define HIDDEN_PITCH (TILE + 4)
// Low halves of weights are kept 2^11 times as large: they are below the smallest numbers of 16 bits otherwise.
#define LOW_SCALE 2048.f
#define PART 4096

#define POINT 11
#define FIRST_PARAMETER 0
#define PARAMETERS 1
#define HIDDEN 2
#define FIRST_UNIT 3
#define WIDTH 4
#define FIRST_POOLED 5
#define HIDDEN_BIAS 6
#define OUTPUT 7
#define OUTPUT_BIAS 8
#define FIRST_PART 9
#define PARTS 10

// Eight numbers of a row of DEEP: crossed, so that eight rows of a matrix lie in different banks.
DEVICE u16 *crossed(u16 *tile, int row, int segment) { return tile + row * DEEP + ((segment ^ (row >> 1)) & 3) * 8; }

// The hidden layer of a chunk and TILE units: the product of 16-bit features with weights of twice 16 bits, and the bias. Leaves it,
// rectified, in shared memory as [CHUNK, HIDDEN_PITCH]; frames beyond the chunk's are zero. Grid: tiles of units, chunks.
DEVICE float *hidden_layer(const u16 *x, int columns, const u16 *high, const u16 *low, const float *bias, int units, const int *chunk,
                           u16 *tiles) {
  const int frames = chunk[1], first = blockIdx.x * TILE;
  const int tid = threadIdx.x, warp = tid / 32, lane = tid % 32, top = warp % 4 * 16, left = warp / 4 * 64;
  float sum[8][4];
#pragma unroll
  for (int n = 0; n < 8; n++)
#pragma unroll
    for (int e = 0; e < 4; e++) sum[n][e] = 0.f;
  auto load = [&](int round, int stage) {
    u16 *to = tiles + stage * (CHUNK + 2 * TILE) * DEEP;
#pragma unroll
    for (int i = 0; i < 5; i++) {
      const int row = i * 64 + tid / 4, segment = tid % 4, column = round * DEEP + segment * 8;
      bool there = column < columns;
      const u16 *from = x;
      if (i == 0) {
        there = there && row < frames;
        if (there) from = x + (u64)(chunk[0] + row) * columns + column;
      } else {
        const int unit = first + (row - CHUNK) % TILE;
        there = there && unit < units;
        if (there) from = (i < 3 ? high : low) + (u64)unit * columns + column;
      }
      copy16(crossed(to, row, segment), from, there);
    }
    commit();
  };
  const int rounds = (columns + DEEP - 1) / DEEP;
  load(0, 0);
  for (int round = 0; round < rounds; round++) {
    u16 *at = tiles + (round & 1) * (CHUNK + 2 * TILE) * DEEP;
    if (round + 1 < rounds) { load(round + 1, (round & 1) ^ 1); wait_one(); } else wait_all();
    SYNC();
    u32 a[2][4];
#pragma unroll
    for (int k = 0; k < 2; k++) load_matrices(a[k], crossed(at, top + lane % 16, k * 2 + lane / 16));
#pragma unroll
    for (int n = 0; n < 8; n++) {
      u32 b[4], c[4];
      const int row = CHUNK + left + n * 8 + lane % 8;
      load_matrices(b, crossed(at, row, lane / 8));
      load_matrices(c, crossed(at, row + TILE, lane / 8));
      float near[4] = {0.f, 0.f, 0.f, 0.f}, far[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
      for (int k = 0; k < 2; k++) {
        F16::mma(near, a[k], b + k * 2);
        F16::mma(far, a[k], c + k * 2);
      }
      // Added here and not in the matrix unit, which does not round to nearest.
#pragma unroll
      for (int e = 0; e < 4; e++) sum[n][e] += near[e] + far[e] * (1.f / LOW_SCALE);
    }
    SYNC(); // before the next round but one, or the hidden layer, overwrites this stage
  }
  float *z = (float *)tiles;
#pragma unroll
  for (int n = 0; n < 8; n++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const int row = top + lane / 4 + (e >> 1) * 8, column = left + n * 8 + (lane % 4) * 2 + (e & 1), unit = first + column;
      const float v = sum[n][e] + (unit < units ? bias[unit] : 0.f);
      // What is no number stays none.
      z[row * HIDDEN_PITCH + column] = row >= frames || v <= 0.f ? 0.f : v;
    }
  SYNC();
  return z;
}
#define HIDDEN_TILES SHARED(u16, tiles, 2 * (CHUNK + 2 * TILE) * DEEP)

// Of the hidden layer only its sums over the chunk's frames [chunk, unit] and which frames are above zero, a bit each.
KERNEL probe_forward(const u16 *x, int columns, const u16 *high, const u16 *low, const float *bias, int units, const int *chunks,
                     const int *steps, const int *counter, float *sums, u64 *gates) {
  HIDDEN_TILES;
  const int *step = steps + 4 * *counter;
  if (blockIdx.y >= step[1]) return;
  float *z = hidden_layer(x, columns, high, low, bias, units, chunks + 3 * (step[0] + blockIdx.y), tiles);
  const int column = threadIdx.x % TILE, half = threadIdx.x / TILE, unit = blockIdx.x * TILE + column;
  float sum = 0.f;
  u32 gate = 0;
  for (int row = 0; row < CHUNK / 2; row++) {
    const float v = z[(half * (CHUNK / 2) + row) * HIDDEN_PITCH + column];
    sum += v;
    gate |= (v > 0.f ? 1u : 0u) << row;
  }
  float *other_sum = z + CHUNK * HIDDEN_PITCH;
  u32 *other_gate = (u32 *)(other_sum + TILE);
  if (half == 1) {
    other_sum[column] = sum;
    other_gate[column] = gate;
  }
  SYNC();
  if (half == 0 && unit < units) {
    sums[(u64)blockIdx.y * units + unit] = sum + other_sum[column];
    gates[(u64)blockIdx.y * units + unit] = (u64)gate | (u64)other_gate[column] << 32;
  }
}

// The hidden layer itself, [chunk × CHUNK + frame, unit].
KERNEL probe_hidden(const u16 *x, int columns, const u16 *high, const u16 *low, const float *bias, int units, const int *chunks,
                    const int *steps, const int *counter, float *kept) {
  HIDDEN_TILES;
  const int *step = steps + 4 * *counter;
  if (blockIdx.y >= step[1]) return;
  float *z = hidden_layer(x, columns, high, low, bias, units, chunks + 3 * (step[0] + blockIdx.y), tiles);
  const int column = threadIdx.x % TILE, unit = blockIdx.x * TILE + column;
  if (unit < units)
    for (int row = threadIdx.x / TILE; row < CHUNK; row += 2)
      kept[((u64)blockIdx.y * CHUNK + row) * units + unit] = z[row * HIDDEN_PITCH + column];
}

// An utterance of the step in hand, or null. Grid: chunks of threads, utterances.
DEVICE const int *utterance_of(const int *utterances, const int *step) {
  return blockIdx.y < step[3] ? utterances + 5 * (step[2] + blockIdx.y) : nullptr;
}

// Chunks to means over frames, and to numbers of frames above zero.
KERNEL probe_mean(const float *sums, const u64 *gates, int units, const int *utterances, const int *steps, const int *counter, float *pooled,
                  float *counts) {
  const int unit = blockIdx.x * blockDim.x + threadIdx.x;
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance || unit >= units) return;
  float sum = 0.f;
  int count = 0;
  for (int chunk = utterance[0]; chunk < utterance[0] + utterance[1]; chunk++) {
    sum += sums[(u64)chunk * units + unit];
    count += ones(gates[(u64)chunk * units + unit]);
  }
  pooled[(u64)blockIdx.y * units + unit] = sum * (1.f / utterance[2]);
  counts[(u64)blockIdx.y * units + unit] = (float)count;
}

// Means of the features themselves, for the head without a hidden layer; every point's share of `pooled` is the same.
KERNEL probe_mean_features(const u16 *x, int columns, int dim, int width, const int *utterances, const int *steps, const int *counter,
                           float *pooled) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance || column >= dim) return;
  double sum = 0;
  for (int frame = 0; frame < utterance[2]; frame++) sum += F16::low(x[(u64)(utterance[4] + frame) * columns + column]);
  for (int at = column; at < width; at += dim) pooled[(u64)blockIdx.y * width + at] = (float)(sum / utterance[2]);
}

#define VARIANCE_FLOOR 1e-5f
// Means and standard deviations over frames of the kept hidden layer.
KERNEL probe_statistics(const float *kept, int units, const int *unit_points, const int *points, const int *utterances, const int *steps,
                        const int *counter, int width, float *pooled) {
  const int unit = blockIdx.x * blockDim.x + threadIdx.x;
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance || unit >= units) return;
  const int *point = points + POINT * unit_points[unit];
  const float *z = kept + (u64)utterance[0] * CHUNK * units + unit;
  double sum = 0;
  for (int frame = 0; frame < utterance[2]; frame++) sum += z[(u64)frame * units];
  const float mean = (float)(sum / utterance[2]);
  float squares = 0.f;
  for (int frame = 0; frame < utterance[2]; frame++) {
    const float away = z[(u64)frame * units] - mean;
    squares += away * away;
  }
  float *to = pooled + (u64)blockIdx.y * width + point[FIRST_POOLED] + unit - point[FIRST_UNIT];
  to[0] = mean;
  to[point[HIDDEN]] = sqrtf(squares / utterance[2] + VARIANCE_FLOOR);
}

// logits [utterance, point, class]: a warp each. Grid: eights of point × class, utterances.
KERNEL probe_logits(const float *pooled, int width, const float *values, const int *points, int count, int classes, const int *steps,
                    const int *counter, float *logits) {
  const int index = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32, utterance = blockIdx.y;
  if (index >= count * classes || utterance >= steps[4 * *counter + 3]) return;
  const int *point = points + POINT * (index / classes);
  const int own = point[WIDTH], label = index % classes;
  const float *x = pooled + (u64)utterance * width + point[FIRST_POOLED], *w = values + point[OUTPUT] + label * own;
  float sum = 0.f;
  for (int i = lane; i < own; i += 32) sum += x[i] * w[i];
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) sum += shuffle_xor(sum, mask);
  if (lane == 0) logits[(u64)utterance * count * classes + index] = sum + values[point[OUTPUT_BIAS] + label];
}

// The weighted mean of the cross-entropy of every point (a block), and its slopes by the logits. weights and offsets: one a class; totals:
// the sum of the weights of each step's utterances. each: room for `most` utterances a point.
KERNEL probe_loss(const float *logits, int classes, const int *utterances, const int *steps, const int *counter, const double *totals,
                  const double *weights, const double *offsets, float *slopes, double *each, int most, double *losses) {
  const int *step = steps + 4 * *counter;
  const int point = blockIdx.x, count = gridDim.x;
  const double total = totals[*counter];
  for (int utterance = threadIdx.x; utterance < step[3]; utterance += blockDim.x) {
    const int label = utterances[5 * (step[2] + utterance) + 3];
    const u64 at = ((u64)utterance * count + point) * classes;
    double largest = (double)logits[at] + offsets[0], sum = 0;
    for (int c = 1; c < classes; c++) largest = fmax(largest, (double)logits[at + c] + offsets[c]);
    for (int c = 0; c < classes; c++) sum += exp((double)logits[at + c] + offsets[c] - largest);
    const double level = largest + log(sum), share = weights[label] / total;
    each[(u64)point * most + utterance] = (level - ((double)logits[at + label] + offsets[label])) * weights[label];
    for (int c = 0; c < classes; c++) {
      const double log_probability = (double)logits[at + c] + offsets[c] - level;
      slopes[at + c] = (float)((exp(log_probability) - (c == label ? 1. : 0.)) * share);
    }
  }
  SYNC();
  if (threadIdx.x == 0) {
    double sum = 0;
    for (int utterance = 0; utterance < step[3]; utterance++) sum += each[(u64)point * most + utterance];
    losses[point] = sum / total;
  }
}

// Slopes by the pooled numbers, back [utterance, width]. Where pooling is the mean (counts is not null) they are divided by the frames:
// what every frame of the utterance receives; bias_parts [utterance, width] are then the utterance's share of the hidden bias's gradient.
KERNEL probe_back(const float *slopes, const float *values, int width, const int *pooled_points, const int *points, int count, int classes,
                  const int *utterances, const int *steps, const int *counter, const float *counts, float *back, float *bias_parts) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance || at >= width) return;
  const int index = pooled_points[at], *point = points + POINT * index;
  const float *slope = slopes + ((u64)blockIdx.y * count + index) * classes, *w = values + point[OUTPUT] + at - point[FIRST_POOLED];
  float sum = 0.f;
  for (int c = 0; c < classes; c++) sum += slope[c] * w[c * point[WIDTH]];
  if (counts) {
    sum *= 1.f / utterance[2];
    bias_parts[(u64)blockIdx.y * width + at] = sum * counts[(u64)blockIdx.y * width + at];
  }
  back[(u64)blockIdx.y * width + at] = sum;
}

// The kept hidden layer to its own slopes, in place; bias_parts as above. By d std / d z = (z - mean) / (std frames).
KERNEL probe_statistics_back(float *kept, int units, const int *unit_points, const int *points, const int *utterances, const int *steps,
                             const int *counter, int width, const float *pooled, const float *back, float *bias_parts) {
  const int unit = blockIdx.x * blockDim.x + threadIdx.x;
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance || unit >= units) return;
  const int *point = points + POINT * unit_points[unit];
  const u64 at = (u64)blockIdx.y * width + point[FIRST_POOLED] + unit - point[FIRST_UNIT];
  const float mean = pooled[at], deviation = pooled[at + point[HIDDEN]], scale = 1.f / utterance[2];
  const float by_mean = back[at], by_deviation = back[at + point[HIDDEN]];
  float *z = kept + (u64)utterance[0] * CHUNK * units + unit, sum = 0.f;
  for (int frame = 0; frame < utterance[2]; frame++) {
    const float v = z[(u64)frame * units];
    const float slope = v > 0.f ? scale * (by_mean + by_deviation * ((v - mean) / deviation)) : 0.f;
    z[(u64)frame * units] = slope;
    sum += slope;
  }
  bias_parts[(u64)blockIdx.y * units + unit] = sum;
}

// Gradients of the output layer, and of the hidden bias where there is a hidden layer. A thread a number: width × classes, units, points ×
// classes.
KERNEL probe_small_gradient(const float *slopes, const float *pooled, int width, const int *pooled_points, const int *points, int count,
                            int classes, const float *bias_parts, int units, const int *unit_points, const int *steps, const int *counter,
                            float *gradient) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x, utterances = steps[4 * *counter + 3];
  float sum = 0.f;
  if (at < width * classes) {
    const int place = at % width, c = at / width, index = pooled_points[place], *point = points + POINT * index;
    for (int u = 0; u < utterances; u++) sum += slopes[((u64)u * count + index) * classes + c] * pooled[(u64)u * width + place];
    gradient[point[OUTPUT] + c * point[WIDTH] + place - point[FIRST_POOLED]] = sum;
  } else if (at < width * classes + units) {
    const int unit = at - width * classes, *point = points + POINT * unit_points[unit];
    for (int u = 0; u < utterances; u++) sum += bias_parts[(u64)u * units + unit];
    gradient[point[HIDDEN_BIAS] + unit - point[FIRST_UNIT]] = sum;
  } else if (at < width * classes + units + count * classes) {
    const int index = (at - width * classes - units) / classes, c = (at - width * classes - units) % classes;
    for (int u = 0; u < utterances; u++) sum += slopes[((u64)u * count + index) * classes + c];
    gradient[points[POINT * index + OUTPUT_BIAS] + c] = sum;
  }
}

// Two bits of a gate as two numbers of 16 bits, one or zero.
DEVICE u32 gate_pair(u64 gate, int frame) {
  const u32 two = (u32)(gate >> frame);
  return (two & 1u ? 0x3c00u : 0u) | (two & 2u ? 0x3c000000u : 0u);
}

// The gradient of the hidden weights where every frame of an utterance receives the same: for each chunk the sum of the frames in which a
// unit is above zero, exact products of zeros and ones, times what they receive. Grid: 64 columns, TILE units.
#define COLUMNS 64
#define COLUMN_PITCH (COLUMNS + 8)
KERNEL probe_weight_gradient(const u16 *x, int columns, int dim, const u64 *gates, const float *back, int units, const int *unit_points,
                             const int *points, const int *chunks, const int *steps, const int *counter, float *gradient) {
  SHARED(u16, frames_here, 2 * CHUNK * COLUMN_PITCH);
  const int *step = steps + 4 * *counter;
  const int tid = threadIdx.x, warp = tid / 32, lane = tid % 32, left = blockIdx.x * COLUMNS;
  const int upper = blockIdx.y * TILE + warp * 16 + lane / 4, lower = upper + 8;
  float total[8][4];
#pragma unroll
  for (int n = 0; n < 8; n++)
#pragma unroll
    for (int e = 0; e < 4; e++) total[n][e] = 0.f;
  auto load = [&](int index, int stage) {
    const int *chunk = chunks + 3 * (step[0] + index);
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int row = i * 32 + tid / 8, column = left + tid % 8 * 8;
      const bool there = row < chunk[1] && column < columns;
      const u16 *from = there ? x + (u64)(chunk[0] + row) * columns + column : x;
      copy16(&frames_here[(stage * CHUNK + row) * COLUMN_PITCH + tid % 8 * 8], from, there);
    }
    commit();
  };
  load(0, 0);
  for (int index = 0; index < step[1]; index++) {
    const int stage = index & 1, *chunk = chunks + 3 * (step[0] + index);
    if (index + 1 < step[1]) { load(index + 1, stage ^ 1); wait_one(); } else wait_all();
    SYNC();
    const u64 upper_gate = upper < units ? gates[(u64)index * units + upper] : 0, lower_gate = lower < units ? gates[(u64)index * units + lower] : 0;
    float sum[8][4];
#pragma unroll
    for (int n = 0; n < 8; n++)
#pragma unroll
      for (int e = 0; e < 4; e++) sum[n][e] = 0.f;
#pragma unroll
    for (int k = 0; k < CHUNK / 16; k++)
      if (k * 16 < chunk[1]) {
        const int frame = k * 16 + (lane % 4) * 2;
        const u32 a[4] = {gate_pair(upper_gate, frame), gate_pair(lower_gate, frame), gate_pair(upper_gate, frame + 8), gate_pair(lower_gate, frame + 8)};
#pragma unroll
        for (int n = 0; n < 8; n += 2) {
          u32 b[4];
          load_matrices_transposed(b, &frames_here[(stage * CHUNK + k * 16 + lane % 16) * COLUMN_PITCH + (n + lane / 16) * 8]);
          F16::mma(sum[n], a, b);
          F16::mma(sum[n + 1], a, b + 2);
        }
      }
    const float *received = back + (u64)chunk[2] * units;
    const float by_upper = upper < units ? received[upper] : 0.f, by_lower = lower < units ? received[lower] : 0.f;
#pragma unroll
    for (int n = 0; n < 8; n++)
#pragma unroll
      for (int e = 0; e < 4; e++) total[n][e] += sum[n][e] * (e < 2 ? by_upper : by_lower);
    SYNC(); // before the load of the next chunk but one
  }
#pragma unroll
  for (int n = 0; n < 8; n++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const int unit = e < 2 ? upper : lower, column = left + n * 8 + (lane % 4) * 2 + (e & 1);
      if (unit < units && column < dim) {
        const int *point = points + POINT * unit_points[unit];
        gradient[point[FIRST_PARAMETER] + (u64)(unit - point[FIRST_UNIT]) * dim + column] = total[n][e];
      }
    }
}

// The same where every frame receives its own, slopes [chunk × CHUNK + frame, unit]; in f32, 64 columns and 64 units a block, sixteen
// numbers a thread. Grid: 64 columns, 64 units.
KERNEL probe_dense_gradient(const u16 *x, int columns, int dim, const float *slopes, int units, const int *unit_points, const int *points,
                            const int *chunks, const int *steps, const int *counter, float *gradient) {
  SHARED(float, seen, 16 * 64);
  SHARED(float, received, 16 * 64);
  const int *step = steps + 4 * *counter;
  const int tid = threadIdx.x, left = blockIdx.x * 64, first = blockIdx.y * 64, mine = tid / 16 * 4, column = tid % 16 * 4;
  float total[4][4] = {};
  for (int index = 0; index < step[1]; index++) {
    const int *chunk = chunks + 3 * (step[0] + index);
    float sum[4][4] = {};
    for (int from = 0; from < chunk[1]; from += 16) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int row = i * 4 + tid / 64, at = tid % 64;
        const bool there = from + row < chunk[1];
        seen[row * 64 + at] = there && left + at < dim ? F16::low(x[(u64)(chunk[0] + from + row) * columns + left + at]) : 0.f;
        received[row * 64 + at] = there && first + at < units ? slopes[((u64)index * CHUNK + from + row) * units + first + at] : 0.f;
      }
      SYNC();
#pragma unroll
      for (int row = 0; row < 16; row++)
#pragma unroll
        for (int u = 0; u < 4; u++)
#pragma unroll
          for (int c = 0; c < 4; c++) sum[u][c] += received[row * 64 + mine + u] * seen[row * 64 + column + c];
      SYNC();
    }
#pragma unroll
    for (int u = 0; u < 4; u++)
#pragma unroll
      for (int c = 0; c < 4; c++) total[u][c] += sum[u][c];
  }
  for (int u = 0; u < 4; u++)
    for (int c = 0; c < 4; c++) {
      const int unit = first + mine + u;
      if (unit < units && left + column + c < dim) {
        const int *point = points + POINT * unit_points[unit];
        gradient[point[FIRST_PARAMETER] + (u64)(unit - point[FIRST_UNIT]) * dim + left + column + c] = total[u][c];
      }
    }
}

// The sum of the squares of a part of a gradient: at most PART numbers of one point. parts: point, first, numbers.
KERNEL probe_squares(const float *gradient, const int *parts, double *squares) {
  SHARED(double, sums, 256);
  const int *part = parts + 3 * blockIdx.x;
  double sum = 0;
  for (int i = threadIdx.x; i < part[2]; i += 256) {
    const double g = gradient[part[1] + i];
    sum += g * g;
  }
  sums[threadIdx.x] = sum;
  for (int half = 128; half; half /= 2) {
    SYNC();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) squares[blockIdx.x] = sums[0];
}

// The norm of a point's gradient.
DEVICE double norm_of(const int *point, const double *squares) {
  double sum = 0;
  for (int part = 0; part < point[PARTS]; part++) sum += squares[point[FIRST_PART] + part];
  return sqrt(sum);
}

// A whole power as compilers of CPUs multiply it out.
DEVICE double power(double base, int exponent) {
  double result = 1;
  for (;;) {
    if (exponent & 1) result *= base;
    exponent /= 2;
    if (exponent == 0) return result;
    base *= base;
  }
}

// A parameter to where the next forward pass reads it: hidden weights as two numbers of 16 bits, hidden biases side by side.
DEVICE void lay_out(const int *point, int index, int dim, int columns, float value, u16 *high, u16 *low, float *bias) {
  const int own = index - point[FIRST_PARAMETER], weights = point[HIDDEN] * dim;
  if (own < weights) {
    const u64 at = (u64)(point[FIRST_UNIT] + own / dim) * columns + own % dim;
    const u32 upper = F16::pack(value, 0.f) & 0xffffu;
    high[at] = (u16)upper;
    low[at] = (u16)(F16::pack((value - F16::low(upper)) * LOW_SCALE, 0.f) & 0xffffu);
  } else if (own < weights + point[HIDDEN])
    bias[point[FIRST_UNIT] + own - weights] = value;
}

KERNEL probe_lay_out(const float *values, const int *parts, const int *points, int dim, int columns, u16 *high, u16 *low, float *bias) {
  const int *part = parts + 3 * blockIdx.x;
  for (int i = part[1] + threadIdx.x; i < part[1] + part[2]; i += 256)
    lay_out(points + POINT * part[0], i, dim, columns, values[i], high, low, bias);
}

// Clips a point's gradient to `limit` by its norm and steps (Kingma and Ba 2015, algorithm 1, in the order of PyTorch's). A point whose
// gradient is not finite keeps its weights. done: updates made so far. settings: learning rate of each point, then beta 1, beta 2,
// epsilon, limit.
KERNEL probe_adam(float *values, float *first, float *second, const float *gradient, const int *parts, const int *points, int count,
                  const double *squares, const double *settings, const int *done, int dim, int columns, u16 *high, u16 *low, float *bias) {
  SHARED(float, scalars, 4);
  SHARED(double, norm_here, 1);
  const int *part = parts + 3 * blockIdx.x, *point = points + POINT * part[0];
  const double *constants = settings + count;
  if (threadIdx.x == 0) {
    const double norm = norm_of(point, squares), scale = constants[3] / (norm + 1e-6);
    const int steps = done[part[0]] + 1;
    norm_here[0] = norm;
    scalars[0] = scale < 1. ? (float)scale : 1.f;
    scalars[1] = (float)(settings[part[0]] / (1. - power(constants[0], steps)));
    scalars[2] = (float)sqrt(1. - power(constants[1], steps));
  }
  SYNC();
  if (!(norm_here[0] <= 1.7976931348623157e308)) return;
  const float scale = scalars[0], size = scalars[1], correction = scalars[2];
  const float keep1 = (float)(1. - constants[0]), beta2 = (float)constants[1], keep2 = (float)(1. - constants[1]), epsilon = (float)constants[2];
  for (int i = part[1] + threadIdx.x; i < part[1] + part[2]; i += 256) {
    const float g = gradient[i] * scale;
    const float mean = first[i] + (g - first[i]) * keep1, square = second[i] * beta2 + keep2 * g * g;
    const float value = values[i] - size * (mean / (sqrtf(square) / correction + epsilon));
    first[i] = mean;
    second[i] = square;
    values[i] = value;
    lay_out(point, i, dim, columns, value, high, low, bias);
  }
}

// The end of a step: counts updates made and left out, adds the loss to the epoch's, and goes on to the next batch. One block.
KERNEL probe_advance(const int *points, int count, const double *squares, const double *losses, const double *totals, int *done, int *left_out,
                     double *epoch, int *counter) {
  for (int point = threadIdx.x; point < count; point += blockDim.x) {
    if (norm_of(points + POINT * point, squares) <= 1.7976931348623157e308) done[point]++;
    else left_out[point]++;
    epoch[point] += losses[point] * totals[*counter];
  }
  SYNC();
  if (threadIdx.x == 0) ++*counter;
}
