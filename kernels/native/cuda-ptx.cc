#include "cuda-ptx.h"

// Set-up defines BERGSON_PTX, the path of the committed file; only Linux has CUDA drivers to give it to.
#if defined(__linux__) && defined(BERGSON_PTX)
asm(".pushsection .rodata\n"
    ".global bergson_ptx\n"
    ".hidden bergson_ptx\n"
    "bergson_ptx:\n"
    ".incbin \"" BERGSON_PTX "\"\n"
    ".byte 0\n"
    ".popsection\n");
extern "C" __attribute__((visibility("hidden"))) const char bergson_ptx[];

const char* bergson::cuda_ptx() { return bergson_ptx; }
#else
const char* bergson::cuda_ptx() { return ""; }
#endif
