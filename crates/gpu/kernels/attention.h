// softmax(q kᵀ scale + bias) v over packed utterances: no utterance sees another.
//
// q and out: rows of heads × head_dim. kv: rows of twice that, keys first. q_rows and kv_rows: (first row, rows) of every utterance;
// there may be fewer queries than keys, query i stands at position i. Grid: blocks of BM queries of the longest, head, utterance.
// head_dim is even and at most HD; what is beyond it in a tile is zero. BIAS 0: none. 1: relative, gate [head, query row] times
// table [head, span], the distance 0 at span / 2. 2: ALiBi, not for the first `tokens` rows. 3: embeddings of distances, below.
#pragma once
#define BM 64
#define NO_SCORE -1e30f

// Embeddings of distances: (query[i] · table[d] + key[j] · keys[d]) scale + offsets[d, head] is added to a score, where row d of the tables is
// the one for the distance j − i; beyond their ends it is the first or the last. table and keys (or null) [row, head × head dim],
// offsets (or null) [row, head]; the distance 0 is at row `before`.
template <class RAW> struct Distances {
  const RAW *table, *keys;
  const float *offsets;
  int before, last;
};
DEVICE int clamped(int row, int last) { return row < 0 ? 0 : (row > last ? last : row); }
#define DISTANCE_PARAMETERS(raw) const raw *distances, const raw *of_keys, const float *offsets, int before, int last
#define DISTANCE_ARGUMENTS {distances, of_keys, offsets, before, last}

// The part of eight rows of a head's columns of a table in global memory, turned, that meets columns step × 16 to step × 16 + 15: as `mma`
// takes it. `from`: the row of this lane.
DEVICE void table_part(u32 *b, const u16 *from, int step, int head_dim, int lane) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int column = step * 16 + half * 8 + (lane % 4) * 2;
    b[half] = column < head_dim ? *(const u32 *)(from + column) : 0u;
  }
}
// A product of 16 rows with eight of a table, to columns of rows of `width` numbers in shared memory.
DEVICE void store_product(float *to, const float *d, int width, int lane) {
#pragma unroll
  for (int e = 0; e < 4; e++) to[(lane / 4 + (e >> 1) * 8) * width + (lane % 4) * 2 + (e & 1)] = d[e];
}

template <class H, int HD, int BN, int BIAS>
DEVICE void attend(const u16 *q, const u16 *kv, u16 *out, const int *q_rows, const int *kv_rows, int heads, int head_dim, float scale,
                   const float *table, int span, const float *gate, int gate_rows, const float *slopes, int tokens, const Distances<u16> &distances,
                   u16 *keys, u16 *values, float *near) {
  const int PITCH = HD + 8, STEPS = HD / 16;
  const int head = blockIdx.y, first = kv_rows[2 * blockIdx.z], frames = kv_rows[2 * blockIdx.z + 1];
  const int first_query = q_rows[2 * blockIdx.z], queries = q_rows[2 * blockIdx.z + 1];
  const int start = blockIdx.x * BM;
  if (start >= queries) return;
  const int tid = threadIdx.x, warp = tid / 32, lane = tid % 32, dim = heads * head_dim, pair = (lane % 4) * 2;
  const int row = start + warp * 16 + lane / 4; // this lane's rows: row and row + 8
  u32 query[STEPS][4];
#pragma unroll
  for (int step = 0; step < STEPS; step++)
#pragma unroll
    for (int r = 0; r < 4; r++) {
      int at = row + (r & 1) * 8, column = step * 16 + (r >> 1) * 8 + pair;
      bool there = at < queries && column < head_dim;
      query[step][r] = there ? *(const u32 *)(q + (u64)(first_query + at) * dim + head * head_dim + column) : 0u;
    }
  float o[HD / 8][4], peak[2] = {NO_SCORE, NO_SCORE}, sum[2] = {0.f, 0.f};
#pragma unroll
  for (int n = 0; n < HD / 8; n++)
#pragma unroll
    for (int e = 0; e < 4; e++) o[n][e] = 0.f;
  const float log2e = 1.4426950408889634f, scale2 = scale * log2e;
  float gated[2] = {0.f, 0.f}, slope = 0.f;
  if (BIAS == 1)
    for (int h = 0; h < 2; h++) {
      int at = row + h * 8;
      gated[h] = at < queries ? gate[(u64)head * gate_rows + first_query + at] * log2e : 0.f;
    }
  if (BIAS == 2) slope = slopes[head] * log2e;
  const int blocks = (frames + BN - 1) / BN;
  const bool whole = head_dim % 8 == 0;
  auto load = [&](int block, int stage) {
    for (int i = tid; i < BN * (HD / 8); i += 128) {
      int r = i / (HD / 8), column = (i % (HD / 8)) * 8, at = block * BN + r;
      bool there = at < frames && column < head_dim;
      const u16 *from = kv + (u64)(first + (there ? at : 0)) * (2 * dim) + head * head_dim + (there ? column : 0);
      u16 *key = &keys[(stage * BN + r) * PITCH + column], *value = &values[(stage * BN + r) * PITCH + column];
      if (whole) {
        copy16(key, from, there);
        copy16(value, from + dim, there);
      } else
        for (int e = 0; e < 8; e++) {
          bool inside = there && column + e < head_dim;
          key[e] = inside ? from[e] : (u16)0;
          value[e] = inside ? from[dim + e] : (u16)0;
        }
    }
    commit();
  };
  load(0, 0);
  for (int b = 0; b < blocks; b++) {
    const int stage = b & 1;
    if (b + 1 < blocks) { load(b + 1, stage ^ 1); wait_one(); } else wait_all();
    SYNC();
    float s[BN / 8][4];
#pragma unroll
    for (int n = 0; n < BN / 8; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) s[n][e] = 0.f;
      u32 key[STEPS * 2];
#pragma unroll
      for (int part = 0; part < HD / 32; part++)
        load_matrices(key + part * 4, &keys[(stage * BN + n * 8 + lane % 8) * PITCH + (part * 4 + lane / 8) * 8]);
#pragma unroll
      for (int step = 0; step < STEPS; step++) H::mma(s[n], query[step], key + step * 2);
    }
    if (BIAS == 3) {
      // What is added for row r and key k of this warp's tile depends on k − r: products with the tile's BN + 15 distances, of which each
      // row takes its own. mine [row, distance]; `base`: the tables' row of the first distance
      // for this lane's part.
      const int W = BN + 16, base = b * BN - (start + warp * 16) - 15 + distances.before + lane / 4;
      float *mine = near + warp * 16 * W;
      auto row_of = [&](const u16 *table, int at) { return table + (u64)clamped(base + at, distances.last) * dim + head * head_dim; };
#pragma unroll 1
      for (int n = 0; n < W / 8; n++) {
        const u16 *from = row_of(distances.table, n * 8);
        float p[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
          u32 part[2];
          table_part(part, from, step, head_dim, lane);
          H::mma(p, query[step], part);
        }
        store_product(mine + n * 8, p, W, lane);
      }
      SYNC_WARP();
#pragma unroll
      for (int n = 0; n < BN / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int r = lane / 4 + (e >> 1) * 8, k = n * 8 + pair + (e & 1);
          s[n][e] += mine[r * W + k - r + 15];
        }
      if (distances.keys)
        // The same with keys for rows, sixteen of them at a time: 31 distances.
#pragma unroll
        for (int m = 0; m < BN / 16; m++) {
          float p[4][4];
#pragma unroll
          for (int n = 0; n < 4; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) p[n][e] = 0.f;
#pragma unroll 1
          for (int step = 0; step < STEPS; step++) {
            u32 key[4];
            load_matrices(key, &keys[(stage * BN + m * 16 + lane % 16) * PITCH + step * 16 + (lane / 16) * 8]);
#pragma unroll
            for (int n = 0; n < 4; n++) {
              u32 part[2];
              table_part(part, row_of(distances.keys, m * 16 + n * 8), step, head_dim, lane);
              H::mma(p[n], key, part);
            }
          }
          SYNC_WARP();
#pragma unroll
          for (int n = 0; n < 4; n++) store_product(mine + n * 8, p[n], W, lane);
          SYNC_WARP();
#pragma unroll
          for (int n = 0; n < 2; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
              int r = lane / 4 + (e >> 1) * 8, k = n * 8 + pair + (e & 1);
              s[m * 2 + n][e] += mine[k * W + k - r + 15];
            }
        }
    }
    float higher[2] = {peak[0], peak[1]};
#pragma unroll
    for (int n = 0; n < BN / 8; n++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        int key = b * BN + n * 8 + pair + (e & 1), at = row + (e >> 1) * 8;
        float v = s[n][e] * scale2;
        if (BIAS == 1) {
          int distance = key - at + span / 2;
          distance = distance < 0 ? 0 : (distance >= span ? span - 1 : distance);
          v += gated[e >> 1] * table[(u64)head * span + distance];
        }
        if (BIAS == 3 && distances.offsets)
          v += distances.offsets[clamped(key - at + distances.before, distances.last) * heads + head] * log2e;
        if (BIAS == 2 && at >= tokens && key >= tokens) v -= slope * (float)(at > key ? at - key : key - at);
        v = key < frames ? v : NO_SCORE;
        s[n][e] = v;
        higher[e >> 1] = fmaxf(higher[e >> 1], v);
      }
#pragma unroll
    for (int h = 0; h < 2; h++) {
      higher[h] = fmaxf(higher[h], shuffle_xor(higher[h], 1));
      higher[h] = fmaxf(higher[h], shuffle_xor(higher[h], 2));
      float shrink = exp2_fast(peak[h] - higher[h]);
      peak[h] = higher[h];
      sum[h] *= shrink;
#pragma unroll
      for (int n = 0; n < HD / 8; n++) { o[n][h * 2] *= shrink; o[n][h * 2 + 1] *= shrink; }
    }
    u32 weight[BN / 16][4];
#pragma unroll
    for (int n = 0; n < BN / 8; n++) {
      float p[4];
#pragma unroll
      for (int e = 0; e < 4; e++) { p[e] = exp2_fast(s[n][e] - peak[e >> 1]); sum[e >> 1] += p[e]; }
      weight[n / 2][(n & 1) * 2] = H::pack(p[0], p[1]);
      weight[n / 2][(n & 1) * 2 + 1] = H::pack(p[2], p[3]);
    }
#pragma unroll
    for (int step = 0; step < BN / 16; step++)
#pragma unroll
      for (int n = 0; n < HD / 8; n += 2) {
        u32 value[4];
        load_matrices_transposed(value, &values[(stage * BN + step * 16 + lane % 16) * PITCH + (n + lane / 16) * 8]);
        H::mma(o[n], weight[step], value);
        H::mma(o[n + 1], weight[step], value + 2);
      }
    SYNC(); // before the next round overwrites this stage
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
    sum[h] += shuffle_xor(sum[h], 1);
    sum[h] += shuffle_xor(sum[h], 2);
    int at = row + h * 8;
    float inverse = 1.f / sum[h];
    if (at < queries)
#pragma unroll
      for (int n = 0; n < HD / 8; n++) {
        int column = n * 8 + pair;
        if (column < head_dim)
          *(u32 *)(out + (u64)(first_query + at) * dim + head * head_dim + column) = H::pack(o[n][h * 2] * inverse, o[n][h * 2 + 1] * inverse);
      }
  }
}

#define ATTEND_PARAMETERS(raw) \
  const raw *q, const raw *kv, raw *out, const int *q_rows, const int *kv_rows, int heads, int head_dim, float scale, const float *table, \
      int span, const float *gate, int gate_rows, const float *slopes, int tokens
#define ATTEND(name, H, HD, BN, BIAS) \
  KERNEL name(ATTEND_PARAMETERS(u16)) { \
    SHARED(u16, keys, 2 * BN * (HD + 8)); \
    SHARED(u16, values, 2 * BN * (HD + 8)); \
    attend<H, HD, BN, BIAS>(q, kv, out, q_rows, kv_rows, heads, head_dim, scale, table, span, gate, gate_rows, slopes, tokens, {}, keys, values, \
                         nullptr); \
  }
#define ATTEND_DISTANCES(name, H, HD, BN) \
  KERNEL name(ATTEND_PARAMETERS(u16), DISTANCE_PARAMETERS(u16)) { \
    SHARED(u16, keys, 2 * BN * (HD + 8)); \
    SHARED(u16, values, 2 * BN * (HD + 8)); \
    SHARED(float, near, BM * (BN + 16)); \
    attend<H, HD, BN, 3>(q, kv, out, q_rows, kv_rows, heads, head_dim, scale, table, span, gate, gate_rows, slopes, tokens, DISTANCE_ARGUMENTS, \
                         keys, values, near); \
  }
#define ATTEND_ALL(suffix, H) \
  ATTEND(attend_plain_64_##suffix, H, 64, 64, 0) ATTEND(attend_relative_64_##suffix, H, 64, 64, 1) ATTEND(attend_alibi_64_##suffix, H, 64, 64, 2) \
  ATTEND(attend_plain_128_##suffix, H, 128, 32, 0) ATTEND(attend_relative_128_##suffix, H, 128, 32, 1) ATTEND(attend_alibi_128_##suffix, H, 128, 32, 2)
ATTEND_ALL(bf16, Bf16)
ATTEND_ALL(f16, F16)
ATTEND_DISTANCES(attend_distances_64_bf16, Bf16, 64, 32)
ATTEND_DISTANCES(attend_distances_128_bf16, Bf16, 128, 32)
ATTEND_DISTANCES(attend_distances_64_f16, F16, 64, 32)
ATTEND_DISTANCES(attend_distances_128_f16, F16, 128, 32)

// The same in f32, for proofs: 32 queries a block, four lanes a query, each with every fourth column. Any bias: `bias` is 0 to 3.
#define PLAIN_ROWS 32
#define PLAIN_KEYS 32
template <int HD>
DEVICE void attend_plainly(ATTEND_PARAMETERS(float), int bias, const Distances<float> &distances, float *keys, float *values) {
  const int head = blockIdx.y, first = kv_rows[2 * blockIdx.z], frames = kv_rows[2 * blockIdx.z + 1];
  const int first_query = q_rows[2 * blockIdx.z], queries = q_rows[2 * blockIdx.z + 1];
  const int start = blockIdx.x * PLAIN_ROWS;
  if (start >= queries) return;
  const int tid = threadIdx.x, part = tid % 4, row = start + tid / 4, dim = heads * head_dim;
  const bool there = row < queries;
  float query[HD / 4], o[HD / 4], peak = NO_SCORE, sum = 0.f;
#pragma unroll
  for (int j = 0; j < HD / 4; j++) {
    int column = part + 4 * j;
    query[j] = there && column < head_dim ? q[(u64)(first_query + row) * dim + head * head_dim + column] * scale : 0.f;
    o[j] = 0.f;
  }
  const float gated = bias == 1 && there ? gate[(u64)head * gate_rows + first_query + row] : 0.f;
  const float slope = bias == 2 ? slopes[head] : 0.f;
  for (int block = 0; block < frames; block += PLAIN_KEYS) {
    SYNC();
    for (int i = tid; i < PLAIN_KEYS * HD; i += 128) {
      int at = block + i / HD, column = i % HD;
      bool inside = at < frames && column < head_dim;
      const float *from = kv + (u64)(first + (inside ? at : 0)) * (2 * dim) + head * head_dim + (inside ? column : 0);
      keys[i] = inside ? from[0] : 0.f;
      values[i] = inside ? from[dim] : 0.f;
    }
    SYNC();
    int count = frames - block < PLAIN_KEYS ? frames - block : PLAIN_KEYS;
    for (int k = 0; k < count; k++) {
      float s = 0.f;
#pragma unroll
      for (int j = 0; j < HD / 4; j++) s += query[j] * keys[k * HD + part + 4 * j];
      const int key = block + k, near = clamped(key - row + distances.before, distances.last);
      if (bias == 3) {
        const u64 at = (u64)near * dim + head * head_dim;
        float of_keys = 0.f;
#pragma unroll
        for (int j = 0; j < HD / 4; j++) {
          int column = part + 4 * j;
          if (column >= head_dim) continue;
          s += query[j] * distances.table[at + column];
          if (distances.keys) of_keys += keys[k * HD + column] * distances.keys[at + column];
        }
        s += of_keys * scale;
      }
      s += shuffle_xor(s, 1);
      s += shuffle_xor(s, 2);
      if (bias == 3 && distances.offsets) s += distances.offsets[near * heads + head];
      if (bias == 1) {
        int distance = key - row + span / 2;
        distance = distance < 0 ? 0 : (distance >= span ? span - 1 : distance);
        s += gated * table[(u64)head * span + distance];
      }
      if (bias == 2 && row >= tokens && key >= tokens) s -= slope * (float)(row > key ? row - key : key - row);
      float higher = fmaxf(peak, s), shrink = expf(peak - higher), weight = expf(s - higher);
      peak = higher;
      sum = sum * shrink + weight;
#pragma unroll
      for (int j = 0; j < HD / 4; j++) o[j] = o[j] * shrink + weight * values[k * HD + part + 4 * j];
    }
  }
  if (there)
#pragma unroll
    for (int j = 0; j < HD / 4; j++) {
      int column = part + 4 * j;
      if (column < head_dim) out[(u64)(first_query + row) * dim + head * head_dim + column] = o[j] / sum;
    }
}
#define ATTEND_PLAINLY(name, HD) \
  KERNEL name(ATTEND_PARAMETERS(float), int bias, DISTANCE_PARAMETERS(float)) { \
    SHARED(float, keys, PLAIN_KEYS * HD); \
    SHARED(float, values, PLAIN_KEYS * HD); \
    attend_plainly<HD>(q, kv, out, q_rows, kv_rows, heads, head_dim, scale, table, span, gate, gate_rows, slopes, tokens, bias, DISTANCE_ARGUMENTS, \
                       keys, values); \
  }
ATTEND_PLAINLY(attend_64_f32, 64)
ATTEND_PLAINLY(attend_128_f32, 128)
