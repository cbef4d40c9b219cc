// The door to the kernels of a library made with the shim: by name, with pointers to the arguments as the CUDA driver takes them.
#pragma once
template <class... P, size_t... I> void unpack(void (*f)(P...), void **arguments, std::index_sequence<I...>) { f(*(P *)arguments[I]...); }
template <class... P> void call(void (*f)(P...), void **arguments) { unpack(f, arguments, std::index_sequence_for<P...>()); }

#define EACH_ATTENTION(X, kind) \
  X(attend_plain_64_##kind) X(attend_relative_64_##kind) X(attend_alibi_64_##kind) X(attend_distances_64_##kind) \
  X(attend_plain_128_##kind) X(attend_relative_128_##kind) X(attend_alibi_128_##kind) X(attend_distances_128_##kind)
#define EACH_OPERAND(X, kind) \
  X(bias_activate_##kind) X(norm_f32_##kind) X(spread_f32_##kind) X(gather_##kind) X(first_##kind) X(gate_##kind) X(glu_##kind) X(rotate_##kind) \
  X(depthwise_f32_##kind)
#define EACH_NARROW(X, kind) \
  EACH_ATTENTION(X, kind) X(cast_f32_##kind) X(cast_##kind##_f32) X(norm_##kind##_##kind) X(spread_##kind##_##kind) X(depthwise_##kind##_##kind)
#define EACH_OF_PROBE(X) \
  X(probe_forward) X(probe_hidden) X(probe_mean) X(probe_mean_features) X(probe_statistics) X(probe_logits) X(probe_loss) X(probe_back) \
  X(probe_statistics_back) X(probe_small_gradient) X(probe_weight_gradient) X(probe_dense_gradient) X(probe_squares) X(probe_lay_out) \
  X(probe_adam) X(probe_advance) X(probe_score) X(probe_softmax) X(probe_attentive) X(probe_attentive_alpha) X(probe_softmax_back) \
  X(probe_score_back) X(probe_own_gradient) X(probe_score_gradient) X(probe_attentive_back)
#define EACH_KERNEL(X) \
  EACH_OPERAND(X, f32) EACH_OPERAND(X, bf16) EACH_OPERAND(X, f16) EACH_NARROW(X, bf16) EACH_NARROW(X, f16) \
  X(attend_64_f32) X(attend_128_f32) X(scale_shift) X(move_rows_16) X(move_rows_2) X(add_rows) X(beside_16) X(beside_2) \
  X(fold_group_norm) EACH_OF_PROBE(X)

// 0: done. 1: no such kernel. 2: a barrier that some threads of a block never reached.
extern "C" __attribute__((visibility("default"))) int emobox_launch(const char *name, u32 x, u32 y, u32 z, u32 threads, void **arguments) {
#define TRY(kernel) \
  if (!strcmp(name, #kernel)) return shim::launch({x, y, z}, threads, [&] { call(kernel, arguments); }) ? 0 : 2;
  EACH_KERNEL(TRY)
  return 1;
}
