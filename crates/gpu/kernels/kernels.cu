// Every kernel of the device. NVRTC makes PTX of this file (tools/gpu/ptx.py); a C++ compiler with -DEMOBOX_SHIM makes a library that
// runs the same kernels on the CPU, for tests.
#ifdef EMOBOX_SHIM
#include "shim.h"
#else
#include "cuda.h"
#endif
#include "numbers.h"
#include "attention.h"
#include "rows.h"
#include "speech.h"
#include "probe.h"
#include "attentive.h"
#ifdef EMOBOX_SHIM
#include "exports.h"
#endif
