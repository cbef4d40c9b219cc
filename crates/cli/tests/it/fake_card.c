/* A driver and a cuBLASLt without a card: memory is the machine's, kernels and products do nothing. What is opened and closed is written
   to the file that FAKE_CARD_LOG names, a line each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long address;

static void told(const char *what) {
  FILE *log = fopen(getenv("FAKE_CARD_LOG"), "a");
  fprintf(log, "%s\n", what);
  fclose(log);
}

static char thing[16];

#ifdef DRIVER
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuGetErrorString(int status, const char **text) { *text = "an error"; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int room, int device) { strncpy(name, "Fake card", room); return 0; }
int cuDeviceGetAttribute(int *value, int which, int device) { *value = which == 75 ? 9 : 0; return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 1ull << 32; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { told("context opened"); *context = thing; return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { told("context closed"); return 0; }
int cuCtxSetCurrent(void *context) { return 0; }
int cuStreamCreate(void **stream, unsigned flags) { told("stream opened"); *stream = thing; return 0; }
int cuStreamSynchronize(void *stream) { return 0; }
int cuStreamDestroy_v2(void *stream) { told("stream closed"); return 0; }
int cuDeviceGetDefaultMemPool(void **pool, int device) { *pool = thing; return 0; }
int cuMemPoolSetAttribute(void *pool, int which, void *value) { return 0; }
int cuMemPoolGetAttribute(void *pool, int which, address *value) { *value = 0; return 0; }
int cuMemPoolTrimTo(void *pool, size_t bytes) { return 0; }
int cuMemAllocAsync(address *at, size_t bytes, void *stream) { *at = (address)calloc(1, bytes); return 0; }
int cuMemFreeAsync(address at, void *stream) { free((void *)at); return 0; }
int cuMemcpyHtoDAsync_v2(address to, const void *from, size_t bytes, void *stream) { memcpy((void *)to, from, bytes); return 0; }
int cuMemcpyDtoHAsync_v2(void *to, address from, size_t bytes, void *stream) { memcpy(to, (void *)from, bytes); return 0; }
int cuMemsetD8Async(address at, unsigned char value, size_t bytes, void *stream) { memset((void *)at, value, bytes); return 0; }
int cuMemGetInfo_v2(size_t *left, size_t *all) { *left = *all = 1ull << 32; return 0; }
int cuMemHostAlloc(void **at, size_t bytes, unsigned flags) { *at = malloc(bytes); return 0; }
int cuMemFreeHost(void *at) { free(at); return 0; }
int cuModuleLoadDataEx(void **module, const void *image, unsigned count, void *options, void **values) {
  told("module opened");
  *module = thing;
  return 0;
}
int cuModuleGetFunction(void **function, void *module, const char *name) { *function = thing; return 0; }
int cuModuleUnload(void *module) { told("module closed"); return 0; }
int cuStreamBeginCapture_v2(void *stream, int mode) { return 0; }
int cuStreamEndCapture(void *stream, void **graph) { *graph = thing; return 0; }
int cuGraphInstantiateWithFlags(void **made, void *graph, address flags) { *made = thing; return 0; }
int cuGraphDestroy(void *graph) { return 0; }
int cuGraphLaunch(void *graph, void *stream) { return 0; }
int cuGraphExecDestroy(void *graph) { return 0; }
int cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned a, unsigned b, unsigned c, unsigned shared, void *stream,
                   void **arguments, void **extra) { return 0; }
#else
size_t cublasLtGetVersion(void) { return 130100; }
int cublasLtCreate(void **handle) { told("products opened"); *handle = thing; return 0; }
int cublasLtDestroy(void *handle) { told("products closed"); return 0; }
int cublasLtMatrixLayoutCreate(void **layout) { *layout = thing; return 0; }
int cublasLtMatrixLayoutSetAttribute(void) { return 0; }
int cublasLtMatrixLayoutDestroy(void) { return 0; }
int cublasLtMatmulDescCreate(void **description) { *description = thing; return 0; }
int cublasLtMatmulDescSetAttribute(void) { return 0; }
int cublasLtMatmulDescDestroy(void) { return 0; }
int cublasLtMatmulPreferenceCreate(void **preference) { *preference = thing; return 0; }
int cublasLtMatmulPreferenceSetAttribute(void) { return 0; }
int cublasLtMatmulPreferenceDestroy(void) { return 0; }
int cublasLtMatmulAlgoGetHeuristic(void *handle, void *description, void *a, void *b, void *c, void *d, void *preference, int asked,
                                   void *found, int *count) { *count = 1; return 0; }
int cublasLtMatmul(void) { return 0; }
#endif
