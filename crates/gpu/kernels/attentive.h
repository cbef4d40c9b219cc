// Attentive statistics pooling on a kept hidden layer z [chunk × CHUNK + frame, unit]: scores v · tanh(W z + b) of every frame, their softmax
// over the utterance, mean and deviation by these weights; and the way back. In f32. Names as in probe.h.
//
// A point's own parameters stand after its hidden biases: W [ATTENTION, units], b, v. scored: [chunk × CHUNK + frame, point, ATTENTION];
// alpha and slopes of it: [chunk × CHUNK + frame, point].
#pragma once
#define ATTENTION 64

DEVICE int attention_at(const int *point) { return point[HIDDEN_BIAS] + point[HIDDEN]; }

// scored = tanh(W z + b), and every frame's score. Grid: points, chunks. Four frames and four numbers a thread.
KERNEL probe_score(const float *kept, int units, const float *values, const int *points, int count, const int *chunks, const int *steps,
                   const int *counter, float *scored, float *alpha) {
  SHARED(float, seen, 16 * CHUNK);
  SHARED(float, weight, 16 * ATTENTION);
  SHARED(float, made, CHUNK *(ATTENTION + 1));
  const int *step = steps + 4 * *counter;
  if (blockIdx.y >= step[1]) return;
  const int *point = points + POINT * blockIdx.x;
  const int frames = chunks[3 * (step[0] + blockIdx.y) + 1], hidden = point[HIDDEN];
  const float *w = values + attention_at(point), *bias = w + ATTENTION * hidden, *vector = bias + ATTENTION;
  const float *z = kept + (u64)blockIdx.y * CHUNK * units + point[FIRST_UNIT];
  const int tid = threadIdx.x, frame = tid / 16 * 4, number = tid % 16 * 4;
  float sum[4][4] = {};
  for (int from = 0; from < hidden; from += 16) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int row = i * 16 + tid / 16, unit = tid % 16;
      const bool there = from + unit < hidden;
      seen[unit * CHUNK + row] = there && row < frames ? z[(u64)row * units + from + unit] : 0.f;
      weight[unit * ATTENTION + row] = there ? w[row * hidden + from + unit] : 0.f;
    }
    SYNC();
#pragma unroll
    for (int unit = 0; unit < 16; unit++)
#pragma unroll
      for (int f = 0; f < 4; f++)
#pragma unroll
        for (int n = 0; n < 4; n++) sum[f][n] += seen[unit * CHUNK + frame + f] * weight[unit * ATTENTION + number + n];
    SYNC(); // before the next units overwrite these
  }
#pragma unroll
  for (int f = 0; f < 4; f++)
#pragma unroll
    for (int n = 0; n < 4; n++) {
      const float v = tanhf(sum[f][n] + bias[number + n]);
      made[(frame + f) * (ATTENTION + 1) + number + n] = v;
      if (frame + f < frames) scored[(((u64)blockIdx.y * CHUNK + frame + f) * count + blockIdx.x) * ATTENTION + number + n] = v;
    }
  SYNC();
  if (tid < frames) {
    float score = 0.f;
    for (int n = 0; n < ATTENTION; n++) score += made[tid * (ATTENTION + 1) + n] * vector[n];
    alpha[((u64)blockIdx.y * CHUNK + tid) * count + blockIdx.x] = score;
  }
}

// A sum (or maximum) over the threads of a block, in the same order each time.
DEVICE float over_block(float *room, float mine, bool largest) {
  SYNC(); // who still reads the last result
  room[threadIdx.x] = mine;
  for (int half = 128; half; half /= 2) {
    SYNC();
    if (threadIdx.x < half) {
      const float other = room[threadIdx.x + half];
      room[threadIdx.x] = largest ? fmaxf(room[threadIdx.x], other) : room[threadIdx.x] + other;
    }
  }
  SYNC();
  return room[0];
}

// Scores to weights that sum to one. Grid: points, utterances.
KERNEL probe_softmax(float *alpha, int count, const int *utterances, const int *steps, const int *counter) {
  SHARED(float, room, 256);
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance) return;
  float *scores = alpha + (u64)utterance[0] * CHUNK * count + blockIdx.x;
  float largest = NO_SCORE;
  for (int frame = threadIdx.x; frame < utterance[2]; frame += 256) largest = fmaxf(largest, scores[(u64)frame * count]);
  largest = over_block(room, largest, true);
  float sum = 0.f;
  for (int frame = threadIdx.x; frame < utterance[2]; frame += 256) sum += expf(scores[(u64)frame * count] - largest);
  sum = over_block(room, sum, false);
  for (int frame = threadIdx.x; frame < utterance[2]; frame += 256) scores[(u64)frame * count] = expf(scores[(u64)frame * count] - largest) / sum;
}

// Mean and deviation by these weights: about the mean, not as a difference of two moments. A thread a unit. Grid: units, utterances.
KERNEL probe_attentive(const float *kept, int units, const int *unit_points, const int *points, int count, const int *utterances,
                       const int *steps, const int *counter, const float *alpha, int width, float *pooled) {
  const int unit = blockIdx.x * blockDim.x + threadIdx.x;
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance || unit >= units) return;
  const int index = unit_points[unit], *point = points + POINT * index;
  const u64 first = (u64)utterance[0] * CHUNK;
  const float *z = kept + first * units + unit, *weight = alpha + first * count + index;
  float mean = 0.f, variance = 0.f;
  for (int frame = 0; frame < utterance[2]; frame++) mean += weight[(u64)frame * count] * z[(u64)frame * units];
  for (int frame = 0; frame < utterance[2]; frame++) {
    const float away = z[(u64)frame * units] - mean;
    variance += weight[(u64)frame * count] * away * away;
  }
  float *to = pooled + (u64)blockIdx.y * width + point[FIRST_POOLED] + unit - point[FIRST_UNIT];
  to[0] = mean;
  to[point[HIDDEN]] = sqrtf(variance + VARIANCE_FLOOR);
}

// Slopes by the frames' weights: a warp a frame. Grid: points, chunks.
KERNEL probe_attentive_alpha(const float *kept, int units, const int *points, int count, const int *chunks, const int *steps,
                             const int *counter, int width, const float *pooled, const float *back, float *by_alpha) {
  const int *step = steps + 4 * *counter;
  if (blockIdx.y >= step[1]) return;
  const int *chunk = chunks + 3 * (step[0] + blockIdx.y), *point = points + POINT * blockIdx.x;
  const int lane = threadIdx.x % 32, hidden = point[HIDDEN];
  const u64 at = (u64)chunk[2] * width + point[FIRST_POOLED];
  const float *mean = pooled + at, *by_mean = back + at;
  for (int frame = threadIdx.x / 32; frame < chunk[1]; frame += 8) {
    const float *z = kept + ((u64)blockIdx.y * CHUNK + frame) * units + point[FIRST_UNIT];
    float sum = 0.f;
    for (int unit = lane; unit < hidden; unit += 32) {
      const float away = z[unit] - mean[unit], by_variance = by_mean[hidden + unit] / (2.f * mean[hidden + unit]);
      sum += by_mean[unit] * z[unit] + by_variance * away * away;
    }
#pragma unroll
    for (int mask = 16; mask; mask >>= 1) sum += shuffle_xor(sum, mask);
    if (lane == 0) by_alpha[((u64)blockIdx.y * CHUNK + frame) * count + blockIdx.x] = sum;
  }
}

// Slopes by the weights to slopes by the scores, in place. Grid: points, utterances.
KERNEL probe_softmax_back(const float *alpha, float *by_alpha, int count, const int *utterances, const int *steps, const int *counter) {
  SHARED(float, room, 256);
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance) return;
  const u64 first = (u64)utterance[0] * CHUNK * count + blockIdx.x;
  float level = 0.f;
  for (int frame = threadIdx.x; frame < utterance[2]; frame += 256) {
    const u64 at = first + (u64)frame * count;
    level += alpha[at] * by_alpha[at];
  }
  level = over_block(room, level, false);
  for (int frame = threadIdx.x; frame < utterance[2]; frame += 256) {
    const u64 at = first + (u64)frame * count;
    by_alpha[at] = alpha[at] * (by_alpha[at] - level);
  }
}

// scored to its own slopes before tanh, in place; the utterance's share of the gradients of b and v into own_parts [utterance, point, b then
// v]. A thread a number of a point. Grid: points × ATTENTION, utterances.
KERNEL probe_score_back(float *scored, const float *by_score, const float *values, const int *points, int count, const int *utterances,
                        const int *steps, const int *counter, float *own_parts) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x, own = index / ATTENTION, number = index % ATTENTION;
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance || own >= count) return;
  const int *point = points + POINT * own;
  const float vector = values[attention_at(point) + ATTENTION * (point[HIDDEN] + 1) + number];
  float by_bias = 0.f, by_vector = 0.f;
  for (int frame = 0; frame < utterance[2]; frame++) {
    const u64 at = ((u64)utterance[0] * CHUNK + frame) * count + own;
    float *x = scored + at * ATTENTION + number;
    by_vector += by_score[at] * *x;
    *x = by_score[at] * vector * (1.f - *x * *x);
    by_bias += *x;
  }
  float *to = own_parts + ((u64)blockIdx.y * count + own) * 2 * ATTENTION + number;
  to[0] = by_bias;
  to[ATTENTION] = by_vector;
}

// Gradients of b and v from the utterances' shares. A thread a number. Grid: points × 2 ATTENTION.
KERNEL probe_own_gradient(const float *own_parts, const int *points, int count, const int *steps, const int *counter, float *gradient) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x, own = index / (2 * ATTENTION);
  if (own >= count) return;
  const int *point = points + POINT * own;
  float sum = 0.f;
  for (int utterance = 0; utterance < steps[4 * *counter + 3]; utterance++) sum += own_parts[(u64)utterance * count * 2 * ATTENTION + index];
  gradient[attention_at(point) + ATTENTION * point[HIDDEN] + index % (2 * ATTENTION)] = sum;
}

// The gradient of W: slopes before tanh times the hidden layer, over all frames. Grid: 64 units, points; four numbers and four units a thread.
KERNEL probe_score_gradient(const float *scored, const float *kept, int units, const int *points, int count, const int *chunks,
                            const int *steps, const int *counter, float *gradient) {
  SHARED(float, seen, 16 * 64);
  SHARED(float, slope, 16 * ATTENTION);
  const int *step = steps + 4 * *counter, *point = points + POINT * blockIdx.y;
  const int hidden = point[HIDDEN], left = blockIdx.x * 64;
  if (left >= hidden) return;
  const int tid = threadIdx.x, mine = tid / 16 * 4, column = tid % 16 * 4;
  float total[4][4] = {};
  for (int index = 0; index < step[1]; index++) {
    const int frames = chunks[3 * (step[0] + index) + 1];
    float sum[4][4] = {};
    for (int from = 0; from < frames; from += 16) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int row = i * 4 + tid / 64, at = tid % 64;
        const bool there = from + row < frames;
        const u64 frame = (u64)index * CHUNK + from + row;
        seen[row * 64 + at] = there && left + at < hidden ? kept[frame * units + point[FIRST_UNIT] + left + at] : 0.f;
        slope[row * 64 + at] = there ? scored[(frame * count + blockIdx.y) * ATTENTION + at] : 0.f;
      }
      SYNC();
#pragma unroll
      for (int row = 0; row < 16; row++)
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
          for (int c = 0; c < 4; c++) sum[n][c] += slope[row * 64 + mine + n] * seen[row * 64 + column + c];
      SYNC(); // before the next frames
    }
#pragma unroll
    for (int n = 0; n < 4; n++)
#pragma unroll
      for (int c = 0; c < 4; c++) total[n][c] += sum[n][c];
  }
  for (int n = 0; n < 4; n++)
    for (int c = 0; c < 4; c++)
      if (left + column + c < hidden) gradient[attention_at(point) + (mine + n) * hidden + left + column + c] = total[n][c];
}

// The hidden layer to its own slopes, in place; bias_parts as in probe.h. The mean's share in the variance cancels. A thread a unit. Grid:
// units, utterances.
KERNEL probe_attentive_back(float *kept, int units, const int *unit_points, const int *points, int count, const int *utterances,
                            const int *steps, const int *counter, int width, const float *values, const float *pooled, const float *back,
                            const float *alpha, const float *scored, float *bias_parts) {
  const int unit = blockIdx.x * blockDim.x + threadIdx.x;
  const int *utterance = utterance_of(utterances, steps + 4 * *counter);
  if (!utterance || unit >= units) return;
  const int index = unit_points[unit], *point = points + POINT * index, hidden = point[HIDDEN], own = unit - point[FIRST_UNIT];
  const u64 at = (u64)blockIdx.y * width + point[FIRST_POOLED] + own;
  const float mean = pooled[at], by_mean = back[at], by_variance = back[at + hidden] / (2.f * pooled[at + hidden]);
  float w[ATTENTION];
#pragma unroll
  for (int n = 0; n < ATTENTION; n++) w[n] = values[attention_at(point) + n * hidden + own];
  float sum = 0.f;
  for (int frame = 0; frame < utterance[2]; frame++) {
    const u64 row = (u64)utterance[0] * CHUNK + frame;
    float *z = kept + row * units + unit, slope = 0.f;
    if (*z > 0.f) {
      const float *before = scored + (row * count + index) * ATTENTION;
#pragma unroll
      for (int n = 0; n < ATTENTION; n++) slope += before[n] * w[n];
      slope += alpha[row * count + index] * (by_mean + 2.f * by_variance * (*z - mean));
    }
    *z = slope;
    sum += slope;
  }
  bias_parts[(u64)blockIdx.y * units + unit] = sum;
}
