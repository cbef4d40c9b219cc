// The two ends that only speech models have: the convolution of the waveform, and WavLM's gate.
#pragma once
#define MOST_TAPS 16
#define FOLD_THREADS 256

// A convolution of the waveform followed by a norm of each channel over the utterance, as one convolution a signal: a channel is a
// weighted sum of the samples in a window, so its mean and variance follow from those of the windows. In double precision.
// signals: (first sample, samples). weight [channel, tap], gain and offset [channel] to folded [signal, channel, tap] and
// bias [signal, channel]. A block a signal; at most MOST_TAPS taps.
KERNEL fold_group_norm(const float *samples, const int *signals, const float *weight, const float *gain, const float *offset, float *folded,
                            float *bias, int channels, int taps, int stride, double epsilon) {
  SHARED(double, mean, MOST_TAPS);
  SHARED(double, covariance, MOST_TAPS *MOST_TAPS);
  SHARED(double, part, FOLD_THREADS);
  const int tid = threadIdx.x, signal = blockIdx.x;
  const float *x = samples + signals[2 * signal];
  const int windows = (signals[2 * signal + 1] - taps) / stride + 1;
  // Means: FOLD_THREADS / taps threads a tap, each with its share of the windows.
  const int helpers = FOLD_THREADS / taps, tap = tid % taps, helper = tid / taps;
  double sum = 0;
  if (helper < helpers)
    for (int w = helper; w < windows; w += helpers) sum += (double)x[(u64)w * stride + tap];
  part[tid] = sum;
  SYNC();
  if (tid < taps) {
    double all = 0;
    for (int h = 0; h < helpers; h++) all += part[h * taps + tid];
    mean[tid] = all / windows;
  }
  SYNC();
  // Covariances of pairs i <= j, in the same way.
  const int pairs = taps * (taps + 1) / 2, sharers = FOLD_THREADS / pairs, pair = tid % pairs, sharer = tid / pairs;
  int i = 0, j = pair;
  while (j >= taps - i) { j -= taps - i; i++; }
  j += i;
  sum = 0;
  if (sharer < sharers)
    for (int w = sharer; w < windows; w += sharers) {
      const float *window = x + (u64)w * stride;
      sum += ((double)window[i] - mean[i]) * ((double)window[j] - mean[j]);
    }
  part[tid] = sum;
  SYNC();
  if (tid < pairs) {
    double all = 0;
    for (int s = 0; s < sharers; s++) all += part[s * pairs + tid];
    covariance[i * taps + j] = covariance[j * taps + i] = all / windows;
  }
  SYNC();
  for (int channel = tid; channel < channels; channel += FOLD_THREADS) {
    const float *w = weight + channel * taps;
    double variance = 0, centre = 0;
    for (int a = 0; a < taps; a++) {
      double row = 0;
      for (int b = 0; b < taps; b++) row += covariance[a * taps + b] * (double)w[b];
      variance += row * (double)w[a];
      centre += mean[a] * (double)w[a];
    }
    const double factor = (double)gain[channel] / sqrt((variance > 0 ? variance : 0) + epsilon);
    const u64 at = (u64)signal * channels + channel;
    bias[at] = (float)((double)offset[channel] - centre * factor);
    for (int a = 0; a < taps; a++) folded[at * taps + a] = (float)((double)w[a] * factor);
  }
}

// The convolution of the waveform itself, in f32. pieces: quadruples (first sample, first row, rows, set of weights), one a blockIdx.y;
// weight [set, channel, tap], bias [set, channel]. Blocks of FIRST_ROWS rows; taps at most MOST_TAPS, stride at most MOST_TAPS.
#define FIRST_ROWS 32
template <class T>
DEVICE void first_convolution(const float *samples, const float *weight, const float *bias, typename T::raw *out, const int *pieces, int channels,
                              int taps, int stride, int activation, float *seen) {
  const int *piece = pieces + 4 * blockIdx.y;
  const int start = blockIdx.x * FIRST_ROWS, tid = threadIdx.x;
  const int rows = piece[2] - start < FIRST_ROWS ? piece[2] - start : FIRST_ROWS;
  if (rows <= 0) return;
  const float *x = samples + piece[0] + (u64)start * stride;
  for (int i = tid; i < (rows - 1) * stride + taps; i += 256) seen[i] = x[i];
  SYNC();
  for (int channel = tid; channel < channels; channel += 256) {
    const u64 at = (u64)piece[3] * channels + channel;
    float w[MOST_TAPS];
#pragma unroll
    for (int a = 0; a < MOST_TAPS; a++) w[a] = a < taps ? weight[at * taps + a] : 0.f;
    const float b = bias ? bias[at] : 0.f;
    for (int row = 0; row < rows; row++) {
      float y = b;
#pragma unroll
      for (int a = 0; a < MOST_TAPS; a++)
        if (a < taps) y += w[a] * seen[row * stride + a];
      Io<T>::store(out + (u64)(piece[1] + start + row) * channels + channel, activate(y, activation));
    }
  }
}
#define FIRST(name, T) \
  KERNEL name(const float *samples, const float *weight, const float *bias, T::raw *out, const int *pieces, int channels, int taps, \
                   int stride, int activation) { \
    SHARED(float, seen, FIRST_ROWS *MOST_TAPS + MOST_TAPS); \
    first_convolution<T>(samples, weight, bias, out, pieces, channels, taps, stride, activation, seen); \
  }
FIRST(first_f32, F32)
FIRST(first_bf16, Bf16)
FIRST(first_f16, F16)

// WavLM's gate (Chen et al. 2022, equations 3 to 5) of every head and row: gate [head, row] = a (b constant − 1) + 2, where a and b are
// the logistic function of the head's columns times weight [2, head dim] plus bias [2]. A thread a row and head.
template <class T>
DEVICE void gate(const typename T::raw *x, const float *weight, const float *bias, const float *constant, float *out, int rows, int heads,
                 int head_dim) {
  const u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (u64)rows * heads) return;
  const int row = (int)(i / heads), head = (int)(i % heads);
  const typename T::raw *from = x + i * head_dim;
  float a = bias[0], b = bias[1];
  for (int c = 0; c < head_dim; c++) {
    const float v = Io<T>::load(from + c);
    a += v * weight[c];
    b += v * weight[head_dim + c];
  }
  a = 1.f / (1.f + expf(-a));
  b = 1.f / (1.f + expf(-b));
  out[(u64)head * rows + row] = a * (b * constant[head] - 1.f) + 2.f;
}
#define GATE(name, T) \
  KERNEL name(const T::raw *x, const float *weight, const float *bias, const float *constant, float *out, int rows, int heads, \
                   int head_dim) { \
    gate<T>(x, weight, bias, constant, out, rows, heads, head_dim); \
  }
GATE(gate_f32, F32)
GATE(gate_bf16, Bf16)
GATE(gate_f16, F16)
